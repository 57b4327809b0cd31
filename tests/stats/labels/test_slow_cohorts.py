"""Cohorts that are old enough by the usual delay, while delays grow; and worlds in which nothing is slow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from modelwatch.stats.arrays import Floats, Ints
from modelwatch.stats.labels.delay import Cohort, DelayHistory
from modelwatch.stats.profile.delays import DelayProfile
from modelwatch.timeutil import DAY

CHANGE = 100
"""The day of what changes."""


def lognormal(rng: np.random.Generator, medians: Floats) -> Floats:
    return np.asarray(medians * np.exp(rng.normal(0, 0.5, len(medians))))


@dataclass(frozen=True)
class World:
    """``medians``: by day those of the delays of negatives and positives, in days; ``comes``: by day the share of rows
    that get a label; ``positive``: by day the share of positives; ``spread``: of the daily ``comes``, as a logarithm;
    ``arrival``: when a label comes that was ready at a time (days)."""

    medians: Callable[[int], tuple[float, float]] = lambda _: (2.0, 10.0)
    comes: Callable[[int], float] = lambda _: 0.6
    positive: Callable[[int], float] = lambda _: 0.1
    spread: float = 0.0
    arrival: Callable[[Floats], Floats] = lambda times: times


def labels(world: World, days: int, rows: int, seed: int) -> tuple[DelayHistory, Floats]:
    """The history after so many days, and ``[cohorts, all and positives]`` the share of their labels that came."""
    rng, now, found, shares = np.random.default_rng(seed), days * DAY, [], []
    for day in range(days):
        times = day + rng.random(rows)
        classes: Ints = (rng.random(rows) < world.positive(day)).astype(np.int64)
        come = world.arrival(times + lognormal(rng, np.array(world.medians(day))[classes]))
        comes = rng.random(rows) < world.comes(day) * np.exp(rng.normal(0, world.spread))
        known, delays = comes & (come <= days), (come - times) * DAY
        profile = DelayProfile.of(np.where(known, delays, np.nan), now - times * DAY, classes, ("no", "yes"), known)
        found.append(Cohort(day * DAY, (day + 1) * DAY, profile))
        positives = comes & (classes == 1)
        shares.append((known.sum() / comes.sum(), (known & positives).sum() / max(positives.sum(), 1)))
    return DelayHistory(found), np.array(shares)


def workdays(times: Floats) -> Floats:
    """Labels are entered from Monday to Friday."""
    weekday = np.floor(times) % 7
    return np.where(weekday >= 5, np.floor(times) + 7 - weekday + 0.4, times)


def monthly(times: Floats) -> Floats:
    return (np.floor(times / 30) + 1) * 30


def growing(start: float, *, step: float = 0.0, daily: float = 0.0) -> Callable[[int], float]:
    return lambda day: start + (step + daily * (day - CHANGE) if day >= CHANGE else 0.0)


def both(median: Callable[[int], float]) -> Callable[[int], tuple[float, float]]:
    return lambda day: (median(day), median(day))


SLOWER = {
    "all at once": World(both(growing(14.0, step=31.0))),
    "all at once, every label comes": World(both(growing(14.0, step=31.0)), lambda _: 1.0),
    "somewhat": World(both(growing(5.0, step=3.0))),
    "somewhat, every label comes": World(both(growing(5.0, step=3.0)), lambda _: 1.0),
    "day by day": World(both(growing(5.0, daily=0.3))),
    "day by day, every label comes": World(both(growing(5.0, daily=0.3)), lambda _: 1.0),
    "and back to usual": World(both(lambda day: 14.0 if CHANGE <= day < CHANGE + 15 else 5.0)),
    "labels stop": World(both(lambda _: 5.0), arrival=lambda times: np.where(times < CHANGE + 12, times, np.inf)),
}


@pytest.mark.parametrize("name", SLOWER)
def test_no_cohort_of_longer_delays_is_mature_by_its_age(name: str) -> None:
    """By the usual delay alone, cohorts with a quarter to three quarters of their labels were."""
    for seed, later in enumerate(range(10, 61, 5)):
        history, shares = labels(SLOWER[name], CHANGE + later, 2000, seed)
        found = history.maturity((CHANGE + later) * DAY)
        mature = history.ends <= found.frontier
        assert found.is_known
        assert mature.sum() > CHANGE - 50, "those before the change are"
        assert shares[mature, 0].min() > 0.85, (name, later)


def test_slow_positives_wait_though_they_are_few() -> None:
    world = World(lambda day: (1.0, growing(5.0, daily=0.3)(day)))
    for later in (35, 45, 55):
        history, shares = labels(world, CHANGE + later, 8000, later)
        mature = history.ends <= history.maturity((CHANGE + later) * DAY).frontier
        assert shares[mature, 0].min() > 0.95
        assert shares[mature, 1].min() > 0.8


HEALTHY = {
    "half never come": World(comes=lambda _: 0.5),
    "all come": World(comes=lambda _: 1.0),
    "coverage varies by day": World(spread=0.1),
    "on workdays": World(arrival=workdays),
    "on workdays, half as many of weekends": World(comes=lambda day: 0.4 if day % 7 >= 5 else 0.8, arrival=workdays),
    "once a month": World(arrival=monthly),
    "positives become rare": World(positive=lambda day: 0.1 if day < CHANGE else 0.05),
    "fewer get a label": World(comes=lambda day: 0.9 if day < CHANGE else 0.45),
    "labels come faster": World(lambda day: (2.0, 10.0) if day < CHANGE else (1.0, 5.0)),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_waits_where_delays_are_as_usual(name: str) -> None:
    """Of 30 measurements at most one has its newest mature cohort more than four days behind the usual age."""
    held = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        days = int(rng.integers(CHANGE + 5, CHANGE + 70))
        history, _ = labels(HEALTHY[name], days, int(rng.choice([100, 400, 1500])), seed)
        found = history.maturity(days * DAY)
        assert found.is_known
        wait = (days * DAY - found.frontier - found.age) / DAY
        held += wait > 4.5
    assert held <= 1, name
