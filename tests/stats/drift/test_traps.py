"""Where other monitors went wrong: each trap is one test here. (False-alarm rates: ``tests/false_alarms``.)"""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelwatch.stats.drift import counts, ordered
from modelwatch.stats.drift.bins import Bins, out_of_range, out_of_range_bins
from modelwatch.stats.drift.measures import of_bins, of_samples
from modelwatch.stats.profile.numeric import NumericProfile


def test_chi_square_does_not_take_the_reference_for_exact() -> None:
    """Two samples of one size: exact-reference chi-square alarms in a third of windows at a nominal 5 %."""
    rng = np.random.default_rng(5)
    draws = rng.multinomial(1000, np.full(10, 0.1), size=(2, 4000))
    p = counts.tail(counts.chi_square(draws[0], draws[1]), counts.freedom(draws[0], draws[1]))
    assert (p < 0.05).mean() < 0.065
    exact = counts.tail(((draws[1] - draws[0]) ** 2 / draws[0]).sum(axis=1), 9.0)
    assert (exact < 0.05).mean() > 0.25


def test_a_profile_finds_nothing_where_nothing_moved_at_a_million_rows() -> None:
    """A sketch whose error exceeds the critical value of KS alarms for columns that did not move; bins do not."""
    rng = np.random.default_rng(6)
    reference = rng.normal(size=1_000_000)
    edges = np.unique(np.quantile(reference, np.arange(1, 1000) / 1000))
    base = NumericProfile.of(reference, edges)
    found = [of_bins("ks", base, NumericProfile.of(rng.normal(size=1_000_000), edges)) for _ in range(12)]
    assert sum(one.p_value is not None and one.p_value < 0.01 for one in found) <= 1


@pytest.mark.parametrize("method", ["psi", "ks", "js", "cvm", "wasserstein"])
def test_the_answer_does_not_flip_at_a_thousand_rows(method: str) -> None:
    """The same shift a row below and a row above: one method, one formula, at every size."""
    rng = np.random.default_rng(7)
    reference, current = rng.normal(size=1002), rng.normal(0.12, 1, size=1002)
    below, above = (of_samples(method, reference[:n], current[:n]) for n in (999, 1001))
    assert above.value == pytest.approx(below.value, rel=0.05)
    if below.p_value is not None and above.p_value is not None:
        assert abs(math.log10(above.p_value / below.p_value)) < 0.3


def test_sixty_percent_missing_is_not_told_as_no_drift_without_a_word() -> None:
    rng = np.random.default_rng(8)
    values = rng.normal(size=1000)
    broken = np.where(np.arange(1000) < 600, np.nan, values)
    got = of_samples("ks", values, broken)
    assert got.n_current == 400
    assert "600 of the current side" in got.notes[0]


def test_psi_above_a_tenth_at_a_hundred_rows_is_noise_and_known_as_such() -> None:
    rng = np.random.default_rng(9)
    draws = rng.multinomial(100, np.full(10, 0.1), size=(2, 4000))
    psi = counts.psi(draws[0], draws[1])
    assert (psi > 0.1).mean() > 0.7
    df = counts.freedom(draws[0], draws[1])
    p = counts.tail(counts.as_chi_square("psi", psi, 100, 100, df), df)
    assert (p < 0.05).mean() <= 0.055
    few = of_samples("psi", rng.normal(size=99), rng.normal(size=5000))
    assert not few.reliable
    assert any("unreliable" in note for note in few.notes)


def test_a_new_far_mode_that_quantile_bins_miss_is_out_of_range() -> None:
    rng = np.random.default_rng(10)
    reference, current = rng.normal(size=100_000), rng.normal(size=100_000)
    current[:1000] = 1e6
    got = of_samples("psi", reference, current)
    assert got.value < 0.003
    assert any("outside the reference's range" in note for note in got.notes)
    assert out_of_range(np.sort(current), reference.min(), reference.max()) == pytest.approx(0.01, abs=1e-4)


def test_the_rate_out_of_range_from_bins_brackets_the_exact_one() -> None:
    rng = np.random.default_rng(11)
    reference, current = rng.normal(size=10_000), rng.normal(1, 1, size=10_000)
    base = NumericProfile.of(reference, np.linspace(-4, 4, 41))
    least, most = out_of_range_bins(NumericProfile.of(current, base.edges), base.low, base.high)
    assert least <= out_of_range(np.sort(current), base.low, base.high) <= most
    assert most - least < 0.02
    nothing = Bins(base.edges, np.zeros(42))
    assert all(map(math.isnan, out_of_range_bins(nothing, 0.0, 1.0)))
    assert math.isnan(out_of_range(np.empty(0), 0.0, 1.0))
    assert out_of_range(current, math.nan, math.nan) == 1.0


def test_outliers_do_not_explode_psi() -> None:
    """Equal-width bins over both sides gave 71.7; quantile bins see two outliers among 10,000 as what they are."""
    rng = np.random.default_rng(12)
    reference, current = rng.normal(size=10_000), rng.normal(size=10_000)
    current[:2] = 1e12
    assert of_samples("psi", reference, current).value < 0.01


def test_an_empty_bin_counts_as_half_an_observation_and_not_as_a_constant() -> None:
    got = float(counts.psi([100, 0], [90, 10]))
    p, q = np.array([1.0, 0.005]), np.array([0.9, 0.1])
    assert got == pytest.approx(float(((q - p) * np.log(q / p)).sum()), rel=1e-12)
    assert float(counts.psi([100, 0], [90, 10], floor=1e-4)) > got


def test_distribution_functions_are_counted_in_integers() -> None:
    """A running sum of ten million shares of 1e-7 is not 1; of counts it is."""
    many = np.ones(3_000_000, dtype=np.int64)
    gap = ordered.gaps(many, many)
    assert not gap.any()
    assert np.cumsum(many / 3e6)[-1] != 1.0
    shifted = ordered.gaps(np.append(many, 0), np.append(0, many))
    assert float(ordered.kolmogorov_smirnov(shifted)) == 1 / 3e6


def test_counts_whose_product_leaves_64_bits_are_still_compared() -> None:
    huge = np.array([2**40, 2**40, 2**41])
    assert float(ordered.kolmogorov_smirnov(ordered.gaps(huge, huge[::-1]))) == pytest.approx(0.25, rel=1e-12)
