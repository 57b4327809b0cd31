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
from .gate_rows import known, row_of
from .part import Part

OF_TWO = ("accuracy", "precision", "recall", "f1")
OF_MANY = ("accuracy", "f1_macro")
OF_SCORES = ("auc", "log_loss")
OF_NUMBERS = ("mae", "rmse", "r2")
OF_LISTS = ("ndcg", "hit_rate")
MOST_CLASSES = 200
"""With more, a table of two predictions is too large to be told of."""


def told_rows(part: Part, spec: GateSpec) -> Iterator[GateRow]:
    """Rows that decide nothing; none where there is nothing to compare."""
    pairs = part.pairs
    if not pairs.n:
        return
    for metric in _metrics(part):
        if metric != spec.metric:
            yield _told(GateCheck.METRIC, part, metric, compare_metric(metric, pairs, 1 - spec.alpha))
    yield from _agreement(part, 1 - spec.alpha)
    yield from _calibration(part, 1 - spec.alpha)


def _metrics(part: Part) -> tuple[str, ...]:
    pairs = part.pairs
    found: tuple[str, ...] = ()
    if pairs.candidate is not None:
        found += OF_TWO if len(pairs.classes) == 2 else OF_MANY
    if pairs.positive is not None:
        found += OF_SCORES
    if pairs.numbers is not None:
        found += OF_NUMBERS
    if pairs.query is not None:
        found += OF_LISTS
    return found


def _told(check: GateCheck, part: Part, what: str, found: Difference) -> GateRow:
    words = "not judged."
    if found.gained >= 0:
        alone = f"the candidate alone is right in {found.gained:,} {found.unit}, the champion alone in {found.lost:,}"
        words = f"{alone}; not judged."
    return row_of(check, part.name, what, GateVerdict.TOLD, words, found)


def _agreement(part: Part, level: float) -> Iterator[GateRow]:
    pairs = part.pairs
    if pairs.candidate is None or len(pairs.classes) > MOST_CLASSES:
        return
    _, champion, candidate = pairs.codes()
    size = len(pairs.classes)
    table = np.bincount(champion * size + candidate, minlength=size * size).reshape(size, size).astype(np.float64)
    found = agreement(table, level)
    words = f"the two say the same in {found.observed:.2%} of the rows."
    yield GateRow(
        GateCheck.AGREEMENT, part.name, "same prediction", GateVerdict.TOLD, words, candidate=found.observed, n=found.n
    )
    low, high, kappa = (known(value) for value in (found.low, found.high, found.kappa))
    words = "agreement beyond chance." if kappa is not None else "both always say the same class."
    yield GateRow(
        *(GateCheck.AGREEMENT, part.name, "Cohen's kappa", GateVerdict.TOLD, words),
        candidate=kappa,
        low=low,
        high=high,
        n=found.n,
        how="Fleiss, Cohen and Everitt",
    )


def _calibration(part: Part, level: float) -> Iterator[GateRow]:
    pairs = part.pairs
    if pairs.positive is None or pairs.scores is None:
        return
    brier = compare_metric("brier", pairs, level)
    if not math.isfinite(brier.champion):
        return
    yield _told(GateCheck.CALIBRATION, part, "brier", brier)
    ours, theirs = (calibration_error(pairs.positive, one) for one in (pairs.scores.champion, pairs.scores.candidate))
    none = math.nan
    yield _told(GateCheck.CALIBRATION, part, "calibration error", Difference(ours, theirs, none, none, pairs.n))
