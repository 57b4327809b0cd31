"""What static limits and quantiles can see: the mean path against simulated delays, and the sentences about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from modelwatch.evaluate.level_sensitivity import measure_level_sensitivities
from modelwatch.model.finding import Track
from modelwatch.model.rule import Aggregate, BaselineKind, BaselineSpec, Interval, Limit, LimitKind, Rule, Tier
from modelwatch.model.sensitivity import LevelSensitivity, ModelSensitivity
from modelwatch.model.severity import Severity
from modelwatch.report.sensitivity import level_lines
from modelwatch.stats.arrays import Floats
from modelwatch.timeutil import DAY, HOUR, WEEK

from .making import hourly, rule
from .making import track as track_of

HEALTHY_HOURS, HOURS_AFTER, TRIALS = 40 * 24, 7 * 24, 15
Draw = Callable[[np.random.Generator, float | None, int], Floats]
"""So many values: healthy ones, or at what a limit is found at."""


def limited(limit: Limit, **more: object) -> Rule:
    tiers = (Tier(Severity.WARNING, (limit,), ("issue",), false_alarms=90 * DAY),)
    return replace(rule(*tiers, window=DAY), **more)  # type: ignore[arg-type]


def shares(rng: np.random.Generator, level: float | None, hours: int) -> Floats:
    return np.asarray(rng.binomial(200, 0.9 if level is None else level, hours) / 200)


def means(rng: np.random.Generator, level: float | None, hours: int) -> Floats:
    return rng.normal(250 if level is None else level, 10, hours)


def latencies(rng: np.random.Generator, share: float | None, hours: int) -> Floats:
    """Of which this share is beyond any limit; of healthy ones one in twenty is beyond 164."""
    values = 100 * np.exp(0.3 * rng.standard_normal(hours))
    return values if share is None else np.where(rng.random(hours) < share, 1000.0, np.minimum(values, 150.0))


ROLLING = BaselineSpec(BaselineKind.ROLLING)
WORLDS: dict[str, tuple[Rule, Draw, float | None]] = {
    "share": (
        limited(Limit(LimitKind.BELOW, 0.87), weight="n", interval=Interval.WILSON),
        shares,
        200.0,
    ),
    "mean": (limited(Limit(LimitKind.ABOVE, 260.0), interval=Interval.NORMAL), means, None),
    "quantile": (limited(Limit(LimitKind.RISE, 0.2), aggregate=Aggregate.P95, baseline=ROLLING), latencies, None),
    "static quantile": (limited(Limit(LimitKind.ABOVE, 164.0), aggregate=Aggregate.P95), latencies, None),
}


def judge(own: Rule, values: Floats, weight: float | None) -> Track:
    return track_of(own, hourly(values.tolist(), weight=weight), history=7 * DAY)


def seen(name: str) -> LevelSensitivity:
    own, draw, weight = WORLDS[name]
    values = draw(np.random.default_rng(1), None, HEALTHY_HOURS)
    (level,) = measure_level_sensitivities(judge(own, values, weight))
    return level


def median_delay(name: str, at: float) -> float:
    own, draw, weight = WORLDS[name]
    rng, delays = np.random.default_rng(2), []
    for _ in range(TRIALS):
        values = np.concatenate([draw(rng, None, HEALTHY_HOURS), draw(rng, at, HOURS_AFTER)])
        reached = np.frombuffer(judge(own, values, weight).severity, np.int8)[-HOURS_AFTER:] >= Severity.WARNING.code
        delays.append(HOUR * float(reached.argmax() + 1) if reached.any() else np.inf)
    return float(np.median(np.array(delays)))


@pytest.mark.parametrize("name", WORLDS)
def test_half_of_what_is_as_far_beyond_is_found_so_soon(name: str) -> None:
    """As far as series agree, each of which measures its own noise. Before the next fit of the noise: after it, a shift
    of the level counts as noise."""
    level = seen(name)
    assert level.within_day is not None
    assert level.within_week is not None
    assert median_delay(name, level.within_day) == pytest.approx(DAY, rel=0.6)
    edge = level.healthy if level.is_share else level.limit.value
    assert DAY < median_delay(name, edge + 1.2 * (level.within_week - edge)) <= WEEK
    assert median_delay(name, edge + 0.5 * (level.within_week - edge)) > WEEK


def test_sentences() -> None:
    levels = (seen("share"), replace(seen("quantile"), rule="slow"))
    found = ModelSensitivity("churn", levels=levels, units=(("accuracy", ""), ("slow", "")))
    first, second = level_lines(found)
    assert first == (
        "accuracy: warning (below 0.87) is found within a day where the metric is below 0.8486, within a week where "
        "the metric is below 0.8633; the newest week is at 0.8989."
    )
    assert second == (
        "slow: warning (rise 20 %) is found within a day where 28 % of the points lie beyond it, within a week where "
        "11 % of the points lie beyond it; 5 % are usual."
    )
    (blind,) = level_lines(replace(found, levels=(replace(levels[0], within_day=None, within_week=None),)))
    assert blind.startswith("accuracy: warning (below 0.87) is not found within a week; ")


def test_a_limit_without_a_budget_and_a_fact_are_left_out() -> None:
    own, draw, weight = WORLDS["share"]
    values = draw(np.random.default_rng(1), None, HEALTHY_HOURS)
    free = replace(own, tiers=(replace(own.tiers[0], false_alarms=None),))
    assert not list(measure_level_sensitivities(judge(free, values, weight)))
    total = limited(Limit(LimitKind.BELOW, 0.87), aggregate=Aggregate.SUM)
    assert not list(measure_level_sensitivities(judge(total, values, None)))
