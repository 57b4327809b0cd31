"""Many features at once: p-values corrected for their number, and drift over all features as one number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def adjust_p_values(p_values: ArrayLike, axis: int = -1) -> Floats:
    """Benjamini and Hochberg (1995): of the features whose adjusted p-value is at most q, a share of at most q is
    expected to be a false alarm. NaN (no test was made) stays NaN and does not count among the tests.

    The same as scipy's ``false_discovery_control`` where no value is missing; many windows at once along other axes.
    """
    p = np.moveaxis(np.asarray(p_values, dtype=np.float64), axis, -1)
    order = np.argsort(p, axis=-1, kind="stable")  # NaN last
    ranked = np.take_along_axis(p, order, axis=-1)
    tests = np.sum(~np.isnan(p), axis=-1, keepdims=True)
    raised = ranked * tests / np.arange(1, p.shape[-1] + 1)
    least = np.fmin.accumulate(raised[..., ::-1], axis=-1)[..., ::-1]
    result = np.empty_like(p)
    np.put_along_axis(result, order, np.where(np.isnan(ranked), np.nan, np.minimum(least, 1.0)), axis=-1)
    return np.moveaxis(result, -1, axis)


def drifted_share(drifted: ArrayLike, axis: int = -1) -> Floats:
    """The share of features that drifted; those that could not be judged (NaN) are left out. NaN without any."""
    flags = np.asarray(drifted, dtype=np.float64)
    known = np.sum(~np.isnan(flags), axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nansum(flags, axis=axis) / known)


def importance_weighted_mean(effects: ArrayLike, importances: Sequence[float] | Floats, axis: int = -1) -> Floats:
    """The mean effect over the features, each weighing as much as the model leans on it.

    Importances are not negative and need not sum to 1. Features whose effect is unknown (NaN) are left out with their
    importance; NaN where nothing is left.
    """
    values = np.moveaxis(np.asarray(effects, dtype=np.float64), axis, -1)
    weights = np.asarray(importances, dtype=np.float64)
    if (weights < 0).any() or not np.isfinite(weights).all():
        raise ValueError("importances are finite and not negative")
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, values * weights, 0.0).sum(axis=-1) / (known * weights).sum(axis=-1))
