"""Logistic regression of counted rows by Newton's method, with or without a normal prior of each coefficient."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .arrays import Floats

MAX_STEPS = 60
"""Newton's steps, and halvings of one of them."""
TOLERANCE = 1e-9
"""A step that changes no coefficient by more than this share of the largest is the last."""


@dataclass(frozen=True, slots=True, eq=False)
class LogisticFit:
    """The optimum: one number a column of the design, and what is known about them."""

    coefficients: Floats
    information: Floats
    """``[columns, columns]``: the negative second derivative of ``value`` there; its inverse is their covariance."""
    value: float
    """The logarithm of the likelihood, and of the prior up to its constant, without binomial coefficients."""


def sigmoid(x: Floats) -> Floats:
    """The probability of each logit."""
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))


def fit_logistic(
    design: Floats,
    hits: Floats,
    trials: Floats,
    offset: Floats,
    precision: Floats | None = None,
    *,
    max_coefficient: float = math.inf,
) -> LogisticFit | None:
    """The most probable coefficients; ``None`` without a finite optimum (a prior has one), or beyond
    ``max_coefficient``.

    ``design``: ``[rows, columns]``; ``hits`` of ``trials`` by row, which need not be whole; ``offset``: by row, added
    to its logit; ``precision``: by column one over the variance of its prior around 0. Steps are halved until they
    gain.
    """
    weights = np.zeros(design.shape[1]) if precision is None else precision
    found = np.zeros(design.shape[1])
    best = _value(found, design, hits, trials, offset, weights)
    for _ in range(MAX_STEPS):
        p = sigmoid(design @ found + offset)
        gradient = design.T @ (hits - trials * p) - weights * found
        try:
            step = np.linalg.solve(_information(p, design, trials, weights), gradient)
        except np.linalg.LinAlgError:
            return None
        for _ in range(MAX_STEPS):
            value = _value(found + step, design, hits, trials, offset, weights)
            if value >= best - TOLERANCE * abs(best):
                break
            step = step / 2
        found, best = found + step, max(best, value)
        if not np.isfinite(found).all() or np.abs(found).max() > max_coefficient:
            return None
        if np.abs(step).max() < TOLERANCE * (1 + np.abs(found).max()):
            break
    else:
        if precision is None:
            return None
    p = sigmoid(design @ found + offset)
    return LogisticFit(found, _information(p, design, trials, weights), best)


def _information(p: Floats, design: Floats, trials: Floats, precision: Floats) -> Floats:
    return np.asarray((design * (trials * p * (1 - p))[:, None]).T @ design + np.diag(precision))


def _value(
    coefficients: Floats, design: Floats, hits: Floats, trials: Floats, offset: Floats, precision: Floats
) -> float:
    logits = design @ coefficients + offset
    fit = hits * logits - trials * np.logaddexp(0.0, logits)
    return float(fit.sum() - 0.5 * (precision * coefficients**2).sum())
