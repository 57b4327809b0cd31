"""Compare two versions by name: find their prediction tables, read them, and run the gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..clients.retry import RetryPolicy
from ..errors import UserError
from ..model.gate import GateReport
from ..model.monitored_model import GateSpec, Model
from ..model.prediction_log import MeasureSpec, is_artifact
from ..model.release import Registry, Version
from ..profiling.label_join import join_outcomes
from ..profiling.readers import PredictionLog, fetch_artifact, open_log
from .comparison import HOLDOUT, RECENT
from .gate import GateSubject, judge_candidate
from .pairing import read_comparison

TableLocations = Mapping[str, tuple[str, str]]
"""For ``holdout``, ``recent``, or both: the champion's table and the candidate's."""


def resolve_versions(registry: Registry, champion: str, candidate: str) -> tuple[Version, Version]:
    """The two versions. Raises UserError if a name is unknown, or both name the same version."""
    first, second = (
        _resolve_version(registry, role, name) for role, name in (("champion", champion), ("candidate", candidate))
    )
    if first.name == second.name:
        raise UserError(f"{first.title} is the champion already.", where=registry.artifact)
    return first, second


def _resolve_version(registry: Registry, role: str, name: str) -> Version:
    version = registry.version(name)
    if version is not None:
        return version
    titles = ", ".join(version.title for version in registry.versions[:5]) or "none"
    hint = f"Existing versions: {titles}."
    if name in (role, "production"):
        hint = f"No version has the alias {name!r}. {hint}"
    raise UserError(f"there is no {role} {name!r}.", hint=hint, where=registry.artifact)


def table_locations(gate: GateSpec, champion: Version, candidate: Version) -> dict[str, tuple[str, str]]:
    """The tables of both versions: the configuration's patterns with W&B's names of the versions (``v7``) inserted."""
    return {
        name: (pattern.replace("{version}", champion.name), pattern.replace("{version}", candidate.name))
        for name, pattern in table_patterns(gate)
        if pattern
    }


def table_patterns(gate: GateSpec) -> tuple[tuple[str, str], ...]:
    """Each comparison and the pattern of its tables; empty if the configuration has none."""
    return (HOLDOUT, gate.holdout), (RECENT, gate.recent)


def validate(
    model: Model,
    locations: TableLocations,
    subject: GateSubject,
    env: Mapping[str, str],
    retry: RetryPolicy,
    scratch: Path,
) -> GateReport:
    """Read every table once and judge the candidate; downloads go to ``scratch``.

    Raises UserError if the configuration lacks something required, SourceError for a table that cannot be read.
    """
    if model.measure is None:
        hint = "Give `measure: {id: ..., label: ..., prediction: ...}`, the columns of the tables."
        raise UserError(f"the model {model.name!r} has no `measure:`.", hint=hint, where=model.where)
    if not locations:
        hint = "Give `release: {gate: {holdout: ..., recent: ...}}`, or --holdout and --recent."
        raise UserError("there is nothing to compare the two versions on.", hint=hint, where=model.where)
    measure = model.measure
    spec = model.release.gate if model.release else GateSpec()
    spec = replace(spec, metric=dict(measure.custom).get(spec.metric, spec.metric))
    if not spec.segments:
        spec = replace(spec, segments=measure.segments)
    comparisons = []
    for name in (HOLDOUT, RECENT):
        if name in locations:
            champion, candidate = (
                _open_table(location, measure, model, env, retry, scratch / f"{name}-{role}")
                for role, location in zip(("champion", "candidate"), locations[name], strict=True)
            )
            comparisons.append(read_comparison(name, champion, candidate, measure, spec))
    return judge_candidate(comparisons, spec, subject)


def _open_table(
    location: str, measure: MeasureSpec, model: Model, env: Mapping[str, str], retry: RetryPolicy, scratch: Path
) -> PredictionLog:
    """The table at a location; with the labels of ``outcomes`` if it has none of its own."""
    if is_artifact(location) and not Path(location).exists():
        scratch.mkdir(parents=True, exist_ok=True)
        location = fetch_artifact(location, model, env, retry, scratch)
    log = open_log(location, measure.extensions)
    return log if measure.label in log.names() else join_outcomes(log, measure)
