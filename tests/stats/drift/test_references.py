"""Every statistic against scipy's and statsmodels' own, on shared fixtures and the same bins, to 1e-9."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from modelwatch.stats.drift import binned_statistics, cdf_statistics
from modelwatch.stats.drift.bins import Bins, count, fixed_edges, quantile_edges
from modelwatch.stats.drift.methods import of_bins, of_categories, of_samples
from modelwatch.stats.profile.numeric import NumericProfile

NEAR = pytest.approx
PAIRS = ["normal", "ties", "heavy", "small"]


def pair(name: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(17)
    return {
        "normal": (rng.normal(size=5001), rng.normal(0.1, 1.2, size=3003)),
        "ties": (rng.integers(0, 12, 900).astype(float), rng.integers(0, 15, 700).astype(float)),
        "heavy": (rng.standard_cauchy(4000), 1.1 * rng.standard_cauchy(2500)),
        "small": (rng.normal(size=23), rng.normal(size=31)),
    }[name]


@pytest.mark.parametrize("name", PAIRS)
def test_kolmogorov_smirnov_is_scipys(name: str) -> None:
    a, b = pair(name)
    got = of_samples("ks", a, b)
    assert got.value == NEAR(stats.ks_2samp(a, b, method="asymp").statistic, abs=1e-12)
    root = math.sqrt(len(a) * len(b) / (len(a) + len(b)))
    assert got.p_value == NEAR(stats.kstwobign.sf(root * got.value), abs=1e-9)


@pytest.mark.parametrize("name", PAIRS)
def test_wasserstein_is_scipys_and_its_effect_in_standard_deviations(name: str) -> None:
    a, b = pair(name)
    got = of_samples("wasserstein", a, b)
    peer = stats.wasserstein_distance(a, b)
    assert got.value == NEAR(peer, rel=1e-9)
    assert got.effect == NEAR(peer / np.std(a), rel=1e-9)


@pytest.mark.parametrize("name", ["normal", "heavy", "small"])
def test_cramer_von_mises_is_scipys(name: str) -> None:
    a, b = pair(name)
    got, peer = of_samples("cvm", a, b), stats.cramervonmises_2samp(a, b, method="asymptotic")
    assert got.value == NEAR(peer.statistic, rel=1e-9, abs=1e-9)
    assert got.p_value == NEAR(peer.pvalue, abs=1e-9)


def test_cramer_von_mises_of_ties_is_the_mean_square_between_the_distribution_functions() -> None:
    a, b = pair("ties")
    both = np.concatenate([a, b])
    apart = stats.ecdf(a).cdf.evaluate(both) - stats.ecdf(b).cdf.evaluate(both)
    expected = len(a) * len(b) / len(both) * (apart**2).mean()
    assert of_samples("cvm", a, b).value == NEAR(expected, rel=1e-9)


@pytest.mark.parametrize("name", PAIRS)
def test_the_statistics_of_bins_are_scipys_over_the_same_bins(name: str) -> None:
    a, b = pair(name)
    edges = quantile_edges(np.sort(a))
    r, c = count(np.sort(a), edges), count(np.sort(b), edges)
    table = stats.chi2_contingency([r, c], correction=False)
    got = of_samples("chi2", a, b)
    assert got.value == NEAR(table.statistic, rel=1e-9)
    # Where bins expect few values, the p-value is by permutation.
    filled = binned_statistics.has_expected_counts(
        r, c, binned_statistics.FILLED_CUT if len(a) < len(b) else binned_statistics.MIN_EXPECTED
    )
    assert got.p_value == NEAR(table.pvalue, abs=1e-9 if filled else 0.1)
    evenly = stats.chi2_contingency([r / r.sum(), c / c.sum()], correction=False)
    assert got.effect == NEAR(math.sqrt(evenly.statistic / 2), rel=1e-9)
    assert of_samples("js", a, b).value == NEAR(jensenshannon(r, c, base=2), abs=1e-9)
    p, q = r / r.sum(), c / c.sum()
    assert of_samples("hellinger", a, b).value == NEAR(np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / math.sqrt(2), abs=1e-9)
    assert of_samples("tv", a, b).value == NEAR(np.abs(p - q).sum() / 2, abs=1e-9)
    if ((p > 0) & (q > 0)).all():  # PSI is the sum of both relative entropies.
        assert of_samples("psi", a, b).value == NEAR(stats.entropy(p, q) + stats.entropy(q, p), rel=1e-9)


def test_the_chi_square_of_two_samples_is_statsmodels() -> None:
    from statsmodels.stats.contingency_tables import Table

    table = np.array([[120, 80, 33, 17], [150, 60, 41, 13]])
    peer = Table(table, shift_zeros=False).test_nominal_association()
    got = of_categories("chi_square", dict(zip("abcd", table[0].tolist())), dict(zip("abcd", table[1].tolist())))
    assert got.value == NEAR(peer.statistic, rel=1e-9)
    assert got.p_value == NEAR(peer.pvalue, abs=1e-9)


@pytest.mark.parametrize("name", ["normal", "heavy"])
def test_profiles_come_near_the_raw_columns(name: str) -> None:
    a, b = pair(name)
    edges = quantile_edges(np.sort(a), 1000)
    r, c = NumericProfile.of(a, edges), NumericProfile.of(b, edges)
    assert of_bins("ks", r, c).value == NEAR(stats.ks_2samp(a, b).statistic, abs=0.002)
    if name == "normal":
        width = np.subtract(*np.quantile(a, [0.75, 0.25]))
        assert of_bins("wasserstein", r, c).value == NEAR(stats.wasserstein_distance(a, b), abs=0.005 * width)


def test_psi_of_a_fine_profile_is_that_of_its_quantile_bins() -> None:
    a, b = pair("normal")
    fine = quantile_edges(np.sort(a), 1000)
    coarse = fine[99::100][:9]
    expected = binned_statistics.psi(count(np.sort(a), coarse), count(np.sort(b), coarse))
    assert of_bins("psi", NumericProfile.of(a, fine), NumericProfile.of(b, fine)).value == NEAR(
        float(expected), rel=1e-12
    )


def test_fixed_bins_and_a_fixed_floor_are_evidentlys_and_deepchecks_ways() -> None:
    a, b = pair("normal")
    edges = fixed_edges(float(a.min()), float(a.max()), 10)
    r, c = count(np.sort(a), edges), count(np.sort(b), edges)
    p, q = np.where(r == 0, 1e-4, r / r.sum()), np.where(c == 0, 1e-4, c / c.sum())
    expected = ((q - p) * np.log(q / p)).sum()
    assert of_samples("psi", a, b, edges=edges, floor=1e-4).value == NEAR(expected, rel=1e-9)


def test_many_windows_at_once_are_each_alone() -> None:
    rng = np.random.default_rng(3)
    reference, current = rng.integers(0, 40, 8), rng.integers(0, 40, (5, 8))
    for measure in (
        binned_statistics.psi,
        binned_statistics.jensen_shannon,
        binned_statistics.chi_square,
        cdf_statistics.cramer_von_mises,
    ):
        assert measure(reference, current).tolist() == [float(measure(reference, row)) for row in current]
    gaps = cdf_statistics.cdf_differences(reference, current)
    alone = [
        float(cdf_statistics.kolmogorov_smirnov(cdf_statistics.cdf_differences(reference, row))) for row in current
    ]
    assert cdf_statistics.kolmogorov_smirnov(gaps).tolist() == alone


def test_a_profile_without_a_common_edge_still_answers() -> None:
    left = Bins(np.empty(0), np.array([4]), 0.0, 1.0)
    right = Bins(np.empty(0), np.array([4]), 2.0, 3.0)
    assert of_bins("ks", left, right).value == 1.0
    assert of_bins("wasserstein", left, right).value == NEAR(2.0)
    assert of_bins("psi", left, right).value == 0.0
