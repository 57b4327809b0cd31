"""A small sample of ``python -m tests.experiments.simulate``."""

from __future__ import annotations

import numpy as np
import pytest

from .simulate import ALPHA, least, simulate
from .worlds import EFFECTS, NULL

TRIALS = 200


@pytest.mark.parametrize("name", [name for name, world in NULL.items() if sum(world.per_day) < 1000])
def test_daily_looks_find_no_more_than_the_stated_share_of_what_is_not_there(name: str) -> None:
    looks = simulate(NULL[name], TRIALS)
    assert least(int(looks.positive.any(axis=1).sum()), TRIALS) <= ALPHA


def test_a_t_test_with_daily_looks_finds_many_times_more() -> None:
    """What the interval is for; and that the count of this simulation would show it."""
    looks = simulate(NULL["normal"], TRIALS)
    assert looks.significant.any(axis=1).mean() > 4 * ALPHA


@pytest.mark.parametrize("name", [name for name in EFFECTS if "2 points" not in name])
def test_effects_are_found_before_the_end(name: str) -> None:
    looks = simulate(EFFECTS[name], 100, seed=2)
    assert looks.positive.any(axis=1).mean() > 0.9
    assert np.median(np.argmax(looks.positive, axis=1)) < 40
