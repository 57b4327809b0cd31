"""Rows of the gate's answer, and its numbers in words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.gate import GateCheck, GateRow, GateVerdict
from ..model.monitored_model import GateSpec
from ..stats.paired.contingency_tables import agreement
from ..stats.paired.metrics import compare_metric
from ..stats.paired.result import Difference
from ..stats.performance.probabilistic import calibration_error
from ..stats.segmentation import EncodedColumn
from .comparison import Comparison


def comparison_row(
    check: GateCheck, part: str, what: str, verdict: GateVerdict, words: str, difference: Difference, shift: float = 0.0
) -> GateRow:
    """A row with the figures of a comparison; ``shift`` is taken from its bounds."""
    return GateRow(
        check=check,
        part=part,
        what=what,
        verdict=verdict,
        words=words,
        champion=finite_or_none(difference.champion),
        candidate=finite_or_none(difference.candidate),
        difference=finite_or_none(difference.value),
        low=finite_or_none(difference.low - shift),
        high=finite_or_none(difference.high - shift),
        n=difference.n,
        p=finite_or_none(difference.p),
        how=difference.how,
        unit=difference.unit,
    )


def finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def format_number(value: float | None) -> str:
    return "—" if value is None else f"{value:.4g}"


def format_signed(value: float) -> str:
    return f"{value:+.3g}"


def format_short(value: float) -> str:
    """Two digits: of what is no more than an order of size."""
    return f"{value:.2g}"


Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class GuardedSegment:
    name: str
    """``region=eu``."""
    rows: NDArray[np.int64]
    worth: float
    """Share of the value, or of the rows where no value is known."""


def guarded_segments(comparison: Comparison, least: int) -> Iterator[GuardedSegment]:
    """Every value with at least ``least`` rows (of a ranking: queries), what is worth most first; the rest and what is
    missing, too."""
    for column in comparison.segments:
        sizes, worth = _value_sizes(comparison, column)
        units = _independent_units(comparison, column, sizes)
        order = np.argsort(column.codes, kind="stable")
        ends = np.cumsum(sizes)
        for place in np.argsort(-worth, kind="stable"):
            if units[place] >= max(least, 1):
                rows = order[ends[place] - sizes[place] : ends[place]]
                yield GuardedSegment(f"{column.name}={column.values[place]}", rows, float(worth[place]))


def unguarded_rows(comparison: Comparison, spec: GateSpec) -> Iterator[GateRow]:
    """One row a column for the values that have too few rows."""
    for column in comparison.segments:
        sizes, worth = _value_sizes(comparison, column)
        units = _independent_units(comparison, column, sizes)
        small = (sizes > 0) & (units < max(spec.least, 1))
        if small.any():
            count = int(small.sum())
            which = "1 value has" if count == 1 else f"{count:,} values have"
            what = "rows" if comparison.pairs.query is None else "queries"
            words = f"{which} fewer than {spec.least:,} {what}; not guarded."
            yield GateRow(
                *(GateCheck.SEGMENT, comparison.name, spec.metric, GateVerdict.TOLD, words),
                segment=f"{column.name}: others",
                n=int(units[small].sum()),
                worth=float(worth[small].sum()),
                worth_of=worth_unit(comparison),
                unit=what,
            )


def worth_unit(comparison: Comparison) -> str:
    return "rows" if comparison.worth is None else "value"


def _value_sizes(comparison: Comparison, column: EncodedColumn) -> tuple[NDArray[np.int64], Floats]:
    """Rows of every value, and its share of the value."""
    sizes = np.bincount(column.codes, minlength=len(column.values))
    worth = (
        sizes.astype(np.float64)
        if comparison.worth is None
        else np.bincount(column.codes, comparison.worth, len(sizes))
    )
    total = float(worth.sum())
    return sizes, worth / total if total > 0 else np.zeros(len(sizes))


def _independent_units(comparison: Comparison, column: EncodedColumn, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of every value what stands for itself: rows, or the queries of a ranking that have a row there."""
    query = comparison.pairs.query
    if query is None:
        return sizes
    pairs = np.unique(np.stack([column.codes.astype(np.int64), query]), axis=1)
    return np.bincount(pairs[0], minlength=len(column.values))


BINARY_METRICS = ("accuracy", "precision", "recall", "f1")
MULTICLASS_METRICS = ("accuracy", "f1_macro")
PROBABILITY_METRICS = ("auc", "log_loss")
REGRESSION_METRICS = ("mae", "rmse", "r2")
RANKING_METRICS = ("ndcg", "hit_rate")
MAX_CLASSES = 200
"""With more, a table of two predictions is too large to be told of."""


def informational_rows(comparison: Comparison, spec: GateSpec) -> Iterator[GateRow]:
    """Rows that decide nothing; none where there is nothing to compare."""
    pairs = comparison.pairs
    if not pairs.n:
        return
    for metric in _other_metrics(comparison):
        if metric != spec.metric:
            yield _informational_row(
                GateCheck.METRIC, comparison, metric, compare_metric(metric, pairs, 1 - spec.alpha)
            )
    yield from _agreement_rows(comparison, 1 - spec.alpha)
    yield from _calibration_rows(comparison, 1 - spec.alpha)


def _other_metrics(comparison: Comparison) -> tuple[str, ...]:
    pairs = comparison.pairs
    found: tuple[str, ...] = ()
    if pairs.candidate is not None:
        found += BINARY_METRICS if len(pairs.classes) == 2 else MULTICLASS_METRICS
    if pairs.positive is not None:
        found += PROBABILITY_METRICS
    if pairs.numbers is not None:
        found += REGRESSION_METRICS
    if pairs.query is not None:
        found += RANKING_METRICS
    return found


def _informational_row(check: GateCheck, comparison: Comparison, what: str, difference: Difference) -> GateRow:
    words = "not judged."
    if difference.gained >= 0:
        alone = (
            f"the candidate alone is right in {difference.gained:,} {difference.unit}, the champion alone in "
            f"{difference.lost:,}"
        )
        words = f"{alone}; not judged."
    return comparison_row(check, comparison.name, what, GateVerdict.TOLD, words, difference)


def _agreement_rows(comparison: Comparison, level: float) -> Iterator[GateRow]:
    pairs = comparison.pairs
    if pairs.candidate is None or len(pairs.classes) > MAX_CLASSES:
        return
    _, champion, candidate = pairs.codes()
    size = len(pairs.classes)
    table = np.bincount(champion * size + candidate, minlength=size * size).reshape(size, size).astype(np.float64)
    found = agreement(table, level)
    words = f"the two say the same in {found.observed:.2%} of the rows."
    yield GateRow(
        GateCheck.AGREEMENT,
        comparison.name,
        "same prediction",
        GateVerdict.TOLD,
        words,
        candidate=found.observed,
        n=found.n,
    )
    low, high, kappa = (finite_or_none(value) for value in (found.low, found.high, found.kappa))
    words = "agreement beyond chance." if kappa is not None else "both always say the same class."
    yield GateRow(
        *(GateCheck.AGREEMENT, comparison.name, "Cohen's kappa", GateVerdict.TOLD, words),
        candidate=kappa,
        low=low,
        high=high,
        n=found.n,
        how="Fleiss, Cohen and Everitt",
    )


def _calibration_rows(comparison: Comparison, level: float) -> Iterator[GateRow]:
    pairs = comparison.pairs
    if pairs.positive is None or pairs.scores is None:
        return
    brier = compare_metric("brier", pairs, level)
    if not math.isfinite(brier.champion):
        return
    yield _informational_row(GateCheck.CALIBRATION, comparison, "brier", brier)
    ours, theirs = (calibration_error(pairs.positive, one) for one in (pairs.scores.champion, pairs.scores.candidate))
    none = math.nan
    yield _informational_row(
        GateCheck.CALIBRATION, comparison, "calibration error", Difference(ours, theirs, none, none, pairs.n)
    )
