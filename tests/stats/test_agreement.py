"""Agreement to 1e-9 with scipy, statsmodels and scikit-learn on shared fixtures, over the same bins; and how near
profiles come to the raw columns."""

from __future__ import annotations

import math
from functools import reduce

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

from modelwatch.stats.drift import binned_statistics
from modelwatch.stats.drift.bins import count, quantile_edges
from modelwatch.stats.drift.methods import of_bins, of_samples
from modelwatch.stats.drift.p_values import adjust_p_values
from modelwatch.stats.intervals import difference_interval, wilson_interval
from modelwatch.stats.profile.binning import choose_edges, span_of
from modelwatch.stats.profile.numeric import NumericProfile

Floats = NDArray[np.float64]
NEAR = pytest.approx


def fixtures() -> dict[str, tuple[Floats, Floats]]:
    rng = np.random.default_rng(23)
    normal = rng.normal(size=3000), rng.normal(0.1, 1.2, size=2000)
    return {
        "normal": normal,
        "lognormal": (rng.lognormal(0, 1.5, size=3000), rng.lognormal(0.1, 1.5, size=2000)),
        "ties": (np.round(normal[0], 1), np.round(normal[1], 1)),
        "integers": (rng.poisson(4, 900).astype(float), rng.poisson(4.4, 700).astype(float)),
        "constant": (np.full(150, 3.0), np.full(120, 3.0)),
        "constant that moved": (np.full(150, 3.0), np.full(120, 4.0)),
        "few rows": (normal[0][:7], normal[1][:5]),
        "tiny": (normal[0] * 1e-300, normal[1] * 1e-300),
        "huge": (normal[0] / 8 * 1e308, normal[1] / 8 * 1e308),
        "whole range": (np.array([-1.7e308, 0.0, 1.7e308] * 60), np.array([-1.7e308, 1.7e308, 1.7e308] * 40)),
    }


FIXTURES = fixtures()
SCALES = {"tiny": 1e-300, "huge": 1e308, "whole range": 1e308}
"""scipy overflows, or its warnings speak of it: its distances are those of the column in units of this."""


@pytest.mark.parametrize("name", FIXTURES)
def test_ordered_statistics_are_scipys(name: str) -> None:
    a, b = FIXTURES[name]
    scale = SCALES.get(name, 1.0)
    ks = of_samples("ks", a, b)
    assert ks.value == NEAR(stats.ks_2samp(a, b, method="asymp").statistic, abs=1e-9)
    root = math.sqrt(len(a) * len(b) / (len(a) + len(b)))
    assert ks.p_value == NEAR(stats.kstwobign.sf(root * ks.value), abs=1e-9)
    moved = of_samples("wasserstein", a, b)
    assert moved.value / scale == NEAR(stats.wasserstein_distance(a / scale, b / scale), rel=1e-9, abs=1e-15)
    spread = np.std(a / scale)
    if spread > 0:
        assert moved.effect == NEAR(stats.wasserstein_distance(a / scale, b / scale) / spread, rel=1e-9)
    square = of_samples("cramer_von_mises", a, b)
    if len(np.unique(np.concatenate([a, b]))) == len(a) + len(b):
        peer = stats.cramervonmises_2samp(a, b, method="asymptotic")
        assert (square.value, square.p_value) == NEAR((peer.statistic, peer.pvalue), rel=1e-9, abs=1e-9)
    else:
        both = np.concatenate([a, b])
        apart = stats.ecdf(a).cdf.evaluate(both) - stats.ecdf(b).cdf.evaluate(both)
        assert square.value == NEAR(len(a) * len(b) / len(both) * (apart**2).mean(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", FIXTURES)
def test_statistics_of_bins_are_scipys(name: str) -> None:
    a, b = FIXTURES[name]
    edges = quantile_edges(np.sort(a))
    r, c = count(np.sort(a), edges), count(np.sort(b), edges)
    filled = r + c > 0
    if filled.sum() > 1:
        peer = stats.chi2_contingency([r[filled], c[filled]], correction=False)
        got = of_samples("chi_square", a, b)
        assert got.value == NEAR(peer.statistic, rel=1e-9, abs=1e-9)
        if binned_statistics.has_expected_counts(r, c):
            assert got.p_value == NEAR(peer.pvalue, abs=1e-9)
    p, q = r / r.sum(), c / c.sum()
    assert of_samples("jensen_shannon", a, b).value == NEAR(jensenshannon(p, q, base=2), abs=1e-9)
    overlap = np.sqrt(p * q).sum()
    assert of_samples("hellinger", a, b).value == NEAR(math.sqrt(max(1 - overlap, 0)), abs=1e-7)
    assert of_samples("total_variation", a, b).value == NEAR(np.linalg.norm(p - q, 1) / 2, abs=1e-9)
    half = np.where(r > 0, p, 0.5 / r.sum())[filled], np.where(c > 0, q, 0.5 / c.sum())[filled]
    both = special.rel_entr(*half).sum() + special.rel_entr(*half[::-1]).sum()
    assert of_samples("psi", a, b).value == NEAR(both, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", FIXTURES)
@pytest.mark.parametrize("method", ["ks", "wasserstein"])
def test_a_profile_with_an_edge_on_either_side_of_every_value_loses_nothing(name: str, method: str) -> None:
    a, b = FIXTURES[name]
    values = np.unique(np.concatenate([a, b]))
    edges = np.unique(np.concatenate([np.nextafter(values, -np.inf), values]))
    exact, binned = of_samples(method, a, b), of_bins(method, *(NumericProfile.of(side, edges) for side in (a, b)))
    scale = SCALES.get(name, 1.0) if method == "wasserstein" else 1.0
    assert binned.value / scale == NEAR(exact.value / scale, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("k1", "n1", "k2", "n2"),
    [(56, 70, 48, 80), (9, 10, 3, 10), (0, 10, 0, 20), (10, 10, 0, 10), (812, 1000, 901, 1100)],
)
def test_intervals_are_statsmodels(k1: int, n1: int, k2: int, n2: int) -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

    sides = []
    for k, n in ((k1, n1), (k2, n2)):
        p = np.array([k / n])
        low, high = wilson_interval(p, np.array([float(n)]))
        peer = proportion_confint(k, n, method="wilson")
        assert (low[0], high[0]) == NEAR((min(max(peer[0], 0), p[0]), max(min(peer[1], 1), p[0])), abs=1e-9)
        sides += [p, low, high]
    low, high = difference_interval(*sides)
    assert (low[0], high[0]) == NEAR(confint_proportions_2indep(k1, n1, k2, n2, method="newcomb"), abs=1e-9)


def test_benjamini_and_hochberg_are_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    p = np.random.default_rng(4).uniform(size=25) ** 3
    assert adjust_p_values(p) == NEAR(multipletests(p, method="fdr_bh")[1], abs=1e-9)


def zeros(rng: np.random.Generator, n: int, share: float) -> Floats:
    return np.where(rng.random(n) < share, 0.0, rng.lognormal(size=n))


def raw() -> dict[str, tuple[Floats, Floats]]:
    rng = np.random.default_rng(29)
    n = 100_000
    mixed = np.where(rng.random(n) < 0.5, rng.normal(size=n), rng.normal(8, 0.1, size=n))
    return {
        "normal": (rng.normal(size=n), rng.normal(0.1, 1.1, size=n)),
        "uniform": (rng.random(n), rng.random(n) ** 1.1),
        "lognormal": (rng.lognormal(0, 2, size=n), rng.lognormal(0.05, 2, size=n)),
        "t with 2 degrees": (rng.standard_t(2, size=n), 1.1 * rng.standard_t(2, size=n)),
        "t with 3 degrees": (rng.standard_t(3, size=n), 0.1 + rng.standard_t(3, size=n)),
        "Pareto 1.5": (rng.pareto(1.5, size=n), 1.05 * rng.pareto(1.5, size=n)),
        "exponential": (rng.exponential(size=n), rng.exponential(1.1, size=n)),
        "two modes": (mixed, np.where(rng.random(n) < 0.4, rng.normal(size=n), rng.normal(8, 0.1, size=n))),
        "a new far mode": (rng.normal(size=n), np.where(rng.random(n) < 0.01, 50.0, rng.normal(size=n))),
        "no change": (rng.gamma(2, size=n), rng.gamma(2, size=n)),
        "whole numbers": (rng.poisson(30, n).astype(float), rng.poisson(31, n).astype(float)),
        "zeros": (zeros(rng, n, 0.6), zeros(rng, n, 0.58)),
    }


RAW = raw()


@pytest.mark.parametrize("name", RAW)
def test_profiles_come_near_scipy_on_raw_columns(name: str) -> None:
    """KS within 0.002, Wasserstein within 0.5 % of the reference's interquartile range."""
    reference, current = RAW[name]
    edges = choose_edges(reference)
    left, right = (NumericProfile.of(side, edges) for side in (reference, current))
    apart = stats.ks_2samp(reference, current, method="asymp").statistic
    assert of_bins("ks", left, right).value == NEAR(apart, abs=0.002)
    low, high = np.quantile(reference, [0.25, 0.75])
    exact = stats.wasserstein_distance(reference, current)
    assert of_bins("wasserstein", left, right).value == NEAR(exact, abs=0.005 * (high - low))


def beyond() -> dict[str, Floats]:
    rng = np.random.default_rng(31)
    base = rng.normal(size=50_000)
    some = rng.random(50_000) < 0.01
    return {
        "a new far mode": np.where(some, 1000 + rng.normal(size=50_000), base),
        "one a million away": np.where(some, -1e6, base),
        "another unit": 1000 * base,
        "all gone upward": base + 40,
        "all gone downward": base - 7,
        "a heavier tail": rng.standard_t(1.5, size=50_000),
        "beyond every bin": np.where(some, 1e9 * (1 + rng.random(50_000)), base),
    }


@pytest.mark.parametrize("name", beyond())
@pytest.mark.parametrize("sampled", [1, 10])
def test_beyond_the_reference_wasserstein_is_exact(name: str, sampled: int) -> None:
    """Also where the edges come from a sample of the reference, and some of itself lies beyond."""
    reference, current = np.random.default_rng(30).normal(size=50_000), beyond()[name]
    edges = choose_edges(reference[::sampled])
    span = span_of(edges, reference[::sampled])
    left, right = (NumericProfile.of(side, edges, span=span) for side in (reference, current))
    parts = [NumericProfile.of(part, edges, span=span) for part in np.array_split(current, 7)]
    exact = stats.wasserstein_distance(reference, current)
    low, high = np.quantile(reference, [0.25, 0.75])
    assert of_bins("wasserstein", left, right).value == NEAR(exact, rel=1e-9, abs=0.005 * (high - low))
    assert of_bins("wasserstein", left, reduce(NumericProfile.merge, reversed(parts))).value == NEAR(
        of_bins("wasserstein", left, right).value, rel=1e-15
    )
