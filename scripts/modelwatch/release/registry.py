"""Read one model's releases from W&B: the versions in its collection, and the history of moves in its project."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..clients.retry import RetryPolicy
from ..clients.wandb import open_api
from ..clients.wandb_registry import ArtifactVersion, ProducerRun, RegistrySession
from ..errors import UserError
from ..model.monitored_model import Model, ReleaseSpec
from ..model.release import ALIASES, DEGRADED, Move, MoveVerb, Registry, Version
from .move_records import MoveRecord, move_filters, parse_time_or_zero, read_record

REGISTRY_PREFIX = "wandb-registry-"
"""Prefix of the projects of W&B's registries; they hold no W&B runs."""
SEMVER = re.compile(r"v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})", re.ASCII)
NEWEST_WITH_PRODUCERS = 30
"""The W&B runs that logged the versions are read for so many of the newest ones, and for every version that an alias or
a move names."""
MAX_VALUE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class ReleaseAccess:
    model: Model
    spec: ReleaseSpec
    session: RegistrySession
    runs_project: tuple[str, str]
    """Entity and project of the W&B runs that are the moves."""


def require_release_spec(model: Model) -> ReleaseSpec:
    """The model's ``release:`` section. Raises UserError if it has none."""
    if model.release is None:
        raise UserError(
            f"the model {model.name!r} has no `release:` in the configuration.",
            hint="For example `release: {artifact: acme/churn-train/churn, deploy: ./deploy.sh}`.",
            where=model.where,
        )
    return model.release


def open_access(model: Model, env: Mapping[str, str], retry: RetryPolicy) -> ReleaseAccess:
    """Raises UserError if the model has no releases, SourceError if W&B cannot be reached."""
    spec = require_release_spec(model)
    project = runs_project_of(model, spec)
    api = open_api(model.wandb_url(env), env.get("WANDB_API_KEY", ""), retry, project[0])
    return ReleaseAccess(model, spec, RegistrySession(api, spec.artifact, spec.type, retry), project)


def runs_project_of(model: Model, spec: ReleaseSpec) -> tuple[str, str]:
    """The project of the moves: the artifact's own; for a registry, which holds no W&B runs, that of the metrics."""
    entity, project, _ = spec.artifact.split("/", 2)
    if not project.startswith(REGISTRY_PREFIX):
        return entity, project
    if model.wandb is None or not model.wandb.project:
        raise UserError(
            "a registry holds no W&B runs, and the model names no project for the history of its releases.",
            hint="Give `wandb: {entity, project}`, or name the artifact in the project that logs it.",
            where=model.where,
        )
    return model.wandb.entity, model.wandb.project


def read_registry(model: Model, env: Mapping[str, str], retry: RetryPolicy, *, producers: bool = True) -> Registry:
    """The versions of a model and its moves; ``producers``: with the W&B run that logged each version: one more call.

    Raises UserError if the model has no `release:`, SourceError if W&B cannot be read.
    """
    reader = RegistryReader(open_access(model, env, retry))
    return reader.registry if producers else reader.releases


class RegistryReader:
    """Reads a model's registry once, and the W&B runs that logged its versions on first use. Raises SourceError."""

    def __init__(self, access: ReleaseAccess) -> None:
        self._access = access

    @cached_property
    def _state(self) -> tuple[list[ArtifactVersion], tuple[MoveRecord, ...]]:
        return list(self._access.session.versions()), read_records(self._access)

    @cached_property
    def releases(self) -> Registry:
        """Versions without commit, data, configuration and metrics."""
        return build_registry(self._access, *self._state, producers=False)

    @cached_property
    def registry(self) -> Registry:
        return build_registry(self._access, *self._state, producers=True)


def read_state(access: ReleaseAccess, *, moves: bool = True) -> tuple[Registry, dict[str, str], tuple[MoveRecord, ...]]:
    """The registry without the W&B runs that logged the versions, W&B's id of each version by name, and the records of
    its moves, newest first. Without ``moves`` there is no history, which saves a call.
    """
    versions = access.session.versions()
    records = read_records(access) if moves else ()
    registry = build_registry(access, versions, records, producers=False)
    return registry, {version.name: version.id for version in versions}, records


def build_registry(
    access: ReleaseAccess, listed: Sequence[ArtifactVersion], records: Sequence[MoveRecord], *, producers: bool
) -> Registry:
    """The registry of ``listed`` versions. ``producers``: one more call reads the W&B runs that logged them."""
    moves = tuple(record.move for record in records)
    ids = [version.id for version in _versions_with_producers(listed, moves)] if producers else []
    runs = access.session.producer_runs(ids) if producers else {}
    versions = [build_version(version, runs.get(version.id), access.spec.data) for version in listed]
    versions += _deleted_versions({version.name for version in listed}, moves)
    return Registry(access.model.name, access.spec.artifact, tuple(versions), moves)


def read_records(access: ReleaseAccess) -> tuple[MoveRecord, ...]:
    """The moves of the model, newest first."""
    path = "/".join(access.runs_project)
    runs = access.session.find_runs(path, move_filters(access.model.name))
    records = [record for record in map(read_record, runs) if record is not None]
    records = [record for record in records if record.move.model == access.model.name]
    return tuple(sorted(records, key=lambda record: (record.move.at, record.move.key), reverse=True))


def build_version(listed: ArtifactVersion, producer: ProducerRun | None, data: str) -> Version:
    """``data``: the key of the metadata, or of the W&B run's configuration, that names the training data."""
    config = producer.config if producer else {}
    trained_on = _lookup_path(listed.metadata, data)
    trained_on = _lookup_path(config, data) if trained_on is None else trained_on
    metrics = {
        name: value for name, value in _numeric_items(producer.summary if producer else {}) if not name.startswith("_")
    }
    metrics |= {name: value for name, value in _numeric_items(listed.metadata) if name not in config}
    parameters = dict(_text_items(config)) | {
        name: text for name, text in _text_items(listed.metadata) if name not in metrics and name not in config
    }
    return Version(
        name=listed.name,
        aliases=listed.aliases,
        digest=listed.digest,
        created=parse_time_or_zero(listed.created),
        number=highest_number(listed.aliases),
        commit=(producer.commit if producer else "") or _first_text(listed.metadata, "commit", "git_commit"),
        data="" if trained_on is None else _shorten(trained_on),
        parameters=tuple(sorted(item for item in parameters.items() if item[0] != data)),
        metrics=tuple(sorted(metrics.items())),
        by=producer.user if producer else "",
        run=producer.path if producer else "",
    )


def highest_number(aliases: Iterable[str]) -> str:
    """The highest semantic version among the aliases."""
    return max(filter(SEMVER.fullmatch, aliases), key=number_parts, default="")


def number_parts(number: str) -> tuple[int, int, int]:
    match = SEMVER.fullmatch(number)
    return (int(match[1]), int(match[2]), int(match[3])) if match else (0, 0, 0)


def _versions_with_producers(listed: Sequence[ArtifactVersion], moves: tuple[Move, ...]) -> list[ArtifactVersion]:
    move_versions = {name for move in moves for name in (move.source, move.target)}
    known = {*ALIASES, DEGRADED}
    return [
        version
        for index, version in enumerate(listed)
        if index < NEWEST_WITH_PRODUCERS or version.name in move_versions or not known.isdisjoint(version.aliases)
    ]


def _deleted_versions(existing_names: set[str], moves: tuple[Move, ...]) -> list[Version]:
    """Versions that were in production and that W&B no longer has."""
    serving = [move for move in moves if move.verb in (MoveVerb.PROMOTE, MoveVerb.ROLLBACK)]
    names = dict.fromkeys(name for move in serving for name in (move.target, move.source))
    return [Version(name, (), "", 0.0, available=False) for name in names if name and name not in existing_names]


def _lookup_path(values: Mapping[str, Any], key: str) -> Any:
    if key in values:
        return values[key]
    head, dot, rest = key.partition(".")
    inner = values.get(head)
    return _lookup_path(inner, rest) if dot and isinstance(inner, Mapping) else None


def _first_text(values: Mapping[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := values.get(name), str)), "")


def _numeric_items(values: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            yield name, float(value)


def _text_items(values: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _text_items(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", _shorten(value)


def _shorten(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, sort_keys=True)
    return text if len(text) <= MAX_VALUE_LENGTH else text[: MAX_VALUE_LENGTH - 1] + "…"


def next_number(registry: Registry, bump: str) -> str:
    """The semantic version after the highest one that exists; the first is 1.0.0."""
    numbers = [number_parts(version.number) for version in registry.versions if version.number]
    if not numbers:
        return "1.0.0"
    major, minor, patch = max(numbers)
    bumped = {"major": (major + 1, 0, 0), "patch": (major, minor, patch + 1)}
    return ".".join(map(str, bumped.get(bump, (major, minor + 1, 0))))
