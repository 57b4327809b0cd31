"""A small sample of the table of worlds: few alarms of healthy metrics, and every plain accident is found."""

from __future__ import annotations

import numpy as np
import pytest

from .anomalies import ACCIDENTS, HEALTHY, false_alarms, is_found

PLAIN = ("spike", "shift", "ramp", "restless")


def test_a_healthy_metric_of_any_kind_alarms_about_as_seldom_as_its_budget_says() -> None:
    each = {name: false_alarms(world, np.random.default_rng([1, 2])) for name, world in HEALTHY.items()}
    assert np.mean(list(each.values())) < 2 / 3, each  # a month; the budget is a third


@pytest.mark.parametrize("name", ["noise", "daily", "daily and weekly", "a daily job", "counts"])
def test_plain_accidents_are_found_within_two_days(name: str) -> None:
    rng = np.random.default_rng(3)
    assert [accident for accident in PLAIN if not is_found(HEALTHY[name], ACCIDENTS[accident], rng)] == []


@pytest.mark.parametrize("accident", ["no pattern", "flat", "outage"])
def test_a_pattern_that_is_missing_is_found(accident: str) -> None:
    assert is_found(HEALTHY["daily"], ACCIDENTS[accident], np.random.default_rng(4))
