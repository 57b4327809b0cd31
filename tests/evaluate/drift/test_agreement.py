"""A drift rule's statistics against scipy's on raw columns, over bins that lose nothing and over those of profiles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

from modelwatch.stats.drift.methods import METHODS
from modelwatch.stats.profile.binning import choose_edges
from modelwatch.stats.profile.numeric import NumericProfile
from modelwatch.stats.profile.wandb_histogram import to_histogram

from .comparing import compare_categories, compare_histograms, compare_profiles, compare_values

Floats = NDArray[np.float64]
NEAR = pytest.approx


def fixtures() -> dict[str, tuple[Floats, Floats]]:
    rng = np.random.default_rng(23)
    normal = rng.normal(size=3000), rng.normal(0.1, 1.2, size=2000)
    return {
        "normal": normal,
        "lognormal": (rng.lognormal(0, 1.5, size=3000), rng.lognormal(0.1, 1.5, size=2000)),
        "ties": (np.round(normal[0], 1), np.round(normal[1], 1)),
        "heavy": (rng.standard_cauchy(4000), 1.1 * rng.standard_cauchy(2500)),
        "integers": (rng.poisson(4, 900).astype(float), rng.poisson(4.4, 700).astype(float)),
        "constant": (np.full(150, 3.0), np.full(120, 3.0)),
        "constant that moved": (np.full(150, 3.0), np.full(120, 4.0)),
        "moved downwards": (normal[0], normal[1] - 40),
        "tiny": (normal[0] * 1e-300, normal[1] * 1e-300),
        "huge": (normal[0] / 8 * 1e308, normal[1] / 8 * 1e308),
        "whole range": (np.array([-1.7e308, 0.0, 1.7e308] * 60), np.array([-1.7e308, 1.7e308, 1.7e308] * 40)),
    }


FIXTURES = fixtures()
SCALES = {"tiny": 1e-300, "huge": 1e308, "whole range": 1e308}
"""scipy overflows: its distances are those of the column in units of this."""


@pytest.mark.parametrize("name", FIXTURES)
def test_statistics_of_distribution_functions_are_scipys(name: str) -> None:
    a, b = FIXTURES[name]
    scale = SCALES.get(name, 1.0)
    ks = compare_values("ks", a, b)
    assert ks.effect[0] == NEAR(stats.ks_2samp(a, b, method="asymp").statistic, abs=1e-9)
    root = math.sqrt(len(a) * len(b) / (len(a) + len(b)))
    assert ks.p_value[0] == NEAR(stats.kstwobign.sf(root * ks.effect[0]), abs=1e-9)
    spread = np.std(a / scale)
    moved = compare_values("wasserstein", a, b).effect[0]
    if spread > 0:
        assert moved == NEAR(stats.wasserstein_distance(a / scale, b / scale) / spread, rel=1e-9)
    else:
        assert moved == 0 if np.array_equal(np.unique(a), np.unique(b)) else moved > 1e9
    if len(np.unique(np.concatenate([a, b]))) == len(a) + len(b):
        peer, square = stats.cramervonmises_2samp(a, b, method="asymptotic"), compare_values("cvm", a, b)
        per_value = 1 / len(a) + 1 / len(b)
        assert square.effect[0] == NEAR(peer.statistic * per_value, rel=1e-3, abs=0.2 * per_value / len(a))
        assert square.p_value[0] == NEAR(peer.pvalue, abs=0.002)


@pytest.mark.parametrize("name", FIXTURES)
def test_statistics_of_bins_are_scipys(name: str) -> None:
    """Over the bins that the rule chose: tenths of both sides together."""
    a, b = FIXTURES[name]
    ordered = np.sort(np.concatenate([a, b]))
    cuts = np.unique(ordered[np.ceil(np.arange(1, 10) * len(ordered) / 10).astype(int) - 1])
    ends = np.append(cuts[cuts < ordered[-1]], np.inf)
    r, c = (np.diff(np.searchsorted(np.sort(side), ends, side="right"), prepend=0) for side in (a, b))
    p, q = r / r.sum(), c / c.sum()
    filled = r + c > 0
    found = {method: compare_values(method, a, b) for method in ("psi", "js", "hellinger", "tv", "chi_square")}
    assert found["js"].effect[0] == NEAR(jensenshannon(p, q, base=2), abs=1e-9)
    assert found["hellinger"].effect[0] == NEAR(math.sqrt(max(1 - np.sqrt(p * q).sum(), 0)), abs=1e-7)
    assert found["tv"].effect[0] == NEAR(np.linalg.norm(p - q, 1) / 2, abs=1e-9)
    half = np.where(r > 0, p, 0.5 / r.sum())[filled], np.where(c > 0, q, 0.5 / c.sum())[filled]
    both = special.rel_entr(*half).sum() + special.rel_entr(*half[::-1]).sum()
    assert found["psi"].effect[0] == NEAR(both, rel=1e-9, abs=1e-12)
    if filled.sum() > 1:
        evenly = stats.chi2_contingency([p[filled], q[filled]], correction=False)
        assert found["chi_square"].effect[0] == NEAR(math.sqrt(evenly.statistic / 2), rel=1e-9, abs=1e-9)


def zeros(rng: np.random.Generator, n: int, share: float) -> Floats:
    return np.where(rng.random(n) < share, 0.0, rng.lognormal(size=n))


def raw() -> dict[str, tuple[Floats, Floats]]:
    rng = np.random.default_rng(29)
    n = 100_000
    mixed = np.where(rng.random(n) < 0.5, rng.normal(size=n), rng.normal(8, 0.1, size=n))
    normal, few = rng.normal(size=n), rng.random(n) < 0.01
    return {
        "normal": (rng.normal(size=n), rng.normal(0.1, 1.1, size=n)),
        "uniform": (rng.random(n), rng.random(n) ** 1.1),
        "lognormal": (rng.lognormal(0, 2, size=n), rng.lognormal(0.05, 2, size=n)),
        "t with 3 degrees": (rng.standard_t(3, size=n), 0.1 + rng.standard_t(3, size=n)),
        "exponential": (rng.exponential(size=n), rng.exponential(1.1, size=n)),
        "two modes": (mixed, np.where(rng.random(n) < 0.4, rng.normal(size=n), rng.normal(8, 0.1, size=n))),
        "no change": (rng.gamma(2, size=n), rng.gamma(2, size=n)),
        "whole numbers": (rng.poisson(30, n).astype(float), rng.poisson(31, n).astype(float)),
        "zeros": (zeros(rng, n, 0.6), zeros(rng, n, 0.58)),
        "a new far mode": (rng.normal(size=n), np.where(few, 50.0, normal)),
        "another unit": (rng.normal(size=n), 1000 * normal),
        "all gone upward": (rng.normal(size=n), normal + 40),
        "all gone downward": (rng.normal(size=n), normal - 7),
    }


RAW = raw()


@pytest.mark.parametrize("name", RAW)
def test_rules_over_profiles_come_near_scipy_on_raw_columns(name: str) -> None:
    """KS within 0.002, Wasserstein within 0.5 % of the reference's interquartile range, and beyond the reference's
    range, where a step of the ladder is 3 % long, within 2 % of itself."""
    reference, current = RAW[name]
    edges = choose_edges(reference)
    left, right = (NumericProfile.of(side, edges) for side in (reference, current))
    distance = stats.ks_2samp(reference, current, method="asymp").statistic
    assert compare_profiles("ks", left, right).effect[0] == NEAR(distance, abs=0.002)
    low, high = np.quantile(reference, [0.25, 0.75])
    exact = stats.wasserstein_distance(reference, current)
    moved = compare_profiles("wasserstein", left, right).effect[0] * reference.std()
    assert moved == NEAR(exact, rel=0.02, abs=0.005 * (high - low))
    square = stats.cramervonmises_2samp(reference, current, method="asymptotic")
    found = compare_profiles("cvm", left, right)
    # Of equal values half lie before the others: 60 % zeros count for a little less.
    assert found.effect[0] == NEAR(
        square.statistic * 2 / len(reference), rel=0.3 if name == "zeros" else 0.01, abs=1e-6
    )
    assert (found.p_value[0] < 0.01) == (square.pvalue < 0.01)


def test_beyond_a_thousand_ranges_at_least_half_of_the_distance_is_seen() -> None:
    rng = np.random.default_rng(5)
    reference, current = rng.normal(size=20_000), rng.normal(size=20_000)
    current[:200] = -1e6
    edges = choose_edges(reference)
    found = compare_profiles("wasserstein", *(NumericProfile.of(side, edges) for side in (reference, current)))
    exact = stats.wasserstein_distance(reference, current) / reference.std()
    assert 0.5 * exact < found.effect[0] < 1.01 * exact


@pytest.mark.parametrize("moved", [1.0, 3.75, 40.0, 1e6])
def test_the_feature_that_moved_most_is_judged_by_every_method(moved: float) -> None:
    """The series of Cramer-von Mises' tail ran backwards from T = 20 on: 0.07 where every value had moved away."""
    rng = np.random.default_rng(3)
    reference, current = rng.normal(size=20_000), rng.normal(moved, 1, size=20_000)
    edges = choose_edges(reference)
    left, right = (NumericProfile.of(side, edges) for side in (reference, current))
    for method in METHODS:
        assert compare_profiles(method, left, right).p_value[0] < 1e-12, method


def test_published_histograms_come_near_the_truth_and_profiles_nearer() -> None:
    """1 % of values far away: with quantile bins alone 0.08 where the truth is 0.51."""
    rng = np.random.default_rng(0)
    reference, current = rng.normal(size=100_000), rng.normal(size=20_000)
    current[:200] = 50.0
    edges = choose_edges(reference)
    left, right = (NumericProfile.of(side, edges) for side in (reference, current))
    published = to_histogram(left), to_histogram(right, left)
    assert published[0] is not None
    assert published[1] is not None
    exact = stats.wasserstein_distance(reference, current) / reference.std()
    assert compare_profiles("wasserstein", left, right).effect[0] == NEAR(exact, rel=0.01)
    assert compare_histograms("wasserstein", published[0], published[1]).effect[0] == NEAR(exact, rel=0.25)
    distance = stats.ks_2samp(reference, current).statistic
    assert compare_histograms("ks", published[0], published[1]).effect[0] == NEAR(distance, abs=0.002)


def test_the_chi_square_of_two_samples_is_statsmodels() -> None:
    from statsmodels.stats.contingency_tables import Table

    table = np.array([[120, 80, 33, 17], [150, 60, 41, 13]])
    peer = Table(table, shift_zeros=False).test_nominal_association()
    found = compare_categories("chi_square", *(dict(zip("abcd", row.tolist(), strict=True)) for row in table))
    assert found.p_value[0] == NEAR(peer.pvalue, abs=1e-9)
