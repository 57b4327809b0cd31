"""What static limits and limits of quantiles can see: how far beyond a limit a metric has to be to be found in time.

Neither needs a change of the level: a static limit is compared with the level itself, and a quantile with the share of
points beyond it. The evidence follows the mean path, as in ``sensitivity``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..model.finding import Track
from ..model.rule import Rule, SamplingModel
from ..model.sensitivity import LevelSensitivity, SeriesNoise
from ..model.severity import Severity
from ..stats.arrays import Floats
from ..stats.e_detector import proportion_log_e
from ..timeutil import DAY, WEEK
from .aggregation import QUANTILES
from .hypotheses import QUANTILE_ODDS, Criterion, criteria, distance_to_limit, static_log_e
from .samples import Samples, inside
from .sensitivity import GRID, NODES, WEIGHTS, YEAR, crossing, mean_evidence, newest_week, point_samples, round_digits

_NEAREST = 1e-4
"""The smallest distance from a limit that is tried, as a share of the largest."""
_FARTHEST = 100.0
"""The largest, in scales of a limit, where a metric has no end."""
Rates = Callable[[Floats], Floats]


def summarize_level(samples: Samples) -> SeriesNoise | None:
    """The newest week of a series as one point at its own level, whatever it is compared with; ``None`` where its noise
    is unknown. Of quantiles only the distance of the points and their dispersion count."""
    newest, gap = newest_week(samples.times)
    exposure, values, spread = (column[newest] for column in (samples.exposure, samples.values, samples.spread))
    known = np.isfinite(spread) & (exposure > 0)
    if not known.any() or not np.isfinite(samples.trials[newest]).all():
        return None
    level = round_digits(float(np.average(values[known], weights=exposure[known])))
    return SeriesNoise(
        gap=gap,
        level=level,
        expected=level,
        below=0.0,
        above=0.0,
        spread=round_digits((spread[known] ** -2.0).mean() ** -0.5) if spread[known].min() > 0 else 0.0,
        exposure=round_digits(exposure.mean()),
        trials=round_digits(samples.trials[newest].mean()),
        sigma=None,
        is_proportion=samples.is_proportion,
        is_count=samples.model is SamplingModel.COUNT,
    )


def measure_level_sensitivities(track: Track) -> Iterator[LevelSensitivity]:
    """One for each limit of a series that is static or about a quantile."""
    noise, rule = track.level_noise, track.rule
    if noise is None:
        return
    version = track.version[-1] if track.grid.count else -1
    tiers = rule.tiers_for(track.versions[version] if version >= 0 else "")
    is_quantile = rule.sampling_model is SamplingModel.QUANTILE
    budgets = {tier.severity.code: tier.false_alarms for tier in tiers}
    for test in criteria(rule, tiers, track.budget_share):
        if not (is_quantile or test.is_static):
            continue
        healthy, within_day, within_week = (_see_share if is_quantile else _see_level)(rule, test, noise)
        yield LevelSensitivity(
            rule.name,
            track.labels,
            Severity.from_code(test.severity),
            test.limit,
            false_alarms=YEAR / (budgets[test.severity] or YEAR),
            healthy=healthy,
            within_day=within_day,
            within_week=within_week,
            is_share=is_quantile,
        )


def _see_share(rule: Rule, test: Criterion, noise: SeriesNoise) -> tuple[float, float | None, float | None]:
    """The healthy share of points beyond a quantile, and those that are found within a day and a week."""
    quantile = QUANTILES[rule.aggregate]
    healthy = round_digits(1 - quantile if test.sign > 0 else quantile)
    odds = QUANTILE_ODDS * healthy / (1 - healthy)
    trials = np.array([noise.trials])

    def rates(shares: Floats) -> Floats:
        return proportion_log_e(shares * trials, trials, np.array([healthy]), inside(odds / (1 + odds)))

    shares = healthy + np.geomspace(_NEAREST, 1.0, GRID) * (1 - healthy)
    found = [_smallest(rates, healthy, shares, noise, test, seconds) for seconds in (DAY, WEEK)]
    return healthy, found[0], found[1]


def _see_level(_: Rule, test: Criterion, noise: SeriesNoise) -> tuple[float, float | None, float | None]:
    """The level of the newest week, and those that are found within a day and a week."""
    limit, sign = test.limit.value, test.sign
    nodes, weights = (np.zeros(1), np.ones(1)) if noise.is_proportion or noise.is_count else (NODES, WEIGHTS)

    def rates(levels: Floats) -> Floats:
        values = levels[:, None] + noise.spread * nodes
        log_e = static_log_e(point_samples(noise, values.ravel()), test)
        expected: Floats = log_e.reshape(len(log_e), *values.shape) @ (weights / weights.sum())
        return expected

    largest = _FARTHEST * float(distance_to_limit(test.limit, point_samples(noise, np.zeros(1)))[0])
    if noise.is_proportion:
        largest = limit if sign < 0 else 1 - limit
    elif noise.is_count and sign < 0:
        largest = abs(limit)
    # A metric that is beyond its limit now would be healthy at the limit.
    healthy = limit if sign * (noise.level - limit) > 0 else noise.level
    levels = limit + sign * np.geomspace(_NEAREST, 1.0, GRID) * largest
    found = [_smallest(rates, healthy, levels, noise, test, seconds) for seconds in (DAY, WEEK)]
    return noise.level, found[0], found[1]


def _smallest(
    rates: Rates, healthy: float, steps: Floats, noise: SeriesNoise, test: Criterion, seconds: float
) -> float | None:
    """The first of ``steps`` that is found so soon; ``None``: none is."""
    points = seconds // noise.gap
    if points < 1:
        return None
    both = rates(np.append(steps, healthy))
    found = crossing(steps, mean_evidence(both[:, :-1], both[:, -1:], np.array([points]), noise.gap, test.budget))
    return None if found is None else round_digits(found)
