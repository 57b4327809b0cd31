"""Where other monitors went wrong: each trap is one test here. (False-alarm rates: ``tests/false_alarms``.)"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import ks_2samp

from modelwatch.stats.drift import binned_statistics, cdf_statistics
from modelwatch.stats.drift.null_distribution import null_distribution
from modelwatch.stats.drift.p_values import binned_p_values
from modelwatch.stats.performance.custom import MAX_DRAWN_ROWS, custom_metric
from modelwatch.stats.performance.estimate import bootstrap_estimate
from modelwatch.stats.profile.binning import choose_edges
from modelwatch.stats.profile.numeric import NumericProfile

from ..evaluate.drift.comparing import compare_categories, compare_profiles, compare_values


def test_chi_square_does_not_take_the_reference_for_exact() -> None:
    """Two samples of one size: exact-reference chi-square alarms in a third of windows at a nominal 5 %."""
    rng = np.random.default_rng(5)
    draws = rng.multinomial(1000, np.full(10, 0.1), size=(2, 4000))
    p = binned_statistics.chi_square_p_value(
        binned_statistics.chi_square(draws[0], draws[1]), binned_statistics.degrees_of_freedom(draws[0], draws[1])
    )
    assert (p < 0.05).mean() < 0.065
    exact = binned_statistics.chi_square_p_value(((draws[1] - draws[0]) ** 2 / draws[0]).sum(axis=1), 9.0)
    assert (exact < 0.05).mean() > 0.25


def test_a_profile_finds_nothing_where_nothing_moved_at_a_million_rows() -> None:
    """A sketch whose error exceeds the critical value of KS alarms for columns that did not move; bins do not."""
    rng = np.random.default_rng(6)
    reference = rng.normal(size=1_000_000)
    edges = choose_edges(reference)
    base = NumericProfile.of(reference, edges)
    columns = [rng.normal(size=1_000_000) for _ in range(12)]
    found = [compare_profiles("ks", base, NumericProfile.of(values, edges)) for values in columns]
    assert sum(one.p_value[0] < 0.01 for one in found) <= 1
    # The error of binning lies far below the critical value, which is 0.0023 here; a sketch's 0.0024 does not.
    exact = ks_2samp(reference, columns[0], method="asymp").statistic
    assert abs(found[0].effect[0] - exact) < 1e-4
    assert float(null_distribution("ks", base.counts, 1e6, 1e6).limit(0.01, 1e6, 1e6)) == pytest.approx(
        0.0023, abs=1e-4
    )


def test_an_exact_and_an_asymptotic_p_value_do_not_take_turns() -> None:
    """Neither at 1,000 rows nor anywhere: along a growing sample the p-value of one shift falls without a jump."""
    rng = np.random.default_rng(16)
    reference, current = rng.normal(size=1200), rng.normal(0.12, 1, size=1200)
    logs = [math.log10(compare_values("ks", reference[:n], current[:n]).p_value[0]) for n in range(990, 1012)]
    assert len(logs) == 22
    assert max(abs(b - a) for a, b in pairwise(logs)) < 0.1


@pytest.mark.parametrize("method", ["psi", "ks", "js", "cvm", "wasserstein"])
def test_the_answer_does_not_flip_at_a_thousand_rows(method: str) -> None:
    """The same shift a row below and a row above: one method, one formula, at every size."""
    rng = np.random.default_rng(7)
    reference, current = rng.normal(size=1002), rng.normal(0.12, 1, size=1002)
    below, above = (compare_values(method, reference[:n], current[:n]) for n in (999, 1001))
    assert above.effect[0] == pytest.approx(below.effect[0], rel=0.05)
    assert abs(math.log10(above.p_value[0] / below.p_value[0])) < 0.3


def test_psi_above_a_tenth_at_a_hundred_rows_is_noise_and_known_as_such() -> None:
    rng = np.random.default_rng(9)
    draws = rng.multinomial(100, np.full(10, 0.1), size=(2, 4000))
    psi = binned_statistics.psi(draws[0], draws[1])
    assert (psi > 0.1).mean() > 0.7
    df = binned_statistics.degrees_of_freedom(draws[0], draws[1])
    p = binned_statistics.chi_square_p_value(binned_statistics.to_chi_square("psi", psi, 100, 100, df), df)
    assert (p < 0.05).mean() <= 0.055
    few = compare_values("psi", rng.normal(size=99), rng.normal(size=5000))
    assert few.small[0]
    assert math.isnan(few.p_value[0])


def test_a_new_far_mode_that_quantile_bins_miss_is_a_distance() -> None:
    rng = np.random.default_rng(10)
    reference, current = rng.normal(size=10_000), rng.normal(size=10_000)
    current[:100] = 1e6
    assert compare_values("psi", reference, current).effect[0] < 0.01
    assert compare_values("wasserstein", reference, current).effect[0] > 9000


def test_outliers_do_not_explode_psi() -> None:
    """Quantile bins see two outliers among 10,000 as what they are. Of equally wide bins the outlier leaves one for all
    others."""
    rng = np.random.default_rng(12)
    reference, current = rng.normal(size=10_000), rng.normal(size=10_000)
    current[:2] = 1e12
    assert compare_values("psi", reference, current).effect[0] < 0.01
    assert compare_values("psi", current, 5 + 10 * reference).effect[0] > 1


def test_an_empty_bin_counts_as_half_an_observation_and_not_as_a_constant() -> None:
    got = float(binned_statistics.psi([100, 0], [90, 10]))
    p, q = np.array([1.0, 0.005]), np.array([0.9, 0.1])
    assert got == pytest.approx(float(((q - p) * np.log(q / p)).sum()), rel=1e-12)


def test_distribution_functions_are_counted_in_integers() -> None:
    """A running sum of ten million shares of 1e-7 is not 1; of counts it is."""
    many = np.ones(3_000_000, dtype=np.int64)
    gap = cdf_statistics.cdf_differences(many, many)
    assert not gap.any()
    assert np.cumsum(many / 3e6)[-1] != 1.0
    shifted = cdf_statistics.cdf_differences(np.append(many, 0), np.append(0, many))
    assert float(cdf_statistics.kolmogorov_smirnov(shifted)) == 1 / 3e6


def test_right_closed_bins_come_out_alike_in_numpy_and_in_duckdb() -> None:
    """Ties on every edge, both infinities' neighbours, -0.0: bin by bin the same counts in either engine."""
    import duckdb

    rng = np.random.default_rng(15)
    reference = np.round(rng.normal(size=20_000), 1) + 0.0
    current = np.concatenate([np.round(rng.normal(0.2, 2, size=20_000), 1), [1.7e308, -1.7e308, 5e-324, -0.0]])
    edges = np.quantile(reference, np.arange(1, 10) / 10, method="inverted_cdf")
    edges = np.unique(edges)
    assert np.isin(edges, current).all()
    ours = NumericProfile.of(current, edges).counts
    connection = duckdb.connect()
    connection.register("rows", {"x": current})
    connection.register("cuts", {"edge": np.append(edges, np.finfo(np.float64).max)})
    counted = "SELECT edge, count(*) FROM rows JOIN cuts ON x <= edge GROUP BY edge ORDER BY edge"
    below = [held for _, held in connection.execute(counted).fetchall()]
    assert np.diff(np.append(0, below)).tolist() == ours.tolist()


def test_the_bootstrap_costs_no_more_for_many_rows() -> None:
    """BCa is quadratic (40,000 pairs: 15 s). Ours draws tables of counts, or a bounded number of rows."""
    seen: list[int] = []

    def share(labels: np.ndarray, predictions: np.ndarray) -> float:
        seen.append(len(labels))
        return float((labels == predictions).mean())

    rng = np.random.default_rng(14)
    labels, predictions = rng.integers(0, 2, size=(2, 200_000)).astype(np.float64)
    found = custom_metric("share", share, labels, predictions)
    assert seen[0] == 200_000
    assert max(seen[1:]) <= MAX_DRAWN_ROWS
    assert sum(seen[1:]) <= MAX_DRAWN_ROWS * (len(seen) - 1) <= MAX_DRAWN_ROWS * 500
    assert found.low < found.value < found.high
    shapes: list[tuple[int, ...]] = []

    def first(tables: np.ndarray) -> np.ndarray:
        shapes.append(tables.shape)
        return np.asarray(tables[:, 0] / tables.sum(axis=1))

    for scale in (1, 1_000_000):
        table = np.array([90.0, 10.0]) * scale
        bootstrap_estimate("share", float(table.sum()), table, first)
    assert shapes[:2] == shapes[2:]


def test_a_rare_category_beside_a_large_reference_is_no_alarm() -> None:
    """Chi-square's limit distribution does not hold for cells that expect a tenth of a value: 27 % false alarms."""
    rng = np.random.default_rng(17)
    shares = 1.0 / np.arange(1, 301) ** 2
    r = rng.multinomial(100_000, shares / shares.sum(), size=300)
    c = rng.multinomial(300, shares / shares.sum(), size=300)
    plain = binned_statistics.chi_square_p_value(
        binned_statistics.chi_square(r, c), binned_statistics.degrees_of_freedom(r, c)
    )
    assert (plain <= 0.01).mean() > 0.1
    assert (binned_p_values("chi_square", r, c) <= 0.01).mean() <= 0.03


def test_one_row_of_a_category_that_a_large_reference_has_not_seen_is_a_small_effect() -> None:
    """Half of what chi-square makes of it by its size alone: n / m for one row in m beside n."""
    sides = [500_000, 500_000, 0], [500, 499, 1]
    assert float(binned_statistics.chi_square(*sides)) > 500
    assert float(binned_statistics.cohens_w(*sides)) == pytest.approx(np.sqrt(0.001 / 2), rel=0.01)
    assert compare_categories("chi_square", {"a": 60, "b": 40}, {"a": 40, "b": 60}).effect[0] == pytest.approx(0.2)


def test_counts_whose_product_leaves_64_bits_are_still_compared() -> None:
    huge = np.array([2**40, 2**40, 2**41])
    assert float(cdf_statistics.kolmogorov_smirnov(cdf_statistics.cdf_differences(huge, huge[::-1]))) == pytest.approx(
        0.25, rel=1e-12
    )
