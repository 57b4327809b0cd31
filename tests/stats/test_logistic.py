"""Logistic regression against statsmodels, and with a prior against SciPy's minimizer."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize

from modelwatch.stats.logistic import fit_logistic, sigmoid


def counted(seed: int, rows: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    design = np.stack([np.ones(rows), random.normal(size=rows), random.normal(size=rows)], axis=1)
    offset, trials = random.normal(0, 0.3, rows), random.integers(1, 50, rows).astype(np.float64)
    hits = random.binomial(trials.astype(int), sigmoid(design @ [0.3, 1.2, -0.7] + offset)).astype(np.float64)
    return design, hits, trials, offset


@pytest.mark.parametrize("seed", range(5))
def test_it_is_statsmodels(seed: int) -> None:
    design, hits, trials, offset = counted(seed)
    found = fit_logistic(design, hits, trials, offset)
    assert found is not None
    outcomes = np.stack([hits, trials - hits], axis=1)
    theirs = sm.GLM(outcomes, design, sm.families.Binomial(), offset=offset).fit(tol=1e-12)
    np.testing.assert_allclose(found.coefficients, theirs.params, rtol=1e-7)
    np.testing.assert_allclose(np.linalg.inv(found.information), theirs.cov_params(), rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_a_prior_draws_to_zero(seed: int) -> None:
    design, hits, trials, offset = counted(seed)
    precision = np.array([0.0, 30.0, 300.0])

    def loss(coefficients: np.ndarray) -> float:
        logits = design @ coefficients + offset
        fit = hits * logits - trials * np.logaddexp(0.0, logits)
        return float(-fit.sum() + 0.5 * (precision * coefficients**2).sum())

    found = fit_logistic(design, hits, trials, offset, precision)
    assert found is not None
    theirs = minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-7})
    np.testing.assert_allclose(found.coefficients, theirs.x, atol=1e-5)
    assert found.value == pytest.approx(-theirs.fun, rel=1e-9)
    assert abs(found.coefficients[2]) < 0.7


def test_classes_that_are_apart_have_no_optimum_but_with_a_prior() -> None:
    design = np.stack([np.ones(20), np.arange(20.0) - 9.5], axis=1)
    hits, trials, offset = (design[:, 1] > 0).astype(np.float64), np.ones(20), np.zeros(20)
    assert fit_logistic(design, hits, trials, offset, max_coefficient=1e3) is None
    found = fit_logistic(design, hits, trials, offset, np.ones(2))
    assert found is not None
    assert 0 < found.coefficients[1] < 3
    twice = np.stack([design[:, 1], design[:, 1]], axis=1)
    assert fit_logistic(twice, hits, trials, offset, max_coefficient=1e3) is None
