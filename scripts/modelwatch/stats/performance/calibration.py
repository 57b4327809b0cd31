"""Calibration: whether of the rows that a model calls 80 % likely, 80 % happen.

Everything follows from counts by score, rows that happened and rows that did not, as a profile has them. Rows are
compared in at most ten bins of equal weight. Estimates from few rows are corrected for what chance alone would give,
so that a calibrated model comes out around 0, on either side of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..arrays import Floats
from ..intervals import wilson_bounds, z_value
from ..logistic import fit_logistic
from ..profile.numeric import NumericProfile, bin_middles
from .estimate import SEED, Estimate, undefined_estimate

BINS = 10
MIN_BIN_ROWS = 20
"""Fewer bins are taken where they would hold fewer rows."""
DRAWS = 200
CLIP = 1e-6
"""A probability of 0 or 1 counts as this far from it where its logit is needed."""
MAX_SLOPE = 1e3
"""A steeper fit separates the classes: it has no finite slope."""
NULL_SHARE = math.sqrt(2 / math.pi)
"""The mean distance of a standard normal number from 0."""


@dataclass(frozen=True, slots=True)
class ScoreCounts:
    """Rows by score, three arrays of one length; scores ascend and lie in [0, 1]."""

    scores: Floats
    happened: Floats
    others: Floats

    @property
    def n(self) -> float:
        """All rows."""
        return float(self.happened.sum() + self.others.sum())


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Neighbouring scores: what was predicted on average, and what share happened, with Wilson's interval."""

    predicted: float
    observed: float
    low: float
    high: float
    n: float


def counts_of_profiles(happened: NumericProfile, others: NumericProfile) -> ScoreCounts | None:
    """The counts of two profiles with the same edges; every row at the middle of its bin. ``None`` where a score is no
    probability, or there is none."""
    n = happened.n + others.n
    infinite = (side.infinite_low + side.infinite_high for side in (happened, others))
    low, high = float(np.fmin(happened.low, others.low)), float(np.fmax(happened.high, others.high))
    if not n or any(infinite) or not (low >= 0 and high <= 1):
        return None
    filled = np.flatnonzero(happened.counts + others.counts.astype(np.int64))
    middles = bin_middles(happened.edges, filled, low, high)
    return ScoreCounts(middles, *(side.counts[filled].astype(np.float64) for side in (happened, others)))


@dataclass(frozen=True, slots=True, eq=False)
class _Bins:
    n: Floats
    predicted: Floats
    observed: Floats


def _group(counts: ScoreCounts, bins: int = BINS) -> _Bins:
    """Neighbouring scores in bins of about equal weight; equal scores share a bin."""
    rows = counts.happened + counts.others
    total = float(rows.sum())
    count = max(1, min(bins, int(total // MIN_BIN_ROWS)))
    ranks = (np.cumsum(rows) - rows / 2) / total
    place = np.minimum((ranks * count).astype(np.int64), count - 1)
    begins = np.flatnonzero(np.append(True, place[1:] != place[:-1]))
    n, hits, scores = (np.add.reduceat(column, begins) for column in (rows, counts.happened, rows * counts.scores))
    return _Bins(n, scores / n, hits / n)


def reliability_curve(counts: ScoreCounts, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """The reliability diagram as numbers, by ascending score."""
    grouped = _group(counts, bins)
    columns = (grouped.predicted.tolist(), grouped.observed.tolist(), grouped.n.tolist())
    return tuple(
        ReliabilityBin(predicted, observed, *wilson_bounds(observed, n), n)
        for predicted, observed, n in zip(*columns, strict=True)
    )


def calibration_metrics(counts: ScoreCounts, *, intervals: bool = False, bins: int = BINS) -> Iterator[Estimate]:
    """``ece``, ``brier`` and its parts, ``slope`` and ``intercept``; ``intervals``: also bounds of the first (those of
    the last two are always there)."""
    yield calibration_error(counts, intervals=intervals, bins=bins)
    yield from brier_parts(counts, bins)
    yield from logistic_recalibration(counts)


def calibration_error(counts: ScoreCounts, *, intervals: bool = False, bins: int = BINS) -> Estimate:
    """The expected calibration error: the mean distance between what was predicted and what happened, bins weighed by
    their rows (Naeini, Cooper and Hauskrecht 2015; equal weights: Roelofs et al. 2022), less what chance adds to it.

    Chance is taken to add its mean under perfect calibration, times ``(1 + 1/b)^(b/2) exp(-t/2)``; ``t`` is the mean
    over the b bins of the squared distance in standard errors. For a calibrated model that factor is 1 in the mean, so
    the estimate is around 0, above and below it; where the model is clearly off it vanishes. Kumar, Liang and Ma's
    correction (2019) leaves more than half of the bias of a calibrated model in place. Within [-2, 1].

    The interval is normal, by the spread over bins that are drawn again; upwards it is wider by half of what was taken
    off, since of an error that is not clear too much is.
    """
    grouped = _group(counts, bins)
    plain, off = _error_and_chance(grouped.n, grouped.predicted, grouped.observed[None])
    value = float(plain[0] - off[0])
    if not intervals:
        return Estimate("ece", value, math.nan, math.nan, counts.n)
    random = np.random.default_rng(SEED)
    # Half a row is added on both sides: a bin in which everything happened is not certain to stay so.
    shares = (grouped.observed * grouped.n + 0.5) / (grouped.n + 1)
    drawn = random.binomial(np.round(grouped.n).astype(np.int64), shares, (DRAWS, len(shares))) / grouped.n
    plain_draws, off_draws = _error_and_chance(grouped.n, grouped.predicted, drawn)
    half = z_value() * float((plain_draws - off_draws).std(ddof=1))
    return Estimate("ece", value, value - half, value + half + float(off[0]) / 2, counts.n)


def _error_and_chance(n: Floats, predicted: Floats, observed: Floats) -> tuple[Floats, Floats]:
    """The plain error of each draw, and what chance is taken to add to it. ``observed``: ``[draws, bins]``."""
    weights = n / n.sum()
    distance = np.abs(predicted - observed)
    error = np.sqrt(predicted * (1 - predicted) / n)
    certain = np.where(distance > 0, np.inf, 0.0)
    size = np.where(error > 0, distance / np.where(error > 0, error, 1.0), certain)
    factor = (1 + 1 / len(n)) ** (len(n) / 2) * np.exp(-(size**2).mean(axis=1) / 2)
    by_chance = NULL_SHARE * float((error * weights).sum())
    return (distance * weights).sum(axis=1), by_chance * factor


def brier_parts(counts: ScoreCounts, bins: int = BINS) -> tuple[Estimate, ...]:
    """Brier's score (1950) and its parts: ``brier = reliability - resolution + uncertainty`` (Murphy 1973), corrected
    for the number of rows (Broecker 2012; Ferro and Fricker 2012), so that ``reliability`` is below 0 as often as above
    for a calibrated model: it is the unbiased squared calibration error (Kumar, Liang and Ma 2019). What scores differ
    within a bin counts as resolution (Stephenson, Coelho and Jolliffe 2008): the three add up exactly.
    """
    grouped, n = _group(counts, bins), counts.n
    brier = float((counts.happened * (1 - counts.scores) ** 2 + counts.others * counts.scores**2).sum() / n)
    weights = grouped.n / n
    base_rate = float(counts.happened.sum() / n)
    noise = float((grouped.observed * (1 - grouped.observed) * grouped.n / np.maximum(grouped.n - 1, 1)).sum() / n)
    reliability = float((weights * (grouped.predicted - grouped.observed) ** 2).sum()) - noise
    uncertainty = base_rate * (1 - base_rate) * (n / (n - 1) if n > 1 else 1.0)
    resolution = reliability + uncertainty - brier
    named = {"brier": brier, "reliability": reliability, "resolution": resolution, "uncertainty": uncertainty}
    return tuple(Estimate(name, value, math.nan, math.nan, n) for name, value in named.items())


def logistic_recalibration(counts: ScoreCounts) -> tuple[Estimate, Estimate]:
    """``slope`` and ``intercept`` of Cox's recalibration (1958), with Wald's intervals.

    Slope: of the logistic regression of what happened on the logit of the score; 1 is right, less is too extreme,
    more is too cautious. Intercept: the one that fits with a slope of 1; 0 is right on average, and where it is
    positive more happens than was predicted. NaN where one class is missing, or scores are all alike (slope only).
    """
    clipped = np.clip(counts.scores, CLIP, 1 - CLIP)
    logits = np.log(clipped) - np.log1p(-clipped)
    n, hits, total = counts.n, counts.happened, counts.happened + counts.others
    undefined = undefined_estimate("slope", n), undefined_estimate("intercept", n)
    if not (hits.sum() > 0 and counts.others.sum() > 0):
        return undefined
    ones = np.ones_like(logits)
    at_one = _fit(ones[:, None], logits, hits, total)
    intercept = undefined[1] if at_one is None else _wald("intercept", *at_one, n)
    if len(logits) < 2:
        return undefined[0], intercept
    both = _fit(np.stack([logits, ones], axis=1), np.zeros_like(logits), hits, total)
    slope = undefined[0] if both is None else _wald("slope", *both, n)
    return slope, intercept


def _wald(name: str, coefficients: Floats, covariance: Floats, n: float) -> Estimate:
    value, half = float(coefficients[0]), z_value() * math.sqrt(max(float(covariance[0, 0]), 0.0))
    return Estimate(name, value, value - half, value + half, n)


def _fit(columns: Floats, offset: Floats, hits: Floats, total: Floats) -> tuple[Floats, Floats] | None:
    """Coefficients and their covariance; ``None`` without a finite optimum."""
    fit = fit_logistic(columns, hits, total, offset, max_coefficient=MAX_SLOPE)
    if fit is None:
        return None
    try:
        return fit.coefficients, np.array(np.linalg.inv(fit.information), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
