"""Paired rows from plain columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from modelwatch.stats.paired.paired_rows import PairedColumn, PairedRows


def of_classes(classes: tuple[str, ...], label: ArrayLike, champion: ArrayLike, candidate: ArrayLike) -> PairedRows:
    """From class numbers, one a row."""
    truth, one, other = (np.asarray(column, dtype=np.int64) for column in (label, champion, candidate))
    return PairedRows(len(truth), classes, truth, one, other)


def of_scores(positive: ArrayLike, champion: ArrayLike, candidate: ArrayLike) -> PairedRows:
    sides = PairedColumn(np.asarray(champion, dtype=np.float64), np.asarray(candidate, dtype=np.float64))
    return PairedRows(len(sides.champion), positive=np.asarray(positive, dtype=np.bool_), scores=sides)


def of_numbers(truth: ArrayLike, champion: ArrayLike, candidate: ArrayLike) -> PairedRows:
    sides = PairedColumn(np.asarray(champion, dtype=np.float64), np.asarray(candidate, dtype=np.float64))
    return PairedRows(len(sides.champion), truth=np.asarray(truth, dtype=np.float64), numbers=sides)


def of_lists(
    query: ArrayLike, relevance: ArrayLike, champion: ArrayLike, candidate: ArrayLike, depth: int
) -> PairedRows:
    """From the rows of ranked lists; ``query`` are numbers."""
    sides = PairedColumn(np.asarray(champion, dtype=np.float64), np.asarray(candidate, dtype=np.float64))
    gain, query = np.asarray(relevance, dtype=np.float64), np.asarray(query, dtype=np.int64)
    return PairedRows(len(gain), scores=sides, truth=gain, query=query, depth=depth)
