"""Hours of the day in which a metric is worse every day: a daily pattern that has moved, and no incident.

What fired is left out of the noise, so that an incident does not become the norm; without more a nightly dip that
comes an hour later than before would never be learned. An incident lasts, or comes at any hour; a pattern comes in the
same hours of three days, is over each time, and leaves whole days as they were. From then on these hours are expected
to be as they were lately, until the noise, in which they count again, has learned them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..stats.arrays import Bools, Floats, Ints
from ..stats.intervals import z_value
from ..stats.noise import WEEKS
from ..timeutil import HOUR
from .hypotheses import MAX_MARGIN, Criterion, distance_to_limit
from .local_time import local_times
from .samples import HourEffects, Samples

DAYS, OF_DAYS = 3, 4
"""On so many of the days before an hour was worse, and part of what fired."""
MIN_DISTANCE = 2.0
"""How much worse it was on each of them, in standard deviations."""
MAX_REST = 2.0
"""The most by which the other hours of these days may be worse together: else something lasts."""
MAX_SHARE = 0.5
"""Of the hours that have points on these days; more are no dip."""
MEMORY = 7
"""Days that say what is expected of such an hour."""
LASTS = 7 * (WEEKS + 1)
"""Days after which the noise knows nothing else."""
ONE_SIDED = z_value(0.9)


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """The hours of each day, (days, 24)."""

    place: Ints
    """Day and hour of each point, in one number."""
    weight: Floats
    effect: Floats
    """What was seen beyond the level, 0 where there is no point."""
    expected: Floats
    """The same as it was expected."""
    limit: Floats
    """How much worse than expected reaches the mildest tier; 0 where that is unknown."""
    variance: Floats
    """Of what was seen."""
    has_fired: Bools

    def worse(self, sign: float) -> Bools:
        far = sign * (self.effect - self.expected) >= MIN_DISTANCE * np.sqrt(self.variance)
        return far & self.has_fired & (self.weight > 0)


def learn_recurring_hours(
    samples: Samples, fired: Bools, tests: Sequence[Criterion], timezone: str
) -> HourEffects | None:
    """What is expected in recurring hours, at each point, from the days before; ``None``: there are none.

    ``samples``: of one series; ``fired``: at which points something held; ``tests``: limits that compare with the
    baseline.
    """
    count = len(samples.times)
    lowest, highest, doubt = np.full(count, np.nan), np.full(count, np.nan), np.zeros(count)
    for sign in sorted({test.sign for test in tests}):
        limits = [distance_to_limit(test.limit, samples) for test in tests if test.sign == sign]
        cells = _cells(samples, fired, np.fmin.reduce(limits), timezone)
        found = _recurring(cells, sign)
        if found is not None:
            bound = highest if sign > 0 else lowest
            bound[:] = found[0].ravel()[cells.place]
            np.maximum(doubt, np.nan_to_num(found[1].ravel()[cells.place]), out=doubt)
    if np.isnan(lowest).all() and np.isnan(highest).all():
        return None
    return HourEffects(lowest, highest, doubt)


def _recurring(cells: _Cells, sign: float) -> tuple[Floats, Floats] | None:
    """Expected effect of each cell of a recurring hour and its doubt, both NaN elsewhere."""
    worse = cells.worse(sign)
    if not (worse.sum(axis=0) >= DAYS).any():
        return None
    effect, doubt = (np.full(worse.shape, np.nan) for _ in range(2))
    since, until = np.zeros(24, np.int64), np.zeros(24, np.int64)
    for day in range(DAYS, len(worse)):
        recent = slice(max(day - OF_DAYS, 0), day)
        hours = worse[recent].sum(axis=0) >= DAYS
        if hours.any() and _recovers(cells, recent, worse[recent], hours, sign):
            first = recent.start + worse[recent].argmax(axis=0)
            since = np.where(hours & (until <= day), first, since)
            until = np.where(hours, day + LASTS, until)
        hours = until > day
        if hours.any():
            lately = slice(max(day - MEMORY, 0), day)
            weight = cells.weight[lately] * (np.arange(lately.start, day)[:, None] >= since)
            total = weight.sum(axis=0)
            hours &= total > 0
            total = np.where(hours, total, 1.0)
            effect[day, hours] = ((weight * cells.effect[lately]).sum(axis=0) / total)[hours]
            spread = np.sqrt((weight**2 * cells.variance[lately]).sum(axis=0)) / total
            doubt[day, hours] = ONE_SIDED * spread[hours]
    return effect, doubt


def _recovers(cells: _Cells, recent: slice, worse: Bools, hours: Bools, sign: float) -> bool:
    """Whether the other hours of the days on which these were worse were as usual, and all hours together, too: few
    points in the other hours show nothing, and a failure of every night is no pattern that moved."""
    if hours.sum() > MAX_SHARE * cells.weight[recent].any(axis=0).sum():
        return False
    bad_days = np.asarray(worse[:, hours].any(axis=1))
    whole = cells.weight[recent] * bad_days[:, None]
    weight = whole * ~hours
    if not weight.any():
        return False
    beyond = sign * (cells.effect[recent] - cells.expected[recent])
    if (whole * beyond).sum() >= MAX_MARGIN * (whole * cells.limit[recent]).sum():
        return False
    return bool((weight * beyond).sum() < MAX_REST * np.sqrt((weight**2 * cells.variance[recent]).sum()))


def _cells(samples: Samples, fired: Bools, limit: Floats, timezone: str) -> _Cells:
    hour = (local_times(samples.times, timezone) // HOUR).astype(np.int64)
    first = int(hour.min()) // 24
    place = hour - 24 * first
    days = int(place.max()) // 24 + 1
    seen = samples.values - samples.expected + samples.effect
    known = np.isfinite(seen) & np.isfinite(samples.spread)
    exposure = np.where(known, samples.exposure, 0.0)

    def sums(column: Floats) -> Floats:
        return np.bincount(place, np.where(known, column, 0.0), 24 * days).reshape(days, 24).astype(np.float64)

    weight = sums(exposure)
    safe = np.where(weight > 0, weight, 1.0)
    return _Cells(
        place,
        weight,
        sums(exposure * seen) / safe,
        sums(exposure * samples.effect) / safe,
        sums(exposure * np.nan_to_num(limit)) / safe,
        sums((exposure * samples.spread) ** 2) / safe**2,
        sums(fired.astype(np.float64)) > 0,
    )
