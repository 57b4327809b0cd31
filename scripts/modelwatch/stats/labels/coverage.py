"""Performance where only some rows have a label: each labelled row counts for all rows of its cell, so that it does not
matter who was labelled first (inverse-probability weights; Hajek 1971).

The weight of a row is the number of rows of its cell over the number of labelled rows there: the inverse of the share
that was labelled. It corrects for what the cells tell apart, such as scores and segments, and for nothing else. Cells
without a label violate positivity: nothing can be said of their rows, and they are counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import Bools, Floats, Ints
from ..intervals import z_value

DECILES = 10
SIGNIFICANCE = 3.29
"""Standard errors by which weighted and plain differ: chance explains that once in a thousand times."""

NEGLIGIBLE = 0.005
"""A difference of less than this share of the plain value is of no consequence, however certain."""


def decile_of_bins(counts: Floats) -> Ints:
    """By bin the tenth of the rows that it belongs to, from 0, by the middle of its rows."""
    middle = np.cumsum(counts) - counts / 2
    return np.minimum((DECILES * middle / max(float(counts.sum()), 1.0)).astype(np.int64), DECILES - 1)


def deciles(scores: Floats) -> Ints:
    """By row the tenth of the scores that it belongs to, from 0; equal scores belong together. NaN is -1."""
    known = ~np.isnan(scores)
    values, places, counts = np.unique(scores[known], return_inverse=True, return_counts=True)
    result = np.full(len(scores), -1, dtype=np.int64)
    if len(values):
        result[known] = decile_of_bins(counts.astype(np.float64))[places]
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Weighting:
    """The weights of labelled rows."""

    cells: Ints
    """By labelled row its cell."""
    rows: Floats
    """By cell its rows."""
    labelled: Floats = field(init=False)
    """By cell those that have a label."""
    weights: Floats = field(init=False)
    """By labelled row; they sum to the rows of all cells that have a label."""

    def __post_init__(self) -> None:
        labelled = np.bincount(self.cells, minlength=len(self.rows)).astype(np.float64)
        object.__setattr__(self, "labelled", labelled)
        object.__setattr__(self, "weights", self.rows[self.cells] / labelled[self.cells])

    @property
    def uncovered(self) -> Bools:
        """The cells that have rows and no label."""
        return np.asarray((self.rows > 0) & (self.labelled == 0))

    @property
    def uncovered_share(self) -> float:
        """The share of rows in such cells."""
        return float(self.rows[self.uncovered].sum() / max(float(self.rows.sum()), 1.0))

    @property
    def effective_rows(self) -> float:
        """As many equally weighted rows would be equally certain (Kish 1965)."""
        return float(self.weights.sum() ** 2 / max(float((self.weights**2).sum()), 1e-300))

    def variance(self, influence: Floats) -> float:
        """The variance of a weighted estimate from the influence of each labelled row on it: within cells by the rows
        that were labelled, and between them by how many rows of each cell there happen to be (Holt and Smith 1979).

        A cell with a single label has the spread of all cells.
        """
        has = self.labelled > 0
        count, total = self.labelled[has], float(self.rows[has].sum())
        cell = (np.cumsum(has) - 1)[self.cells]
        share = self.rows[has] / total
        mean = np.bincount(cell, weights=influence) / count
        squares = np.bincount(cell, weights=(influence - mean[cell]) ** 2)
        pooled = float(squares.sum() / max(float((count - 1).sum()), 1.0))
        spread = np.where(count > 1, squares / np.maximum(count - 1, 1.0), pooled)
        # A handful of rows that happen to agree is not certain: as many rows of the pooled spread are added.
        spread = (spread * (count - 1) + pooled) / count
        within = float((share**2 * spread / count).sum())
        return within + float((share * (mean - float(share @ mean)) ** 2).sum()) / total


@dataclass(frozen=True, slots=True)
class WeightedEstimate:
    """A metric of all rows, estimated from those that have a label."""

    name: str
    value: float
    low: float
    high: float
    plain: float
    """The same of the labelled rows as they are."""
    difference_error: float
    """Standard error of ``value - plain``."""


Metric = Callable[[Floats], tuple[float, Floats]]
"""From the weights of rows to the value and the influence of each row on it, times the mean weight."""


def weighted_estimate(name: str, metric: Metric, weighting: Weighting, bounds: tuple[float, float]) -> WeightedEstimate:
    """The metric with and without weights, within ``bounds``; NaN where it is not defined."""
    value, influence = metric(weighting.weights)
    plain, plain_influence = metric(np.ones(len(weighting.cells)))
    error = math.sqrt(max(weighting.variance(influence), 0.0)) if math.isfinite(value) else math.nan
    half = z_value() * error
    # Of the difference: each labelled row changes both. The weights make up for how many of each cell were labelled, so
    # that only what is different within a cell changes the weighted value.
    relative = weighting.weights / max(float(weighting.weights.mean()), 1e-300)
    totals = np.bincount(weighting.cells, weights=influence, minlength=len(weighting.rows))
    both = relative * (influence - (totals / np.maximum(weighting.labelled, 1.0))[weighting.cells]) - plain_influence
    difference = math.sqrt(float(np.var(both)) / max(len(both), 1)) if len(both) else math.nan
    low, high = max(value - half, bounds[0]), min(value + half, bounds[1])
    return WeightedEstimate(name, value, low, high, plain, difference)


def mean_metric(values: Floats) -> Metric:
    """The mean of a number a row, such as right or wrong."""

    def metric(weights: Floats) -> tuple[float, Floats]:
        value = float(weights @ values / weights.sum())
        return value, values - value

    return metric


def root_mean_metric(squares: Floats) -> Metric:
    """The root of the mean of squares."""

    def metric(weights: Floats) -> tuple[float, Floats]:
        value = math.sqrt(float(weights @ squares / weights.sum()))
        return value, (squares - value**2) / (2 * value) if value > 0 else np.zeros(len(squares))

    return metric


def ratio_metric(above: Floats, below: Floats) -> Metric:
    """A sum over a sum, such as precision: true positives over predicted positives."""

    def metric(weights: Floats) -> tuple[float, Floats]:
        total = float(weights @ below)
        if not total > 0:
            return math.nan, np.zeros(len(above))
        value = float(weights @ above) / total
        return value, (above - value * below) * float(weights.sum()) / total

    return metric


def auc_metric(scores: Floats, positive: Bools) -> Metric:
    """The area under the ROC curve: how probable it is that a positive row has the higher score; ties count half."""
    _, places = np.unique(scores, return_inverse=True)

    def metric(weights: Floats) -> tuple[float, Floats]:
        size = int(places.max()) + 1 if len(places) else 0
        hits = np.bincount(places[positive], weights=weights[positive], minlength=size)
        misses = np.bincount(places[~positive], weights=weights[~positive], minlength=size)
        total_hits, total_misses = float(hits.sum()), float(misses.sum())
        if not (total_hits > 0 and total_misses > 0):
            return math.nan, np.zeros(len(scores))
        below = (np.cumsum(misses) - misses / 2) / total_misses
        above = 1.0 - (np.cumsum(hits) - hits / 2) / total_hits
        value = float(hits @ below) / total_hits
        whole = float(weights.sum())
        influence = np.where(
            positive, (below[places] - value) * whole / total_hits, (above[places] - value) * whole / total_misses
        )
        return value, influence

    return metric


def selective_metrics(windows: Mapping[Any, Sequence[WeightedEstimate]]) -> dict[str, tuple[float, float]]:
    """By metric the mean over windows of the weighted and of the plain value, where they differ over all windows
    together by more than chance."""
    parts: dict[str, list[WeightedEstimate]] = {}
    for estimates in windows.values():
        for estimate in estimates:
            if math.isfinite(estimate.value) and estimate.difference_error > 0:
                parts.setdefault(estimate.name, []).append(estimate)
    selective = {}
    for name, some in parts.items():
        gap, plain = sum(one.value - one.plain for one in some), sum(abs(one.plain) for one in some)
        if abs(gap) > NEGLIGIBLE * plain and abs(gap) > SIGNIFICANCE * math.sqrt(
            sum(one.difference_error**2 for one in some)
        ):
            selective[name] = (
                sum(one.value for one in some) / len(some),
                sum(one.plain for one in some) / len(some),
            )
    return selective
