"""Classes: the confusion table, which merges, and everything that follows from it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimate import Estimate, drawn, mean, proportion, quotient, undefined

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """``table[i, j]``: rows (or weight) of class ``i`` that were predicted to be ``j``."""

    classes: tuple[str, ...]
    table: Floats
    squares: float
    """Sum of the squared weights: says how many rows the weights amount to. Unweighted: the number of rows."""

    @property
    def n(self) -> float:
        return float(self.table.sum())

    @property
    def effective(self) -> float:
        """Kish's number of rows, ``(sum w)^2 / sum w^2``; the number of rows where none is weighed."""
        return self.n * (self.n / self.squares) if self.squares > 0 else 0.0

    def merge(self, other: Confusion) -> Confusion:
        """The table of both. Classes that only one side knows are added; their order is by name."""
        if self.classes == other.classes:
            return Confusion(self.classes, self.table + other.table, self.squares + other.squares)
        classes = tuple(sorted({*self.classes, *other.classes}))
        both = np.zeros((len(classes), len(classes)))
        for one in (self, other):
            place = np.array([classes.index(name) for name in one.classes], dtype=np.int64)
            both[np.ix_(place, place)] += one.table
        return Confusion(classes, both, self.squares + other.squares)


def empty(classes: tuple[str, ...] = ()) -> Confusion:
    return Confusion(classes, np.zeros((len(classes), len(classes))), 0.0)


def confusion(
    labels: ArrayLike, predictions: ArrayLike, classes: tuple[str, ...], weights: ArrayLike | None = None
) -> Confusion:
    """From class numbers (indices into ``classes``); rows with a negative number have no label or prediction and are
    left out, as are weights that are not finite and positive."""
    tables, squares = confusions(labels, predictions, None, 1, len(classes), weights)
    return Confusion(classes, tables[0], float(squares[0]))


def confusions(
    labels: ArrayLike,
    predictions: ArrayLike,
    segments: ArrayLike | None,
    count: int,
    classes: int,
    weights: ArrayLike | None = None,
) -> tuple[Floats, Floats]:
    """Tables ``[count, classes, classes]`` of all segments (numbers; negative: in none) in one pass, and the sums of
    the squared weights."""
    y, p = np.asarray(labels, dtype=np.int64), np.asarray(predictions, dtype=np.int64)
    group = np.zeros(len(y), dtype=np.int64) if segments is None else np.asarray(segments, dtype=np.int64)
    kept = (y >= 0) & (p >= 0) & (group >= 0)
    w = None if weights is None else np.asarray(weights, dtype=np.float64)
    if w is not None:
        kept &= np.isfinite(w) & (w > 0)
    if not kept.all():
        y, p, group, w = y[kept], p[kept], group[kept], None if w is None else w[kept]
    cells = (group * classes + y) * classes + p
    size = count * classes * classes
    table = np.bincount(cells, weights=w, minlength=size).astype(np.float64).reshape(count, classes, classes)
    if w is None:
        return table, table.sum(axis=(1, 2))
    return table, np.asarray(np.bincount(group, weights=w * w, minlength=count), dtype=np.float64)


def class_metrics(found: Confusion, *, averages: bool = True) -> tuple[Estimate, ...]:
    """Accuracy, then precision, recall and F1 of every class, then their averages.

    Shares have Wilson's interval, F1 and averages one by the bootstrap of the table. Not defined, and so NaN: the
    precision of a class that nobody predicted, the recall of one that never was; averages leave them out (scikit-learn
    with ``zero_division=nan``). ``weighted`` averages weigh by the rows of the class.
    """
    if not len(found.classes):
        return (undefined("accuracy"),)
    scale = found.effective / found.n if found.n > 0 else 0.0
    hits = np.diag(found.table)
    result = [proportion("accuracy", float(hits.sum()), found.n, effective=found.effective)]
    actual, predicted = found.table.sum(axis=1), found.table.sum(axis=0)
    for place, name in enumerate(found.classes):
        for metric, below in (("precision", predicted), ("recall", actual)):
            size = float(below[place])
            result.append(proportion(metric, float(hits[place]), size, name, effective=size * scale))
        result.append(_f1(found, place, scale))
    if averages:
        result += _averages(found, scale)
    return tuple(result)


def _f1(found: Confusion, place: int, scale: float) -> Estimate:
    """Of one class; 2 tp / (2 tp + fp + fn)."""
    tp = float(found.table[place, place])
    fp, fn = float(found.table[:, place].sum()) - tp, float(found.table[place].sum()) - tp
    cells = np.array([tp, fp, fn, max(found.n - tp - fp - fn, 0.0)]) * scale

    def f1(tables: Floats) -> Floats:
        return quotient(2 * tables[:, 0], 2 * tables[:, 0] + tables[:, 1] + tables[:, 2])

    value = float(f1(cells[None])[0]) if found.n > 0 else math.nan
    return drawn("f1", value, tp + fn, cells, f1, found.classes[place])


def _averages(found: Confusion, scale: float) -> Iterator[Estimate]:
    count = len(found.classes)
    cells = found.table.ravel() * scale
    for metric in ("precision", "recall", "f1"):
        for how in ("macro", "weighted"):

            def statistic(tables: Floats, metric: str = metric, how: str = how) -> Floats:
                return average(tables.reshape(-1, count, count), metric, how)

            value = float(statistic(cells[None])[0]) if found.n > 0 else math.nan
            yield drawn(f"{metric}_{how}", value, found.n, cells, statistic)


def average(tables: Floats, metric: str, how: str) -> Floats:
    """``macro`` or ``weighted`` average of a metric over the classes of each table ``[draws, classes, classes]``."""
    hits = np.einsum("dii->di", tables)
    actual, predicted = tables.sum(axis=2), tables.sum(axis=1)
    below = {"precision": predicted, "recall": actual, "f1": (actual + predicted) / 2}[metric]
    values = quotient(hits, below)
    weights = np.where(np.isfinite(values), actual if how == "weighted" else 1.0, 0.0)
    return quotient((np.nan_to_num(values) * weights).sum(axis=1), weights.sum(axis=1))


def own_mean(name: str, values: Floats, weights: Floats | None = None) -> Estimate:
    """The (weighted) mean of a metric that every row has for itself; rows that are not finite are left out."""
    kept = np.isfinite(values)
    if weights is not None:
        kept &= np.isfinite(weights) & (weights > 0)
        weights = weights[kept]
    values = values[kept]
    if not len(values):
        return undefined(name)
    value = float(np.average(values, weights=weights))
    variance = float(np.average((values - value) ** 2, weights=weights))
    if weights is None:
        return mean(name, value, variance, len(values))
    n = float(weights.sum())
    return mean(name, value, variance, n, effective=n * n / float((weights * weights).sum()))
