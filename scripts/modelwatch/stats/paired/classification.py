"""Metrics of classes from the paired cell counts: how many rows have which label and which two predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Floats, Ints
from ..performance.confusion import average_over_classes, metric_by_class
from .bootstrap import MAX_NUMBERS, counts_interval, sum_by_place
from .contingency_tables import MIN_DISCORDANT, compare_shares
from .paired_rows import PairedRows
from .result import Difference, undefined_difference

CLASS_METRICS = ("precision", "recall", "f1")
AVERAGE_METRICS = tuple(f"{metric}_{how}" for metric in CLASS_METRICS for how in ("macro", "weighted"))
METRICS = ("accuracy", *CLASS_METRICS, *AVERAGE_METRICS)
PSEUDO_ROWS = 2.0
"""Rows that are added, half of them won and half lost, where too few differ to draw from."""


@dataclass(frozen=True, slots=True, eq=False)
class PairedCounts:
    """The cells that hold a row (or a share of an added one), sorted; ``counts`` without, ``extra`` the addition."""

    label: Ints
    champion: Ints
    candidate: Ints
    counts: Floats
    extra: Floats
    classes: int


def compare_classes(metric: str, pairs: PairedRows, level: float) -> Difference:
    """Raises ``ValueError`` for a metric of one class where there are more than two, and for unknown ones.

    Accuracy and recall are shares of the same rows (Tango, McNemar). The rest is drawn from the paired cell counts:
    BCa where at least ``MIN_DISCORDANT`` rows differ, else percentiles with ``PSEUDO_ROWS`` rows added.
    """
    label, champion, candidate = pairs.codes()
    if metric in CLASS_METRICS and len(pairs.classes) > 2:
        raise ValueError(f"{metric!r} is of one class, and there are {len(pairs.classes)}: say {metric}_macro")
    if metric in ("accuracy", "recall"):
        rows = np.ones(pairs.n, dtype=np.bool_) if metric == "accuracy" else label == len(pairs.classes) - 1
        ours, theirs = (side[rows] == label[rows] for side in (champion, candidate))
        gained, lost = int((theirs & ~ours).sum()), int((ours & ~theirs).sum())
        return compare_shares(int(ours.sum()), int(theirs.sum()), gained, lost, int(rows.sum()), level)
    if metric not in METRICS:
        raise ValueError(f"{metric!r} is no metric of classes")
    return _compare_by_bootstrap(metric, pairs, level)


def _compare_by_bootstrap(metric: str, pairs: PairedRows, level: float) -> Difference:
    cells = count_pairs(pairs)
    differ = cells.champion != cells.candidate
    few = cells.counts[differ].sum() < MIN_DISCORDANT
    ours = float(_metric_values(metric, cells, cells.champion, cells.counts[None])[0]) if pairs.n else np.nan
    theirs = float(_metric_values(metric, cells, cells.candidate, cells.counts[None])[0]) if pairs.n else np.nan
    if not (np.isfinite(ours) and np.isfinite(theirs)):
        return undefined_difference(pairs.n, ours, theirs)

    def apart(counts: Floats) -> Floats:
        return _metric_values(metric, cells, cells.candidate, counts) - _metric_values(
            metric, cells, cells.champion, counts
        )

    low, high = counts_interval(cells.counts, apart, level, extra=cells.extra if few else None)
    how = f"bootstrap of paired counts{', two rows added' if few else ', BCa'}"
    return Difference(ours, theirs, low, high, pairs.n, how)


def count_pairs(pairs: PairedRows) -> PairedCounts:
    """Counted rows, and the pseudo rows: spread over the labels as they occur, half of them right on one side and
    taken for the commonest other class on the other side, half the reverse (after Bonett and Price 2012, who add one
    row to either count of a paired table)."""
    truth, champion, candidate = pairs.codes()
    size = max(len(pairs.classes), 1)
    code = (truth * size + champion) * size + candidate
    filled, counts = np.unique(code, return_counts=True)
    rows = np.bincount(truth, minlength=size).astype(np.float64)
    extra = np.zeros(0, dtype=np.int64)
    mass = np.zeros(0)
    if size > 1 and pairs.n:
        order = np.argsort(-rows, kind="stable")
        label = np.flatnonzero(rows)
        other = np.where(label == order[0], order[1], order[0])
        extra = np.concatenate([(label * size + label) * size + other, (label * size + other) * size + label])
        mass = np.tile(rows[label] / pairs.n * PSEUDO_ROWS / 2, 2)
    cells = np.union1d(filled, extra)
    row_counts, pseudo_counts = np.zeros(len(cells)), np.zeros(len(cells))
    row_counts[np.searchsorted(cells, filled)] = counts
    pseudo_counts[np.searchsorted(cells, extra)] = mass
    return PairedCounts(cells // size**2, cells // size % size, cells % size, row_counts, pseudo_counts, size)


def _metric_values(metric: str, cells: PairedCounts, predicted: Ints, counts: Floats) -> Floats:
    """The metric of one side of each draw ``[draws, cells]``."""
    step = max(1, MAX_NUMBERS // cells.classes**2)
    places = cells.label * cells.classes + predicted
    sums = (sum_by_place(counts[at : at + step], places, cells.classes**2) for at in range(0, len(counts), step))
    return np.concatenate([_metric_of_tables(metric, part.reshape(-1, cells.classes, cells.classes)) for part in sums])


def _metric_of_tables(metric: str, tables: Floats) -> Floats:
    if metric in AVERAGE_METRICS:
        name, _, how = metric.rpartition("_")
        return average_over_classes(tables, name, how)
    return np.asarray(metric_by_class(tables, metric)[:, -1])
