"""Numbers: MAE, RMSE, MAPE, R2 and bias from sums, which merge."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimate import DRAWS, SEED, Estimate, mean, percentiles, undefined

Floats = NDArray[np.float64]

BLOCKS = 256
"""Sums are kept in so many interleaved blocks of rows; resampling whole blocks gives the interval of R2."""
_N, _W2, _ERROR, _ABS, _SQUARE, _FOURTH, _SHARE, _SHARE2, _LABEL, _LABEL2 = range(10)


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Weighted sums per block of rows: ``[BLOCKS, 10]``. Merging adds them up."""

    sums: Floats
    origin: float
    """Subtracted from every label before its square is summed, so that no digits cancel; equal where sides merge."""

    def merge(self, other: Errors) -> Errors:
        if self.origin != other.origin and self.n > 0 and other.n > 0:
            return self.moved(other.origin).merge(other)
        return Errors(self.sums + other.sums, other.origin if self.n == 0 else self.origin)

    @property
    def n(self) -> float:
        return float(self.sums[:, _N].sum())

    def moved(self, origin: float) -> Errors:
        """The same sums around another origin."""
        by = self.origin - origin
        sums = self.sums.copy()
        sums[:, _LABEL2] += 2 * by * sums[:, _LABEL] + by * by * sums[:, _N]
        sums[:, _LABEL] += by * sums[:, _N]
        return Errors(sums, origin)


def errors(
    labels: ArrayLike, predictions: ArrayLike, weights: ArrayLike | None = None, origin: float | None = None
) -> Errors:
    """Rows whose label, prediction or weight is not finite (or whose weight is not positive) are left out.

    ``origin`` is a typical label, by default the mean of these.
    """
    y, p = np.asarray(labels, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        kept = np.isfinite(y) & np.isfinite(p) & np.isfinite(w) & (w > 0)
        y, p, w = y[kept], p[kept], w[kept]
        if origin is None:
            origin = float(np.average(y, weights=w)) if len(y) else 0.0
        apart, error = y - origin, p - y
        size = np.abs(error)
        share = size / np.maximum(np.abs(y), np.finfo(np.float64).eps)
        columns = (np.ones(len(y)), w, error, size, size**2, size**4, share, share**2, apart, apart**2)
        block = np.arange(len(y)) % BLOCKS
        sums = np.stack([np.bincount(block, weights=w * column, minlength=BLOCKS) for column in columns], axis=1)
    return Errors(np.asarray(sums, dtype=np.float64), origin)


def regression_metrics(found: Errors) -> tuple[Estimate, ...]:
    """MAE, RMSE, MAPE (a label of 0 counts as the smallest step of float64, as in scikit-learn), R2, bias (mean of
    prediction minus label).

    Intervals: normal for means, through the mean square for RMSE, block bootstrap for R2. R2 is NaN where all labels
    are equal or there is one row; each is NaN without rows or where it overflows.
    """
    with np.errstate(all="ignore"):
        return _metrics(found)


def _metrics(found: Errors) -> tuple[Estimate, ...]:
    total = found.sums.sum(axis=0)
    n = float(total[_N])
    if n == 0:
        return tuple(undefined(name) for name in ("mae", "rmse", "mape", "r2", "bias"))
    rows = n * n / float(total[_W2])
    each = total / n
    square = _mean("mse", each[_SQUARE], each[_FOURTH], n, rows)
    return (
        _mean("mae", each[_ABS], each[_SQUARE], n, rows),
        Estimate("rmse", _root(square.value), _root(max(square.low, 0.0)), _root(square.high), n),
        _mean("mape", each[_SHARE], each[_SHARE2], n, rows),
        _r2(found, n),
        _mean("bias", each[_ERROR], each[_SQUARE], n, rows),
    )


def _mean(name: str, first: float, second: float, n: float, rows: float) -> Estimate:
    if not math.isfinite(first):
        return undefined(name, n)
    variance = float(second) - float(first) ** 2 if math.isfinite(second) and abs(first) < 1e150 else math.nan
    if math.isnan(variance):
        return Estimate(name, float(first), math.nan, math.nan, n)
    return mean(name, float(first), variance, n, effective=rows)


def _root(value: float) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


def _r2(found: Errors, n: float) -> Estimate:
    sums = found.sums[found.sums[:, _N] > 0]
    value = float(_explained(sums.sum(axis=0)[None])[0])
    if not math.isfinite(value):
        return undefined("r2", n)
    if len(sums) < 2:
        return Estimate("r2", value, math.nan, math.nan, n)
    picked = np.random.default_rng(SEED).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=DRAWS)
    low, high = percentiles(_explained(picked @ sums))
    return Estimate("r2", value, min(low, value), max(high, value), n)


def _explained(sums: Floats) -> Floats:
    """1 - squared errors over squared distances from the mean label."""
    spread = sums[:, _LABEL2] - sums[:, _LABEL] ** 2 / sums[:, _N]
    tiny = 1e-12 * np.abs(sums[:, _LABEL2])
    return np.where((spread > tiny) & (sums[:, _N] > 0), 1 - sums[:, _SQUARE] / spread, np.nan)
