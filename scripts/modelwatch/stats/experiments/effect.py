"""The effect of a treatment on a mean or a ratio, with its variance: delta method and covariates.

A ratio of two means is linearised at its own value (Deng, Knoblich and Lu 2018, "Applying the delta method in metric
analytics", KDD). Covariates from before the experiment take off what they explain (CUPED; Deng, Xu, Kohavi and Walker
2013, "Improving the sensitivity of online controlled experiments by utilizing pre-experiment data", WSDM): with the
coefficients that make the variance of the difference smallest. Units are drawn into arms at random, so the difference
of covariates is 0 on average, and estimating the coefficients costs a share of about 1/n of the variance, which the
divisor ``n - 1 - covariates`` pays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Floats
from .moments import Moments


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """Treatment minus control; all of one shape, NaN where it cannot be computed."""

    difference: Floats
    variance: Floats
    """Of the difference."""
    planned_variance: Floats
    """What the variance would be with the planned units in each arm."""
    control: Floats
    """The control's own value, without covariates."""
    control_variance: Floats
    covariance: Floats
    """Of the difference and the control's value."""
    treatment: Floats
    reduction: Floats
    """The share of the variance that covariates took off; 0 without."""
    units: Floats
    """Of the smaller arm."""
    largest_share: Floats
    """The largest share of the variance that a single unit may have."""


def measure_effect(
    treatment: Moments, control: Moments, planned: tuple[float, float], *, is_ratio: bool = False
) -> Effect:
    """Compare two arms. Columns: the value, for a ratio its denominator, then covariates.

    ``planned``: units of treatment and control for which intervals shall be the narrowest.
    """
    values = 2 if is_ratio else 1
    arms = [_linearise(arm, values) for arm in (treatment, control)]
    covariates = treatment.mean.shape[-1] - values
    n = [arm.n for arm in arms]
    with np.errstate(divide="ignore", invalid="ignore"):
        theta, difference_of_covariates = _coefficients(arms, covariates)
        plain = [arm.value for arm in arms]
        adjusted = [_residual(arm, theta, covariates) for arm in arms]
        raw = arms[0].variance / n[0] + arms[1].variance / n[1]
        variance = adjusted[0] / n[0] + adjusted[1] / n[1]
        cross = arms[1].variance - _dot(theta, arms[1].with_covariates)
        # What one arm has seen the other can see next, even if it has seen nothing like it yet.
        reach = np.maximum(*(_reach(arm, theta) for arm in arms))
        return Effect(
            difference=plain[0] - plain[1] - _dot(theta, difference_of_covariates),
            variance=variance,
            planned_variance=adjusted[0] / planned[0] + adjusted[1] / planned[1],
            control=plain[1],
            control_variance=arms[1].variance / n[1],
            covariance=-cross / n[1],
            treatment=plain[0],
            reduction=1 - variance / raw if covariates else np.zeros_like(raw),
            units=np.minimum(*n),
            largest_share=(reach / np.minimum(*n)) ** 2 / variance,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Linear:
    """One arm, its value as the mean of one number a unit."""

    n: Floats
    value: Floats
    variance: Floats
    """Of that number."""
    with_covariates: Floats
    """Its covariance with each covariate."""
    covariates: Floats
    """Their covariances."""
    means: Floats
    """Of covariates."""
    reach: Floats
    """How far the number lies from its mean, at most."""
    covariate_reach: Floats


def _linearise(arm: Moments, values: int) -> _Linear:
    covariance = arm.covariance()
    with np.errstate(divide="ignore", invalid="ignore"):
        if values == 2:
            value = arm.mean[..., 0] / arm.mean[..., 1]
            weights = np.stack([np.ones_like(value), -value], axis=-1) / arm.mean[..., 1:2]
        else:
            value = np.where(arm.n > 0, arm.mean[..., 0], np.nan)
            weights = np.ones((*arm.n.shape, 1))
    reach = np.maximum(arm.high - arm.mean, arm.mean - arm.low)
    return _Linear(
        arm.n,
        value,
        _quadratic(weights, covariance[..., :values, :values]),
        (weights[..., None, :] @ covariance[..., :values, values:])[..., 0, :],
        covariance[..., values:, values:],
        arm.mean[..., values:],
        _dot(np.abs(weights), reach[..., :values]),
        reach[..., values:],
    )


def _coefficients(arms: list[_Linear], covariates: int) -> tuple[Floats, Floats]:
    """The coefficients of the covariates, and the differences of their means."""
    treatment, control = arms
    gap = treatment.means - control.means
    if not covariates:
        return gap, gap
    weights = [1 / arm.n for arm in arms]
    inner, outer = (
        weights[0][..., None, None] * treatment.covariates + weights[1][..., None, None] * control.covariates,
        weights[0][..., None] * treatment.with_covariates + weights[1][..., None] * control.with_covariates,
    )
    # In units of their spread, so that a covariate in cents and one in millions are inverted alike.
    spread = np.sqrt(np.diagonal(inner, axis1=-2, axis2=-1))
    spread = np.where(spread > 0, spread, np.inf)
    scaled = inner / spread[..., :, None] / spread[..., None, :]
    usable = np.asarray(np.isfinite(scaled).all(axis=(-2, -1)))
    inverse = np.linalg.pinv(np.where(usable[..., None, None], scaled, 0.0), hermitian=True)
    right = np.where(usable[..., None], outer / spread, 0.0)
    theta = (inverse @ right[..., None])[..., 0] / spread
    return np.asarray(theta), gap


def _residual(arm: _Linear, theta: Floats, covariates: int) -> Floats:
    """The variance of the number without what covariates explain."""
    explained = 2 * _dot(theta, arm.with_covariates)
    own = _quadratic(theta, arm.covariates)
    lost = (arm.n - 1) / np.where(arm.n - 1 > covariates, arm.n - 1 - covariates, np.nan)
    residual: Floats = np.maximum(arm.variance - explained + own, 0.0) * lost
    return residual


def _reach(arm: _Linear, theta: Floats) -> Floats:
    """How far a unit lies from the mean, at most. One far out is far out in its covariate, too, as a rule, so that the
    two do not add up."""
    return np.asarray(np.maximum(arm.reach, _dot(np.abs(theta), arm.covariate_reach)))


def _dot(left: Floats, right: Floats) -> Floats:
    """Along the last axis; 0 where that is empty. ``np.einsum`` leaves the sum over an empty axis uninitialised."""
    total: Floats = (left * right).sum(axis=-1)
    return total


def _quadratic(vector: Floats, matrix: Floats) -> Floats:
    return _dot(vector, (matrix @ vector[..., None])[..., 0])
