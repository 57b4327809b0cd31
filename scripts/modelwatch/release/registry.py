"""What W&B says about the releases of a model: its versions, who holds which alias, and every move."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..clients.patience import RetryPolicy
from ..clients.wandb_registry import ArtifactVersion, ProducerRun
from ..model.release import ALIASES, DEGRADED, Move, MoveVerb, Registry, Version
from ..model.watched import Model
from .access import Access, open_access
from .history import Record, filters_of, record_of, seconds

NUMBER = re.compile(r"v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})", re.ASCII)
NEWEST = 30
"""The makers of so many of the newest versions are asked for, and of every version that an alias or a move names."""
LONGEST_VALUE = 200


def read_registry(model: Model, env: Mapping[str, str], patience: RetryPolicy) -> Registry:
    """Raises UserError where the model has no `release:`, SourceError where W&B cannot be read."""
    return registry_of(open_access(model, env, patience))


def read_releases(model: Model, env: Mapping[str, str], patience: RetryPolicy) -> Registry:
    """As ``read_registry``, without what made each version: in fewer calls."""
    registry, _, _ = look(open_access(model, env, patience), makers=False)
    return registry


def registry_of(access: Access) -> Registry:
    """The same for a session that is open already; everything is read anew."""
    registry, _, _ = look(access)
    return registry


def look(
    access: Access, *, makers: bool = True, moves: bool = True
) -> tuple[Registry, dict[str, str], tuple[Record, ...]]:
    """The registry, W&B's id of each version by name, and the records of its moves, newest first.

    Without ``makers`` versions lack commit, data, configuration and metrics, without ``moves`` there is no history:
    each saves a call.
    """
    found = access.session.versions()
    records = read_records(access) if moves else ()
    past = tuple(record.move for record in records)
    made = access.session.producer_runs([one.id for one in _interesting(found, past)]) if makers else {}
    versions = [version_of(one, made.get(one.id), access.spec.data) for one in found]
    versions += _gone({one.name for one in found}, past)
    ids = {one.name: one.id for one in found}
    return Registry(access.model.name, access.spec.artifact, tuple(versions), past), ids, records


def read_records(access: Access) -> tuple[Record, ...]:
    """Newest first."""
    path = "/".join(access.home)
    runs = access.session.find_runs(path, filters_of(access.model.name))
    records = [record for record in map(record_of, runs) if record is not None]
    records = [record for record in records if record.move.model == access.model.name]
    return tuple(sorted(records, key=lambda record: (record.move.at, record.move.key), reverse=True))


def version_of(found: ArtifactVersion, maker: ProducerRun | None, data: str) -> Version:
    """``data``: the key of the metadata, or of the configuration of the W&B run, that says what it was trained on."""
    config = maker.config if maker else {}
    trained_on = _dig(found.metadata, data)
    trained_on = _dig(config, data) if trained_on is None else trained_on
    metrics = {name: value for name, value in _numbers(maker.summary if maker else {}) if not name.startswith("_")}
    metrics |= {name: value for name, value in _numbers(found.metadata) if name not in config}
    parameters = dict(_texts(config)) | {
        name: text for name, text in _texts(found.metadata) if name not in metrics and name not in config
    }
    return Version(
        name=found.name,
        aliases=found.aliases,
        digest=found.digest,
        created=seconds(found.created),
        number=number_of(found.aliases),
        commit=(maker.commit if maker else "") or _said(found.metadata, "commit", "git_commit"),
        data="" if trained_on is None else _shown(trained_on),
        parameters=tuple(sorted(item for item in parameters.items() if item[0] != data)),
        metrics=tuple(sorted(metrics.items())),
        by=maker.user if maker else "",
        run=maker.path if maker else "",
    )


def number_of(aliases: Iterable[str]) -> str:
    """The highest semantic number among the aliases."""
    numbers = [alias for alias in aliases if NUMBER.fullmatch(alias)]
    return max(numbers, key=parts_of, default="")


def parts_of(number: str) -> tuple[int, int, int]:
    found = NUMBER.fullmatch(number)
    return (int(found[1]), int(found[2]), int(found[3])) if found else (0, 0, 0)


def _interesting(found: list[ArtifactVersion], moves: tuple[Move, ...]) -> list[ArtifactVersion]:
    named = {name for move in moves for name in (move.source, move.target)}
    known = {*ALIASES, DEGRADED}
    return [
        one
        for place, one in enumerate(found)
        if place < NEWEST or one.name in named or not known.isdisjoint(one.aliases)
    ]


def _gone(there: set[str], moves: tuple[Move, ...]) -> list[Version]:
    """Versions that were in production, and that W&B no longer has."""
    serving = [move for move in moves if move.verb in (MoveVerb.PROMOTE, MoveVerb.ROLLBACK)]
    named = dict.fromkeys(name for move in serving for name in (move.target, move.source))
    return [Version(name, (), "", 0.0, available=False) for name in named if name and name not in there]


def _dig(values: Mapping[str, Any], key: str) -> Any:
    if key in values:
        return values[key]
    head, dot, rest = key.partition(".")
    inner = values.get(head)
    return _dig(inner, rest) if dot and isinstance(inner, Mapping) else None


def _said(values: Mapping[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := values.get(name), str)), "")


def _numbers(values: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            yield name, float(value)


def _texts(values: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _texts(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", _shown(value)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, sort_keys=True)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
