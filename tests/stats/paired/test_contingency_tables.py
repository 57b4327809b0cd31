"""Two shares of the same rows: against SciPy, statsmodels and published tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar as reference

from modelwatch.stats.intervals import z_value
from modelwatch.stats.paired.contingency_tables import MIN_DISCORDANT, compare_shares, mcnemar_test, tango_interval

counts = st.integers(0, 400)


@given(counts, counts)
@settings(max_examples=100, deadline=None)
def test_it_is_the_test_of_statsmodels_and_scipy(gained: int, lost: int) -> None:
    found = mcnemar_test(gained, lost)
    exact = gained + lost < MIN_DISCORDANT
    if gained + lost == 0:
        assert found == 1.0
        return
    told = reference([[9, gained], [lost, 9]], exact=exact, correction=False)
    assert found == pytest.approx(told.pvalue, abs=1e-9)
    if exact:
        assert found == pytest.approx(binomtest(min(gained, lost), gained + lost, 0.5).pvalue, abs=1e-9)


def test_the_published_example_of_fagerland_lydersen_and_laake() -> None:
    """Airway hyper-responsiveness before and after a transplantation, 21 children: 1, 1, 7, 12 (Statistics in Medicine
    2014, 33:2850-2875): Tango -0.517 to -0.026, McNemar's exact p 0.0703."""
    found = compare_shares(8, 2, 1, 7, 21, 0.95)
    assert (found.value, found.low, found.high) == pytest.approx((-0.286, -0.517, -0.026), abs=5e-4)
    assert found.p == pytest.approx(0.0703, abs=5e-5)


@given(counts, counts, st.integers(1, 5000), st.sampled_from([0.8, 0.95, 0.99]))
@settings(max_examples=100, deadline=None)
def test_the_bounds_are_where_the_score_says(gained: int, lost: int, more: int, level: float) -> None:
    """Solved again by another road: the restricted likelihood maximised by hand."""
    n = gained + lost + more
    low, high = tango_interval(gained, lost, n, level)
    assert -1 <= low <= (gained - lost) / n <= high <= 1
    for bound, sign in ((low, 1), (high, -1)):
        share = max(
            np.roots([2 * n, -gained - lost + (2 * n - gained + lost) * bound, -lost * bound * (1 - bound)]).real
        )
        variance = n * (2 * share + bound * (1 - bound))
        score = (gained - lost - n * bound) / np.sqrt(variance)
        assert score == pytest.approx(sign * z_value(level), abs=1e-6)


@given(counts, counts, st.integers(1, 5000))
@settings(max_examples=100, deadline=None)
def test_the_interval_excludes_nothing_exactly_where_the_test_does(gained: int, lost: int, more: int) -> None:
    found = compare_shares(more + lost, more + gained, gained, lost, gained + lost + more, 0.95)
    if gained + lost >= MIN_DISCORDANT:
        assert (found.low > 0 or found.high < 0) == (found.p < 0.05)


@pytest.mark.parametrize("n", [1, 100, 10_000])
def test_rows_that_never_differ_leave_room_for_a_difference(n: int) -> None:
    low, high = tango_interval(0, 0, n, 0.95)
    z = z_value(0.95) ** 2
    assert high == pytest.approx(z / (n + z), abs=1e-9)
    assert low == pytest.approx(-high, abs=1e-9)


def test_no_rows_are_no_interval() -> None:
    found = compare_shares(0, 0, 0, 0, 0, 0.95)
    assert not found.has_interval
    assert np.isnan(found.value)
