"""What is reported of a comparison beside what is judged: other metrics, agreement, calibration."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..model.gate import GateCheck, GateRow, GateVerdict
from ..model.release import GateSpec
from ..stats.paired.agreement import agreement
from ..stats.paired.calibration import calibration_error
from ..stats.paired.compare import compare_metric
from ..stats.paired.difference import Difference
from .gate_rows import comparison_row, finite_or_none
from .part import Comparison

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
