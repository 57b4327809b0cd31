"""A metric that is logged once a day, judged hourly under a window of a day with a normal interval: a single point in
every window, which is decided from the history before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modelwatch.alerts.state_machine import latest_alert
from modelwatch.model.alert import AlertState
from modelwatch.model.finding import Cause, Outcome
from modelwatch.model.rule import Aggregate, BaselineKind, BaselineSpec, Direction, Interval, LimitKind, Tier
from modelwatch.timeutil import DAY, HOUR

from .making import NOW, rows, rule, series, tier, track

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


def test_it_is_undecided_until_three_points_are_known() -> None:
    of = replace(RMSE, tiers=(tier("error", LimitKind.BELOW, 0.5),), baseline=BaselineSpec())
    found = rows(track(of, series(logged(noise(1, days=10))), history=12 * DAY))
    causes = [row.cause for row in found if row.points]
    assert causes[:72] == [Cause.TOO_FEW_POINTS] * 72
    assert set(causes[72:]) == {Cause.NONE}


@pytest.mark.parametrize("aggregate", [Aggregate.MEAN, Aggregate.SUM, Aggregate.LAST, Aggregate.P95])
def test_a_limit_without_a_baseline_has_to_be_passed_by_more_than_noise(aggregate: Aggregate) -> None:
    of = replace(RMSE, tiers=(tier("error", LimitKind.BELOW, 0.995),), baseline=BaselineSpec(), aggregate=aggregate)
    for value, outcome in ((0.985, Outcome.UNDECIDED), (0.92, Outcome.BREACH), (1.0, Outcome.OK)):
        found = track(of, series(logged(np.append(noise(2), value)))).finding(-1)
        assert found.outcome is outcome
        assert found.low is not None
        assert found.high is not None
        assert found.high - found.low == pytest.approx(2 * 1.96 * SD, rel=0.6)


def test_what_comes_later_changes_no_interval() -> None:
    values = noise(3)
    whole = track(RMSE, series(logged(values)), history=20 * DAY)
    for days in (1, 5, 13):
        part = series(logged(values)[:-days])
        before = track(RMSE, part, now=NOW - days * DAY, history=20 * DAY - days * DAY)
        assert list(before.low) == list(whole.low[: before.grid.count])


def test_a_ratio_of_one_point_stays_undecided() -> None:
    of = replace(RMSE, aggregate=Aggregate.RATIO, denominator=RMSE.metric)
    assert track(of, series(logged(noise(4)))).finding(-1).cause is Cause.TOO_FEW_POINTS
