"""Sums, ratios, quantiles, areas and static limits under a budget of false alarms: what is found, and what is not."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from modelwatch.evaluate.hypotheses import is_detectable
from modelwatch.model.finding import Outcome, Track
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import (
    Aggregate,
    BaselineKind,
    BaselineSpec,
    Direction,
    Interval,
    Limit,
    LimitKind,
    Rule,
    Tier,
)
from modelwatch.model.series import Series
from modelwatch.model.severity import Severity
from modelwatch.stats.arrays import Floats
from modelwatch.timeutil import DAY, HOUR

from .making import NAME, NOW, rule, tracks

DAYS = 60
JUDGED = 20
"""Days at the end of the series that are judged."""
CHANGE = 5 * 24
"""The judged hour in which something happens."""
BUDGET = 90 * DAY
BELOW = "eval/requests"


def budget_rule(form: LimitKind, value: float, aggregate: Aggregate = Aggregate.MEAN, **more: object) -> Rule:
    is_static = form in (LimitKind.ABOVE, LimitKind.BELOW)
    given = {
        "aggregate": aggregate,
        "window": DAY,
        "better": Direction.HIGHER if form in (LimitKind.DROP, LimitKind.BELOW) else Direction.LOWER,
        "baseline": BaselineSpec() if is_static else BaselineSpec(BaselineKind.ROLLING),
        "denominator": KeyPattern(BELOW) if aggregate is Aggregate.RATIO else None,
        **more,
    }
    return rule(Tier(Severity.ERROR, (Limit(form, value),), ("issue",), false_alarms=BUDGET), **given)


def times(step: float = HOUR) -> Floats:
    return np.asarray(NOW - step * np.arange(round(DAYS * DAY / step) - 1, -1, -1))


def after(at: Floats, end: float = np.inf) -> Floats:
    """1 from the change on, until so many hours after it; 0 before."""
    begin = NOW - JUDGED * DAY + CHANGE * HOUR
    return ((at > begin) & (at <= begin + end * HOUR)).astype(np.float64)


def a_series(at: Floats, values: Floats, weights: Floats | None = None, name: str = NAME) -> Series:
    return Series(name, (), array("d", at), array("d", values), None if weights is None else array("d", weights))


def judge(a_rule: Rule, *some: Series) -> Track:
    assert is_detectable(a_rule)
    return tracks(a_rule, *some, history=JUDGED * DAY)[0]


def first(track: Track) -> int | None:
    """Hours from the change to the first breach."""
    held = np.flatnonzero(np.frombuffer(track.severity, np.int8) >= 0)
    return int(held[0]) - CHANGE if len(held) else None


def orders(rng: np.random.Generator, lost: float, step: float = HOUR) -> Series:
    """About a thousand an hour, a third of that at night, fewer at weekends."""
    at = times(step)
    usual = (1 - 0.5 * np.cos(2 * np.pi * at / DAY)) * np.where(at // DAY % 7 < 2, 0.6, 1.0)
    return a_series(at, rng.poisson(1000 * step / HOUR * usual * (1 - lost * after(at))).astype(np.float64))


def requests(rng: np.random.Generator, rise: float) -> tuple[Series, Series]:
    """Errors, and requests that are logged a second before."""
    at = times()
    count = rng.poisson(500, len(at))
    errors = rng.binomial(count, 0.02 * (1 + rise * after(at)))
    return a_series(at, errors.astype(np.float64)), a_series(at - 1, count.astype(np.float64), name=BELOW)


def latencies(rng: np.random.Generator, rise: float, end: float = np.inf, step: float = HOUR) -> Series:
    at = times(step)
    return a_series(at, 100 * np.exp(0.2 * rng.standard_normal(len(at))) * (1 + rise * after(at, end)))


def shares(rng: np.random.Generator, level: float, rise: float, n: int = 500, end: float = np.inf) -> Series:
    at = times()
    hits = rng.binomial(n, level * (1 + rise * after(at, end)))
    return a_series(at, hits / n, np.full(len(at), float(n)))


def areas(rng: np.random.Generator, lost: float, positives: int = 10) -> Series:
    at = times()
    apart = 1.5 * (1 - lost * after(at))
    positive = apart[:, None] + rng.standard_normal((len(at), positives))
    negative = rng.standard_normal((len(at), 100))
    won = (positive[:, :, None] > negative[:, None, :]).mean(axis=(1, 2))
    return a_series(at, won, np.full(len(at), float(positives)))


SUM = budget_rule(LimitKind.DROP, 0.2, Aggregate.SUM)
RATIO = budget_rule(LimitKind.RISE, 0.5, Aggregate.RATIO)
P95 = budget_rule(LimitKind.RISE, 0.2, Aggregate.P95)
AUC = budget_rule(LimitKind.DROP, 0.05, interval=Interval.AUC, weight="eval/n")
ABOVE = budget_rule(LimitKind.ABOVE, 0.03, interval=Interval.WILSON, weight="eval/n")
Draw = Callable[[np.random.Generator, float], tuple[Series, ...]]
CASES: dict[str, tuple[Rule, Draw, float, int]] = {
    "sum": (SUM, lambda rng, size: (orders(rng, size),), 0.3, 12),
    "ratio": (RATIO, requests, 1.0, 12),
    "quantile": (P95, lambda rng, size: (latencies(rng, size),), 0.6, 24),
    "auc": (AUC, lambda rng, size: (areas(rng, size),), 0.4, 72),
    "static": (ABOVE, lambda rng, size: (shares(rng, 0.028, size),), 0.4, 24),
}
"""Rule, series of a change of some size, a size, and hours within which it is found."""


@pytest.mark.parametrize("name", CASES)
def test_a_change_is_found_soon_and_nothing_before_it(name: str) -> None:
    a_rule, draw, size, hours = CASES[name]
    for seed in range(3):
        start = first(judge(a_rule, *draw(np.random.default_rng(seed), size)))
        assert start is not None
        assert 0 < start <= hours
        assert first(judge(a_rule, *draw(np.random.default_rng(seed), 0.0))) is None


def test_sums_are_found_as_soon_however_often_they_are_logged() -> None:
    for seed in range(3):
        hourly, often = (first(judge(SUM, orders(np.random.default_rng(seed), 0.4, step))) for step in (HOUR, HOUR / 4))
        assert hourly is not None
        assert often is not None
        assert abs(hourly - often) <= 4


def test_the_baseline_of_a_sum_is_that_of_a_window() -> None:
    track = judge(SUM, orders(np.random.default_rng(1), 0.0))
    assert track.baseline[-1] == pytest.approx(24 * 1000 * (5 + 2 * 0.6) / 7, rel=0.02)


def test_one_burst_is_no_rise_of_a_sum() -> None:
    series = orders(np.random.default_rng(2), 0.0)
    series.values[-40] *= 50
    assert first(judge(budget_rule(LimitKind.RISE, 0.2, Aggregate.SUM), series)) is None


@pytest.mark.parametrize("level", [100.0, -100.0])
def test_a_sum_that_can_be_negative_is_decided_like_a_mean(level: float) -> None:
    at = times()
    profit = np.random.default_rng(3).normal(level, 200.0, len(at))
    limit = budget_rule(LimitKind.DROP, 0.5, Aggregate.SUM)
    assert first(judge(limit, a_series(at, profit))) is None
    start = first(judge(limit, a_series(at, profit - 200 * after(at))))
    assert start is not None
    assert 0 < start < 48


@pytest.mark.parametrize("times_slower", [3.0, 10.0, 1000.0, 1e9])
@pytest.mark.parametrize("form", [LimitKind.RISE, LimitKind.ABOVE])
def test_a_mean_is_found_the_sooner_the_more_it_rises_but_one_glitch_is_nothing(
    form: LimitKind, times_slower: float
) -> None:
    limit = budget_rule(form, 0.2 if form is LimitKind.RISE else 130.0, interval=Interval.NORMAL)
    rng = np.random.default_rng(9)
    start = first(judge(limit, latencies(rng, times_slower - 1)))
    assert start is not None
    assert 0 < start <= 3
    assert first(judge(limit, latencies(rng, times_slower - 1, end=1))) is None


def test_a_glitch_neither_alarms_a_week_later_nor_hides_what_comes_then() -> None:
    """A value in another unit for an hour, and a rise of half eight days later."""
    series = latencies(np.random.default_rng(12), 0.5)
    series.values[-24 * JUDGED + CHANGE - 8 * 24] *= 1e6
    assert first(judge(budget_rule(LimitKind.RISE, 0.2, interval=Interval.NORMAL), series)) in range(1, 25)


@pytest.mark.parametrize("often", [0.005, 0.1, 0.3])
def test_a_mean_that_is_mostly_the_same_value_never_alarms_while_healthy(often: float) -> None:
    given = budget_rule(LimitKind.RISE, 0.2, interval=Interval.NORMAL)
    failures = np.random.default_rng(10).poisson(often, len(times())).astype(np.float64)
    assert first(judge(given, a_series(times(), failures))) is None
    replicas = np.where(failures > 0, 14.0, 10.0)
    assert first(judge(given, a_series(times(), replicas))) is None
    assert first(judge(given, a_series(times(), replicas * (1 + after(times()))))) in range(1, 4)


def test_single_slow_answers_are_no_slow_quantile_and_it_ends_with_its_window() -> None:
    slow = latencies(np.random.default_rng(4), 0.0)
    for row in (-300, -200, -100):
        slow.values[row] *= 20
    assert first(judge(P95, slow)) is None
    back = np.frombuffer(judge(P95, latencies(np.random.default_rng(5), 0.6, end=72)).severity, np.int8)
    assert back[CHANGE + 71] >= 0
    assert max(back[CHANGE + 72 + 30 :]) == -1


def slow_or_not(rng: np.random.Generator, slow: float) -> Series:
    """3 % of the points are slow, then a larger share."""
    at = times()
    is_slow = rng.random(len(at)) < np.where(after(at) > 0, slow, 0.03)
    return a_series(at, np.where(is_slow, 1000.0, 100.0))


def test_a_slow_quantile_seldom_ends_by_luck() -> None:
    """Among 24 points of which a fifth is slow there is now and then at most one: a quarter of the hours were called
    over."""
    over, hours = 0, 0
    for seed in range(10):
        held = np.frombuffer(judge(P95, slow_or_not(np.random.default_rng(seed), 0.2)).severity, np.int8) >= 0
        since = held[np.flatnonzero(held)[0] :]
        over, hours = over + int(np.count_nonzero(~since)), hours + len(since)
    assert over < 0.1 * hours


EXACT = {
    "rise of a quantile": (budget_rule(LimitKind.RISE, 1.0, Aggregate.P95), 7.3, 14.6),
    "points of a quantile": (budget_rule(LimitKind.RISE_POINTS, 0.1, Aggregate.P99), 0.2, 0.3),
    "drop of a share": (budget_rule(LimitKind.DROP, 0.02, interval=Interval.WILSON, weight="eval/n"), 0.9, 0.882),
    "points of a share": (budget_rule(LimitKind.RISE_POINTS, 0.1, interval=Interval.WILSON, weight="eval/n"), 0.2, 0.3),
    "drop of a median": (budget_rule(LimitKind.DROP, 0.1, Aggregate.P50), 1.1, 0.99),
}


@pytest.mark.parametrize("name", EXACT)
def test_a_limit_that_is_met_exactly_is_reached(name: str) -> None:
    """ "At least as large as the limit", rounding aside; a static limit is passed by what lies beyond it alone."""
    given, before, then = EXACT[name]
    at = times()
    values = np.where(after(at) > 0, then, before)
    assert first(judge(given, a_series(at, values, np.full(len(at), 20_000.0)))) is not None
    static = budget_rule(LimitKind.ABOVE if then > before else LimitKind.BELOW, then, given.aggregate)
    static = replace(static, interval=given.interval, weight=given.weight)
    assert first(judge(static, a_series(at, values, np.full(len(at), 20_000.0)))) is None


def test_a_static_limit_ends_when_the_metric_is_provably_within_it() -> None:
    severity = np.frombuffer(judge(ABOVE, shares(np.random.default_rng(6), 0.02, 1.5, end=100)).severity, np.int8)
    assert severity[CHANGE + 99] >= 0
    assert max(severity[CHANGE + 100 + 24 :]) == -1


def test_a_new_share_is_held_to_a_static_limit_from_its_first_hours() -> None:
    at = times()[-12:]
    track = judge(ABOVE, a_series(at, np.full(12, 0.08), np.full(12, 500.0)))
    assert np.frombuffer(track.severity, np.int8)[-8] >= 0


def test_a_daily_peak_above_a_static_limit_counts_as_its_window_shows_it() -> None:
    """Of a day it is below the limit, of an hour it is beyond it every evening."""
    at = times()
    hits = np.random.default_rng(7).binomial(2000, 0.025 * (1 + 0.5 * np.sin(2 * np.pi * at / DAY)))
    series = a_series(at, hits / 2000, np.full(len(at), 2000.0))
    assert first(judge(ABOVE, series)) is None
    hourly = budget_rule(LimitKind.ABOVE, 0.03, interval=Interval.WILSON, weight="eval/n", window=HOUR)
    assert first(judge(hourly, series)) is not None


def test_what_fired_by_a_static_limit_stays_in_the_baseline() -> None:
    """A metric that is always beyond it has a baseline all the same."""
    given = budget_rule(LimitKind.RISE, 0.2, interval=Interval.WILSON, weight="eval/n")
    (tier,) = given.tiers
    both = replace(given, tiers=(replace(tier, limits=(*tier.limits, Limit(LimitKind.ABOVE, 0.01))),))
    track = judge(both, shares(np.random.default_rng(8), 0.02, 0.0))
    assert track.severity[-1] == Severity.ERROR.code
    assert track.baseline[-1] == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(
    ("given", "is_proven"),
    [
        (SUM, True),
        (replace(SUM, baseline=BaselineSpec()), False),
        (budget_rule(LimitKind.ABOVE, 10.0, Aggregate.SUM), False),  # what was added up is a fact
        (budget_rule(LimitKind.ABOVE, 0.0, interval=Interval.WILSON), False),  # so is a share beyond 0
        (budget_rule(LimitKind.ABOVE, 0.1, interval=Interval.WILSON), True),
        (budget_rule(LimitKind.ABOVE, 0.1), False),  # nothing says how sure a point is
        (budget_rule(LimitKind.RISE, 0.1), False),
        (budget_rule(LimitKind.ABOVE, 10.0, interval=Interval.NORMAL), True),
        (budget_rule(LimitKind.ABOVE, 10.0, Aggregate.P99), True),
        (budget_rule(LimitKind.ABOVE, 0.1, Aggregate.RATIO), True),
        (replace(P95, metric=KeyPattern("features/*/psi")), False),
    ],
)
def test_limits_that_points_can_prove(given: Rule, is_proven: bool) -> None:
    assert is_detectable(given) is is_proven


def test_a_sum_beyond_a_static_limit_is_a_breach_at_once() -> None:
    at = times()
    failures = np.where(at == NOW - 5 * HOUR, 7.0, 0.0)
    track = tracks(budget_rule(LimitKind.ABOVE, 5.0, Aggregate.SUM), a_series(at, failures), history=DAY)[0]
    assert track.finding(-1).outcome is Outcome.BREACH
