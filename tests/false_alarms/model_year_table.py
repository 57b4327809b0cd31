"""The table of model-years: promised against seen false alarms, and how late rules alarm.

The verdict was laid down before anything was drawn, but for charts, whose rates were seen first. A tier's promise is
its budget: so many alarms a year for a whole rule, its segments together. An alarm of a more severe tier counts for the
milder ones, too. A world fails where the 99 % lower bound of the rate that was seen (Poisson, exact: Garwood 1936,
one-sided) is above the promise; a nuisance world, which breaks what the promise assumes, where it is above twice the
promise. Nelson's rules promise nothing, nor does a Shewhart chart of means with heavy tails: their rows are printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import groupby
from zlib import crc32

import numpy as np
from scipy.stats import chi2

from modelwatch.stats.arrays import Floats, Ints

from . import model_years
from .model_years import BUDGETS, SEVERITIES, WARM_UP, WORLDS, YEAR, Change, World
from .tally import DOUBT

YEARS = 1000
"""Model-years, over all worlds."""
PART = 2
"""Years of one task."""
PROMISED = np.array([YEAR * 3600 / budget for budget in BUDGETS])
"""Alarms a year, by tier."""
TRIALS = 40
"""Failing models for each line of the delays."""
DAYS_AFTER = 21
"""Days that are watched after a change."""
VOLUMES = (200, 1000, 5000)
CHANGES = (
    *(Change(size) for size in (0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.20)),
    *(Change(size, over=14 * 24) for size in (0.05, 0.12)),
    *(Change(size, one_segment=True) for size in (0.05, 0.12, 0.20)),
)


@dataclass(frozen=True, slots=True)
class HealthyYears:
    """Some years of one world."""

    world: str
    years: int
    part: int = 0

    def count(self) -> Ints:
        """False alarms by tier."""
        world, rng = WORLDS[self.world], np.random.default_rng(crc32(f"{self.world} {self.part}".encode()))
        hours = self.years * YEAR
        return model_years.false_alarms(model_years.rule_for(world), world, hours, rng)


@dataclass(frozen=True, slots=True)
class FailingModels:
    """Some models of so many predictions an hour that get worse in one way."""

    volume: float
    change: Change
    trials: int

    def measure(self) -> tuple[Floats, Floats]:
        """Median delay of each tier (hours), and mean shares of hours in too mild and in too severe a tier."""
        rng = np.random.default_rng(crc32(f"{self.volume} {self.change}".encode()))
        world, rule = World(self.volume), model_years.readme_rule()
        hours, shares = [], []
        for _ in range(self.trials):
            values, count, begin = model_years.draw_change(world, self.change, rng, DAYS_AFTER)
            reached = model_years.severities(rule, values, count, world.segments)[:, begin - WARM_UP :]
            late, share = model_years.tier_delays(reached, self.change.size)
            hours.append(late)
            shares.append(share)
        return np.median(hours, axis=0), np.mean(shares, axis=0)


def healthy_jobs(years: int) -> Iterator[HealthyYears]:
    """About ``years`` in all, each world as many; half of them where a year takes long."""
    each = max(1, round(years / len(WORLDS)))
    for name, world in WORLDS.items():
        own = max(1, round(each / 2)) if world.segments > 20 or world.label_delay else each
        for part, start in enumerate(range(0, own, PART)):
            yield HealthyYears(name, min(PART, own - start), part)


def lower_bound(alarms: Ints, years: float) -> Floats:
    """99 % lower bound of the alarms a year."""
    return np.where(alarms > 0, chi2.ppf(DOUBT, 2 * np.maximum(alarms, 1)) / 2, 0.0) / years


def upper_bound(alarms: Ints, years: float) -> Floats:
    """99 % upper bound of the alarms a year."""
    return np.asarray(chi2.ppf(1 - DOUBT, 2 * alarms + 2) / 2 / years)


def is_over_promise(world: World, alarms: Ints, years: float) -> bool:
    """Whether some tier alarms more often than it may."""
    if world.is_unpromised:
        return False
    allowed = PROMISED * (2 if world.is_nuisance else 1)
    return bool((lower_bound(alarms, years) > allowed).any())


def _count(job: HealthyYears) -> Ints:
    return job.count()


def _measure(job: FailingModels) -> tuple[Floats, Floats]:
    return job.measure()


def print_model_years(pool: Executor, years: int) -> int:
    """Both tables; how many worlds are over their promise."""
    jobs = list(healthy_jobs(years))
    total = sum(job.years for job in jobs)
    promised = " / ".join(f"{rate:.1f}" for rate in PROMISED)
    print(f"\nREADME's rule for {total} model-years in which nothing got worse: alarms a year by tier, and 99 % bounds")
    print(f"promised: {promised} (warning / error / critical); nuisance worlds (*) may have twice as many, (-) any")
    print(f"{'world':<34}{'years':>6}" + "".join(f"{severity.value:>24}" for severity in SEVERITIES))
    wrong = 0
    together = zip(jobs, pool.map(_count, jobs), strict=True)
    for name, parts in groupby(together, key=lambda pair: pair[0].world):
        results = list(parts)
        alarms = np.sum([found for _, found in results], axis=0)
        over = print_world(name, WORLDS[name], alarms, sum(job.years for job, _ in results))
        wrong += over
    print(f"{wrong} worlds over their promise")
    print_delays(pool, max(1, min(TRIALS, years // 10)))
    return wrong


def print_world(name: str, world: World, alarms: Ints, years: int) -> bool:
    """One line; whether the world is over its promise."""
    over = is_over_promise(world, alarms, years)
    low, high = lower_bound(alarms, years), upper_bound(alarms, years)
    cells = "".join(
        f"{f'{seen / years:.2f} ({least:.2f} to {most:.2f})':>24}"
        for seen, least, most in zip(alarms, low, high, strict=True)
    )
    mark = " *" if world.is_nuisance else " -" if world.is_unpromised else ""
    print(f"{name + mark:<34}{years:>6}{cells}{'  ABOVE' if over else ''}", flush=True)
    return over


def print_delays(pool: Executor, trials: int) -> None:
    """How late each tier is, and how long the wrong tier holds."""
    jobs = [FailingModels(volume, change, trials) for volume in VOLUMES for change in CHANGES]
    print(
        f"\nHours of data until each tier holds: median of {trials} models with five segments, within {DAYS_AFTER} days"
    )
    print(f"{'an hour':>8}  {'change':<24}{'warning':>9}{'error':>9}{'critical':>9}{'too mild':>10}{'too severe':>12}")
    for job, (hours, shares) in zip(jobs, pool.map(_measure, jobs), strict=True):
        late = "".join(f"{hour:>9.0f}" if np.isfinite(hour) else f"{'-':>9}" for hour in hours)
        mild, severe = shares
        print(f"{job.volume:>8}  {job.change!s:<24}{late}{mild:>10.0%}{severe:>12.0%}", flush=True)
