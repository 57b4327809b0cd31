"""Metrics of the labels themselves: which classes they are, how far they are from the predictions, and of which rows
they are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ..model.keys import key_of
from ..model.prediction_log import MeasureSpec
from ..model.series import Labels
from ..stats.drift.binned_statistics import psi
from ..stats.labels.coverage import DECILES, decile_of_bins
from ..stats.profile.categorical import CategoricalProfile
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import PAIR_SEPARATOR, TableProfile
from .performance import labelled_rows
from .profile_plan import MAX_CLASSES, score_columns


def label_metrics(segments: Mapping[Labels, TableProfile], spec: MeasureSpec) -> Iterator[tuple[str, float]]:
    """Keys and values for one version and window; ``segments``: its profiles, of the whole under ``()``."""
    whole = segments[()]
    column = whole.columns.get(spec.label)
    if column is None or not column.rows:
        return
    labels = column.n + (column.infinite_low + column.infinite_high if isinstance(column, NumericProfile) else 0)
    yield from (("labels/coverage", labels / column.rows), ("labels/rows", float(column.rows)))
    if isinstance(column, CategoricalProfile):
        yield from class_shares(column)
        yield from _distance_from_predictions(whole)
    if not labels:
        return
    for segment, table in segments.items():
        if segment and table.rows >= spec.min_rows and table.sums:
            yield key_of("labels/coverage", segment), labelled_rows(table) / table.rows
            yield key_of("labels/rows", segment), float(table.rows)
    for decile, (rows, labelled) in enumerate(coverage_by_decile(whole, spec), start=1):
        yield key_of("labels/coverage", (("decile", f"{decile:02d}"),)), labelled / rows
        yield key_of("labels/rows", (("decile", f"{decile:02d}"),)), float(rows)


def class_shares(column: CategoricalProfile) -> Iterator[tuple[str, float]]:
    """The share of each class that is known beforehand, of all labels; none of more than ``MAX_CLASSES``."""
    if not column.n or len(column.vocabulary) > MAX_CLASSES:
        return
    for name in sorted(column.vocabulary):
        yield key_of("labels/class_share", (("class", name),)), column.counts.get(name, 0) / column.n
        yield key_of("labels/n", (("class", name),)), float(column.n)


def _distance_from_predictions(table: TableProfile) -> Iterator[tuple[str, float]]:
    """PSI between the predictions and the labels of the rows that have both."""
    pairs = table.pairs.named_counts if table.pairs is not None and not table.pairs.other else {}
    names = sorted({name for pair in pairs for name in pair.split(PAIR_SEPARATOR)})
    if not names:
        return
    counts = np.zeros((2, len(names)))
    for pair, count in pairs.items():
        for side, name in enumerate(pair.split(PAIR_SEPARATOR)):
            counts[side, names.index(name)] += count
    yield "labels/predictions/psi", float(psi(counts[0], counts[1]))
    yield "labels/predictions/n", float(counts[0].sum())


def coverage_by_decile(table: TableProfile, spec: MeasureSpec) -> list[tuple[int, int]]:
    """By tenth of the scores, from the lowest, its rows and those that have a label; nothing where there is no single
    score, or the bins do not tell ten parts of it apart."""
    names = score_columns(spec)
    column = table.columns.get(names[0]) if len(names) == 1 else None
    if not isinstance(column, NumericProfile) or not column.n or len(table.scores) != 2:
        return []
    sides = list(table.scores.values())
    if any(len(side.edges) != len(column.edges) for side in sides):
        return []
    deciles = decile_of_bins(column.counts.astype(np.float64))
    rows, labelled = (
        np.bincount(deciles, weights=counts, minlength=DECILES).astype(np.int64)
        for counts in (column.counts, sides[0].counts + sides[1].counts)
    )
    return list(zip(rows.tolist(), labelled.tolist(), strict=True)) if (rows > 0).all() else []
