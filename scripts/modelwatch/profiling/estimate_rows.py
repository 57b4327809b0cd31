"""The rows that estimates need, by window and version: outputs, inputs and labels as numbers, a bounded sample of each
window that depends on the ids alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..model.prediction_log import LABEL_TIME, MeasureSpec
from ..stats.arrays import Bools, Floats, Hashes, Ints
from ..stats.profile.categorical import shorten_category
from ..stats.profile.table import ProfileKey
from .arrow_columns import CLASS_MISSING_WORDS, column_or_nulls, factorize, floats_by_row, hash_by_row
from .class_names import ClassNames
from .engines.partitioned_log import read_groups
from .label_comparison import scored_class_names
from .profile_plan import ColumnPlan, ProfilePlan
from .profiler import split_by_window
from .readers import PredictionLog
from .time_columns import times_by_row

MAX_WINDOW_ROWS = 20_000
"""Rows that are kept of a window."""
MIN_WINDOW_ROWS = 1_000
MAX_ROWS = 600_000
"""Rows in memory, all windows together, unless that leaves fewer than ``MIN_WINDOW_ROWS`` of each."""
MAX_INPUTS = 50
"""Input columns that are looked at."""
MAX_CODES = 250
"""Values of a text column that are distinguished."""


@dataclass(frozen=True, slots=True, eq=False)
class EstimateRows:
    """A sample of the rows of one window and version, in arrays of one length."""

    hashes: Hashes
    labels: Floats
    """The number of the class, or the number itself; NaN where it is not known."""
    known_at: Floats
    """When the label became known, seconds (UTC); NaN where nothing says so."""
    predicted: Floats
    """The number of the predicted class (-1: none of the classes), or the predicted number; NaN where it is missing."""
    scores: Floats
    """``[rows, scores]``"""
    inputs: Floats
    """``[rows, inputs]``"""
    rows: int
    """How many rows the window has that are usable."""

    def take(self, places: Ints | Bools) -> EstimateRows:
        """The rows at these places, or those of a mask."""
        return EstimateRows(
            self.hashes[places],
            self.labels[places],
            self.known_at[places],
            self.predicted[places],
            self.scores[places],
            self.inputs[places],
            self.rows,
        )


def join_rows(parts: Sequence[EstimateRows]) -> EstimateRows:
    """All of them, as they come."""
    return EstimateRows(
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.known_at for part in parts]),
        np.concatenate([part.predicted for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.inputs for part in parts]),
        sum(part.rows for part in parts),
    )


@dataclass(frozen=True, slots=True, eq=False)
class RowLayout:
    """Which columns are read, and how."""

    plan: ProfilePlan
    inputs: tuple[ColumnPlan, ...]
    omitted: int
    """Inputs beyond ``MAX_INPUTS``."""
    scored: tuple[tuple[str, str], ...]
    """``(class, column)``"""

    @classmethod
    def of(cls, plan: ProfilePlan, names: Sequence[str]) -> RowLayout:
        """The layout for a log with these columns."""
        roles = plan.spec.role_columns
        inputs = [column for column in plan.columns if column.name not in roles and column.name in names]
        columns = dict(plan.spec.scores)
        scored = []
        for name in scored_class_names(plan):
            cells = ClassNames(plan.classes, ignore_case=plan.spec.ignore_case)
            column = plan.binary_score or next(column for cell, column in columns.items() if cells(cell) == name)
            scored.append((name, column))
        return cls(plan, tuple(inputs[:MAX_INPUTS]), max(0, len(inputs) - MAX_INPUTS), tuple(scored))

    @property
    def is_regression(self) -> bool:
        """Whether labels are numbers."""
        return self.plan.typical_label is not None

    @property
    def is_categorical(self) -> Bools:
        """By input."""
        return np.array([not column.is_numeric for column in self.inputs], dtype=np.bool_)

    def columns(self) -> tuple[str, ...]:
        """The names of the columns to be read."""
        spec = self.plan.spec
        names = [spec.id, spec.time, spec.version, spec.label, spec.label_time_column, spec.prediction]
        names += [column for _, column in self.scored]
        return tuple(dict.fromkeys(filter(None, [*names, *(column.name for column in self.inputs)])))


def read_estimate_rows(
    log: PredictionLog, layout: RowLayout, needed: tuple[float, float]
) -> dict[ProfileKey, EstimateRows]:
    """The rows of every version and window that begins within ``needed`` (seconds, the end excluded): of a large window
    those with the smallest hashes of their id (or time). Rows that lack an output are left out."""
    present = {*log.names(), LABEL_TIME}
    columns = [name for name in layout.columns() if name in present]
    return read_groups(log, columns, partial(_sample_windows, layout, needed), _bounded)


def _sample_windows(
    layout: RowLayout, needed: tuple[float, float], batches: Iterable[Any]
) -> dict[ProfileKey, EstimateRows]:
    samples: dict[ProfileKey, list[EstimateRows]] = {}
    for batch in batches:
        for cell, rows in split_by_window(batch, layout.plan):
            if needed[0] <= cell.window < needed[1]:
                parts = samples.setdefault(cell, [])
                parts.append(_read_rows(rows, layout))
                limit = _window_limit(len(samples))
                if sum(len(part.hashes) for part in parts) > 2 * limit:
                    samples[cell] = [_smallest(join_rows(parts), limit)]
    return _bounded(samples)


def _bounded(samples: Mapping[ProfileKey, Sequence[EstimateRows]]) -> dict[ProfileKey, EstimateRows]:
    limit = _window_limit(len(samples))
    return {cell: _smallest(join_rows(parts), limit) for cell, parts in samples.items()}


def _window_limit(windows: int) -> int:
    return max(MIN_WINDOW_ROWS, min(MAX_WINDOW_ROWS, MAX_ROWS // max(windows, 1)))


def _smallest(rows: EstimateRows, limit: int) -> EstimateRows:
    """Those with the smallest hashes, in the order of these."""
    return rows.take(np.argsort(rows.hashes, kind="stable")[:limit])


def _read_rows(rows: Any, layout: RowLayout) -> EstimateRows:
    plan, spec = layout.plan, layout.plan.spec
    hashes, _ = hash_by_row(column_or_nulls(rows, spec.id or spec.time))
    label, prediction = (column_or_nulls(rows, name) if name else None for name in (spec.label, spec.prediction))
    if layout.is_regression:
        labels, predicted = floats_by_row(label), floats_by_row(prediction)
        labels = np.where(np.isfinite(labels), labels, np.nan)
        scores = np.empty((rows.num_rows, 0))
        usable = np.isfinite(predicted)
    else:
        names = ClassNames(plan.classes, ignore_case=spec.ignore_case)
        labels = _class_numbers(label, plan.classes, names, np.nan)
        predicted = np.full(rows.num_rows, -1.0)
        if prediction is not None:
            predicted = _class_numbers(prediction, plan.classes, names, -1.0)
        columns = [floats_by_row(column_or_nulls(rows, column)) for _, column in layout.scored]
        scores = np.stack(columns, axis=1) if columns else np.empty((rows.num_rows, 0))
        usable = np.isfinite(scores).all(axis=1) & ~np.isnan(predicted)
    known_at = np.full(rows.num_rows, np.nan)
    if spec.label_time_column in rows.schema.names:
        cells = rows.column(spec.label_time_column)
        known_at = floats_by_row(cells) if spec.label_time_column == LABEL_TIME else times_by_row(cells)
    inputs = [_input_numbers(column_or_nulls(rows, column.name), column) for column in layout.inputs]
    table = np.stack(inputs, axis=1) if inputs else np.empty((rows.num_rows, 0), np.float32)
    found = EstimateRows(hashes, labels, known_at, predicted, scores, table, int(usable.sum()))
    return found.take(usable)


def _class_numbers(array: Any, classes: Sequence[str], names: ClassNames, other: float) -> Floats:
    """By row the number of its class; ``other`` for one that is none of the classes, NaN for a missing one."""
    codes, texts = factorize(array, names, CLASS_MISSING_WORDS)
    number_of = {name: float(number) for number, name in enumerate(classes)}
    return np.array([*(number_of.get(text, other) for text in texts), np.nan])[codes]


def _input_numbers(array: Any, column: ColumnPlan) -> Any:
    """Numbers, or codes of texts; float32 to save memory."""
    if column.is_numeric:
        values = floats_by_row(array)
        with np.errstate(over="ignore"):
            return np.where(np.isfinite(values), values, np.nan).astype(np.float32)
    codes, texts = factorize(array, column.class_names, column.missing_words)
    number_of = {name: float(number) for number, name in enumerate(sorted(column.vocabulary)[:MAX_CODES])}
    numbers = np.array(
        [*(number_of.get(shorten_category(text), float(MAX_CODES)) for text in texts), np.nan], np.float32
    )
    return numbers[codes]


def windows_before(
    samples: Mapping[ProfileKey, EstimateRows], cell: ProfileKey, spec: MeasureSpec, maturity: float, history: float
) -> Iterator[EstimateRows]:
    """The labelled rows of the version that were mature when the window of ``cell`` began, and known by then."""
    end = cell.window - maturity
    for other, rows in samples.items():
        if other.version == cell.version and end - history <= other.window and other.window + spec.window <= end:
            known = ~np.isnan(rows.labels) & ~(rows.known_at > cell.window)
            if known.any():
                yield rows.take(known)
