"""Control charts through whole rules: they signal where they should, by the points alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.evaluate.chart_signals import chart_limit, chart_run_length
from modelwatch.model.control_chart import ChartData, ChartMethod, ChartSignal, ControlChart
from modelwatch.model.finding import Outcome, Track
from modelwatch.model.rule import (
    BaselineKind,
    BaselineSpec,
    Direction,
    Interval,
    Limit,
    LimitKind,
    Rule,
    Tier,
    VersionOverride,
)
from modelwatch.model.series import Series
from modelwatch.model.severity import Severity
from modelwatch.stats.arrays import Floats
from modelwatch.stats.run_length import BOTH, DOWN
from modelwatch.timeutil import DAY, HOUR

from .making import NOW, hourly, rule, series
from .making import track as track_of

LENGTH = 60 * 24
ROLLING = BaselineSpec(BaselineKind.ROLLING)


def charted(chart: ControlChart, severity: Severity = Severity.WARNING) -> Tier:
    return Tier(severity, (), ("issue",), chart=chart)


def chart_rule(*tiers: Tier, **more: Any) -> Rule:
    return rule(*tiers, **{"baseline": ROLLING, "better": Direction.HIGHER, **more})


def values(seed: int = 1, *, drop: float = 0.0, since: int = LENGTH - 48) -> Floats:
    noise = np.random.default_rng(seed).normal(0.9, 0.01, LENGTH)
    noise[since:] -= drop
    return noise


def judge(own: Rule, data: Series, *, deployed: Sequence[tuple[str, float]] = ()) -> Track:
    return track_of(own, data, history=30 * DAY, deployed=deployed)


def fired(track: Track) -> list[int]:
    return [row for row in range(track.grid.count) if track.outcome[row] == Outcome.BREACH.code]


CHARTS = [
    ControlChart(ChartMethod.SHEWHART),
    ControlChart(ChartMethod.EWMA),
    ControlChart(ChartMethod.CUSUM, head_start=True),
    ControlChart(ChartMethod.CUSUM, run_length=500.0),
    ControlChart(ChartMethod.NELSON),
    ControlChart(ChartMethod.WESTERN_ELECTRIC),
]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: str(chart.method))
def test_each_chart_finds_a_drop_of_three_sigma_within_hours_and_only_on_the_bad_side(chart: ControlChart) -> None:
    own = chart_rule(charted(chart))
    track = judge(own, hourly(values(drop=0.03).tolist()))
    first = [row for row in fired(track) if row >= track.grid.count - 48]
    assert first
    assert first[0] - (track.grid.count - 48) < 8
    assert track.finding(first[0]).signal.value.startswith(str(chart.method).replace("_", "-"))
    risen = judge(own, hourly(values(drop=-0.03).tolist()))
    sided = {ChartSignal.NELSON_4, ChartSignal.NELSON_7, ChartSignal.NELSON_8}
    late = {risen.finding(row).signal for row in fired(risen) if row >= risen.grid.count - 47}
    assert late <= sided


@pytest.mark.parametrize("correlation", [0.0, 0.6])
@pytest.mark.parametrize("method", [ChartMethod.SHEWHART, ChartMethod.EWMA, ChartMethod.CUSUM])
def test_a_healthy_series_signals_as_often_as_stated(method: ChartMethod, correlation: float) -> None:
    """Excursions, two days or more apart, in 16 series of 110 days: 85 expected."""
    rng, length, own = np.random.default_rng(1), 150 * 24, chart_rule(charted(ControlChart(method, run_length=500.0)))
    excursions = rows = 0
    for _ in range(16):
        noise = rng.normal(size=length)
        for at in range(1, length):
            noise[at] = correlation * noise[at - 1] + np.sqrt(1 - correlation**2) * noise[at]
        track = track_of(own, hourly((0.9 + 0.01 * noise).tolist()), history=110 * DAY)
        excursions += int((np.diff(fired(track), prepend=-100) > 48).sum())
        rows += track.grid.count
    assert rows / excursions == pytest.approx(500, rel=0.25)


def test_an_ewma_of_a_small_shift_holds_until_it_is_over() -> None:
    data = values(drop=0.015, since=LENGTH - 72)
    data[LENGTH - 24 :] += 0.015
    track = judge(chart_rule(charted(ControlChart(ChartMethod.EWMA, run_length=2000.0))), hourly(data.tolist()))
    count = track.grid.count
    held = [row for row in fired(track) if row >= count - 72]
    assert held == list(range(held[0], held[-1] + 1))
    assert held[0] < count - 55
    assert count - 24 <= held[-1] < count - 5
    assert {track.finding(row).signal for row in held} == {ChartSignal.EWMA}
    assert track.finding(-1).clear


def test_the_most_severe_chart_wins() -> None:
    own = chart_rule(
        charted(ControlChart(ChartMethod.EWMA)), charted(ControlChart(ChartMethod.SHEWHART), Severity.CRITICAL)
    )
    track = judge(own, hourly(values(drop=0.06).tolist()))
    finding = track.finding(track.grid.count - 47)
    assert finding.severity is Severity.CRITICAL
    assert finding.signal is ChartSignal.SHEWHART


def test_a_rule_without_charts_has_no_column_of_signals() -> None:
    track = judge(rule(Tier(Severity.WARNING, (Limit(LimitKind.BELOW, 0.5),), ("issue",))), hourly([0.4] * 100))
    assert len(track.signal) == 0
    assert track.finding(-1).signal is ChartSignal.NONE


def counted(p: Floats, n: Floats, seed: int) -> Series:
    rng = np.random.default_rng(seed)
    shares = rng.binomial(n.astype(int), p) / n
    rows = [
        (NOW - (len(n) - 1 - at) * HOUR, share, size) for at, (share, size) in enumerate(zip(shares, n, strict=True))
    ]
    return series(rows)


def false_rate(track: Track) -> float:
    judged = [row for row in range(track.grid.count) if track.outcome[row] in (Outcome.OK.code, Outcome.BREACH.code)]
    return len(fired(track)) / len(judged)


def test_laney_charts_allow_for_what_varies_more_than_counts() -> None:
    """With 5,000 trials an hour and a rate that varies by 1 %, a p chart signals every few hours; p' hardly ever."""
    rng = np.random.default_rng(4)
    data = counted(rng.normal(0.9, 0.01, LENGTH), np.full(LENGTH, 5000.0), 5)
    rates = {
        kind: false_rate(
            judge(
                chart_rule(charted(ControlChart(ChartMethod.SHEWHART, kind)), interval=Interval.WILSON, weight="n"),
                data,
            )
        )
        for kind in (ChartData.P, ChartData.LANEY_P)
    }
    assert rates[ChartData.P] > 0.05
    assert rates[ChartData.LANEY_P] < 0.01


def test_p_u_and_xbar_charts_allow_for_the_count_of_each_point() -> None:
    """Small samples vary more; a chart that ignores the count signals at them."""
    rng = np.random.default_rng(6)
    n = rng.choice([20.0, 2000.0], LENGTH)
    data = counted(np.full(LENGTH, 0.8), n, 7)
    for kind in (ChartData.P, ChartData.XBAR, ChartData.LANEY_P, ChartData.LANEY_U):
        own = chart_rule(charted(ControlChart(ChartMethod.SHEWHART, kind)), weight="n", window=HOUR)
        assert false_rate(judge(own, data)) < 0.02, kind
    events = rng.poisson(3 * n) / n
    rows = [(NOW - (LENGTH - 1 - at) * HOUR, rate, size) for at, (rate, size) in enumerate(zip(events, n, strict=True))]
    own = chart_rule(charted(ControlChart(ChartMethod.SHEWHART, ChartData.U, limit=2.0)), weight="n", window=HOUR)
    assert false_rate(judge(own, series(rows))) == pytest.approx(0.0228, abs=0.012)


def test_autocorrelation_is_removed_unless_the_chart_says_otherwise() -> None:
    rng = np.random.default_rng(8)
    noise = np.zeros(LENGTH)
    for at in range(1, LENGTH):
        noise[at] = 0.8 * noise[at - 1] + 0.6 * rng.normal()
    data = hourly((0.9 + 0.01 * noise).tolist())
    rates = [
        false_rate(
            judge(
                chart_rule(charted(ControlChart(ChartMethod.CUSUM, remove_autocorrelation=removed)), baseline=CONSTANT),
                data,
            )
        )
        for removed in (True, False)
    ]
    assert rates[0] < 0.02
    assert rates[1] > 0.05


CONSTANT = BaselineSpec(BaselineKind.CONSTANT, value=0.9)


def test_without_a_spread_nothing_is_decided() -> None:
    track = judge(chart_rule(charted(ControlChart(ChartMethod.SHEWHART)), baseline=CONSTANT), hourly([0.9, 0.91, 0.9]))
    assert track.finding(-1).outcome is Outcome.UNDECIDED
    assert track.finding(-1).reason == "no baseline to compare with"
    longer = judge(
        chart_rule(charted(ControlChart(ChartMethod.SHEWHART)), baseline=CONSTANT), hourly(values().tolist())
    )
    assert longer.finding(-1).outcome is Outcome.OK


def test_a_metric_that_never_changed_signals_at_its_first_change() -> None:
    own = chart_rule(charted(ControlChart(ChartMethod.SHEWHART)))
    track = judge(own, hourly([0.9] * (LENGTH - 3) + [0.8] * 3))
    assert fired(track) == list(range(track.grid.count - 3, track.grid.count))


def test_an_average_forgets_an_outlier_within_a_day() -> None:
    data = values()
    data[LENGTH - 40] = -1000.0
    track = judge(chart_rule(charted(ControlChart(ChartMethod.EWMA, limit=2.7))), hourly(data.tolist()))
    late = [row - (track.grid.count - 40) for row in fired(track) if row >= track.grid.count - 40]
    assert late[0] == 0
    assert late[-1] < 24


def test_a_head_start_is_taken_at_each_deployment() -> None:
    data = values(drop=0.012, since=LENGTH - 48)
    deployed = [("v1", NOW - 2 * LENGTH * HOUR), ("v2", NOW - 48 * HOUR)]
    first = []
    for head_start in (True, False):
        chart = ControlChart(ChartMethod.CUSUM, limit=5.0, head_start=head_start)
        track = judge(chart_rule(charted(chart)), hourly(data.tolist()), deployed=deployed)
        first.append(min(row for row in fired(track) if row >= track.grid.count - 48))
    assert first[0] < first[1]


def test_overrides_have_their_own_charts() -> None:
    tight = charted(ControlChart(ChartMethod.SHEWHART, limit=1.0))
    loose = charted(ControlChart(ChartMethod.SHEWHART, limit=9.0))
    deployed = [("v1", NOW - 2 * LENGTH * HOUR), ("v2", NOW - 48 * HOUR)]
    own = chart_rule(tight, overrides=(VersionOverride("v2", (loose,)),))
    track = judge(own, hourly(values().tolist()), deployed=deployed)
    assert fired(track)
    assert max(fired(track)) < track.grid.count - 48


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 300), st.sampled_from(CHARTS))
def test_order_duplicates_and_later_points_do_not_matter(random: Random, cut: int, chart: ControlChart) -> None:
    own = chart_rule(charted(chart))
    rows = [
        (NOW - (600 - 1 - at) * HOUR, value) for at, value in enumerate(values(drop=0.02, since=LENGTH - 20)[-600:])
    ]
    whole = judge(own, series(rows))
    mixed = [*rows, *rows[::7]]
    random.shuffle(mixed)
    again = judge(own, series(mixed))
    assert (again.outcome, again.signal) == (whole.outcome, whole.signal)
    before = judge(own, series(rows[:-cut]))
    same = whole.grid.count - cut
    assert (before.outcome[:same], before.signal[:same]) == (whole.outcome[:same], whole.signal[:same])


@pytest.mark.parametrize("chart", CHARTS[:1] + CHARTS[3:], ids=lambda chart: str(chart.method))
def test_looking_four_times_an_hour_finds_what_looking_hourly_finds(chart: ControlChart) -> None:
    data = hourly(values(drop=0.02).tolist())
    hour = judge(chart_rule(charted(chart), every=HOUR), data)
    quarter = judge(chart_rule(charted(chart), every=HOUR / 4), data)
    begin = round((hour.grid.start - quarter.grid.start) / (HOUR / 4))
    # The baseline at a quarter past is one with other points: a few borderline points may differ.
    differs = [row for row in range(hour.grid.count) if hour.signal[row] != quarter.signal[begin + 4 * row]]
    assert len(differs) <= hour.grid.count // 200


def test_a_budget_sets_the_limit_and_its_run_length_is_stated() -> None:
    tier = Tier(Severity.WARNING, (), ("issue",), false_alarms=90 * DAY, chart=ControlChart(ChartMethod.CUSUM))
    assert chart_run_length(tier, Direction.HIGHER, HOUR) == pytest.approx(90 * 24, rel=0.01)
    assert chart_run_length(tier, None, DAY) == pytest.approx(90, rel=0.01)
    assert chart_limit(tier, DOWN, HOUR, share=10.0) > chart_limit(tier, DOWN, HOUR)
    for chart, points in (
        (ControlChart(ChartMethod.SHEWHART), 370.4),
        (ControlChart(ChartMethod.CUSUM), 465.4),
        (ControlChart(ChartMethod.EWMA, duration=30 * DAY), 720.0),
        (ControlChart(ChartMethod.WESTERN_ELECTRIC), 91.75),
    ):
        assert chart_run_length(charted(chart), None, HOUR) == pytest.approx(points, rel=0.005)
    assert chart_run_length(charted(ControlChart(ChartMethod.NELSON, rules=(1, 2))), None, HOUR) < 370
    assert chart_run_length(charted(ControlChart(ChartMethod.CUSUM)), None, HOUR, 1.0) == pytest.approx(10.4, abs=0.05)
    seen = [chart_run_length(charted(chart), Direction.HIGHER, HOUR, 2.0) for chart in CHARTS]
    assert all(1 < points < 8 for points in seen)
    assert math.isnan(chart_limit(charted(ControlChart(ChartMethod.NELSON)), BOTH, HOUR))
