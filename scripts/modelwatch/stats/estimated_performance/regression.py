"""The error of a regression on rows without labels, from a model of its error on rows with labels.

The idea is NannyML's direct loss estimation (DLE): gradient boosting learns how large the absolute error is, given the
inputs and the prediction. It is cross-fitted, and what it gets wrong on labelled rows (weighed to resemble the others,
see ``density_ratio``) is added, so that a model that has learnt nothing leaves a plain average. The interval covers the
realized value: it carries the errors of single rows, of the correction, and of the model (a jackknife over its folds).

A sign cannot be estimated: a bias that inputs and prediction knew of would be a better prediction. So there is the mean
absolute error and the root of the mean squared error, and no bias.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ..arrays import Bools, Floats
from ..performance.estimate import Estimate, undefined_estimate
from .classification import DRAWS, SEED, summarize
from .density_ratio import DensityRatio, missing_values, plain_ratio

FOLDS = 5
MAX_FIT_ROWS = 20_000
"""Labelled rows that are used; of more, a seeded sample."""
MAX_ROWS = 50_000
"""Rows whose error is predicted; of more, a seeded sample stands for them."""
MAX_DRAWN = 2_000
"""Rows that are drawn one by one for the mean of an error; of more, the mean is normal."""
CAPPED_ROWS = 20
"""Of so many rows of a window, or of the labelled ones, an error is expected to be larger than the cap,"""
MAX_CAPPED = 0.1
"""and of no larger share: one row is never what decides."""
UNSUPPORTED_DEVIATION = float(np.log(2))
"""How far the error of rows unlike all labelled ones can be off, as the standard deviation of its logarithm."""


def estimate_regression(
    labelled: Floats,
    errors: Floats,
    rows: Floats,
    *,
    ratio: DensityRatio | None = None,
    categorical: Bools | None = None,
    population: int = 0,
) -> tuple[Estimate, ...]:
    """MAE and RMSE of ``rows`` [m, columns], each with the 95 % interval of its realized value.

    ``labelled``: inputs and prediction of the rows [n, columns] whose ``errors`` (prediction minus label) are known;
    NaN is a value of its own. ``population``: so many rows there are of which ``rows`` are a sample; 0 if they are all.
    ``categorical``: by column, whether its numbers (at most 253, from 0 on) are codes.
    """
    size = max(population, len(rows))
    if len(labelled) < 2 * FOLDS or not len(rows):
        return tuple(undefined_estimate(name, float(size)) for name in ("mae", "rmse"))
    random = np.random.default_rng(SEED)
    ratio = ratio or plain_ratio(len(labelled))
    weights = ratio.weights
    if len(labelled) > MAX_FIT_ROWS:
        chosen = random.permutation(len(labelled))[:MAX_FIT_ROWS]
        labelled, errors, weights = labelled[chosen], errors[chosen], weights[:, chosen]
    if len(rows) > MAX_ROWS:
        rows = rows[random.permutation(len(rows))[:MAX_ROWS]]
    absolute = np.abs(errors)
    missing = missing_values(np.concatenate([labelled, rows]), categorical)
    labelled, rows = (np.where(np.isnan(side), missing, side) for side in (labelled, rows))
    fitted, own, of_rows = _predict_errors(labelled, absolute, rows, categorical, random)
    squares = absolute**2
    scale = float(squares.mean() / max(float((fitted**2).mean()), 1e-300)) if fitted.any() else 0.0
    draws = np.empty((DRAWS, 2))
    residuals = np.column_stack([absolute - fitted, squares - scale * fitted**2])
    means = np.column_stack([of_rows.mean(axis=1), scale * (of_rows**2).mean(axis=1)])
    centre = means.mean(axis=0)
    doubt = np.exp(random.normal(0, UNSUPPORTED_DEVIATION, (DRAWS, 1)))
    for number, weight in enumerate(weights):
        part = slice(DRAWS * number // len(weights), DRAWS * (number + 1) // len(weights))
        count = part.stop - part.start
        shares = weight / weight.sum()
        effective = 1 / float((shares**2).sum())
        correction = _draw_means(residuals, shares, effective, count, random)
        noise = _draw_means(residuals, shares, size, count, random) - shares @ residuals
        # What a model with one fold less would have changed (the delete-a-group jackknife).
        adjusted = np.stack(
            [of_rows.mean(axis=0) - shares @ own, scale * ((of_rows**2).mean(axis=0) - shares @ own**2)]
        )
        spread = np.sqrt((FOLDS - 1) * adjusted.var(axis=1))
        model = random.standard_normal((count, 1)) * spread
        sampled = random.standard_normal((count, 2)) * means.std(axis=0) * np.sqrt(max(1 / len(rows) - 1 / size, 0.0))
        draws[part] = centre + correction + noise + model + sampled
    level = np.maximum(draws.mean(axis=0), 0.0)
    draws += ratio.unsupported_share * level * (doubt ** np.array([1, 2]) - 1)
    draws = np.maximum(draws, 0.0)
    shares = weights.mean(axis=0) / weights.mean(axis=0).sum()
    root = math.sqrt(float(shares @ squares))
    # Of a root the deviation of the square over its slope.
    spreads = (_deviation(absolute, shares), _deviation(squares, shares) / (2 * root) if root else 0.0)
    columns = (("mae", draws[:, 0]), ("rmse", np.sqrt(draws[:, 1])))
    estimates = (summarize(name, column, float(size), is_shifted=ratio.is_shifted) for name, column in columns)
    return tuple(replace(one, spread=spread) for one, spread in zip(estimates, spreads, strict=True))


def error_cap(errors: Floats, weights: Floats, rows: int) -> float:
    """The absolute error that about ``CAPPED_ROWS`` of ``rows`` exceed, by labelled rows and their weights ``[sets,
    rows]``.

    Means of errors that are cut off there (winsorised) are close to normal however heavy the tails are, so that an
    estimate of them can be checked: a mean of squares has no normal error where the kurtosis is large, and none at all
    for Student's t with 4 degrees of freedom or fewer.
    """
    shares = weights.mean(axis=0) / weights.mean(axis=0).sum()
    effective = 1 / float((shares**2).sum())
    share = min(CAPPED_ROWS / max(min(rows, effective), 1.0), MAX_CAPPED)
    absolute = np.abs(errors)
    order = np.argsort(absolute)
    place = int(np.searchsorted(np.cumsum(shares[order]), 1 - share))
    return float(absolute[order[min(place, len(order) - 1)]])


def _deviation(values: Floats, shares: Floats) -> float:
    return math.sqrt(float(shares @ (values - shares @ values) ** 2))


def _predict_errors(
    labelled: Floats, absolute: Floats, rows: Floats, categorical: Bools | None, random: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """The absolute error of each labelled row by a model that has not seen it; of labelled rows and of the others by
    the model of each fold ``[rows, folds]``."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    folds = random.permutation(np.arange(len(labelled)) % FOLDS)
    fitted, own, others = np.empty(len(labelled)), np.empty((len(labelled), FOLDS)), np.empty((len(rows), FOLDS))
    for fold in range(FOLDS):
        model: Any = HistGradientBoostingRegressor(
            max_iter=60,
            learning_rate=0.08,
            max_leaf_nodes=8,
            min_samples_leaf=max(20, len(labelled) // 200),
            l2_regularization=5.0,
            early_stopping=False,
            categorical_features=categorical,
            random_state=0,
        )
        # So few rows gain nothing from threads, which wait for each other where cores are busy.
        with threadpool_limits(1):
            model.fit(labelled[folds != fold], absolute[folds != fold])
            own[:, fold] = np.maximum(model.predict(labelled), 0.0)
            others[:, fold] = np.maximum(model.predict(rows), 0.0)
        fitted[folds == fold] = own[folds == fold, fold]
    return fitted, own, others


def _draw_means(values: Floats, shares: Floats, size: float, draws: int, random: np.random.Generator) -> Floats:
    """Means of ``size`` rows drawn by their shares, ``[draws, columns]``."""
    count = max(round(size), 1)
    if count <= MAX_DRAWN:
        return np.asarray(values[random.choice(len(values), (draws, count), p=shares)].mean(axis=1))
    mean = shares @ values
    covariance = (values - mean).T @ ((values - mean) * shares[:, None]) / count
    return np.asarray(random.multivariate_normal(mean, covariance, draws, method="svd"))
