"""Years of healthy and of failing models, hour by hour: how often a rule alarms falsely, and how late it alarms."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import BaselineKind, BaselineSpec, Direction, Interval, Limit, LimitKind, Rule, Tier
from modelwatch.model.series import PulledSeries, Series
from modelwatch.model.severity import Severity
from modelwatch.stats.arrays import Floats, Ints
from modelwatch.timeutil import DAY, HOUR

START = 19_000 * DAY
WARM_UP = 36 * 24
"""Hours before anything is judged: a rolling baseline of 28 days, the week before the window, and the window."""
YEAR = 365 * 24
LIMITS = (0.02, 0.05, 0.10)
SEVERITIES = (Severity.WARNING, Severity.ERROR, Severity.CRITICAL)
BUDGETS = (90 * DAY, 365 * DAY, 365 * DAY)
"""Of README's rule: an issue, a page, and a page with a rollback that is proposed."""

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class World:
    """A model whose accuracy does not get worse, and what else happens to it."""

    volume: float = 1000
    """Predictions an hour, over all segments."""
    segments: int = 5
    correlation: float = 0.0
    """Of a segment's accuracy from one hour to the next."""
    wander: float = 0.0
    """Standard deviation of that wandering (relative to the accuracy)."""
    daily: float = 0.0
    """Amplitude of a daily pattern (relative)."""
    weekend: float = 0.0
    """How much lower the accuracy is at weekends (relative)."""
    trend: float = 0.0
    """Largest distance from the mean of a slow yearly swing (relative)."""
    holidays: float = 0.0
    """How much lower the accuracy is on ten days of the year (relative)."""
    burst: float = 0.0
    """Standard deviation of the logarithm of the volume."""
    closed: int = 0
    """Hours of every night without predictions."""
    is_nuisance: bool = False
    """Whether it breaks what the promise assumes; then twice the promised rate is allowed."""


WORLDS: Mapping[str, World] = {
    **{f"{volume:g} an hour": World(volume) for volume in (5, 50, 200, 1000, 5000, 50_000)},
    **{f"{segments} segments": World(segments=segments) for segments in (0, 1, 20, 50)},
    "correlated 0.3": World(correlation=0.3, wander=0.005),
    "correlated 0.8": World(correlation=0.8, wander=0.005),
    "correlated 0.8, 5000 an hour": World(5000, correlation=0.8, wander=0.005),
    "daily pattern": World(daily=0.01),
    "weekly pattern": World(weekend=0.01),
    "slow swing": World(trend=0.004),
    "bursts": World(burst=1.0),
    "closed at night": World(closed=10),
    "holidays": World(holidays=0.02, is_nuisance=True),
    **{
        f"everything, {volume:g} an hour": World(
            volume, 5, 0.8, 0.005, 0.006, 0.008, 0.003, 0.01, 0.5, is_nuisance=True
        )
        for volume in (200, 1000, 5000)
    },
}


def draw(world: World, hours: int, rng: Rng, accuracy: float = 0.9) -> tuple[Floats, Ints]:
    """Accuracy and number of predictions, (hours, segments); one column where there are no segments."""
    columns = max(world.segments, 1)
    hour = np.arange(hours)
    factor = np.ones((hours, columns))
    if world.wander:
        factor += world.wander * wandering(world.correlation, (hours, columns), rng)
    factor += (world.daily * np.sin(2 * np.pi * hour / 24))[:, None]
    factor -= np.where(hour // 24 % 7 >= 5, world.weekend, 0.0)[:, None]
    factor += (world.trend * np.sin(2 * np.pi * (hour / YEAR + rng.random())))[:, None]
    if world.holidays:
        days = rng.choice(hours // 24, max(1, round(10 * hours / YEAR)), replace=False)
        factor -= np.where(np.isin(hour // 24, days), world.holidays, 0.0)[:, None]
    volume = np.full((hours, columns), world.volume / columns)
    if world.burst:
        volume *= np.exp(world.burst * rng.standard_normal((hours, 1)) - world.burst**2 / 2)
    volume[hour % 24 < world.closed] = 0.0
    return np.clip(accuracy * factor, 0.0, 1.0), rng.poisson(volume)


def wandering(correlation: float, shape: tuple[int, int], rng: Rng) -> Floats:
    """First-order autoregression with variance 1."""
    steps: Floats = rng.standard_normal(shape) * np.sqrt(1 - correlation**2)
    steps[0] /= np.sqrt(1 - correlation**2)
    for row in range(1, shape[0]):
        steps[row] += correlation * steps[row - 1]
    return steps


def readme_rule(budgets: tuple[float | None, ...] = BUDGETS, **more: object) -> Rule:
    """README's rule about accuracy; without budgets as 0.1 decided it."""
    tiers = tuple(
        Tier(severity, (Limit(LimitKind.DROP, limit),), ("issue",), false_alarms=budget)
        for severity, limit, budget in zip(SEVERITIES, LIMITS, budgets, strict=True)
    )
    rule = Rule(
        name="accuracy",
        kind="accuracy-drop",
        metric=KeyPattern("eval/accuracy"),
        tiers=tiers,
        better=Direction.HIGHER,
        weight="eval/n",
        interval=Interval.WILSON,
        for_=2,
        baseline=BaselineSpec(BaselineKind.ROLLING),
        segments=(KeyPattern("eval/region=*/accuracy"),),
    )
    return replace(rule, **more)  # type: ignore[arg-type]


def severities(rule: Rule, right: Ints, count: Ints, segments: int) -> Ints:
    """The severity that each series reaches at each hour after the warm-up, (series, hours); -1 for none."""
    hours = len(count)
    times = START + HOUR * np.arange(1, hours + 1)
    columns: list[tuple[tuple[tuple[str, str], ...], Ints, Ints]] = [((), right.sum(axis=1), count.sum(axis=1))]
    columns += [((("region", f"r{place}"),), right[:, place], count[:, place]) for place in range(segments)]
    pulled = []
    for labels, hits, trials in columns:
        some = trials > 0
        pulled.append(
            Series(
                "eval/accuracy",
                labels,
                array("d", times[some]),
                array("d", hits[some] / trials[some]),
                array("d", trials[some].astype(float)),
            )
        )
    history = (hours - WARM_UP) * HOUR
    model = Model(name="churn", rules=(rule,), history=history)
    findings = evaluate_model(model, PulledSeries("churn", tuple(pulled)), float(times[-1]) + 1)
    return np.array([np.frombuffer(track.severity, np.int8) for track in findings.tracks]).astype(np.int64)


def false_alarms(rule: Rule, world: World, hours: int, rng: Rng) -> Ints:
    """How often each tier began to hold, on any series, in so many hours in which nothing got worse."""
    accuracy, count = draw(world, WARM_UP + hours, rng)
    reached = severities(rule, rng.binomial(count, accuracy), count, world.segments)
    began = [((reached[:, 1:] >= s.code) & (reached[:, :-1] < s.code)).sum() for s in SEVERITIES]
    return np.array(began)


Damage = Callable[[int], Floats]
"""The share of the accuracy that is lost so many hours after the beginning."""


def delays(rule: Rule, world: World, size: float, rng: Rng, days: int = 14, over: int = 0) -> tuple[Floats, Floats]:
    """Hours until each tier holds after a drop of ``size`` (of all segments, within ``over`` hours), infinite where it
    does not within ``days``; and the share of the first week spent in no tier and in each."""
    begin = WARM_UP + int(rng.integers(0, 24))
    hours = begin + 24 * days
    accuracy, count = draw(world, hours, rng)
    after = np.maximum(np.arange(hours) - begin + 1, 0)
    lost = size * (np.minimum(after / over, 1.0) if over else (after > 0))
    reached = severities(rule, rng.binomial(count, accuracy * (1 - lost)[:, None]), count, world.segments)
    worst = reached.max(axis=0)[begin - WARM_UP :]
    first = [np.flatnonzero(worst >= s.code) for s in SEVERITIES]
    week = worst[: 7 * 24]
    shares = [(week == -1).mean(), *((week == s.code).mean() for s in SEVERITIES)]
    return np.array([float(rows[0]) if len(rows) else np.inf for rows in first]), np.array(shares)
