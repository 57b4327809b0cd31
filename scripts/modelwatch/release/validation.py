"""From the names of two versions to the gate's answer: where their predictions are, read and judged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..clients.retry import RetryPolicy
from ..errors import UserError
from ..model.gate import GateReport
from ..model.monitored_model import GateSpec, Model
from ..model.prediction_log import MeasureSpec
from ..model.release import Registry, Version
from ..profiling.label_join import JoinedLog
from ..profiling.readers import PredictionLog, fetch_artifact, open_log
from .comparison import HOLDOUT, RECENT
from .gate import GateSubject, judge_candidate
from .pairing import read_comparison
from .prediction_table import PredictionTable

TableLocations = Mapping[str, tuple[str, str]]
"""``holdout``, ``recent``, or both: the champion's predictions and the candidate's."""
_ARTIFACT = re.compile(r"[^\s/:*?]+/[^\s/:*?]+/[^\s/:*?]+:[^\s/:*?]+")


def resolve_versions(registry: Registry, champion: str, candidate: str) -> tuple[Version, Version]:
    """Who is meant. Raises UserError where a name is nobody's, or both are the same version."""
    found = []
    for who, name in (("champion", champion), ("candidate", candidate)):
        version = registry.version(name)
        if version is None:
            held = ", ".join(one.title for one in registry.versions[:5]) or "none"
            hint = f"It holds {held}."
            if name == who or name == "production":
                hint = f"No version has the alias {name!r}. Name one: {hint[:1].lower()}{hint[1:]}"
            raise UserError(f"there is no {who} {name!r}.", hint=hint, where=registry.artifact)
        found.append(version)
    if found[0].name == found[1].name:
        raise UserError(f"{found[0].title} is the champion already.", where=registry.artifact)
    return found[0], found[1]


def table_locations(gate: GateSpec, champion: Version, candidate: Version) -> dict[str, tuple[str, str]]:
    """The configuration's patterns with the names that W&B gave the versions (``v7``) in them."""
    return {
        name: (pattern.replace("{version}", champion.name), pattern.replace("{version}", candidate.name))
        for name, pattern in table_patterns(gate)
        if pattern
    }


def table_patterns(gate: GateSpec) -> tuple[tuple[str, str], ...]:
    """Each part and the pattern of its tables; empty where the configuration has none."""
    return (HOLDOUT, gate.holdout), (RECENT, gate.recent)


def validate(
    model: Model,
    locations: TableLocations,
    subject: GateSubject,
    env: Mapping[str, str],
    retry: RetryPolicy,
    scratch: Path,
) -> GateReport:
    """Reads every table once; ``scratch`` takes what has to be downloaded.

    Raises UserError where the configuration does not say what is needed, SourceError for what cannot be read.
    """
    if model.measure is None:
        hint = "Give `measure: {id: ..., label: ..., prediction: ...}`; it says what the columns of the tables mean."
        raise UserError(f"the model {model.name!r} has no `measure:`.", hint=hint, where=model.where)
    if not locations:
        hint = "Give `release: {gate: {holdout: ..., recent: ...}}`, or --holdout and --recent."
        raise UserError("there is nothing to compare the two versions on.", hint=hint, where=model.where)
    measure = model.measure
    spec = model.release.gate if model.release else GateSpec()
    spec = replace(spec, metric=dict(measure.custom).get(spec.metric, spec.metric))
    if not spec.segments:
        spec = replace(spec, segments=measure.segments)
    parts = []
    for name in (HOLDOUT, RECENT):
        if name not in locations:
            continue
        logs = [
            _open_table(place, measure, model, env, retry, scratch / f"{name}-{who}")
            for who, place in zip(("champion", "candidate"), locations[name], strict=True)
        ]
        parts.append(read_comparison(name, PredictionTable(logs[0]), PredictionTable(logs[1]), measure, spec))
    return judge_candidate(parts, spec, subject)


def _open_table(
    place: str, measure: MeasureSpec, model: Model, env: Mapping[str, str], retry: RetryPolicy, scratch: Path
) -> PredictionLog:
    """The table at a place; with the labels of ``outcomes`` where it has none of its own."""
    if _ARTIFACT.fullmatch(place) and not Path(place).exists():
        base_url = (model.wandb.base_url if model.wandb else "") or env.get("WANDB_BASE_URL", "")
        scratch.mkdir(parents=True, exist_ok=True)
        place = fetch_artifact(place, base_url, env.get("WANDB_API_KEY", ""), retry, scratch)
    log = open_log(place)
    if measure.outcomes is None or measure.label in log.names():
        return log
    return JoinedLog(log, open_log(measure.outcomes.files), measure.id, measure.outcomes)
