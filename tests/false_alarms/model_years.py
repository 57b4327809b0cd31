"""Years of healthy and of failing models, hour by hour: how often a rule alarms falsely, and how late it alarms."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

import numpy as np
from scipy.stats import norm

from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.control_chart import ChartMethod, ControlChart
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import (
    PROPORTION_INTERVALS,
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
from modelwatch.model.series import Labels, PulledSeries, Series
from modelwatch.model.severity import Severity
from modelwatch.stats.arrays import Floats, Ints
from modelwatch.timeutil import DAY, HOUR

from . import drift_years

START = 19_000 * DAY
WARM_UP = 36 * 24
"""Hours before anything is judged: a rolling baseline of 28 days, the week before the window, and the window."""
YEAR = 365 * 24
LIMITS = (0.02, 0.05, 0.10)
ERROR_LIMITS = (0.2, 0.5, 1.0)
SEVERITIES = (Severity.WARNING, Severity.ERROR, Severity.CRITICAL)
BUDGETS = (90 * DAY, 365 * DAY, 365 * DAY)
"""Of README's rule: an issue, a page, and a page with a rollback that is proposed."""

Rng = np.random.Generator


class Metric(Enum):
    """What is logged every hour."""

    ACCURACY = auto()
    """A share that should be high, with its count."""
    ERRORS = auto()
    """A share that should be low, with its count."""
    NORMAL = auto()
    """A mean that should be low, without a count, as all that follow; its noise is normal."""
    HEAVY = auto()
    """Its noise is Student's t with 5 degrees of freedom: what the promise assumes at most."""
    HEAVIER = auto()
    """With 3 degrees of freedom."""
    SKEWED = auto()
    """Lognormal, with a skewness of 2."""
    EVENTS = auto()
    """A rate: events an hour, by Poisson."""
    SUM = auto()
    """Events an hour that are added up, and should not become fewer."""
    RATIO = auto()
    """A sum and another one that it is divided by: amounts of skewed sizes and their number."""
    LATENCY = auto()
    """Single values of which the 95 % quantile is judged; lognormal."""
    DRIFT = auto()
    """Distributions of features instead of segments, with ``volume`` rows a day each."""
    SCORE = auto()
    """A drift score such as PSI that was logged as a number, without its count: skewed like chi-square."""
    AUC = auto()
    """An area under the ROC curve, with the count of positives; nine times as many are negative."""


@dataclass(frozen=True, slots=True)
class World:
    """A model whose metric does not get worse, and what else happens to it."""

    volume: float = 1000
    """Predictions an hour, over all segments."""
    segments: int = 5
    correlation: float = 0.0
    """Of a segment's level from one point to the next."""
    wander: float = 0.0
    """Standard deviation of that wandering (relative to the level)."""
    daily: float = 0.0
    """Amplitude of a daily pattern (relative)."""
    weekend: float = 0.0
    """How much lower the level is at weekends (relative)."""
    trend: float = 0.0
    """Largest distance from the mean of a slow yearly swing (relative)."""
    holidays: float = 0.0
    """How much lower the level is on ten days of the year (relative)."""
    burst: float = 0.0
    """Standard deviation of the logarithm of the volume."""
    closed: int = 0
    """Hours of every night without predictions."""
    is_nuisance: bool = False
    """Whether it breaks what the promise assumes; then twice the promised rate is allowed."""
    is_unpromised: bool = False
    """Whether nothing is promised: its alarms are printed only."""
    metric: Metric = Metric.ACCURACY
    level: float = 0.9
    """Of a share or a mean; events an hour."""
    spread: float = 0.05
    """Standard deviation of a mean's noise (relative)."""
    step: int = 1
    """Hours between points."""
    label_delay: float = 0.0
    """Mean hours until the label of a prediction is known; the rule is looked at once a day, with what is known."""
    chart: ChartMethod | None = None
    """The control chart of each tier, instead of limits."""
    is_static: bool = False
    """Whether the rule has static limits. The metric lies exactly at the mildest."""

    @property
    def is_share(self) -> bool:
        return self.metric in (Metric.ACCURACY, Metric.ERRORS)


def _mean(metric: Metric, **more: float) -> World:
    """A mean of 250, such as a latency."""
    return replace(World(metric=metric, level=250.0), **more)  # type: ignore[arg-type]


def _correlated_mean() -> World:
    """A mean of which each point has most in common with the one before: nearly first-order autoregressive."""
    return _mean(Metric.NORMAL, correlation=0.8, wander=0.05, spread=0.001)


def _sum(level: float, **more: float) -> World:
    return replace(World(metric=Metric.SUM, level=level), **more)  # type: ignore[arg-type]


def _latency(**more: float) -> World:
    return replace(World(metric=Metric.LATENCY, level=100.0, spread=0.3, segments=0), **more)  # type: ignore[arg-type]


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
    "labels three days late": World(label_delay=72),
    "daily points": World(step=24),
    "accuracy 0.995": World(level=0.995),
    "accuracy 0.02": World(level=0.02),
    "error rate 0.01": World(metric=Metric.ERRORS, level=0.01),
    "error rate 0.0005": World(metric=Metric.ERRORS, level=0.0005),
    "mean, normal noise": _mean(Metric.NORMAL),
    "mean, heavy tails": _mean(Metric.HEAVY),
    "sum, 2 events an hour": _sum(2),
    "sum, 2000 events an hour": _sum(2000, daily=0.4, weekend=0.2),
    "sum, correlated 0.8": _sum(2000, correlation=0.8, wander=0.05),
    "ratio": World(metric=Metric.RATIO, level=30.0),
    "ratio, 5 an hour": World(5, 0, metric=Metric.RATIO, level=30.0),
    "ratio, daily pattern": World(metric=Metric.RATIO, level=30.0, daily=0.05),
    "quantile": _latency(),
    "quantile, daily pattern": _latency(daily=0.1),
    "quantile, correlated 0.8": _latency(correlation=0.8, wander=0.1),
    "AUC, 20 positives an hour": World(20, 0, metric=Metric.AUC, level=0.85),
    "AUC, 3 positives an hour": World(3, 0, metric=Metric.AUC, level=0.85),
    "static, at the limit": World(is_static=True),
    "static, at the limit, 20 an hour": World(20, is_static=True),
    "static, daily pattern": World(daily=0.01, is_static=True),
    "static, mean": replace(_mean(Metric.NORMAL), is_static=True),
    "static, ratio": World(metric=Metric.RATIO, level=30.0, is_static=True),
    "static, quantile": replace(_latency(), is_static=True),
    "static, drift score": World(metric=Metric.SCORE, level=0.2, is_static=True, is_nuisance=True),
    **{
        f"{chart} chart{name}": replace(world, chart=chart)
        for chart in (ChartMethod.SHEWHART, ChartMethod.EWMA, ChartMethod.CUSUM)
        for name, world in (
            ("", World()),
            (", correlated 0.3", World(correlation=0.3, wander=0.005)),
            (", correlated 0.8", World(correlation=0.8, wander=0.005)),
            (", correlated mean", _correlated_mean()),
        )
    },
    "shewhart chart, accuracy 0.995": World(level=0.995, chart=ChartMethod.SHEWHART),
    "cusum chart, heavy tails": replace(_mean(Metric.HEAVY), chart=ChartMethod.CUSUM, is_nuisance=True),
    "shewhart chart, heavy tails": replace(_mean(Metric.HEAVY), chart=ChartMethod.SHEWHART, is_unpromised=True),
    "nelson chart, whole": World(segments=0, chart=ChartMethod.NELSON, is_unpromised=True),
    "drift, 20 features": World(1000, 20, metric=Metric.DRIFT),
    "drift, wandering features": World(1000, 20, metric=Metric.DRIFT, wander=0.05),
    "holidays": World(holidays=0.02, is_nuisance=True),
    **{
        f"everything, {volume:g} an hour": World(
            volume, 5, 0.8, 0.005, 0.006, 0.008, 0.003, 0.01, 0.5, is_nuisance=True
        )
        for volume in (200, 1000, 5000)
    },
    "mean, heavier tails": replace(_mean(Metric.HEAVIER), is_nuisance=True),
    "mean, skewed noise": replace(_mean(Metric.SKEWED), is_nuisance=True),
    "mean, correlated 0.8": replace(_mean(Metric.NORMAL), correlation=0.8, wander=0.02, is_nuisance=True),
    "20 events an hour": World(metric=Metric.EVENTS, level=20.0, is_nuisance=True),
}


def draw(world: World, hours: int, rng: Rng) -> tuple[Floats, Ints]:
    """Level of the metric and number of predictions, (points, segments); one column where there are no segments."""
    columns = max(world.segments, 1)
    hour = np.arange(0, hours, world.step)
    factor = np.ones((len(hour), columns))
    if world.wander:
        factor += world.wander * wandering(world.correlation, factor.shape, rng)
    if world.step < 24:
        factor += (world.daily * np.sin(2 * np.pi * hour / 24))[:, None]
    factor -= np.where(hour // 24 % 7 >= 5, world.weekend, 0.0)[:, None]
    factor += (world.trend * np.sin(2 * np.pi * (hour / YEAR + rng.random())))[:, None]
    if world.holidays:
        days = rng.choice(hours // 24, max(1, round(10 * hours / YEAR)), replace=False)
        factor -= np.where(np.isin(hour // 24, days), world.holidays, 0.0)[:, None]
    volume = np.full(factor.shape, world.step * world.volume / columns)
    if world.burst:
        volume *= np.exp(world.burst * rng.standard_normal((len(hour), 1)) - world.burst**2 / 2)
    volume[hour % 24 < world.closed] = 0.0
    return world.level * factor, rng.poisson(volume)


def wandering(correlation: float, shape: tuple[int, int], rng: Rng) -> Floats:
    """First-order autoregression with variance 1."""
    steps: Floats = rng.standard_normal(shape) * np.sqrt(1 - correlation**2)
    steps[0] /= np.sqrt(1 - correlation**2)
    for row in range(1, shape[0]):
        steps[row] += correlation * steps[row - 1]
    return steps


def observe(world: World, level: Floats, count: Ints, rng: Rng) -> Floats:
    """What is logged, (points, segments); NaN where nothing was predicted."""
    if world.is_share:
        with np.errstate(invalid="ignore"):
            return np.asarray(rng.binomial(count, np.clip(level, 0.0, 1.0)) / count)
    if world.metric is Metric.EVENTS:
        return rng.poisson(level).astype(np.float64)
    if world.metric is Metric.SUM:
        share = rng.gamma(world.spread**-2, world.spread**2, level.shape)
        events: Floats = rng.poisson(level / level.shape[1] * share).astype(np.float64)
        return events
    if world.metric is Metric.RATIO:
        return np.asarray(level * rng.gamma(count / AMOUNT_SPREAD, AMOUNT_SPREAD))
    if world.metric is Metric.LATENCY:
        return np.asarray(level * np.exp(world.spread * rng.standard_normal(level.shape)))
    if world.metric is Metric.AUC:
        return _areas(level, count, rng)
    if world.metric is Metric.SCORE:
        return np.asarray(level * rng.chisquare(SCORE_DEGREES, level.shape) / SCORE_DEGREES)
    return level + world.spread * world.level * _noise(world.metric, level.shape, rng)


SCORE_DEGREES = 9
"""Of a PSI in ten bins."""
AMOUNT_SPREAD = 1.7
"""Variance of an amount, relative to the square of its mean."""


def _areas(level: Floats, count: Ints, rng: Rng) -> Floats:
    """Areas under the curve of normal scores, of so many positives; NaN where there is none."""
    apart = np.sqrt(2) * norm.ppf(level)
    areas = np.full(level.shape, np.nan)
    for place in np.argwhere(count > 0):
        n = count[*place]
        positive = rng.normal(apart[*place], 1.0, n)
        areas[*place] = np.searchsorted(np.sort(positive), rng.standard_normal(9 * n)).mean() / n
    return np.asarray(1 - areas)


def _noise(metric: Metric, shape: tuple[int, ...], rng: Rng) -> Floats:
    """Noise of variance 1."""
    if metric in (Metric.HEAVY, Metric.HEAVIER):
        degrees = 5.0 if metric is Metric.HEAVY else 3.0
        return np.asarray(rng.standard_t(degrees, shape) / np.sqrt(degrees / (degrees - 2)))
    if metric is Metric.SKEWED:
        sigma = 0.55
        raw = np.exp(sigma * rng.standard_normal(shape))
        middle = np.exp(sigma**2 / 2)
        return np.asarray((raw - middle) / (middle * np.sqrt(np.expm1(sigma**2))))
    return rng.standard_normal(shape)


def readme_rule(budgets: tuple[float | None, ...] = BUDGETS, **more: object) -> Rule:
    """README's rule about accuracy; without budgets as 0.1 decided it."""
    return replace(_rule(LimitKind.DROP, LIMITS, Direction.HIGHER, budgets), **more)  # type: ignore[arg-type]


RULES: Mapping[Metric, tuple[LimitKind, tuple[float, ...], Aggregate, Interval]] = {
    Metric.ACCURACY: (LimitKind.DROP, LIMITS, Aggregate.MEAN, Interval.WILSON),
    Metric.ERRORS: (LimitKind.RISE, ERROR_LIMITS, Aggregate.MEAN, Interval.WILSON),
    **dict.fromkeys(
        (Metric.NORMAL, Metric.HEAVY, Metric.HEAVIER, Metric.SKEWED, Metric.SCORE),
        (LimitKind.RISE, LIMITS, Aggregate.MEAN, Interval.NORMAL),
    ),
    Metric.EVENTS: (LimitKind.RISE, ERROR_LIMITS, Aggregate.MEAN, Interval.NORMAL),
    Metric.SUM: (LimitKind.DROP, (0.2, 0.4, 0.6), Aggregate.SUM, Interval.NONE),
    Metric.RATIO: (LimitKind.RISE, ERROR_LIMITS, Aggregate.RATIO, Interval.NONE),
    Metric.LATENCY: (LimitKind.RISE, ERROR_LIMITS, Aggregate.P95, Interval.NONE),
    Metric.AUC: (LimitKind.DROP, LIMITS, Aggregate.MEAN, Interval.AUC),
}
"""How each metric is judged: limits, aggregate and interval."""


def rule_for(world: World) -> Rule:
    """The rule that judges a world's metric."""
    if world.metric is Metric.DRIFT:
        return drift_years.drift_rule()
    form, limits, aggregate, interval = RULES[world.metric]
    is_high_better = form is LimitKind.DROP
    if world.is_static:
        at = world.level * (np.exp(norm.ppf(0.95) * world.spread) if aggregate is Aggregate.P95 else 1.0)
        limits = tuple(at * (1 - limit if is_high_better else 1 + limit) for limit in (0.0, *limits[1:]))
        form = LimitKind.BELOW if is_high_better else LimitKind.ABOVE
    rule = _rule(form, limits, Direction.HIGHER if is_high_better else Direction.LOWER, BUDGETS)
    if world.chart is not None:
        chart = ControlChart(world.chart)
        rule = replace(rule, tiers=tuple(replace(tier, limits=(), chart=chart) for tier in rule.tiers))
    return replace(
        rule,
        aggregate=aggregate,
        interval=interval,
        weight="eval/n" if interval in PROPORTION_INTERVALS else None,
        denominator=KeyPattern(DENOMINATOR) if aggregate is Aggregate.RATIO else None,
        baseline=BaselineSpec() if world.is_static else rule.baseline,
    )


DENOMINATOR = "eval/requests"


def _rule(form: LimitKind, limits: tuple[float, ...], better: Direction, budgets: tuple[float | None, ...]) -> Rule:
    tiers = tuple(
        Tier(severity, (Limit(form, limit),), ("issue",), false_alarms=budget)
        for severity, limit, budget in zip(SEVERITIES, limits, budgets, strict=True)
    )
    return Rule(
        name="accuracy",
        kind="accuracy-drop",
        metric=KeyPattern("eval/accuracy"),
        tiers=tiers,
        better=better,
        weight="eval/n",
        interval=Interval.WILSON,
        for_=2,
        baseline=BaselineSpec(BaselineKind.ROLLING),
        segments=(KeyPattern("eval/region=*/accuracy"),),
    )


def whole(values: Floats, count: Ints, *, is_sum: bool = False) -> tuple[Floats, Floats]:
    """Value and count of all segments together at each point."""
    total = count.sum(axis=1)
    if is_sum:
        return np.nansum(values, axis=1), total.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.nansum(values * count, axis=1) / total, total.astype(np.float64)


def severities(rule: Rule, values: Floats, count: Ints, segments: int, step: int = 1, days: int = 0) -> Ints:
    """The severity that each series reaches at each hour after the warm-up (of the last ``days``, where they are
    given), (series, hours); -1 for none. ``values`` and ``count``: (points, columns), a point every ``step`` hours."""
    times = START + HOUR * step * np.arange(1, len(count) + 1)
    is_sum = rule.aggregate in (Aggregate.SUM, Aggregate.RATIO)
    columns: list[tuple[Labels, Floats, Floats]] = [((), *whole(values, count, is_sum=is_sum))]
    columns += [((("region", f"r{at}"),), values[:, at], count[:, at].astype(np.float64)) for at in range(segments)]
    pulled = []
    for labels, value, trials in columns:
        known = (trials > 0) & np.isfinite(value)
        weights = array("d", trials[known]) if rule.weight else None
        pulled.append(Series("eval/accuracy", labels, array("d", times[known]), array("d", value[known]), weights))
        if rule.denominator is not None:
            pulled.append(Series(DENOMINATOR, labels, array("d", times), array("d", trials), None))
    history = days * DAY if days else float(times[-1] - START - WARM_UP * HOUR)
    model = Model(name="churn", rules=(rule,), history=history)
    findings = evaluate_model(model, PulledSeries("churn", tuple(pulled)), float(times[-1]) + 1)
    return np.array([np.frombuffer(track.severity, np.int8) for track in findings.tracks]).astype(np.int64)


def false_alarms(rule: Rule, world: World, hours: int, rng: Rng) -> Ints:
    """How often each tier began to hold, on any series, in so many hours in which nothing got worse."""
    if world.metric is Metric.DRIFT:
        return _false_drift(world, hours // 24, rng)
    level, count = draw(world, WARM_UP + hours, rng)
    if world.label_delay:
        reached = daily_looks(rule, world, np.clip(level, 0.0, 1.0), count, rng)
    else:
        values = observe(world, level, count, rng)
        reached = severities(rule, values, count, world.segments, world.step)
    return count_beginnings(reached)


def _false_drift(world: World, days: int, rng: Rng) -> Ints:
    size = round(world.volume)
    features = [
        drift_years.numbers(f"f{place}", days, size, rng, wander=world.wander) for place in range(world.segments)
    ]
    reached = drift_years.severities(drift_years.drift_rule(), features, days)
    return count_beginnings(np.array(list(reached.values())))


def count_beginnings(reached: Ints) -> Ints:
    """How often each tier, or a more severe one, began to hold on any series."""
    before = np.concatenate([np.full((len(reached), 1), -1), reached[:, :-1]], axis=1)
    return np.array([((reached >= s.code) & (before < s.code)).sum() for s in SEVERITIES])


LOOK_BACK = 14
"""Days that are judged again at each look, where labels are late."""


def daily_looks(rule: Rule, world: World, accuracy: Floats, count: Ints, rng: Rng) -> Ints:
    """The severity that each series reaches in the last 24 h of each look, by the labels known then, (series, looks).

    A label is as likely to come late where the prediction was right as where it was wrong.
    """
    right = rng.binomial(count, accuracy)
    waiting = np.stack([right, count - right])
    known = np.zeros_like(waiting)
    per_hour = 1 - np.exp(-1 / world.label_delay)
    looks = []
    for end in range(24, len(count) + 1, 24):
        ages = np.minimum(end - np.arange(end), 24)  # hours in which a label could come since the look before
        share = np.broadcast_to((1 - (1 - per_hour) ** ages)[None, :, None], waiting[:, :end].shape)
        came = rng.binomial(waiting[:, :end], share)
        waiting[:, :end] -= came
        known[:, :end] += came
        begin = end - WARM_UP - 24 * LOOK_BACK
        if begin >= 0:
            hits, trials = known[0, begin:end], known[:, begin:end].sum(axis=0)
            with np.errstate(invalid="ignore"):
                reached = severities(rule, hits / trials, trials, world.segments, days=LOOK_BACK)
            looks.append(reached[:, -24:].max(axis=1))
    return np.array(looks).T


@dataclass(frozen=True, slots=True)
class Change:
    """A metric that gets worse."""

    size: float
    """Share of the level that is lost (gained, where low is better)."""
    over: int = 0
    """Hours within which it comes, evenly; 0: at once."""
    one_segment: bool = False
    """In the first segment alone."""

    def __str__(self) -> str:
        how = f"over {self.over // 24} days" if self.over else "sudden"
        return f"{self.size:.0%} {how}{', one segment' if self.one_segment else ''}"


def draw_change(world: World, change: Change, rng: Rng, days: int) -> tuple[Floats, Ints, int]:
    """Values and counts of a model that gets worse, and the hour in which that begins: after the warm-up."""
    begin = WARM_UP + int(rng.integers(0, 24))
    level, count = draw(world, begin + 24 * days, rng)
    after = np.maximum(np.arange(len(level)) - begin + 1, 0)
    lost = change.size * (np.minimum(after / change.over, 1.0) if change.over else (after > 0))
    columns = np.arange(level.shape[1]) < (1 if change.one_segment else level.shape[1])
    return observe(world, level * (1 - lost[:, None] * columns), count, rng), count, begin


def tier_delays(reached: Ints, size: float) -> tuple[Floats, Floats]:
    """Hours until each tier holds, infinite where it does not; and the shares of these hours in a milder and in a more
    severe tier than the change deserves. ``reached``: (series, hours since the change)."""
    worst = reached.max(axis=0)
    first = [np.flatnonzero(worst >= severity.code) for severity in SEVERITIES]
    fair = max((s.code for s, limit in zip(SEVERITIES, LIMITS, strict=True) if size >= limit - 1e-9), default=-1)
    shares = np.array([(worst < fair).mean(), (worst > fair).mean()])
    return np.array([float(rows[0]) + 1 if len(rows) else np.inf for rows in first]), shares


def delays(rule: Rule, world: World, size: float, rng: Rng) -> tuple[Floats, Floats]:
    """``tier_delays`` of one model that loses ``size`` at once, watched for 14 days."""
    values, count, begin = draw_change(world, Change(size), rng, 14)
    return tier_delays(severities(rule, values, count, world.segments)[:, begin - WARM_UP :], size)
