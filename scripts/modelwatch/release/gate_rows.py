"""The rows of the gate's report: comparisons with their figures, guarded segments, and metrics that decide nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..model.gate import GateCheck, GateRow, GateVerdict
from ..model.monitored_model import GateSpec
from ..model.prediction_log import RANKING_METRICS
from ..model.unit import MINUS, number_text
from ..stats.arrays import Floats, Ints
from ..stats.paired.contingency_tables import agreement
from ..stats.paired.metrics import compare_metric
from ..stats.paired.result import Difference
from ..stats.performance.probabilistic import calibration_error
from ..stats.segmentation import EncodedColumn
from .comparison import Comparison

MAX_CLASSES = 200
"""With more classes, agreement is not reported: the table of two predictions would be too large."""


def comparison_row(
    check: GateCheck, part: str, what: str, verdict: GateVerdict, words: str, difference: Difference, shift: float = 0.0
) -> GateRow:
    """A row with the figures of a comparison; ``shift`` is subtracted from the bounds."""
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
    return "—" if value is None else number_text(value)


def format_signed(value: float) -> str:
    """``+0.012``, ``−8.8``"""
    return f"{MINUS if value < 0 else '+'}{format_bound(abs(value))}"


def format_bound(value: float) -> str:
    """A bound of an interval: three digits, in the sentence as in the interval."""
    return format_number(float(f"{value:.3g}"))


def guarded_segments(comparison: Comparison, least: int) -> Iterator[tuple[str, Ints, float]]:
    """Each segment with at least ``least`` rows (of a ranking: queries), worth most first: name (``region=eu``), rows
    and share of the value (of the rows if there is no value column). Rare and missing values form a segment each."""
    for column in comparison.segments:
        sizes, units, worth = _segment_sizes(comparison, column)
        order = np.argsort(column.codes, kind="stable")
        ends = np.cumsum(sizes)
        for place in np.argsort(-worth, kind="stable"):
            if units[place] >= max(least, 1):
                rows = order[ends[place] - sizes[place] : ends[place]]
                yield f"{column.name}={column.values[place]}", rows, float(worth[place])


def unguarded_rows(comparison: Comparison, spec: GateSpec) -> Iterator[GateRow]:
    """One row a segment column that counts the values with too few rows."""
    for column in comparison.segments:
        sizes, units, worth = _segment_sizes(comparison, column)
        small = (sizes > 0) & (units < max(spec.least, 1))
        if small.any():
            count = int(small.sum())
            values = "1 value has" if count == 1 else f"{count:,} values have"
            unit = "rows" if comparison.pairs.query is None else "queries"
            words = f"{values} fewer than {spec.least:,} {unit}; not guarded."
            yield GateRow(
                *(GateCheck.SEGMENT, comparison.name, spec.metric, GateVerdict.REPORTED, words),
                segment=f"{column.name}: others",
                n=int(units[small].sum()),
                worth=float(worth[small].sum()),
                worth_of=worth_unit(comparison),
                unit=unit,
            )


def worth_unit(comparison: Comparison) -> str:
    return "rows" if comparison.pairs.worth is None else "value"


def _segment_sizes(comparison: Comparison, column: EncodedColumn) -> tuple[Ints, Ints, Floats]:
    """The rows of each segment, its independent units (rows, or the queries of a ranking that have a row there), and
    its share of the value."""
    query = comparison.pairs.query
    sizes = units = np.bincount(column.codes, minlength=len(column.values))
    worth = np.bincount(column.codes, comparison.pairs.worth, len(sizes)).astype(np.float64)
    total = float(worth.sum())
    if query is not None:
        pairs = np.unique(np.stack([column.codes.astype(np.int64), query]), axis=1)
        units = np.bincount(pairs[0], minlength=len(column.values))
    return sizes, units, worth / total if total > 0 else np.zeros(len(sizes))


def informational_rows(comparison: Comparison, spec: GateSpec) -> Iterator[GateRow]:
    """Rows that decide nothing; none if there is nothing to compare."""
    pairs, level = comparison.pairs, 1 - spec.alpha
    if not pairs.n:
        return
    for metric in _other_metrics(comparison):
        if metric != spec.metric:
            yield _informational_row(GateCheck.METRIC, comparison, metric, compare_metric(metric, pairs, level))
    yield from _agreement_rows(comparison, level)
    yield from _calibration_rows(comparison, level)


def _other_metrics(comparison: Comparison) -> tuple[str, ...]:
    pairs = comparison.pairs
    metrics: tuple[str, ...] = ()
    if pairs.candidate is not None:
        metrics += ("accuracy", "precision", "recall", "f1") if len(pairs.classes) == 2 else ("accuracy", "f1_macro")
    if pairs.positive is not None:
        metrics += ("auc", "log_loss")
    if pairs.numbers is not None:
        metrics += ("mae", "rmse", "r2")
    if pairs.query is not None:
        metrics += RANKING_METRICS
    return metrics


def _informational_row(check: GateCheck, comparison: Comparison, what: str, difference: Difference) -> GateRow:
    words = "not judged."
    if difference.gained >= 0:
        words = (
            f"only the candidate is right in {difference.gained:,} {difference.unit}, only the champion in "
            f"{difference.lost:,}; not judged."
        )
    return comparison_row(check, comparison.name, what, GateVerdict.REPORTED, words, difference)


def _agreement_rows(comparison: Comparison, level: float) -> Iterator[GateRow]:
    pairs = comparison.pairs
    if pairs.candidate is None or len(pairs.classes) > MAX_CLASSES:
        return
    _, champion, candidate = pairs.codes()
    size = len(pairs.classes)
    table = np.bincount(champion * size + candidate, minlength=size * size).reshape(size, size).astype(np.float64)
    result = agreement(table, level)
    words = f"the two predict the same in {100 * result.observed:.1f} % of the rows."
    yield GateRow(
        *(GateCheck.AGREEMENT, comparison.name, "same prediction", GateVerdict.REPORTED, words),
        candidate=result.observed,
        n=result.n,
    )
    low, high, kappa = (finite_or_none(value) for value in (result.low, result.high, result.kappa))
    words = "agreement beyond chance." if kappa is not None else "both always predict the same class."
    yield GateRow(
        *(GateCheck.AGREEMENT, comparison.name, "Cohen's kappa", GateVerdict.REPORTED, words),
        candidate=kappa,
        low=low,
        high=high,
        n=result.n,
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
    ours, theirs = (calibration_error(pairs.positive, side) for side in (pairs.scores.champion, pairs.scores.candidate))
    difference = Difference(ours, theirs, math.nan, math.nan, pairs.n)
    yield _informational_row(GateCheck.CALIBRATION, comparison, "calibration error", difference)
