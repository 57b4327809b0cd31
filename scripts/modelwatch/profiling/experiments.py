"""Experiments and cohorts of a model, read and analysed; and what of them ``modelwatch measure`` publishes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..clients.retry import RetryPolicy
from ..errors import UserError, did_you_mean
from ..model.business import BusinessSpec
from ..model.experiment import (
    AUTO_LAG,
    EFFECT_PARTS,
    CohortsSpec,
    CohortValues,
    ExperimentLook,
    ExperimentPlan,
    ExperimentResult,
    ExperimentSpec,
    GuardrailState,
    MissingOutcome,
    cohort_key,
    experiment_key,
)
from ..model.monitored_model import Model
from ..stats.profile.table import ProfileKey
from ..timeutil import DAY, format_utc
from .business_rows import read_business_rows
from .cohort_values import measure_cohorts
from .column_buffers import ColumnNames
from .experiment_analysis import analyse_experiment
from .experiment_plan import plan_experiment
from .experiment_units import column_names
from .label_timing import AGES
from .outcome_lag import outcome_lag

MAX_WINDOWS = 60
"""Windows for which the values of cohorts are published in one run: the newest ones."""


@dataclass(frozen=True, slots=True)
class Reading:
    """With what a model's tables are read."""

    model: Model
    env: Mapping[str, str]
    retry: RetryPolicy
    scratch: Path
    """A folder for downloads."""


def select_experiments(model: Model, name: str = "") -> tuple[ExperimentSpec, ...]:
    """The experiments of a model, or the one that is named. Raises UserError for a name that it does not have."""
    experiments = model.business.experiments if model.business else ()
    if not name:
        return experiments
    found = tuple(spec for spec in experiments if spec.name == name)
    if not found:
        names = [spec.name for spec in experiments]
        hint = did_you_mean(name, names) if names else "Give `business: {experiments: [...]}`."
        raise UserError(f"the model {model.name!r} has no experiment {name!r}.", hint=hint, where=model.where)
    return found


def read_experiment(reading: Reading, spec: ExperimentSpec, now: float) -> ExperimentResult:
    """Read and analyse one. Raises UserError and SourceError for what cannot be read or does not fit."""
    business = _business(reading.model)
    _require_begin(spec, now)
    # A lag is measured on all predictions, of before the experiment, too.
    since = -math.inf if business.lag == AUTO_LAG and spec.follow_up == AUTO_LAG else spec.start
    rows = read_business_rows(
        reading.model, column_names(spec), now, reading.env, reading.retry, _folder(reading, spec.name), since
    )
    follow_up = outcome_lag(business, rows, now) if spec.follow_up == AUTO_LAG else spec.follow_up
    result = analyse_experiment(spec, rows, now, follow_up, _missing(business))
    if math.isinf(follow_up):
        note = "when outcomes are complete is not known yet, so that no unit counts. State it: `follow_up: 14d`."
        return replace(result, notes=(note, *result.notes))
    return result


def read_plan(reading: Reading, spec: ExperimentSpec, now: float) -> ExperimentPlan:
    """What an experiment that has not begun can find. Raises as above, and for too few units."""
    business = _business(reading.model)
    names = column_names(spec)
    names = ColumnNames(keys=names.keys, numbers=names.numbers)
    folder = _folder(reading, spec.name)
    rows = read_business_rows(reading.model, names, now, reading.env, reading.retry, folder)
    follow_up = outcome_lag(business, rows, now) if spec.follow_up == AUTO_LAG else spec.follow_up
    if math.isinf(follow_up):
        raise UserError("when outcomes are complete is not known yet.", hint="State it: `follow_up: 14d`.")
    return plan_experiment(spec, rows, now, follow_up, _missing(business))


def read_cohorts(reading: Reading, spec: CohortsSpec, times: Sequence[float]) -> list[CohortValues]:
    """The values of cohorts as they were known at each of ``times``, ascending. Raises as above."""
    business = _business(reading.model)
    found = []
    names = ColumnNames(numbers=frozenset((spec.value,)))
    rows = read_business_rows(reading.model, names, times[-1], reading.env, reading.retry, _folder(reading, "cohorts"))
    lag = outcome_lag(business, rows, times[-1])
    for now in times:
        values = measure_cohorts(spec, rows, lag, business.lag, now)
        found.append(replace(values, notes=(*values.notes, *rows.notes)))
    return found


def experiment_scalars(
    cells: Mapping[float, ProfileKey], window: float, now: float, reading: Reading
) -> tuple[dict[ProfileKey, dict[str, float]], tuple[str, ...]]:
    """What is published of all experiments and cohorts, in the cells of their windows, and notes. ``cells``: by window
    (its beginning). What cannot be read is a note: the other metrics are published anyway, and a rule on a missing key
    has no data."""
    scalars: dict[ProfileKey, dict[str, float]] = {cell: {} for cell in cells.values()}
    notes: list[str] = []
    ends = {begin + window: cell for begin, cell in cells.items() if begin + window <= now}
    for spec in select_experiments(reading.model):
        if spec.start > now:
            continue
        try:
            result = read_experiment(reading, spec, now)
        except UserError as error:
            notes.append(f"experiment {spec.name!r}: {error}")
            continue
        notes.extend(f"experiment {spec.name!r}: {note}" for note in result.notes)
        for look in result.looks:
            if look.time in ends:
                scalars[ends[look.time]].update(_look_scalars(spec, look))
    cohorts = _business(reading.model).cohorts
    times = sorted(ends)[-MAX_WINDOWS:]
    if cohorts is not None and times:
        try:
            for time, values in zip(times, read_cohorts(reading, cohorts, times), strict=True):
                scalars[ends[time]].update(_cohort_scalars(values))
        except UserError as error:
            notes.append(f"cohorts: {error}")
    return scalars, tuple(notes)


def unread_experiment_notes(model: Model) -> tuple[str, ...]:
    """That nothing is published of experiments and cohorts, where not all rows are at hand."""
    business = _business(model)
    if not business.experiments and business.cohorts is None:
        return ()
    return ("nothing is published of experiments and cohorts: that takes all rows of the log, in one run.",)


def _look_scalars(spec: ExperimentSpec, look: ExperimentLook) -> Iterator[tuple[str, float]]:
    yield experiment_key(spec.name, "units"), float(look.units)
    yield experiment_key(spec.name, "srm_p"), look.srm_p
    for effect in (*look.effects, *(guardrail.effect for guardrail in look.guardrails)):
        for name in EFFECT_PARTS:
            value: float | None = getattr(effect, name)
            if value is not None:
                yield experiment_key(spec.name, effect.arm, effect.metric, name), value
    for guardrail in look.guardrails:
        if guardrail.worst is not None:
            yield experiment_key(spec.name, guardrail.effect.arm, guardrail.effect.metric, "worst"), guardrail.worst
    if look.guardrails:
        breached = sum(guardrail.state is GuardrailState.BREACHED for guardrail in look.guardrails)
        yield experiment_key(spec.name, "guardrails_breached"), float(breached)


def _cohort_scalars(values: CohortValues) -> Iterator[tuple[str, float]]:
    mature = [curve for curve in values.curves if curve.is_mature]
    if mature:
        yield cohort_key(values.value, "mature"), mature[-1].values[-1]
    for age in AGES:
        reached = [curve for curve in values.curves if age * DAY <= curve.end_of_ages]
        if reached:
            yield cohort_key(values.value, f"day={age}", "value"), reached[-1].value_at(age * DAY)
    young = [curve.as_usual for curve in values.curves if curve.as_usual is not None]
    if young:
        yield cohort_key(values.value, "as_usual"), young[0]


def _business(model: Model) -> BusinessSpec:
    return model.business or BusinessSpec()


def _missing(business: BusinessSpec) -> MissingOutcome:
    return business.outcomes.missing if business.outcomes else MissingOutcome.UNKNOWN


def _folder(reading: Reading, name: str) -> Path:
    folder = reading.scratch / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _require_begin(spec: ExperimentSpec, now: float) -> None:
    if spec.start > now:
        hint = "Check `start`, and the time zone: it is UTC where none is given."
        raise UserError(f"the experiment {spec.name!r} begins at {format_utc(spec.start)}, later than now.", hint=hint)
