"""Every metric of every segment and crossing, worst first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..cells import OTHER, Column, Grouping, Segment, groupings
from .confusion import Confusion, class_metrics, confusions
from .estimate import Estimate
from .regression import errors, regression_metrics
from .scores import in_order, score_metrics

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

LEAST = 100
"""Rows that a segment needs to be judged at all."""


@dataclass(frozen=True, slots=True)
class SegmentMetrics:
    segment: Segment
    n: int
    metrics: tuple[Estimate, ...]

    def of(self, name: str, label: str = "") -> Estimate | None:
        return next((one for one in self.metrics if (one.name, one.label) == (name, label)), None)


def binary_by_segment(
    columns: Sequence[Column],
    labels: ArrayLike,
    predictions: ArrayLike,
    scores: ArrayLike | None = None,
    *,
    depth: int = 2,
    least: int = LEAST,
) -> tuple[SegmentMetrics, ...]:
    """Two classes (0 and 1, NaN where unknown): accuracy, precision, recall and F1, and with ``scores`` AUC-ROC,
    PR-AUC, log loss and Brier, of every segment of at least ``least`` rows, in order of the columns.
    """
    y, p = np.asarray(labels, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    s = None if scores is None else np.asarray(scores, dtype=np.float64)
    known = ~(np.isnan(y) | np.isnan(p)) if s is None else ~(np.isnan(y) | np.isnan(p) | np.isnan(s))
    rows = np.flatnonzero(known)
    if s is not None:
        # Sorted once: within every segment the order stays that of the scores.
        rows = rows[np.argsort(s[rows], kind="stable")]
    positive, predicted = y[rows] > 0, p[rows] > 0
    ordered = None if s is None else s[rows]

    def metrics(inside: Rows, table: Floats) -> tuple[Estimate, ...]:
        found = class_metrics(Confusion(("0", "1"), table, float(table.sum())), averages=False)
        if ordered is None:
            return found
        return found + score_metrics(in_order(ordered[inside], positive[inside]))

    result: list[SegmentMetrics] = []
    for grouping in groupings(columns, depth):
        codes = grouping.codes()[rows]
        tables, _ = confusions(positive, predicted, codes, grouping.count, 2)
        result += (
            SegmentMetrics(grouping.segment(code), len(inside), metrics(inside, tables[code]))
            for code, inside in _groups(grouping, codes, least)
        )
    return tuple(result)


def numbers_by_segment(
    columns: Sequence[Column], labels: ArrayLike, predictions: ArrayLike, *, depth: int = 2, least: int = LEAST
) -> tuple[SegmentMetrics, ...]:
    """MAE, RMSE, MAPE, R2 and bias of every segment of at least ``least`` rows with finite label and prediction."""
    y, p = np.asarray(labels, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    rows = np.flatnonzero(np.isfinite(y) & np.isfinite(p))
    y, p = y[rows], p[rows]
    return tuple(
        SegmentMetrics(grouping.segment(code), len(inside), regression_metrics(errors(y[inside], p[inside])))
        for grouping in groupings(columns, depth)
        for code, inside in _groups(grouping, grouping.codes()[rows], least)
    )


def worst_first(
    found: Sequence[SegmentMetrics], name: str, label: str = "", *, lower_is_worse: bool = True
) -> tuple[SegmentMetrics, ...]:
    """Ordered by how bad a metric is beyond doubt: by the better end of its interval.

    So a segment of a hundred rows that may be bad stands behind one of a million that is. Where there is no interval
    the value counts; segments without the metric are left out.
    """
    told = [(one, estimate) for one in found if (estimate := one.of(name, label)) and not math.isnan(estimate.value)]

    def order(pair: tuple[SegmentMetrics, Estimate]) -> tuple[float, Segment]:
        estimate = pair[1]
        if math.isnan(estimate.high):
            estimate = replace(estimate, low=estimate.value, high=estimate.value)
        return estimate.high if lower_is_worse else -estimate.low, pair[0].segment

    return tuple(one for one, _ in sorted(told, key=order))


def _groups(grouping: Grouping, codes: NDArray[np.int32], least: int) -> Iterator[tuple[int, Rows]]:
    """The rows of every segment that is large enough, in their order; what is left of rare values is no segment."""
    sizes = np.bincount(codes, minlength=grouping.count)
    # Small numbers are sorted by radix, many times faster.
    small = codes.astype(np.int16) if grouping.count < 2**15 else codes
    order = np.argsort(small, kind="stable")
    ends = np.cumsum(sizes)
    for code in np.flatnonzero(sizes >= max(1, least)):
        if all(value != OTHER for _, value in grouping.segment(int(code))):
            yield int(code), order[ends[code] - sizes[code] : ends[code]]
