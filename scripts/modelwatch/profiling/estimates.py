"""Estimated performance of windows whose labels are not there yet, and whether earlier estimates held.

For each window and version the labelled rows before it say how scores and labels go together
(``stats.estimated_performance``). Only rows are used whose labels were due, and known, when the window began: so an
estimate is the same whenever it is computed, and its check against labels that came later is fair.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..model.prediction_log import DEFAULT_METRICS, ESTIMABLE_METRICS, ESTIMATE_CHECK, ESTIMATED, EstimatesSpec
from ..stats.arrays import Bools, Floats
from ..stats.estimated_performance.classification import BinaryRows, ClassRows, estimate_binary, estimate_classes
from ..stats.estimated_performance.density_ratio import DensityRatio, density_ratio
from ..stats.estimated_performance.realized_metrics import (
    half_widths_off,
    realized_binary,
    realized_classes,
    realized_regression,
)
from ..stats.estimated_performance.regression import error_cap, estimate_regression
from ..stats.performance.estimate import Estimate, equally_certain_rows
from ..stats.profile.table import ProfileKey
from ..timeutil import DAY, format_utc
from .estimate_rows import EstimateRows, RowLayout, join_rows, read_estimate_rows, windows_before
from .label_timing import LabelTiming
from .profile_plan import MAX_CLASSES, ProfilePlan
from .readers import PredictionLog
from .wandb_rows import MetricRow

MIN_EFFECTIVE = 100.0
"""With fewer labelled rows that resemble the window, nothing is estimated."""
MAX_UNSUPPORTED = 0.1
"""Nor where more rows than this share are unlike all labelled ones."""
MIN_ROWS = 30
"""Nor for a window, or its labelled rows, of fewer rows."""
FEW_ROWS, TOO_FEW, UNLIKE = "few rows", "too few labels", "unlike the labelled rows"
OFF = 2.0
"""An estimate that is off by so many half-widths is pointed out: chance makes one of 10,000 so."""


@dataclass(frozen=True, slots=True)
class EstimateResult:
    """What was estimated: scalars by version and window, and notes for the user."""

    scalars: Mapping[ProfileKey, Mapping[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def add_to(self, rows: Sequence[MetricRow]) -> tuple[MetricRow, ...]:
        """The rows with what was estimated of their windows."""
        return tuple(
            replace(row, scalars={**row.scalars, **self.scalars.get(ProfileKey(row.window, row.version), {})})
            for row in rows
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """What came of one window."""

    labels: int
    """Labelled rows that it was estimated from, or could have been."""
    reason: str = ""
    """Why there is no estimate."""
    estimates: tuple[Estimate, ...] = ()
    ratio: DensityRatio | None = None
    moved: str = ""
    """The input that differs most, where the rows are too unlike the labelled ones."""
    distances: Mapping[str, float] = field(default_factory=dict)
    """By metric how far the estimate was off, in half-widths of its interval."""


def estimate_windows(
    log: PredictionLog, plan: ProfilePlan, windows: Sequence[ProfileKey], timing: LabelTiming
) -> EstimateResult:
    """Estimates for ``windows`` (each is over) of a log that also holds the rows before them."""
    spec = plan.spec
    wanted = spec.estimates
    if wanted is None or not windows:
        return EstimateResult()
    layout = RowLayout.of(plan, log.names())
    if problem := _unusable_log(layout):
        return EstimateResult(notes=(f"nothing is estimated: {problem}",))
    first, last = min(cell.window for cell in windows), max(cell.window for cell in windows)
    needed = (first - timing.due_age(first) - wanted.history, last + spec.window)
    samples = read_estimate_rows(log, layout, needed)
    scalars: dict[ProfileKey, Mapping[str, float]] = {}
    results: dict[ProfileKey, _Window] = {}
    for cell in sorted(windows, key=lambda cell: (cell.window, cell.version)):
        rows = samples.get(cell)
        if rows is None or len(rows.hashes) < MIN_ROWS:
            results[cell] = _Window(0, FEW_ROWS)
            continue
        before = list(windows_before(samples, cell, spec, timing.due_age(cell.window), wanted.history))
        is_due = timing.is_due(cell.window + spec.window)
        result = _estimate_window(rows, before, layout, wanted, is_due=is_due)
        results[cell] = result
        scalars[cell] = dict(_scalars(result))
    newest = timing.due_age(last)
    return EstimateResult(scalars, tuple(_notes(results, layout, wanted, newest)))


def _unusable_log(layout: RowLayout) -> str:
    """Why nothing can be estimated of this log; empty if it can."""
    plan, spec = layout.plan, layout.plan.spec
    if spec.ranking:
        return "the score ranks rows, and is no probability."
    if layout.is_regression:
        return "" if spec.prediction else "name the column of the predictions under `prediction`."
    if len(plan.classes) < 2:
        return f"it takes labels of at least two classes, and at most {MAX_CLASSES}."
    if _is_binary(layout) or {name for name, _ in layout.scored} == set(plan.classes):
        return ""
    if len(plan.classes) == 2:
        return "name the column of the score under `score`, and the class whose probability it is under `positive`."
    return "name a column of probabilities for each class under `scores`."


def _is_binary(layout: RowLayout) -> bool:
    plan = layout.plan
    return len(plan.classes) == 2 and plan.positive in {name for name, _ in layout.scored}


def _estimate_window(
    rows: EstimateRows, before: Sequence[EstimateRows], layout: RowLayout, wanted: EstimatesSpec, *, is_due: bool
) -> _Window:
    """``is_due``: whether the labels of the window are there, as far as they come."""
    count = sum(len(part.hashes) for part in before)
    if count < wanted.min_labels:
        return _Window(count, TOO_FEW)
    labelled = join_rows(before)
    known = ~np.isnan(rows.labels)
    is_checked = is_due and int(known.sum()) >= MIN_ROWS
    ratio = _ratio_of(labelled, rows, layout)
    if ratio.effective_share * count < MIN_EFFECTIVE or ratio.unsupported_share > MAX_UNSUPPORTED:
        return _Window(count, UNLIKE, ratio=ratio, moved=_most_moved_input(labelled, rows, layout))
    names = {*(wanted.metrics or layout.plan.spec.metrics or DEFAULT_METRICS)} & {*ESTIMABLE_METRICS}
    estimates = tuple(
        one for one in _estimate(labelled, rows, ratio, layout, rows.rows) if one.name in names and not one.label
    )
    distances: Mapping[str, float] = {}
    if is_checked:
        # The rows whose labels are known, and they alone: which rows get labels is not what is checked.
        own = rows.take(known)
        of_own = ratio if known.all() else _ratio_of(labelled, own, layout)
        sides = _cap_errors(labelled, own, of_own) if layout.is_regression else (labelled, own)
        checked = [one for one in _estimate(*sides, of_own, layout, 0) if one.name in names]
        distances = half_widths_off(checked, _realized(sides[1], layout))
    defined = tuple(one for one in estimates if math.isfinite(one.value))
    return _Window(count, estimates=defined, ratio=ratio, distances=distances)


def _cap_errors(labelled: EstimateRows, rows: EstimateRows, ratio: DensityRatio) -> tuple[EstimateRows, EstimateRows]:
    """Both with labels at most so far from the prediction as ``error_cap`` says, since one row's error decides the
    mean of squares where tails are heavy."""
    cap = error_cap(labelled.predicted - labelled.labels, ratio.weights, len(rows.hashes))
    first, second = (
        replace(side, labels=np.clip(side.labels, side.predicted - cap, side.predicted + cap))
        for side in (labelled, rows)
    )
    return first, second


def _ratio_of(labelled: EstimateRows, rows: EstimateRows, layout: RowLayout) -> DensityRatio:
    outputs = np.zeros(max(labelled.scores.shape[1], 1), np.bool_)
    return density_ratio(_table(labelled), _table(rows), np.concatenate([layout.is_categorical, outputs]))


def _most_moved_input(labelled: EstimateRows, rows: EstimateRows, layout: RowLayout) -> str:
    """The input whose values lie most apart, by the total variation of its tenths; empty without inputs."""
    distances = []
    for place, column in enumerate(layout.inputs):
        sides = [np.nan_to_num(side.inputs[:, place], nan=-np.inf) for side in (labelled, rows)]
        edges = np.unique(np.quantile(sides[0], np.arange(1, 10) / 10, method="nearest"))
        edges = np.unique(sides[0]) if len(edges) < 3 else edges
        codes = (np.searchsorted(edges, side, side="left") for side in sides)
        first, second = (np.bincount(code, minlength=len(edges) + 1) / len(code) for code in codes)
        distances.append((float(np.abs(first - second).sum()), column.name))
    return max(distances, default=(0.0, ""))[1]


def _table(rows: EstimateRows) -> Floats:
    """Inputs, then scores, or the prediction of a regression."""
    outputs = rows.scores if rows.scores.shape[1] else rows.predicted[:, None]
    return np.hstack([rows.inputs, outputs])


def _estimate(
    labelled: EstimateRows, rows: EstimateRows, ratio: DensityRatio, layout: RowLayout, population: int
) -> tuple[Estimate, ...]:
    if layout.is_regression:
        errors = labelled.predicted - labelled.labels
        is_code: Bools = np.append(layout.is_categorical, False)
        return estimate_regression(
            _table(labelled), errors, _table(rows), ratio=ratio, categorical=is_code, population=population
        )
    if _is_binary(layout):
        return estimate_binary(
            _binary(labelled, layout),
            _is_positive(labelled, layout),
            _binary(rows, layout),
            ratio=ratio,
            population=population,
            predictions=layout.plan.spec.prediction != "",
        )
    labels = labelled.labels.astype(np.int64)
    return estimate_classes(
        _classes(labelled, layout), labels, _classes(rows, layout), ratio=ratio, population=population
    )


def _realized(rows: EstimateRows, layout: RowLayout) -> dict[str, float]:
    if layout.is_regression:
        return realized_regression(rows.predicted - rows.labels)
    if _is_binary(layout):
        return realized_binary(_binary(rows, layout), _is_positive(rows, layout))
    return realized_classes(_classes(rows, layout), rows.labels.astype(np.int64))


def _binary(rows: EstimateRows, layout: RowLayout) -> BinaryRows:
    plan = layout.plan
    names = [name for name, _ in layout.scored]
    own = plan.classes.index(plan.positive)
    return BinaryRows(rows.scores[:, names.index(plan.positive)], rows.predicted == own)


def _is_positive(rows: EstimateRows, layout: RowLayout) -> Bools:
    return np.asarray(rows.labels == layout.plan.classes.index(layout.plan.positive))


def _classes(rows: EstimateRows, layout: RowLayout) -> ClassRows:
    """Scores in the order of the classes."""
    names = [name for name, _ in layout.scored]
    order = [names.index(name) for name in layout.plan.classes]
    return ClassRows(rows.scores[:, order], rows.predicted.astype(np.int64))


def _scalars(result: _Window) -> Iterator[tuple[str, float]]:
    for one in result.estimates:
        key = f"{ESTIMATED}/{one.name}"
        yield from ((key, one.value), (f"{key}/low", one.low), (f"{key}/high", one.high))
        yield f"{key}_n", equally_certain_rows(one)
    if result.estimates:
        yield f"{ESTIMATED}/n", result.estimates[0].n
        yield f"{ESTIMATED}/labels", float(result.labels)
        yield f"{ESTIMATED}/shift_auc", result.ratio.auc if result.ratio else math.nan
    for name, distance in result.distances.items():
        yield f"{ESTIMATE_CHECK}/{name}", distance


def _notes(
    results: Mapping[ProfileKey, _Window], layout: RowLayout, wanted: EstimatesSpec, due_age: float
) -> Iterator[str]:
    done = [result for result in results.values() if result.estimates]
    if done:
        found = {one.name for result in done for one in result.estimates}
        names = [name for name in ESTIMABLE_METRICS if name in found]
        fewest, most = min(result.labels for result in done), max(result.labels for result in done)
        labels = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
        moved = sum(result.ratio is not None and result.ratio.is_shifted for result in done)
        why = "inputs moved, or not all rows are as likely to get a label"
        shift = f"; in {moved} of them rows differ from those with labels, which are weighed ({why})" if moved else ""
        each = "each " if len(done) > 1 else ""
        yield f"estimated {_and(names)} of {_windows(len(done))}, {each}from {labels} labels{shift}."
    for version, count in Counter(cell.version for cell, one in results.items() if one.reason == TOO_FEW).items():
        most = max(one.labels for cell, one in results.items() if one.reason == TOO_FEW and cell.version == version)
        of_version = f" of version {version}" if version else ""
        yield (
            f"no estimate for {_windows(count)}{of_version}: at most {most:,} labels of the {_days(wanted.history)} "
            f"before are known and older than {_days(due_age)}, when labels are due; it takes {wanted.min_labels:,}."
        )
    if small := sum(one.reason == FEW_ROWS for one in results.values()):
        yield f"no estimate for {_windows(small)} with fewer than {MIN_ROWS} rows that have an output."
    unlike = [one.moved for one in results.values() if one.reason == UNLIKE]
    if unlike:
        (column, _) = Counter(unlike).most_common(1)[0]
        hint = f", most of all in {column!r}. A column that only grows is no input: leave it out of `features`"
        yield f"no estimate for {_windows(len(unlike))}: rows are too unlike those with labels{hint if column else ''}."
    checked = {cell: max(one.distances.values()) for cell, one in results.items() if one.distances}
    off = [cell for cell, distance in checked.items() if distance > OFF]
    if checked:
        outcome = f"{_windows(len(off))} of them clearly off" if off else "none of them clearly off"
        yield f"estimates of {_windows(len(checked))} were checked against labels, {outcome}."
    for cell in sorted(off, key=lambda cell: cell.window)[-1:]:
        name, distance = max(results[cell].distances.items(), key=lambda item: item[1])
        yield (
            f"the labels of {format_utc(cell.window)} contradict the estimate: {name} is off by {distance:.1f} times "
            "its margin. Scores no longer mean what they meant (concept drift), or the labels are wrong."
        )
    if layout.omitted:
        yield f"estimates look at {len(layout.inputs)} inputs; {layout.omitted} more are left out."


def _windows(count: int) -> str:
    return "1 window" if count == 1 else f"{count} windows"


def _days(seconds: float) -> str:
    return f"{seconds / DAY:.3g} d"


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
