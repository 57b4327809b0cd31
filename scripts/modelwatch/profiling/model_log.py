"""The prediction log of a model, opened as its configuration says."""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from ..clients.retry import RetryPolicy
from ..errors import SourceError, UserError
from ..model.monitored_model import Model
from ..model.prediction_log import RECORDER_WANDB, MeasureSpec
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import TableProfile
from .engines.engine import Engine, LocalEngine
from .label_join import join_outcomes
from .log_files import CATEGORY, NUMBER
from .profile_plan import score_columns
from .readers import PredictionLog, fetch_artifact
from .recorded_profiles import sample_folder


def require_measure_spec(model: Model) -> MeasureSpec:
    """The model's ``measure:`` section. Raises UserError if it names no log, or no time column in it."""
    if model.measure is None:
        hint = "Give `measure: {files: ..., time: ...}`."
        raise UserError(f"the model {model.name!r} names no prediction log.", hint=hint, where=model.where)
    if not model.measure.time:
        hint = "Give `measure: {time: ...}`, the column of the time."
        raise UserError(f"the log of {model.name!r} has no time column.", hint=hint, where=model.where)
    return model.measure


def open_model_log(
    spec: MeasureSpec,
    model: Model,
    env: Mapping[str, str],
    retry: RetryPolicy,
    scratch: Path,
    now: float = math.inf,
    skipped: MutableMapping[str, SourceError] | None = None,
    reference: TableProfile | None = None,
    engine: Engine | None = None,
) -> PredictionLog:
    """The model's log with the labels of its outcomes, as far as they were known at ``now``. ``skipped`` gets the files
    of the log that are broken, and why; without it they are errors. ``reference``: what is known of the columns.
    Raises UserError for what ``engine`` does not read."""
    engine = engine or LocalEngine()
    if spec.recorder == RECORDER_WANDB:
        hint = "Let recorders write rows, too (`folder=`), and name that folder: `measure: {recorder: FOLDER}`."
        raise UserError("this needs rows, and recorders send only profiles to W&B.", hint=hint, where=model.where)
    if spec.query:
        return join_outcomes(engine.open_query(spec), spec, now, engine)
    if spec.artifact and not isinstance(engine, LocalEngine):
        hint = "Measure it with `--engine local`, or name the files or the table that workers read."
        raise UserError(f"{engine.name} does not read W&B artifacts.", hint=hint, where="measure: {artifact}")
    location = fetch_artifact(spec.artifact, model, env, retry, scratch) if spec.artifact else spec.files
    location = sample_folder(spec.recorder) if spec.recorder else location
    log = engine.open_files(location, spec, skipped, _column_kinds(reference, spec))
    return join_outcomes(log, spec, now, engine)


def _column_kinds(reference: TableProfile | None, spec: MeasureSpec) -> dict[str, str]:
    """What the reference says about features and scores: text that is known to hold numbers is read as numbers."""
    profiles = reference.columns if reference is not None else {}
    names = {*spec.feature_columns(profiles), *score_columns(spec)} - {*spec.segments}
    return {
        name: NUMBER if isinstance(profile, NumericProfile) else CATEGORY
        for name, profile in profiles.items()
        if name in names
    }
