"""What came day by day is told from what came at once, and its pace is found."""

from __future__ import annotations

import numpy as np
import pytest

from modelwatch.stats.arrays import Floats
from modelwatch.stats.gradual_change import fit_gradual_change

DAYS = np.arange(19_000, 19_066)
NOISE = 0.002
RUNS = 20

AT_ONCE = {
    "step": -0.08 * (DAYS >= 19_040),
    "step yesterday": -0.05 * (DAYS >= 19_065),
    "two steps": -0.03 * (DAYS >= 19_020) - 0.03 * (DAYS >= 19_050),
    "nothing": 0.0 * DAYS,
    "over for two weeks": -0.003 * np.clip(DAYS - 19_020, 0, 25),
}


def fits(shape: Floats, weekend: float = 0.0) -> list[tuple[int, float]]:
    """(first day, change a day) of the runs in which a gradual change is found."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(RUNS):
        means = 0.92 + shape - weekend * (DAYS % 7 > 4) + NOISE * rng.standard_normal(len(DAYS))
        fit = fit_gradual_change(DAYS, means)
        found += [(fit.day, fit.a_day)] if fit else []
    return found


@pytest.mark.parametrize("weekend", [0.0, 0.02])
@pytest.mark.parametrize(("began", "pace"), [(19_006, -0.0014), (19_046, -0.0015), (19_030, 0.003)])
def test_begin_and_pace_of_a_gradual_change_are_found(began: int, pace: float, weekend: float) -> None:
    found = fits(pace * np.maximum(DAYS - began, 0), weekend)
    assert len(found) >= RUNS - 3
    assert np.median([day for day, _ in found]) == pytest.approx(began, abs=1.5)
    assert np.median([slope for _, slope in found]) == pytest.approx(pace, rel=0.07)


@pytest.mark.parametrize("weekend", [0.0, 0.02])
@pytest.mark.parametrize("shape", AT_ONCE.values(), ids=AT_ONCE)
def test_what_came_at_once_is_not_gradual(shape: Floats, weekend: float) -> None:
    assert len(fits(shape, weekend)) <= 1


def test_odd_days_do_not_move_the_pace() -> None:
    means = 0.92 - 0.0015 * np.maximum(DAYS - 19_010.0, 0)
    means[[20, 33, 47]] += 0.05
    fit = fit_gradual_change(DAYS, means)
    assert fit is not None
    assert fit.a_day == pytest.approx(-0.0015, rel=0.05)


@pytest.mark.parametrize("means", [np.full(66, 0.92), np.linspace(0.92, 0.85, 66)], ids=["constant", "drawn line"])
def test_a_line_without_noise_is_read_as_it_is(means: Floats) -> None:
    fit = fit_gradual_change(DAYS, means)
    if means[0] == means[-1]:
        assert fit is None
    else:
        assert fit is not None
        assert fit.day == 19_000
        assert fit.a_day == pytest.approx(-0.07 / 65)


def test_a_fortnight_is_the_least() -> None:
    assert fit_gradual_change(DAYS[:13], np.linspace(0.9, 0.8, 13)) is None
