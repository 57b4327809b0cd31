"""Sums of a service that is busy for some hours of the day: a drop lasts at night, too, and what is over ends."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

from modelwatch.model.rule import Aggregate, BaselineKind, BaselineSpec, Direction, Limit, LimitKind, Tier
from modelwatch.model.series import Series
from modelwatch.model.severity import Severity
from modelwatch.stats.arrays import Bools
from modelwatch.timeutil import DAY, HOUR

from .making import NAME, NOW, rule, track

AGO = np.arange(24 * 67)[::-1]
TIMES = NOW - HOUR * AGO
IS_BUSY = (TIMES % DAY >= 9 * HOUR) & (TIMES % DAY < 19 * HOUR)
BEGAN = 24 * 20


def held_rows(bad: Bools, night: int, left: float, seed: int) -> list[int]:
    """The hours before now in which a tier held."""
    orders = np.random.default_rng(seed).poisson(np.where(IS_BUSY, 300, night) * np.where(bad, left, 1.0))
    tiers = [
        Tier(severity, (Limit(LimitKind.DROP, size),), ("issue",), false_alarms=90 * DAY)
        for severity, size in ((Severity.WARNING, 0.1), (Severity.ERROR, 0.2))
    ]
    baseline = BaselineSpec(BaselineKind.ROLLING)
    a_rule = rule(*tiers, window=DAY, better=Direction.HIGHER, aggregate=Aggregate.SUM, baseline=baseline)
    series = Series(NAME, (), array("d", TIMES), array("d", orders.astype(float)), None)
    severity = np.frombuffer(track(a_rule, series, history=30 * DAY).severity, np.int8)
    return sorted((len(severity) - 1 - np.flatnonzero(severity >= 0)).tolist())


@pytest.mark.parametrize("night", [2, 30])
@pytest.mark.parametrize("left", [0.7, 0.5])
def test_a_night_does_not_end_a_drop(night: int, left: float) -> None:
    """A night with less than a tenth of the usual orders ended it, since its limit was a tenth of the level."""
    for seed in range(3):
        held = held_rows(AGO < BEGAN, night, left, seed)
        assert held == list(range(len(held)))
        assert len(held) > BEGAN - 24


@pytest.mark.parametrize("night", [2, 30, 250])
def test_what_is_over_ends_within_two_days(night: int) -> None:
    """It took more than ten: in busy hours less than a tenth of the level had to be lost, a few percent of them."""
    for seed in range(3):
        held = held_rows((AGO < BEGAN) & (AGO >= BEGAN // 2), night, 0.7, seed)
        assert BEGAN // 2 - 48 < held[0] < BEGAN // 2
