"""Tails of distributions against SciPy, which is not imported where they are used."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scipy.special
from numpy.typing import NDArray

from modelwatch.stats.special_functions import (
    FEW,
    MAX_SHAPE,
    chi_square_tail,
    gamma_tail,
    kolmogorov_tail,
    normal_tail,
    normal_tail_quantile,
)

Floats = NDArray[np.float64]
SMALLEST = 1e-290


def largest_error(ours: Floats, peer: Floats) -> float:
    """Relative, as far as float64 has all its digits."""
    sure = peer > SMALLEST
    assert np.all(ours[~sure] <= 2 * SMALLEST)
    return float(np.max(np.abs(ours[sure] / peer[sure] - 1), initial=0.0))


def gamma_arguments() -> tuple[Floats, Floats]:
    """Shapes that occur and odd ones, far below the mean, around it and far above it."""
    random = np.random.default_rng(5)
    shapes = np.concatenate([np.arange(1, 600) / 2, 10 ** random.uniform(-3, np.log10(MAX_SHAPE), 2000)])
    far = shapes * 10 ** random.uniform(-4, 1.5, len(shapes))
    near = shapes + np.sqrt(shapes) * random.normal(0, 4, len(shapes))
    return np.tile(shapes, 2), np.maximum(np.concatenate([far, near]), 0.0)


def test_gamma_tails_are_scipys() -> None:
    shapes, x = gamma_arguments()
    assert largest_error(gamma_tail(shapes, x), scipy.special.gammaincc(shapes, x)) < 1e-11
    assert largest_error(chi_square_tail(2 * shapes, 2 * x), scipy.special.chdtrc(2 * shapes, 2 * x)) < 1e-11


def test_few_numbers_get_the_same_as_many() -> None:
    shapes, x = (column[::7] for column in gamma_arguments())
    few = np.concatenate([gamma_tail(shapes[at : at + FEW], x[at : at + FEW]) for at in range(0, len(x), FEW)])
    assert largest_error(few, gamma_tail(shapes, x)) < 1e-11


@pytest.mark.parametrize("size", [1, 100])
def test_gamma_tails_at_the_ends(size: int) -> None:
    cases = {(1.0, 0.0): 1.0, (2.5, np.inf): 0.0, (1e5, 1e5): float(scipy.special.gammaincc(1e5, 1e5))}
    for (shape, x), expected in cases.items():
        assert np.all(gamma_tail(np.full(size, shape), x) == expected)
    for shape, x in ((np.nan, 1.0), (1.0, np.nan), (0.0, 1.0), (-1.0, 1.0)):
        assert np.isnan(gamma_tail(np.full(size, shape), x)).all()


def test_normal_tails_are_scipys() -> None:
    x = np.linspace(-9, 36, 5000).reshape(50, 100)
    assert largest_error(normal_tail(x), scipy.special.ndtr(-x)) < 1e-12
    assert np.isnan(normal_tail(np.nan))
    assert normal_tail(np.inf) == 0
    assert normal_tail(-np.inf) == 1
    for p in (0.999, 0.5, 0.01, 1e-9, 1e-200):
        assert normal_tail_quantile(p) == pytest.approx(-scipy.special.ndtri(p), rel=1e-12, abs=1e-15)


def test_kolmogorov_tails_are_scipys() -> None:
    x = np.concatenate([np.linspace(-1, 3, 8001), np.linspace(3, 18, 500)])
    assert largest_error(kolmogorov_tail(x), scipy.special.kolmogorov(np.maximum(x, 0.0))) < 1e-13
    assert np.isnan(kolmogorov_tail(np.nan))
    assert kolmogorov_tail(np.inf) == 0


def test_judging_a_feature_imports_neither_scipy_nor_masked_arrays() -> None:
    code = """
import sys
from modelwatch.stats.drift.p_values import binned_p_values
from modelwatch.stats.drift.null_distribution import null_distribution
assert 0 < binned_p_values("psi", [[200.0, 300, 100]], [[210.0, 280, 120]])[0] < 1
for method in ("ks", "wasserstein"):
    assert 0 < null_distribution(method, [20_000.0, 20_000], 2e4, 2e4).p_value(0.004, 2e4, 2e4) < 1
assert not {"scipy", "numpy.ma"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True)
