"""Agreement to 1e-9 with statsmodels: intervals of shares, and the correction for many tests. (Drift:
``tests/evaluate/drift/test_agreement.py``.)"""

from __future__ import annotations

import numpy as np
import pytest

from modelwatch.stats.drift.p_values import adjust_p_values
from modelwatch.stats.intervals import difference_interval, wilson_interval

NEAR = pytest.approx


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
