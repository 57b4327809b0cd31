"""A metric that is logged once a day, judged hourly under a window of a day with a normal interval: a single point in
every window, which is decided from the history before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modelwatch.alerts.state_machine import latest_alert
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.alert import AlertState
from modelwatch.model.finding import Cause, Outcome
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import Aggregate, BaselineKind, BaselineSpec, Direction, Interval, LimitKind, Rule, Tier
from modelwatch.model.series import PulledSeries, Series
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


ACCURACY = replace(RMSE, interval=Interval.WILSON, weight="eval/n")


def moody(step: float, count: int, seed: int) -> Series:
    """Shares whose rows say they are certain, and that vary by 2 points all the same."""
    values = 0.9 + 0.02 * np.random.default_rng(seed).normal(size=count)
    return series(
        [(NOW - step * (count - 1 - place) - HOUR / 2, value, 100_000.0) for place, value in enumerate(values)]
    )


@pytest.mark.parametrize(("step", "count"), [(HOUR, 60), (HOUR, 200), (DAY, 12), (7 * DAY, 9)])
def test_a_young_share_that_varies_more_than_its_counts_is_no_drop(step: float, count: int) -> None:
    """One point of an hour or weekday is no pattern of it, and a few are no measure of what is usual."""
    of = replace(ACCURACY, window=max(step, DAY))
    found = [track(of, moody(step, count, seed), history=30 * DAY) for seed in range(10)]
    assert sum(Outcome.BREACH.code in one.outcome for one in found) <= 2, "of ten; it was nine"


def young(of: Rule, count: int, step: float = DAY) -> tuple[Cause, tuple[str, ...]]:
    """Why the newest finding is undecided, and what is noted."""
    points = moody(step, count, 1)
    found = evaluate_model(Model("churn", (of,)), PulledSeries("churn", (points,)), NOW)
    return found.tracks[0].finding(-1).cause, found.notes


def test_too_little_history_is_told_and_decides_nothing() -> None:
    note = "churn / accuracy: not enough history to decide: 5 of 8 points"
    sums = replace(RMSE, interval=Interval.NONE, aggregate=Aggregate.SUM)
    assert young(sums, 6) == (Cause.TOO_YOUNG, (note,))
    assert young(sums, 10) == (Cause.NONE, ())
    weekly = replace(sums, window=7 * DAY)
    cause, (told,) = young(weekly, 6, 7 * DAY)
    assert (cause, told[-11:]) == (Cause.TOO_YOUNG, "of 8 points")
    assert young(weekly, 12, 7 * DAY) == (Cause.NONE, ())
    assert young(RMSE, 3) == (Cause.TOO_YOUNG, (note.replace("5 of 8", "2 of 3"),))
    assert young(RMSE, 5) == (Cause.NONE, ())


def test_a_young_share_that_is_far_worse_is_found_and_a_little_worse_waits_for_its_noise() -> None:
    baseline = BaselineSpec(BaselineKind.CONSTANT, value=0.9)
    for level, outcome in ((0.6, Outcome.BREACH), (0.88, Outcome.OK)):
        values = [0.9, 0.9, level, level]
        points = series([(NOW - (4 - day) * DAY + HOUR, value, 100_000.0) for day, value in enumerate(values)])
        found = track(replace(ACCURACY, baseline=baseline), points)
        assert found.finding(-1).outcome is outcome, level
