"""Releases as rows and JSON: which version serves since when, the history of moves, differences between versions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..model.release import ALIASES, DEGRADED, PREVIOUS, PRODUCTION, Move, MoveState, MoveVerb, Registry, Version
from ..timeutil import DAY, format_iso
from .formatting import number, utc_time
from .markdown import MAX_LENGTH, plain_line

SHORT_COMMIT = 12
HASHES = ("commit", "content")
FIRST_FACTS = ("data", *HASHES)
MAX_METRICS = 4
SCHEDULE_PERIODS = {"monthly": 31 * DAY, "quarterly": 92 * DAY}
SCHEDULE_GRACE = 2 * DAY
"""Seconds that a scheduled retraining can be late."""


@dataclass(frozen=True, slots=True)
class VersionDifference:
    """One thing that may differ between two versions; ``a`` and ``b`` as text, empty where a version lacks it."""

    what: str
    a: str
    b: str

    @property
    def same(self) -> bool:
        return self.a == self.b

    @property
    def cells(self) -> tuple[str, str, str]:
        """The cells of a table: hashes shortened, as git shows them."""
        longest = SHORT_COMMIT if self.what in HASHES else MAX_LENGTH
        return plain_line(self.what), plain_line(self.a[:longest]), plain_line(self.b[:longest])


def assigning_move(registry: Registry, alias: str) -> Move | None:
    """The newest move that gave ``alias`` to its holder; ``None`` where no move did."""
    holder = registry.holder(alias)
    if holder is None:
        return None
    moves = (move for move in registry.moves if move.state in (MoveState.DONE, MoveState.MOVED))
    return next((move for move in moves if (alias, holder.name) in move.after), None)


def lost_versions(registry: Registry, keep: int) -> tuple[Version, ...]:
    """Of the last ``keep`` versions that were in production those that are no longer available."""
    held = (holder.name for holder in map(registry.holder, (PRODUCTION, PREVIOUS)) if holder)
    names = dict.fromkeys((*held, *registry.served_versions))
    last = [registry.version(name) or Version(name, (), "", 0.0, available=False) for name in list(names)[:keep]]
    return tuple(version for version in last if not version.available)


def lost_version_warnings(registry: Registry, keep: int) -> list[str]:
    """A warning that names them; none where all are available."""
    titles = ", ".join(version.title for version in lost_versions(registry, keep))
    warning = f"a rollback to {titles} is impossible: W&B no longer has the files (checked: the last {keep} versions)."
    return [warning] if titles else []


def overdue_warnings(registry: Registry, every: str, now: float) -> list[str]:
    """A warning that ``release.every`` was missed: GitHub drops schedules, and ends them in inactive repositories."""
    trained = [move.at for move in registry.moves if move.verb is MoveVerb.RETRAIN and move.state is MoveState.DONE]
    last = max((*trained, *(version.created for version in registry.versions)), default=now)
    if not now - last > SCHEDULE_PERIODS.get(every, math.inf) + SCHEDULE_GRACE:
        return []
    return [
        f"nothing was trained since {utc_time(last)}, but `release.every` is {every}: check that its schedule runs."
    ]


def registry_warnings(registry: Registry, keep: int) -> list[str]:
    """Warnings about a registry: lost versions, no production, moves that have not ended."""
    warnings = lost_version_warnings(registry, keep)
    if registry.holder(PRODUCTION) is None:
        warnings.append("nothing is in production.")
    ending = "has not ended; `modelwatch release finish` or the next move ends it."
    return warnings + [f"{describe_move(move, registry)} {ending}" for move in registry.open_moves]


def status_json(registry: Registry, keep: int) -> dict[str, Any]:
    """Which version has each alias, by whom, when and why; as JSON."""
    return {
        "model": registry.model,
        "artifact": registry.artifact,
        "aliases": {alias: _alias_json(registry, alias) for alias in _shown_aliases(registry)},
        "open": [move_json(move, registry) for move in registry.open_moves],
        "warnings": registry_warnings(registry, keep),
    }


def _shown_aliases(registry: Registry) -> tuple[str, ...]:
    return (*ALIASES, DEGRADED) if registry.holder(DEGRADED) else ALIASES


def _alias_json(registry: Registry, alias: str) -> dict[str, Any] | None:
    holder = registry.holder(alias)
    if holder is None:
        return None
    move = assigning_move(registry, alias)
    put = {"since": format_iso(move.at), "by": move.by, "reason": move.reason, "key": move.key} if move else None
    return version_json(holder) | {"put": put}


def version_json(version: Version) -> dict[str, Any]:
    return {
        "version": version.name,
        "number": version.number,
        "commit": version.commit,
        "data": version.data,
        "parameters": dict(version.parameters),
        "metrics": dict(version.metrics),
        "aliases": list(version.aliases),
        "created": format_iso(version.created) if version.created else "",
        "by": version.by,
        "run": version.run,
        "available": version.available,
    }


def status_rows(registry: Registry) -> list[tuple[str, ...]]:
    """alias, version, commit, data, metrics, since, by, why; texts from outside are one safe line each."""
    rows: list[tuple[str, ...]] = []
    for alias in _shown_aliases(registry):
        holder, move = registry.holder(alias), assigning_move(registry, alias)
        if holder is None:
            rows.append((alias, "none", "", "", "", "", "", ""))
            continue
        what = (holder.title, holder.commit[:SHORT_COMMIT], plain_line(holder.data, 40), _metrics_text(holder))
        put = (utc_time(move.at), move.by, move.reason) if move else ("", holder.by, "not by modelwatch")
        rows.append((alias, *map(plain_line, (*what, *put))))
    return rows


def _metrics_text(version: Version) -> str:
    texts = [f"{name} {number(value)}" for name, value in version.metrics[:MAX_METRICS]]
    more = len(version.metrics) - len(texts)
    return ", ".join(texts) + (f", {more} more" if more > 0 else "")


def describe_move(move: Move, registry: Registry) -> str:
    """``promote 1.5.0 (v8)``."""
    return _verb_and_destination(move, _version_title(registry, move.destination))


def _verb_and_destination(move: Move, title: str) -> str:
    """``promote 1.5.0 (v8)``, ``degrade to fallback``."""
    return f"{move.verb}{' to' if move.verb is MoveVerb.DEGRADE else ''} {title}".strip()


def move_json(move: Move, registry: Registry | None = None) -> dict[str, Any]:
    version = registry.version(move.target) if registry else None
    return {
        "key": move.key,
        "verb": str(move.verb),
        "model": move.model,
        "from": move.source,
        "version": move.target,
        "number": version.number if version else "",
        "state": str(move.state),
        "reason": move.reason,
        "by": move.by,
        "at": format_iso(move.at),
        "ended": format_iso(move.ended) if move.ended is not None else "",
        "detail": move.detail,
        "percent": move.percent,
        "issue": move.issue,
        "url": move.url,
        "told": list(move.told),
    }


def history_rows(registry: Registry) -> list[tuple[str, ...]]:
    """when (UTC), verb, from, to, state, by, why; newest first."""
    return [
        (
            utc_time(move.at).removesuffix(" UTC"),
            str(move.verb),
            _version_title(registry, move.origin),
            _version_title(registry, move.destination),
            str(move.state),
            plain_line(move.by),
            plain_line("; ".join(filter(None, (move.reason, move.detail)))),
        )
        for move in registry.moves
    ]


def _version_title(registry: Registry, name: str) -> str:
    version = registry.version(name)
    return plain_line(version.title if version else name)


def version_differences(a: Version, b: Version) -> list[VersionDifference]:
    """Everything that can differ, in the order in which people ask: data, commit, content, configuration, metrics."""
    left, right = _facts(a), _facts(b)
    names = (*FIRST_FACTS, *sorted({*left, *right} - {*FIRST_FACTS}))
    return [VersionDifference(name, left.get(name, ""), right.get(name, "")) for name in names]


def _facts(version: Version) -> dict[str, str]:
    metrics = {f"metric {name}": number(value) if value == 0 else f"{value:.10g}" for name, value in version.metrics}
    parameters = {f"config {name}": value for name, value in version.parameters}
    return {"data": version.data, "commit": version.commit, "content": version.digest, **parameters, **metrics}


def move_result(move: Move) -> str:
    """How a move ended, in one line."""
    what = plain_line(_verb_and_destination(move, move.destination))
    match move.state:
        case MoveState.DONE if not move.url:
            return f"No changes needed: {plain_line(move.detail)}."
        case MoveState.DONE:
            return f"Done: {what}."
        case MoveState.FAILED:
            back = " The aliases were restored." if move.after else ""
            return f"Failed: {what}: {plain_line(move.detail)}.{back}"
        case MoveState.UNDONE:
            return f"Undone: {what}: {plain_line(move.detail)}."
        case _:
            return f"Not ended: {what}."
