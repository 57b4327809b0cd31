"""Releases for people and machines: who serves and since when, the history of moves, what differs between versions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..model.release import ALIASES, DEGRADED, PREVIOUS, PRODUCTION, Move, MoveState, MoveVerb, Registry, Version
from ..model.rule import DAY
from .escape import LONGEST, line
from .words import iso, number, when

SHORT_COMMIT = 12
HASHES = ("commit", "content")
FEW_METRICS = 4
PERIODS = {"monthly": 31 * DAY, "quarterly": 92 * DAY}
GRACE = 2 * DAY
"""Seconds that a retraining on schedule may be late."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that may differ between two versions; ``a`` and ``b`` as text, empty where a version lacks it."""

    what: str
    a: str
    b: str

    @property
    def same(self) -> bool:
        return self.a == self.b

    @property
    def cells(self) -> tuple[str, str, str]:
        """For people: hashes by their first letters, as git shows them."""
        longest = SHORT_COMMIT if self.what in HASHES else LONGEST
        return line(self.what), line(self.a[:longest]), line(self.b[:longest])


def placed_by(registry: Registry, alias: str) -> Move | None:
    """The newest move that gave ``alias`` to whoever holds it; ``None`` where it was not given by a move."""
    holder = registry.holder(alias)
    if holder is None:
        return None
    return next(
        (
            move
            for move in registry.moves
            if (alias, holder.name) in move.after and move.state in (MoveState.DONE, MoveState.MOVED)
        ),
        None,
    )


def lost(registry: Registry, keep: int) -> tuple[Version, ...]:
    """Of the last ``keep`` versions that were in production those that are no longer available."""
    held = (holder.name for holder in map(registry.holder, (PRODUCTION, PREVIOUS)) if holder)
    names = dict.fromkeys((*held, *registry.served_versions))
    last = [registry.version(name) or Version(name, (), "", 0.0, available=False) for name in list(names)[:keep]]
    return tuple(version for version in last if not version.available)


def lost_words(registry: Registry, keep: int) -> list[str]:
    """The same for people; nothing where all are there."""
    titles = ", ".join(version.title for version in lost(registry, keep))
    gone = f"of the last {keep} versions that were in production, {titles} can no longer be deployed"
    return [f"{gone}: W&B has lost their files. A rollback to them is impossible."] if titles else []


def overdue_words(registry: Registry, every: str, now: float) -> list[str]:
    """That ``release.every`` has been missed: schedules of GitHub are dropped, and end where a repository sleeps."""
    trained = [move.at for move in registry.moves if move.verb is MoveVerb.RETRAIN and move.state is MoveState.DONE]
    last = max((*trained, *(version.created for version in registry.versions)), default=now)
    if not now - last > PERIODS.get(every, math.inf) + GRACE:
        return []
    return [f"nothing was trained since {when(last)}, and `release.every` says {every}: does its schedule still run?"]


def warnings(registry: Registry, keep: int) -> list[str]:
    """What a person should know before they need it."""
    told = lost_words(registry, keep)
    if registry.holder(PRODUCTION) is None:
        told.append("nothing is in production.")
    ending = "has not ended; `modelwatch release finish` or the next move ends it."
    return told + [f"{describe(move, registry)} {ending}" for move in registry.open_moves]


def status_of(registry: Registry, keep: int) -> dict[str, Any]:
    """Who holds what, who put it there, when and why; as JSON."""
    aliases = [*ALIASES, *([DEGRADED] if registry.holder(DEGRADED) else [])]
    return {
        "model": registry.model,
        "artifact": registry.artifact,
        "aliases": {alias: _held(registry, alias) for alias in aliases},
        "open": [move_of(move, registry) for move in registry.open_moves],
        "warnings": warnings(registry, keep),
    }


def _held(registry: Registry, alias: str) -> dict[str, Any] | None:
    holder = registry.holder(alias)
    if holder is None:
        return None
    move = placed_by(registry, alias)
    put = {"since": iso(move.at), "by": move.by, "reason": move.reason, "key": move.key} if move else None
    return version_of(holder) | {"put": put}


def version_of(version: Version) -> dict[str, Any]:
    return {
        "version": version.name,
        "number": version.number,
        "commit": version.commit,
        "data": version.data,
        "parameters": dict(version.parameters),
        "metrics": dict(version.metrics),
        "aliases": list(version.aliases),
        "created": iso(version.created) if version.created else "",
        "by": version.by,
        "run": version.run,
        "available": version.available,
    }


def status_rows(registry: Registry) -> list[tuple[str, ...]]:
    """alias, version, commit, data, metrics, since, by, why; text that came from outside is one safe line."""
    rows: list[tuple[str, ...]] = []
    for alias in (*ALIASES, *([DEGRADED] if registry.holder(DEGRADED) else [])):
        holder = registry.holder(alias)
        if holder is None:
            rows.append((alias, "nobody", "", "", "", "", "", ""))
            continue
        move = placed_by(registry, alias)
        put = (when(move.at), line(move.by), line(move.reason)) if move else ("", line(holder.by), "not by modelwatch")
        rows.append(
            (
                alias,
                line(holder.title),
                line(holder.commit[:SHORT_COMMIT]),
                line(holder.data, 40),
                line(_metrics(holder)),
                *put,
            )
        )
    return rows


def _metrics(version: Version) -> str:
    shown = [f"{name} {number(value)}" for name, value in version.metrics[:FEW_METRICS]]
    more = len(version.metrics) - len(shown)
    return ", ".join(shown) + (f", {more} more" if more > 0 else "")


def describe(move: Move, registry: Registry) -> str:
    """``promote 1.5.0 (v8)``."""
    version = registry.version(move.target) if move.target else None
    return line(f"{move.verb} {version.title if version else move.target}".strip())


def move_of(move: Move, registry: Registry) -> dict[str, Any]:
    version = registry.version(move.target) if move.target else None
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
        "at": iso(move.at),
        "ended": iso(move.ended) if move.ended is not None else "",
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
            when(move.at).removesuffix(" UTC"),
            str(move.verb),
            _title(registry, move.source),
            _title(registry, move.target),
            str(move.state),
            line(move.by),
            line("; ".join(filter(None, (move.reason, move.detail)))),
        )
        for move in registry.moves
    ]


def _title(registry: Registry, name: str) -> str:
    version = registry.version(name) if name else None
    return line(version.title if version else name)


def differences(a: Version, b: Version) -> list[Line]:
    """Everything that can differ, in the order in which people ask: data, commit, content, configuration, metrics."""
    lines = [
        Line("data", a.data, b.data),
        Line("commit", a.commit, b.commit),
        Line("content", a.digest, b.digest),
    ]
    for prefix, left, right in (
        ("config", dict(a.parameters), dict(b.parameters)),
        ("metric", _texts(a), _texts(b)),
    ):
        lines += [Line(f"{prefix} {name}", left.get(name, ""), right.get(name, "")) for name in sorted({*left, *right})]
    return lines


def _texts(version: Version) -> dict[str, str]:
    return {name: number(value) if value == 0 else f"{value:.10g}" for name, value in version.metrics}


def result_line(move: Move, registry_title: str = "") -> str:
    """How a move ended, in one line."""
    what = line(f"{move.verb} {registry_title or move.target}".strip())
    match move.state:
        case MoveState.DONE if not move.url:
            return f"Nothing to do: {line(move.detail)}."
        case MoveState.DONE:
            return f"Done: {what}."
        case MoveState.FAILED:
            back = " The aliases were put back." if move.after else ""
            return f"Failed: {what}: {line(move.detail)}.{back}"
        case MoveState.UNDONE:
            return f"Not made: {what}: {line(move.detail)}."
        case _:
            return f"Not ended: {what}."
