"""Metrics of classes from their confusion table: accuracy, precision, recall, F1 and their averages."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..arrays import Floats
from .estimate import Estimate, bootstrap_estimate, proportion, safe_divide, undefined_estimate


@dataclass(frozen=True, slots=True, eq=False)
class ConfusionMatrix:
    """``table[i, j]``: rows of class ``i`` that were predicted to be ``j``."""

    classes: tuple[str, ...]
    table: Floats

    @property
    def n(self) -> float:
        return float(self.table.sum())


def class_metrics(
    confusion: ConfusionMatrix, *, averages: bool = True, intervals: bool = False
) -> tuple[Estimate, ...]:
    """Accuracy, then precision, recall and F1 of every class, then their averages.

    Shares always have Wilson's interval; with ``intervals`` F1 and averages have one by the bootstrap of the table. Not
    defined, and so NaN: the precision of a class that nobody predicted, the recall of one that never was; averages
    leave them out (scikit-learn with ``zero_division=nan``). ``weighted`` averages weigh by the rows of the class.
    """
    if not len(confusion.classes):
        return (undefined_estimate("accuracy"),)
    hits = np.diag(confusion.table)
    result = [proportion("accuracy", float(hits.sum()), confusion.n)]
    actual, predicted = confusion.table.sum(axis=1), confusion.table.sum(axis=0)
    for place, name in enumerate(confusion.classes):
        for metric, below in (("precision", predicted), ("recall", actual)):
            result.append(proportion(metric, float(hits[place]), float(below[place]), name))
        result.append(_f1(confusion, place, intervals))
    return (*result, *(_averages(confusion, intervals) if averages else ()))


def _f1(confusion: ConfusionMatrix, place: int, intervals: bool) -> Estimate:
    """Of one class; 2 tp / (2 tp + fp + fn)."""
    tp = float(confusion.table[place, place])
    fp, fn = float(confusion.table[:, place].sum()) - tp, float(confusion.table[place].sum()) - tp
    if not intervals:
        below = 2 * tp + fp + fn
        return Estimate(
            "f1", 2 * tp / below if below > 0 else math.nan, math.nan, math.nan, confusion.n, confusion.classes[place]
        )
    cells = np.array([tp, fp, fn, max(confusion.n - tp - fp - fn, 0.0)])

    def f1(tables: Floats) -> Floats:
        return safe_divide(2 * tables[:, 0], 2 * tables[:, 0] + tables[:, 1] + tables[:, 2])

    return bootstrap_estimate("f1", confusion.n, cells, f1, confusion.classes[place], intervals=intervals)


def _averages(confusion: ConfusionMatrix, intervals: bool) -> Iterator[Estimate]:
    count = len(confusion.classes)
    cells = confusion.table.ravel()
    for metric in ("precision", "recall", "f1"):
        for how in ("macro", "weighted"):

            def statistic(tables: Floats, metric: str = metric, how: str = how) -> Floats:
                return average_over_classes(tables.reshape(-1, count, count), metric, how)

            yield bootstrap_estimate(f"{metric}_{how}", confusion.n, cells, statistic, intervals=intervals)


def metric_by_class(tables: Floats, metric: str) -> Floats:
    """``precision``, ``recall`` or ``f1`` of every class ``[draws, classes]`` of each table."""
    actual, predicted = tables.sum(axis=2), tables.sum(axis=1)
    below = {"precision": predicted, "recall": actual, "f1": (actual + predicted) / 2}[metric]
    return safe_divide(np.einsum("dii->di", tables), below)


def average_over_classes(tables: Floats, metric: str, how: str) -> Floats:
    """``macro`` or ``weighted`` average of a metric over the classes of each table ``[draws, classes, classes]``."""
    values = metric_by_class(tables, metric)
    weights = np.where(np.isfinite(values), tables.sum(axis=2) if how == "weighted" else 1.0, 0.0)
    return safe_divide((np.nan_to_num(values) * weights).sum(axis=1), weights.sum(axis=1))
