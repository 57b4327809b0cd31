"""A metric that is logged once a day, judged hourly under a window of a day with a normal interval: a single point in
every window, which is decided from the history before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modelwatch.alerts.state_machine import latest_alert
from modelwatch.model.alert import AlertState
from modelwatch.model.finding import Outcome
from modelwatch.model.rule import BaselineKind, BaselineSpec, Direction, Interval, LimitKind, Tier
from modelwatch.timeutil import DAY, HOUR

from .making import NOW, rule, series, tier, track

ROLLING = BaselineSpec(BaselineKind.ROLLING)
SD = 0.01


def budgeted(severity: str, limit: float, days: float) -> Tier:
    return replace(tier(severity, LimitKind.DROP, limit), false_alarms=days * DAY)


RMSE = rule(
    budgeted("warning", 0.02, 90),
    budgeted("error", 0.04, 365),
    window=DAY,
    interval=Interval.NORMAL,
    better=Direction.HIGHER,
    baseline=ROLLING,
)


def logged(values: np.ndarray) -> list[tuple[float, float]]:
    return [(NOW - (len(values) - 1 - day) * DAY - 17 * HOUR, float(value)) for day, value in enumerate(values)]


def noise(seed: int, days: int = 60) -> np.ndarray:
    return 1.0 + SD * np.random.default_rng(seed).normal(size=days)


@pytest.mark.parametrize("seed", range(12))
def test_healthy_noise_is_decided_and_quiet(seed: int) -> None:
    found = track(RMSE, series(logged(noise(seed))), history=45 * DAY)
    assert set(found.outcome) == {Outcome.OK.code}


def test_a_drop_of_four_standard_deviations_is_found_within_days() -> None:
    delays = []
    for seed in range(20):
        values = noise(seed)
        values[-7:] -= 4 * SD
        found = latest_alert(track(RMSE, series(logged(values)), history=45 * DAY), NOW)
        assert found is not None, seed
        assert found.state is AlertState.FIRING
        delays.append((found.start - (NOW - 7 * DAY)) / DAY)
    assert min(delays) > 0, "not before it"
    assert max(delays) <= 7
    assert np.median(delays) <= 3.5
