"""Run lengths are those of published tables, and of simulated charts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from modelwatch.stats import run_length as arl
from modelwatch.stats.arrays import Bools, Floats
from modelwatch.stats.control_charts import (
    NELSON,
    WESTERN_ELECTRIC,
    cusum_signals,
    ewma_signals,
    innovations,
    rule_signals,
    shewhart_signals,
)

ALL_NELSON, ALL_WESTERN = tuple(NELSON), tuple(WESTERN_ELECTRIC)


def test_shewhart_signals_falsely_once_in_370_points() -> None:
    """Montgomery, 6th ed., section 5.3: 370 at 3 sigma, 43.9 at a shift of 1, 6.30 at 2."""
    assert arl.shewhart_run_length(3.0) == pytest.approx(370.4, abs=0.05)
    assert arl.shewhart_run_length(3.0, arl.DOWN) == pytest.approx(740.8, abs=0.05)
    assert arl.shewhart_run_length(3.0, shift=1.0) == pytest.approx(43.9, abs=0.05)
    assert arl.shewhart_run_length(3.0, shift=2.0) == pytest.approx(6.30, abs=0.005)


@pytest.mark.parametrize(
    ("shift", "at_4", "at_5"),
    [
        (0.0, 168, 465),
        (0.25, 74.2, 139),
        (0.5, 26.6, 38.0),
        (0.75, 13.3, 17.0),
        (1.0, 8.38, 10.4),
        (1.5, 4.75, 5.75),
        (2.0, 3.34, 4.01),
        (2.5, 2.62, 3.11),
        (3.0, 2.19, 2.57),
        (4.0, 1.71, 2.01),
    ],
)
def test_cusum_as_in_montgomery_table_9_3(shift: float, at_4: float, at_5: float) -> None:
    """Introduction to Statistical Quality Control, 6th ed., table 9.3: k = 1/2, h = 4 and 5."""
    for limit, published in ((4.0, at_4), (5.0, at_5)):
        assert float(f"{arl.cusum_run_length(limit, 0.5, shift=shift):.3g}") == pytest.approx(published, rel=0.003)


@pytest.mark.parametrize(
    ("allowance", "limit"), [(0.25, 8.01), (0.5, 4.77), (0.75, 3.34), (1.0, 2.52), (1.25, 1.99), (1.5, 1.61)]
)
def test_the_limits_for_370_points_are_those_of_hawkins(allowance: float, limit: float) -> None:
    """Hawkins 1993, in Montgomery, 6th ed., table 9.4."""
    assert arl.cusum_limit(370.0, allowance) == pytest.approx(limit, abs=0.011)


def test_a_head_start_costs_little_and_finds_initial_changes_sooner() -> None:
    """Lucas and Crosier 1982, Technometrics 24:199-205: h = 5, k = 1/2, head start h / 2."""
    assert arl.cusum_run_length(5.0, 0.5, head_start=0.5) == pytest.approx(430, abs=0.5)
    assert arl.cusum_run_length(5.0, 0.5, shift=1.0, head_start=0.5) == pytest.approx(6.35, abs=0.005)
    assert arl.cusum_run_length(4.0, 0.5, head_start=0.5) == pytest.approx(149, abs=0.5)


EWMA_TABLE = {
    (3.054, 0.40): [500, 224, 71.2, 28.4, 14.3, 5.9, 3.5, 2.5, 2.0, 1.4],
    (2.998, 0.25): [500, 170, 48.2, 20.1, 11.1, 5.5, 3.6, 2.7, 2.3, 1.7],
    (2.962, 0.20): [500, 150, 41.8, 18.2, 10.5, 5.5, 3.7, 2.9, 2.4, 1.9],
    (2.814, 0.10): [500, 106, 31.3, 15.9, 10.3, 6.1, 4.4, 3.4, 2.9, 2.2],
    (2.615, 0.05): [500, 84.1, 28.8, 16.4, 11.4, 7.1, 5.2, 4.2, 3.5, 2.7],
}
"""Lucas and Saccucci 1990, Technometrics 32:1-12 (in Montgomery, 6th ed., table 9.11), at these shifts:"""
SHIFTS = [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4]


@pytest.mark.parametrize("chart", EWMA_TABLE)
def test_ewma_as_lucas_and_saccucci_publish_it(chart: tuple[float, float]) -> None:
    for shift, published in zip(SHIFTS, EWMA_TABLE[chart], strict=True):
        assert arl.ewma_run_length(*chart, shift=shift, steady=True) == pytest.approx(published, rel=0.004, abs=0.06)


def test_western_electric_as_champ_and_woodall_publish_it() -> None:
    """Technometrics 29:393-399 (1987), table 1."""
    assert arl.western_electric_run_length(ALL_WESTERN) == pytest.approx(91.75, abs=0.005)
    assert arl.western_electric_run_length((1,)) == pytest.approx(370.4, abs=0.05)
    assert arl.western_electric_run_length((1, 2)) == pytest.approx(225.44, abs=0.005)
    assert arl.western_electric_run_length((1, 4)) == pytest.approx(152.73, abs=0.005)


def test_single_rules_have_the_run_lengths_of_closed_forms() -> None:
    """Runs of r points of chance p: (1 - p**r) / ((1 - p) p**r) (Feller). Six rising points: 1 / (1/6! - 1/7! + 1/12! -
    ...), the generating function of permutations without such runs (David and Barton 1962) at 1."""
    inside = 1 - 1 / arl.shewhart_run_length(1.0)

    def run(chance: float, length: int) -> float:
        return (1 - chance**length) / ((1 - chance) * chance**length)

    assert arl.nelson_run_length((2,)) == pytest.approx(2**9 - 1)
    assert arl.nelson_run_length((2,), arl.UP) == pytest.approx(2**10 - 2)
    assert arl.nelson_run_length((7,)) == pytest.approx(run(inside, 15))
    assert arl.nelson_run_length((8,)) == pytest.approx(run(1 - inside, 8))
    assert arl.nelson_run_length((3,), arl.UP) == pytest.approx(840.0, rel=1e-3)


def test_an_impossible_signal_takes_for_ever() -> None:
    assert arl.nelson_run_length(()) == np.inf
    assert arl.shewhart_run_length(60.0) == np.inf


CHARTS: dict[str, tuple[Callable[[Floats], Bools], float]] = {
    "shewhart down": (lambda z: shewhart_signals(z, 2.0, arl.DOWN), arl.shewhart_run_length(2.0, arl.DOWN)),
    "ewma": (lambda z: ewma_signals(z, 0.2, 2.2, arl.BOTH), arl.ewma_run_length(2.2, 0.2)),
    "ewma down": (lambda z: ewma_signals(z, 0.1, 1.8, arl.DOWN), arl.ewma_run_length(1.8, 0.1, arl.DOWN)),
    "cusum": (lambda z: cusum_signals(z, 0.5, 2.5, arl.BOTH), arl.cusum_run_length(2.5, 0.5)),
    "cusum down": (
        lambda z: cusum_signals(z, 0.5, 2.5, arl.DOWN, 0.5),
        arl.cusum_run_length(2.5, 0.5, arl.DOWN, head_start=0.5),
    ),
    "western electric": (
        lambda z: rule_signals(z, WESTERN_ELECTRIC, ALL_WESTERN, arl.BOTH) > 0,
        arl.western_electric_run_length(ALL_WESTERN),
    ),
    "western electric up": (
        lambda z: rule_signals(z, WESTERN_ELECTRIC, ALL_WESTERN, arl.UP) > 0,
        arl.western_electric_run_length(ALL_WESTERN, arl.UP),
    ),
    "nelson": (lambda z: rule_signals(z, NELSON, ALL_NELSON, arl.BOTH) > 0, arl.nelson_run_length(ALL_NELSON)),
    "nelson down": (
        lambda z: rule_signals(z, NELSON, ALL_NELSON, arl.DOWN) > 0,
        arl.nelson_run_length(ALL_NELSON, arl.DOWN),
    ),
}


def simulated(chart: Callable[[Floats], Bools], series: Floats) -> tuple[float, float]:
    """Mean number of points to the first signal, and its standard error; long series, so that all of them signal."""
    runs = [int(chart(z).argmax()) + 1 for z in series]
    return float(np.mean(runs)), float(np.std(runs) / np.sqrt(len(runs)))


@pytest.mark.parametrize("name", CHARTS)
def test_simulated_charts_take_as_long(name: str) -> None:
    chart, computed = CHARTS[name]
    rng = np.random.default_rng(11)
    mean, error = simulated(chart, rng.normal(size=(1000, int(12 * computed))))
    # Adding the rates of rules about zones and about order costs Nelson's eight a few per cent.
    assert mean == pytest.approx(computed, abs=3.5 * error + (0.03 * computed if "nelson" in name else 0.0))


def test_innovations_keep_the_run_length_under_autocorrelation() -> None:
    rng = np.random.default_rng(3)
    correlation, length = 0.6, 500
    noise = rng.normal(size=(400, length))
    series = noise.copy()
    for at in range(1, length):
        series[:, at] = correlation * series[:, at - 1] + np.sqrt(1 - correlation**2) * noise[:, at]
    neighbour = np.arange(length) > 0
    computed = arl.cusum_run_length(2.5, 0.5)
    left, error = simulated(
        lambda z: cusum_signals(innovations(z, np.full(length, correlation), neighbour), 0.5, 2.5, arl.BOTH), series
    )
    untreated, _ = simulated(lambda z: cusum_signals(z, 0.5, 2.5, arl.BOTH), series)
    assert left == pytest.approx(computed, abs=3.5 * error)
    assert untreated < computed / 2


@pytest.mark.parametrize("run", [50.0, 500.0, 20_000.0])
@pytest.mark.parametrize("sides", [arl.BOTH, arl.DOWN])
def test_limits_are_the_inverse_of_run_lengths(run: float, sides: arl.Sides) -> None:
    assert arl.shewhart_run_length(arl.shewhart_limit(run, sides), sides) == pytest.approx(run, rel=0.005)
    assert arl.cusum_run_length(arl.cusum_limit(run, 0.5, sides), 0.5, sides) == pytest.approx(run, rel=0.005)
    assert arl.ewma_run_length(arl.ewma_limit(run, 0.1, sides), 0.1, sides) == pytest.approx(run, rel=0.005)
