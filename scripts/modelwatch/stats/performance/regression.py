"""Metrics of numeric predictions: MAE, RMSE, MAPE, R2 and bias from sums, which merge."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from ..intervals import z_value
from ..profile.exact_sum import ExactSums, to_float
from .estimate import Estimate, mean_of_sums, undefined_estimate

METRICS = ("mae", "rmse", "mape", "r2", "bias")


def error_sums(labels: ArrayLike, predictions: ArrayLike, origin: float = 0.0, *, squares: bool = False) -> ExactSums:
    """Sums of errors and of labels; rows whose label or prediction is not finite are left out.

    ``origin`` is a typical label, the same for all parts of one sum: labels are squared as distances from it, so that
    no digits cancel in R2. ``squares``: further powers, for intervals.
    """
    y, p = np.asarray(labels, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    is_usable = np.isfinite(y) & np.isfinite(p)
    y, p = y[is_usable], p[is_usable]
    with np.errstate(over="ignore", invalid="ignore"):
        apart, error = y - origin, p - y
        size = np.abs(error)
        share = size / np.maximum(np.abs(y), np.finfo(np.float64).eps)
        columns = {
            "error": error,
            "size": size,
            "square": error * error,
            "share": share,
            "label": apart,
            "label2": apart * apart,
        }
        if squares:
            square, second = columns["square"], columns["label2"]
            columns |= {"share2": share * share, "fourth": square * square, "label3": apart * second}
            columns |= {"label4": second * second, "both": square * apart, "both2": square * second}
    return ExactSums.of(columns)


def regression_metrics(sums: ExactSums) -> tuple[Estimate, ...]:
    """MAE, RMSE, MAPE (a label of 0 counts as the smallest step of float64, as in scikit-learn), R2, bias (mean of
    prediction minus label).

    Intervals: normal for means, through the mean square for RMSE, by the delta method for R2; those of RMSE, MAPE and
    R2 need ``squares``. R2 is NaN where all labels are equal or there is one row; each is NaN without rows or where it
    overflows.
    """
    if not sums.n:
        return tuple(undefined_estimate(name) for name in METRICS)
    square = mean_of_sums(sums, "square", "fourth")
    rmse = Estimate(
        "rmse", _square_root(square.value), _square_root(max(square.low, 0.0)), _square_root(square.high), square.n
    )
    return (
        mean_of_sums(sums, "size", "square", "mae"),
        rmse,
        mean_of_sums(sums, "share", "share2", "mape"),
        _r2(sums),
        mean_of_sums(sums, "error", "square", "bias"),
    )


def _square_root(value: float) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


def _r2(sums: ExactSums) -> Estimate:
    n = float(sums.n)
    square, first, second = (sums.exact_mean(name) for name in ("square", "label", "label2"))
    if square is None or first is None or second is None:
        return undefined_estimate("r2", n)
    spread = second - first * first
    # Labels that are equal but for the rounding of their squares have no spread.
    if spread <= second / 10**15:
        return undefined_estimate("r2", n)
    value = to_float(1 - square / spread)
    error = _r2_standard_error(sums, square, first, spread)
    half = z_value() * error if error is not None and sums.n > 2 else math.nan
    return Estimate("r2", value, value - half, value + half, n)


def _r2_standard_error(sums: ExactSums, square: Fraction, first: Fraction, spread: Fraction) -> float | None:
    """Standard error of R2: the spread of ``square / V (d^2 / V) - e^2 / V`` over rows, d = label - mean."""
    names = ("label3", "label4", "fourth", "both", "both2")
    third, fourth, errors4, both, both2 = (sums.exact_mean(name) for name in names)
    second = spread + first * first
    if third is None or fourth is None or errors4 is None or both is None or both2 is None:
        return None
    d4 = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
    ed = both2 - 2 * first * both + first**2 * square
    ratio = square / spread
    variance = (errors4 - 2 * ratio * ed + ratio**2 * d4) / spread**2
    return math.sqrt(max(to_float(variance), 0.0) / sums.n)
