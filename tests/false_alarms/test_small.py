"""A small sample of ``make false-alarms``: the rates hold, and what should be found is found."""

from __future__ import annotations

import numpy as np
import pytest

from modelwatch.stats.limits import RATE

from .measure import alarms_of
from .worlds import CATEGORIES, NUMERIC, SHIFTS


@pytest.mark.parametrize("name", [*NUMERIC, *CATEGORIES])
def test_nothing_alarms_more_often_than_stated_where_nothing_changed(name: str) -> None:
    draw = NUMERIC.get(name) or CATEGORIES[name]
    tallies = alarms_of(draw, draw, 300, 300, name in CATEGORIES, np.random.default_rng(1))
    assert {method for method, one in tallies.items() if one.least > RATE} == set()


def test_fewer_than_a_hundred_values_never_alarm() -> None:
    tallies = alarms_of(*SHIFTS["mean + 0.5 sd"], 99, 20, False, np.random.default_rng(1))
    assert all(one.alarms == 0 for one in tallies.values())


@pytest.mark.parametrize("name", ["mean + 0.5 sd", "half of a category"])
def test_a_named_shift_is_found_by_every_method(name: str) -> None:
    tallies = alarms_of(*SHIFTS[name], 1000, 40, "category" in name, np.random.default_rng(1))
    assert {method: one.power for method, one in tallies.items() if one.power < 0.95} == {}
