"""The units of an experiment: in which arm each was, since when, and what it was worth in the time it was followed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import SourceNameError, did_you_mean
from ..model.experiment import ExperimentMetric, ExperimentSpec, MetricForm, MissingOutcome
from ..stats.arrays import Bools, Floats, Ints
from ..timeutil import DAY
from .business_rows import BusinessRows
from .column_buffers import Codes, ColumnNames
from .label_join import count_words

MIN_UNITS_OF_ALL_ARMS = 100
"""With so many units and none in some arm, the configuration names another arm than the data."""


@dataclass(frozen=True, slots=True, eq=False)
class ExperimentUnits:
    """By unit; a unit that was in several arms is none of them."""

    arms: Ints
    """The place of its arm in the experiment."""
    entries: Floats
    """The time of its first prediction, seconds (UTC)."""
    values: tuple[Floats, ...]
    """``(units, 1 or 2)`` of each metric and guardrail: the value, and of a ratio its denominator; NaN where it is not
    known."""
    covariates: Floats
    """``(units, k)``, without NaN: a covariate that some units lack is 0 there, and another column says where."""
    segments: dict[str, Codes]
    mixed: int
    """How many units were in several arms."""
    notes: tuple[str, ...]


def column_names(spec: ExperimentSpec) -> ColumnNames:
    """What an experiment reads."""
    metrics = (*spec.metrics, *spec.guardrails)
    return ColumnNames(
        texts=frozenset((spec.arm, *spec.segments)),
        keys=frozenset(filter(None, (spec.unit,))),
        numbers=frozenset(filter(None, (*(m.value for m in metrics), *(m.per for m in metrics), *spec.covariates))),
    )


def assign_units(
    spec: ExperimentSpec, rows: BusinessRows, follow_up: float, missing: MissingOutcome
) -> ExperimentUnits:
    """The units that entered between the experiment's start and end. Raises SourceNameError for an arm that is not
    configured, or not in the data."""
    until = np.inf if spec.until is None else spec.until
    arms = _arms(spec, rows)
    inside = (arms >= 0) & (rows.times >= spec.start) & (rows.times < until + follow_up)
    notes: list[str] = []
    if spec.unit:
        keys = rows.keys[spec.unit]
        without = int(np.count_nonzero(inside & ~keys.is_known))
        if without:
            notes.append(f"{count_words(without, 'row')} left out: {spec.unit!r} is empty there.")
        inside &= keys.is_known
    members = np.flatnonzero(inside)
    members = members[np.argsort(rows.times[members], kind="stable")]
    if spec.unit:
        _, first, units = np.unique(rows.keys[spec.unit].hashes[members], return_index=True, return_inverse=True)
    else:
        first = units = np.arange(len(members))
    count = len(first)
    firsts = members[first]
    entries, arm = rows.times[firsts], arms[firsts]
    is_mixed = np.zeros(count, dtype=np.bool_)
    is_mixed[units[arms[members] != arm[units]]] = True
    counts = ~is_mixed & (entries < until)
    _require_arms(spec, arm[counts], rows.where)
    unit_of_row = np.full(len(rows.times) + 1, -1, dtype=np.int64)
    unit_of_row[members] = units
    has_outcome = np.zeros(count, dtype=np.bool_)
    has_outcome[units[rows.has_outcome[members]]] = True
    worth = _Worth(rows, unit_of_row, entries, follow_up, missing)
    values = tuple(worth.values(metric)[counts] for metric in (*spec.metrics, *spec.guardrails))
    if worth.late and not spec.unit:
        late = count_words(worth.late, "value")
        notes.append(f"{late} left out: known later than the prediction was followed.")
    covariates = [_covariate(rows, name, firsts) for name in spec.covariates]
    return ExperimentUnits(
        arm[counts],
        entries[counts],
        values,
        np.concatenate([np.zeros((count, 0)), *covariates], axis=1)[counts],
        {name: rows.texts[name].take(firsts[counts]) for name in spec.segments},
        int(is_mixed.sum()),
        tuple(notes),
    )


def _arms(spec: ExperimentSpec, rows: BusinessRows) -> Ints:
    """By row the place of its arm; -1 where it is in none."""
    codes = rows.texts[spec.arm]
    inside = (rows.times >= spec.start) & (rows.times < (np.inf if spec.until is None else spec.until))
    counts = np.bincount(codes.places[inside & (codes.places >= 0)], minlength=len(codes.names))
    places = {name: place for place, name in enumerate(spec.arm_names)}
    for name, count in zip(codes.names, counts.tolist(), strict=True):
        if name not in places and count:
            hint = (
                did_you_mean(name, spec.arm_names, "") or "Name it, or leave the cell empty where a row is in no arm."
            )
            message = f"the arm {name!r} of {count:,} rows is not one of the experiment's: {', '.join(spec.arm_names)}."
            raise SourceNameError(message, hint=hint, where=f"business: {{experiments}}: {spec.name}")
    own = np.array([*(places.get(name, -1) for name in codes.names), -1], dtype=np.int64)
    return own[codes.places]


def _require_arms(spec: ExperimentSpec, arms: Ints, where: str) -> None:
    counts = np.bincount(arms, minlength=len(spec.arms))
    for name, count in zip(spec.arm_names, counts.tolist(), strict=True):
        if not count and counts.sum() >= MIN_UNITS_OF_ALL_ARMS:
            message = f"no unit is in the arm {name!r} of the experiment {spec.name!r}, of {counts.sum():,} in all."
            hint = f"Check `arm: {spec.arm}` and the names in `arms`: they are compared as text."
            raise SourceNameError(message, hint=hint, where=where)


@dataclass(slots=True)
class _Worth:
    """What units were worth while they were followed."""

    rows: BusinessRows
    unit_of_row: Ints
    entries: Floats
    follow_up: float
    missing: MissingOutcome
    late: int = 0

    def values(self, metric: ExperimentMetric) -> Floats:
        """``(units, 1 or 2)``; NaN without an event."""
        total, count, events, broken = self._sum(metric.value, metric.form)
        if metric.cap is not None:
            total = np.clip(total, -metric.cap, metric.cap)
        if metric.per:
            per, per_count, _, per_broken = self._sum(metric.per, MetricForm.SUM)
            known = (count > 0) & (per_count > 0) & ~broken & ~per_broken
            return np.where(known[:, None], np.stack([total, per], axis=1), np.nan)
        known = count > 0
        is_zero = events and self.missing is MissingOutcome.ZERO
        if metric.form is MetricForm.MEAN:
            predictions = self._predictions() if is_zero else count
            known = (predictions > 0) & ~broken
            return np.where(known[:, None], np.stack([total, predictions], axis=1), np.nan)
        return np.where((known | is_zero) & ~broken, total, np.nan)[:, None]

    def _sum(self, column: str, form: MetricForm) -> tuple[Floats, Floats, bool, Bools]:
        """By unit the sum of what its predictions brought (of a share, whether any brought something), the number of
        these predictions, whether it is from a second table; and where no row means nothing, whether a row is there
        that holds no number: then it is not known what the unit brought."""
        events = self.rows.events_with(column)
        values = events.numbers[column]
        units = self.unit_of_row[events.predictions]
        assigned, is_number = units >= 0, ~np.isnan(values)
        inside = assigned & is_number
        times = np.where(np.isnan(events.times), self.rows.times[events.predictions], events.times)
        in_time = times <= self.entries[units] + self.follow_up if len(self.entries) else inside
        if events is not self.rows.log:
            self.late += int(np.count_nonzero(inside & ~in_time))
        broken = np.zeros(len(self.entries), dtype=np.bool_)
        if events is self.rows.outcomes and self.missing is MissingOutcome.ZERO:
            broken[units[assigned & ~is_number & in_time]] = True
        inside &= in_time
        size = len(self.rows.times)
        by_row = np.bincount(events.predictions[inside], values[inside], size)
        rows = np.flatnonzero(np.bincount(events.predictions[inside], minlength=size))
        brought = (by_row[rows] > 0).astype(np.float64) if form is MetricForm.SHARE else by_row[rows]
        total = np.bincount(self.unit_of_row[rows], brought, len(self.entries)).astype(np.float64)
        count = np.bincount(self.unit_of_row[rows], minlength=len(self.entries)).astype(np.float64)
        if form is MetricForm.SHARE:
            total = np.minimum(total, 1.0)
        return total, count, events is self.rows.outcomes, broken

    def _predictions(self) -> Floats:
        units = self.unit_of_row[:-1]
        inside = units >= 0
        if len(self.entries):
            inside &= self.rows.times <= self.entries[units] + self.follow_up
        return np.bincount(units[inside], minlength=len(self.entries)).astype(np.float64)


def _covariate(rows: BusinessRows, name: str, firsts: Ints) -> Floats:
    """Of the first prediction of each unit."""
    events = rows.events_with(name)
    known = ~np.isnan(events.numbers[name])
    predictions = events.predictions[known]
    total = np.bincount(predictions, events.numbers[name][known], len(rows.times))
    values = np.where(np.bincount(predictions, minlength=len(rows.times)) > 0, total, np.nan)[firsts]
    is_missing = np.isnan(values)
    if not is_missing.any():
        return values[:, None]
    return np.stack([np.where(is_missing, 0.0, values), is_missing.astype(np.float64)], axis=1)


def look_times(spec: ExperimentSpec, now: float) -> Floats:
    """The ends of UTC days since the experiment began, and ``now``: at least one."""
    first = (spec.start // DAY + 1) * DAY
    return np.append(np.arange(first, now, DAY), max(now, spec.start))


def days_of(times: Floats, looks: Floats) -> Ints:
    """The first look at which each time is past; the number of looks where none is yet."""
    return np.searchsorted(looks, times, side="left")


def notes_on_values(spec: ExperimentSpec, units: ExperimentUnits) -> Iterator[str]:
    """Metrics without any value, and such that never differ."""
    for metric, values in zip((*spec.metrics, *spec.guardrails), units.values, strict=True):
        known: Bools = ~np.isnan(values[:, 0])
        if len(known) and not known.any():
            yield f"{metric.name}: no unit has a value of {metric.value!r} yet."
        elif known.sum() > 1 and np.ptp(values[known, 0]) == 0 and not metric.is_ratio:
            yield f"{metric.name}: every unit has the same value, {values[known, 0][0]:g}."
