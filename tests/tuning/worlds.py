"""A year of a metric, hour by hour, with incidents of known times and sizes, and the hand-set rule that judges it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from modelwatch.backtest.logged_history import LoggedHistory, history_of_rows
from modelwatch.backtest.result import Span
from modelwatch.model.backtest import MarkedIncident
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model, WandbSpec
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
from modelwatch.model.severity import Severity
from modelwatch.model.tuning import AlertBudget
from modelwatch.stats.arrays import Floats, Ints
from modelwatch.timeutil import DAY, HOUR, WEEK

Rng = np.random.Generator
START = 2_900 * WEEK
WARM_UP = 36
"""Days before anything is judged: a rolling baseline of 28 days, the week before the window, and the window."""
LIMITS = (0.02, 0.05, 0.10)
SEVERITIES = (Severity.WARNING, Severity.ERROR, Severity.CRITICAL)
BUDGETS = (90 * DAY, 365 * DAY, 365 * DAY)
"""README's: an issue, a page, and a page with a rollback that is proposed."""
APART = 8
"""Days between the beginnings of two incidents, at least."""


class Metric(StrEnum):
    SHARE = "share"
    """With its count."""
    MEAN = "mean"
    """With the spread of its points (`interval: normal`)."""
    SUM = "sum"
    POINTS = "points"
    """Nothing says how sure they are: windows decide."""


@dataclass(frozen=True, slots=True)
class Family:
    """Worlds that differ by their random numbers, among them how many rows they have."""

    metric: Metric
    rows: tuple[float, float] = (1.0, 1.0)
    """The range of rows an hour; of a sum of events."""
    noise: float = 0.0
    """Standard deviation of a point (relative), beyond what rows say."""
    degrees: float = 0.0
    """Of Student's t of that noise; 0: normal."""
    correlation: float = 0.0
    """Of what wanders from one hour to the next."""
    wander: float = 0.0
    """Standard deviation of that (relative)."""
    daily: float = 0.0
    weekend: float = 0.0
    bursts: float = 0.0
    """Standard deviation of the logarithm of the rows."""
    budget: AlertBudget | None = None
    """``None``: that of the rule, 1 in 90 days."""


FAMILIES: Mapping[str, Family] = {
    "correlated shares": Family(Metric.SHARE, (50, 2000), correlation=0.6, wander=0.008),
    "daily and weekly pattern": Family(Metric.SHARE, (50, 2000), daily=0.02, weekend=0.015, bursts=0.5),
    "few rows": Family(Metric.SHARE, (15, 60)),
    "means with heavy tails": Family(Metric.MEAN, noise=0.06, degrees=4.0, daily=0.02),
    "counts": Family(Metric.SUM, (200, 3000), correlation=0.5, wander=0.01, daily=0.3, weekend=0.1),
    "windows decide": Family(
        Metric.POINTS, noise=0.05, correlation=0.5, wander=0.01, budget=AlertBudget(1.0, 30 * DAY)
    ),
}
"""What the figures are of."""
DEVELOPMENT: Mapping[str, Family] = {
    "shares": Family(Metric.SHARE, (30, 300), correlation=0.8, wander=0.005),
    "means": Family(Metric.MEAN, noise=0.05, degrees=5.0),
    "counts of few": Family(Metric.SUM, (40, 200)),
    "points": Family(Metric.POINTS, noise=0.03, budget=AlertBudget(1.0, 30 * DAY)),
}
"""What the tests of the suite are of, and what choices were made on."""


@dataclass(frozen=True, slots=True, eq=False)
class TuningWorld:
    """What ``suggest`` takes."""

    model: Model
    history: LoggedHistory
    span: Span
    incidents: tuple[MarkedIncident, ...]
    budget: AlertBudget | None

    @property
    def rule(self) -> Rule:
        return self.model.rules[0]


def draw_world(family: Family, rng: Rng, days: int = 365, every: float = HOUR) -> TuningWorld:
    """``days`` that are judged, after the warm-up."""
    hours = 24 * (WARM_UP + days)
    hour = np.arange(hours)
    level = 1 + family.wander * _wandering(family.correlation, hours, rng)
    level += family.daily * np.sin(2 * np.pi * hour / 24) - family.weekend * (hour // 24 % 7 >= 5)
    incidents = []
    for start, length, size in _draw_incidents(days, rng):
        level[start : start + length] *= 1 - size
        begin = START + HOUR * (start + 1)
        incidents.append(MarkedIncident("churn", begin, begin + HOUR * length, f"{size:.0%}"))
    rows = np.exp(rng.uniform(*np.log(family.rows))) * np.exp(family.bursts * rng.standard_normal(hours))
    counts = rng.poisson(rows)
    values = _observe(family, level, counts, rng)
    times = START + HOUR * (hour + 1)
    logged = [
        {"_timestamp": float(time), "eval/accuracy": float(value), "eval/n": float(count)}
        for time, value, count in zip(times, values, counts, strict=True)
        if count or family.metric is not Metric.SHARE
    ]
    model = Model("churn", (hand_set_rule(family, every),), wandb=WandbSpec("acme", "churn"))
    since = START + WARM_UP * DAY
    span = Span(since, since + days * DAY, every)
    return TuningWorld(model, history_of_rows(model, logged), span, tuple(incidents), family.budget)


def _draw_incidents(days: int, rng: Rng) -> list[tuple[int, int, float]]:
    """First hour, hours and size of 6 to 10 incidents of 3 to 15 % a year."""
    count = max(1, round(rng.integers(6, 11) * days / 365))
    slots = np.sort(rng.choice(days // APART, count, replace=False))
    starts = 24 * (WARM_UP + APART * slots) + rng.integers(0, 24, count)
    return [(int(start), int(rng.integers(24, 97)), float(rng.uniform(0.03, 0.15))) for start in starts]


def _wandering(correlation: float, hours: int, rng: Rng) -> Floats:
    """First-order autoregression with variance 1."""
    steps: Floats = rng.standard_normal(hours) * np.sqrt(1 - correlation**2)
    steps[0] /= np.sqrt(1 - correlation**2)
    for place in range(1, hours):
        steps[place] += correlation * steps[place - 1]
    return steps


def _observe(family: Family, level: Floats, counts: Ints, rng: Rng) -> Floats:
    match family.metric:
        case Metric.SHARE:
            return np.asarray(rng.binomial(counts, np.clip(0.9 * level, 0.0, 1.0)) / np.maximum(counts, 1))
        case Metric.SUM:
            return np.asarray(rng.poisson(np.maximum(level, 0.0) * counts.mean()), np.float64)
        case _:
            return np.asarray(250.0 * (level + family.noise * _noise(family.degrees, len(level), rng)))


def _noise(degrees: float, count: int, rng: Rng) -> Floats:
    """Of variance 1."""
    if not degrees:
        return np.asarray(rng.standard_normal(count))
    return np.asarray(rng.standard_t(degrees, count) / np.sqrt(degrees / (degrees - 2)))


def hand_set_rule(family: Family, every: float = HOUR) -> Rule:
    """README's: drops of 2, 5 and 10 % of a day, compared with 28 days."""
    tiers = tuple(
        Tier(severity, (Limit(LimitKind.DROP, limit),), ("issue",), false_alarms=budget)
        for severity, limit, budget in zip(SEVERITIES, LIMITS, BUDGETS, strict=True)
    )
    rule = Rule(
        name="accuracy",
        kind="accuracy-drop",
        metric=KeyPattern("eval/accuracy"),
        tiers=tiers,
        better=Direction.HIGHER,
        every=every,
        baseline=BaselineSpec(BaselineKind.ROLLING),
    )
    match family.metric:
        case Metric.SHARE:
            return replace(rule, weight="eval/n", interval=Interval.WILSON)
        case Metric.SUM:
            return replace(rule, aggregate=Aggregate.SUM)
        case Metric.MEAN:
            return replace(rule, interval=Interval.NORMAL)
        case _:
            return rule
