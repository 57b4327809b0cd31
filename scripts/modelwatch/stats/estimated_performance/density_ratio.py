"""Weights that make labelled rows look like others: the ratio of both densities, from a domain classifier.

A classifier that distinguishes the two sides gives the ratio as its odds (Bickel, Brueckner and Scheffer 2009, JMLR
10:2137-2155). It is cross-fitted, and its odds are calibrated. Where the sides look alike every weight is 1;
where they hardly overlap, the ratio says so instead of trusting a few rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Bools, Floats
from ..intervals import z_value
from .calibration import fit_calibration, score_logits
from .score_bins import area_under_curve

MAX_ROWS = 10_000
"""Rows of a side that the classifier learns from; of more, a seeded sample."""
MIN_ROWS = 100
"""With fewer rows of a side nothing is learnt, and every weight is 1."""
FIRST_LOOK, FIRST_STEPS = 4_000, 20
"""Rows of a side, and trees, of a first look: it is enough where nothing moved."""
STEPS = 60
FOLDS = 2
REPEATS = 2
"""Sets of weights, each from another split into folds: what differs between them is the classifier's own error."""
SPLITS = 200
"""Quantiles of the classifier's score at which its odds are calibrated."""
MAX_RATIO = 50.0
OUTLIER_SHARE = 0.005
"""Other rows are beyond the labelled ones where their ratio is greater than that of all but so many labelled rows, and
greater than"""
OUTLIER_RATIO = 20.0
MISSING_CODE = 254.0


@dataclass(frozen=True, slots=True, eq=False)
class DensityRatio:
    """How labelled rows have to be weighed."""

    weights: Floats
    """``[sets, labelled rows]``, each with mean 1."""
    auc: float
    """How well the sides are distinguished; 0.5 where nothing moved."""
    is_shifted: bool
    """Whether the sides provably differ; else every weight is 1."""
    effective_share: float
    """How many labelled rows count, as a share of them: (sum w)^2 / (n sum w^2)."""
    unsupported_share: float
    """The share of other rows where there are hardly any labelled ones."""


def plain_ratio(rows: int, auc: float = 0.5) -> DensityRatio:
    """Nothing moved."""
    return DensityRatio(np.ones((1, rows)), auc, False, 1.0, 0.0)


def density_ratio(labelled: Floats, others: Floats, categorical: Bools | None = None) -> DensityRatio:
    """The weights of ``labelled`` rows [n, columns] that give them the distribution of ``others`` [m, columns].

    NaN is a value of its own. ``categorical``: by column, whether its numbers (at most 253, from 0 on) are codes.
    """
    if min(len(labelled), len(others)) < MIN_ROWS or not labelled.shape[1]:
        return plain_ratio(len(labelled))
    random = np.random.default_rng(3)
    for rows, steps, repeats in ((FIRST_LOOK, FIRST_STEPS, 1), (MAX_ROWS, STEPS, REPEATS)):
        chosen = [random.choice(len(side), min(rows, len(side)), replace=False) for side in (labelled, others)]
        table = np.concatenate([labelled[chosen[0]], others[chosen[1]]])
        missing = missing_values(table, categorical)
        table = np.where(np.isnan(table), missing, table)
        is_other = np.repeat([False, True], [len(places) for places in chosen])
        fits = [_cross_fit(table, is_other, categorical, steps, random) for _ in range(repeats)]
        area = area_under_curve(fits[0].scores, is_other)
        n, m = (len(places) for places in chosen)
        deviation = math.sqrt((n + m + 1) / (12 * n * m))  # where the sides are alike
        if not area - z_value(0.99) * deviation > 0.5:
            return plain_ratio(len(labelled), area)
    weights, unsupported = [], []
    rest = np.ones(len(labelled), np.bool_)
    rest[chosen[0]] = False
    for fit in fits:
        ratio = _Odds.of(fit.scores, is_other, random)
        own = np.empty(len(labelled))
        own[chosen[0]] = fit.scores[~is_other]
        if rest.any():
            own[rest] = fit.mean_scores(np.where(np.isnan(labelled[rest]), missing, labelled[rest]))
        values = np.minimum(ratio(own), MAX_RATIO)
        beyond = max(OUTLIER_RATIO, float(np.quantile(values, 1 - OUTLIER_SHARE)))
        unsupported.append(float(np.mean(ratio(fit.scores[is_other]) > beyond)))
        weights.append(values / values.mean())
    sets = np.array(weights)
    effective = float(np.mean(sets.sum(axis=1) ** 2 / (len(labelled) * (sets**2).sum(axis=1))))
    areas = [area_under_curve(fit.scores, is_other) for fit in fits]
    return DensityRatio(sets, float(np.mean(areas)), True, effective, float(np.mean(unsupported)))


def missing_values(rows: Floats, categorical: Bools | None) -> Floats:
    """By column what stands for NaN, which trees distinguish: below all numbers, or beyond all codes."""
    lowest = np.fmin.reduce(rows, axis=0) if len(rows) else np.full(rows.shape[1], np.nan)
    value = np.where(np.isfinite(lowest), lowest - 1.0, 0.0)
    return value if categorical is None else np.where(categorical, MISSING_CODE, value)


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """A classifier for each fold, and the score of each row by the one that has not seen it."""

    models: list[Any]
    scores: Floats

    def mean_scores(self, rows: Floats) -> Floats:
        """Of rows that none of them has seen."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            return np.asarray(np.mean([model.decision_function(rows) for model in self.models], axis=0))


def _cross_fit(
    rows: Floats, is_other: Bools, categorical: Bools | None, steps: int, random: np.random.Generator
) -> _Fit:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    sizes = (int((~is_other).sum()), int(is_other.sum()))
    folds = np.concatenate([random.permutation(np.arange(size) % FOLDS) for size in sizes])
    scores, models = np.empty(len(rows)), []
    for fold in range(FOLDS):
        model = HistGradientBoostingClassifier(
            max_iter=steps,
            learning_rate=6.0 / steps,
            max_leaf_nodes=8,
            min_samples_leaf=max(20, len(rows) // 200),
            l2_regularization=5.0,
            early_stopping=False,
            categorical_features=categorical,
            random_state=0,
        )
        # So few rows gain nothing from threads, which wait for each other where cores are busy.
        with threadpool_limits(1):
            model.fit(rows[folds != fold], is_other[folds != fold])
            scores[folds == fold] = model.decision_function(rows[folds == fold])
        models.append(model)
    return _Fit(models, scores)


@dataclass(frozen=True, slots=True, eq=False)
class _Odds:
    """The density ratio by the classifier's score; it never falls."""

    grid: Floats
    logarithms: Floats

    @classmethod
    def of(cls, scores: Floats, is_other: Bools, random: np.random.Generator) -> _Odds:
        edges = np.unique(np.quantile(scores, np.linspace(0, 1, SPLITS + 1)[1:-1]))
        codes = np.searchsorted(edges, scores, side="right")
        columns: tuple[Floats, ...] = (np.ones(len(scores)), scores, is_other.astype(np.float64))
        counts, sums, positives = (np.bincount(codes, column, len(edges) + 1) for column in columns)
        filled = counts > 0
        trials: Floats = np.asarray(counts[filled], dtype=np.float64)
        means: Floats = np.asarray(sums[filled] / trials, dtype=np.float64)
        curve = fit_calibration(
            means, np.asarray(positives[filled], dtype=np.float64), trials, draws=100, random=random
        )
        grid = np.linspace(scores.min(), scores.max(), 512)
        odds = score_logits(curve.probabilities(grid).mean(axis=0))
        prior = math.log(is_other.sum() / (~is_other).sum())
        return cls(grid, np.maximum.accumulate(odds) - prior)

    def __call__(self, scores: Floats) -> Floats:
        return np.asarray(np.exp(np.interp(scores, self.grid, self.logarithms)))
