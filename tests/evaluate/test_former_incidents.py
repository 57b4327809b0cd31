"""An incident that is over, and older than the first evaluation of the history, raises no alert by itself."""

from __future__ import annotations

import numpy as np
import pytest

from modelwatch.model.monitored_model import Model
from modelwatch.model.series import Series
from modelwatch.model.severity import Severity
from modelwatch.sources.requirements import history_reach
from modelwatch.stats.arrays import Floats
from modelwatch.timeutil import DAY, HOUR

from .making import NOW, series, tracks
from .test_detection import accuracy_rule

DAYS = 60
"""After the second incident, each with an evaluation."""
LENGTH = 3
"""Days of each."""
SETTLED = 7
"""Days after its end by which an alert is over, so that what fires later has risen again."""
RULE = accuracy_rule()


def incidents(apart: int, drops: tuple[float, float], seed: int) -> tuple[Floats, Floats, Floats]:
    """Times, shares and counts of a metric with daily and weekly patterns and two incidents, the second at ``NOW``."""
    rng = np.random.default_rng(seed)
    times = NOW + HOUR * np.arange(-24.0 * (apart + 120), 24 * DAYS + 1)
    hour, weekend = times % DAY / HOUR, times // DAY % 7 >= 5
    share = 0.91 + 0.006 * np.sin(2 * np.pi * hour / 24) + 0.006 * weekend
    for begin, drop in zip((NOW - apart * DAY, NOW), drops, strict=True):
        share[(times > begin) & (times <= begin + LENGTH * DAY)] *= 1 - drop
    counts = 1 + rng.poisson(800 * (1 + 0.3 * np.sin(2 * np.pi * hour / 24)))
    shares: Floats = rng.binomial(counts, share) / counts
    return times, shares, counts.astype(np.float64)


def read(world: tuple[Floats, Floats, Floats], model: Model, now: float) -> Series:
    """What an evaluation reads."""
    times, shares, counts = world
    rows = (times > now - model.history - history_reach(RULE)) & (times <= now)
    return series(np.stack([times[rows], shares[rows], counts[rows]], axis=1).tolist())


def firing_days(world: tuple[Floats, Floats, Floats]) -> list[int]:
    """Days after the beginning of the second incident on which the newest evaluation fires."""
    found = []
    for day in range(1, DAYS + 1):
        now = NOW + day * DAY
        model = Model("churn", (RULE,)).with_whole_history(now)
        (track,) = tracks(RULE, read(world, model, now), now=now, history=model.history)
        if track.severity[-1] >= Severity.WARNING.code:
            found.append(day)
    return found


@pytest.mark.parametrize("apart", [16, 19, 22])
@pytest.mark.parametrize("seed", [1, 2])
def test_what_has_recovered_does_not_fire_again_while_older_incidents_leave_the_history(apart: int, seed: int) -> None:
    days = firing_days(incidents(apart, (0.12, 0.12), seed))
    assert days[:LENGTH] == list(range(1, LENGTH + 1))
    assert [day for day in days if day > LENGTH + SETTLED] == []
