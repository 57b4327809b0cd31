"""How probable the positive class is at each score, with what labelled rows leave open about it.

A logistic regression on a natural cubic spline of the score, whose bend is penalised (Eilers and Marx 1996; as a mixed
model: Wand 2003). Its coefficients have a normal posterior (Laplace), and how much it may bend is averaged over by the
marginal likelihood, so that draws of the curve carry all that calibration does not know. Bayesian intervals of such
curves have their level on average over the scores (Nychka 1988, JASA 83:1134-1143), which is what the mean of a metric
over rows needs. Where labelled rows are few or absent, the curve goes on straight and its draws spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Floats
from ..logistic import fit_logistic, sigmoid

KNOTS = 9
BENDS = (0.0, 0.1, 0.25, 0.6, 1.5, 4.0, 10.0)
"""Standard deviations of the bend that are tried: 0 is a straight line in the logit (Platt's scaling)."""
SLOPE_DEVIATION = 2.0
"""Prior standard deviation of the line's slope."""
LEVEL_DEVIATION = 5.0
"""Prior standard deviation of the line's height. That of a second group differs by half as much."""
MIN_PROBABILITY = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationCurve:
    """The posterior of a curve, as draws of its coefficients."""

    knots: Floats
    transform: Floats
    """From the natural spline to directions of equal bend, ``[knots - 2, directions]``."""
    centre: float
    scale: float
    has_groups: bool
    is_probability: bool
    coefficients: Floats
    """``[draws, columns]``."""

    def probabilities(self, scores: Floats, groups: Floats | None = None) -> Floats:
        """Draws of the probability at each score, ``[draws, scores]``. ``groups``: 1 for scores of the second group."""
        design = self._design(scores, groups)
        offset = score_logits(scores) if self.is_probability else 0.0
        return sigmoid(self.coefficients @ design.T + offset)

    def _design(self, scores: Floats, groups: Floats | None) -> Floats:
        places = _places(scores, self.is_probability, self.centre, self.scale)
        return _design(places, self.knots, self.transform, groups if self.has_groups else None)


def fit_calibration(
    scores: Floats,
    positives: Floats,
    trials: Floats,
    *,
    groups: Floats | None = None,
    draws: int,
    random: np.random.Generator,
) -> CalibrationCurve:
    """The curve for rows counted by score: ``positives`` of ``trials`` rows each (they need not be whole), in arrays of
    one length with at least one trial.

    Scores within [0, 1] count as probabilities: the curve is what has to be added to their logit, and few labels leave
    it close to none. ``groups``: 0 or 1; rows of the second group can be more or less often positive at the same score.
    """
    counted = trials > 0
    scores, positives, trials = scores[counted], positives[counted], trials[counted]
    groups = groups[counted] if groups is not None else None
    is_probability = bool(len(scores)) and scores.min() >= 0 and scores.max() <= 1
    raw = score_logits(scores) if is_probability else scores
    centre = float(np.average(raw, weights=trials))
    scale = float(np.sqrt(np.average((raw - centre) ** 2, weights=trials)))
    scale = scale if scale > 1e-9 * max(1.0, abs(centre)) else 1.0
    places = _places(scores, is_probability, centre, scale)
    knots = _choose_knots(places, trials)
    transform = _bend_directions(knots)
    design = _design(places, knots, transform, groups)
    offset = raw if is_probability else np.zeros(len(raw))
    has_groups = groups is not None
    fits = []
    for bend in BENDS if transform.shape[1] else BENDS[:1]:
        line = [LEVEL_DEVIATION, SLOPE_DEVIATION]
        deviations = np.array(line + [deviation / 2 for deviation in line] if has_groups else line)
        if bend:
            deviations = np.append(deviations, np.full(transform.shape[1], bend))
        fits.append(_fit(design[:, : len(deviations)], positives, trials, offset, deviations))
    evidence = np.array([fit.evidence for fit in fits])
    shares = np.exp(evidence - evidence.max())
    counts = random.multinomial(draws, shares / shares.sum())
    coefficients = np.zeros((draws, design.shape[1]))
    begin = 0
    for fit, count in zip(fits, counts.tolist(), strict=True):
        normal = random.standard_normal((count, len(fit.mode)))
        coefficients[begin : begin + count, : len(fit.mode)] = fit.mode + normal @ fit.root.T
        begin += count
    return CalibrationCurve(
        knots, transform, centre, scale, has_groups, is_probability, random.permutation(coefficients)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    mode: Floats
    root: Floats
    """A root of the posterior's covariance."""
    evidence: float


def _fit(design: Floats, positives: Floats, trials: Floats, offset: Floats, deviations: Floats) -> _Fit:
    precision = 1 / deviations**2
    fit = fit_logistic(design, positives, trials, offset, precision)
    assert fit is not None, "a prior has an optimum"  # noqa: S101
    lower = np.linalg.cholesky(fit.information)
    evidence = fit.value + 0.5 * np.log(precision).sum() - np.log(np.diag(lower)).sum()
    return _Fit(fit.coefficients, np.linalg.inv(lower).T, float(evidence))


def score_logits(scores: Floats) -> Floats:
    """The logit, bounded."""
    bounded = np.clip(scores, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.asarray(np.log(bounded) - np.log1p(-bounded))


def _places(scores: Floats, is_probability: bool, centre: float, scale: float) -> Floats:
    return np.asarray(((score_logits(scores) if is_probability else scores) - centre) / scale)


def _choose_knots(places: Floats, trials: Floats) -> Floats:
    """Quantiles of the rows; fewer where scores are few."""
    order = np.argsort(places, kind="stable")
    ranks = np.cumsum(trials[order]) / trials.sum()
    shares = np.linspace(0.01, 0.99, KNOTS)
    chosen = places[order][np.minimum(np.searchsorted(ranks, shares), len(order) - 1)]
    knots = np.unique(chosen)
    if len(knots) < 2:
        return knots
    apart = np.append(True, np.diff(knots) > 1e-3 * (knots[-1] - knots[0]))
    return np.asarray(knots[apart])


def _natural_spline(places: Floats, knots: Floats) -> Floats:
    """The part of a natural cubic spline that is no straight line, ``[places, knots - 2]`` (Hastie, Tibshirani and
    Friedman 2009, equation 5.4)."""
    count = len(knots)
    if count < 3:
        return np.zeros((len(places), 0))
    cubes = np.maximum(places[:, None] - knots[None], 0.0) ** 3
    slopes = (cubes[:, :-1] - cubes[:, -1:]) / (knots[-1] - knots[:-1])
    return np.asarray(slopes[:, :-1] - slopes[:, -1:])


def _bend_directions(knots: Floats) -> Floats:
    """Combinations of the spline whose bends (integrals of the squared second derivative) are 1 and orthogonal."""
    count = len(knots)
    if count < 3:
        return np.zeros((0, 0))
    grid = np.linspace(knots[0], knots[-1], 400)
    width = grid[1] - grid[0]
    ramps = np.maximum(grid[:, None] - knots[None], 0.0) * 6
    slopes = (ramps[:, :-1] - ramps[:, -1:]) / (knots[-1] - knots[:-1])
    second = slopes[:, :-1] - slopes[:, -1:]
    values, vectors = np.linalg.eigh(second.T @ second * width)
    kept = values > values.max() * 1e-9
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))


def _design(places: Floats, knots: Floats, transform: Floats, groups: Floats | None) -> Floats:
    columns = [np.ones((len(places), 1)), places[:, None]]
    if groups is not None:
        columns += [groups[:, None], (groups * places)[:, None]]
    if transform.size:
        columns.append(_natural_spline(places, knots) @ transform)
    return np.hstack(columns)
