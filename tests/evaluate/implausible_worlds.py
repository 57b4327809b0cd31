"""Worlds in which nothing is wrong however still a metric rests, and worlds in which it is implausible: hourly values
of a year, with the counts that they come from.

``python -m tests.evaluate.implausible_worlds`` counts alarms over many years and measures delays. Each day is judged on
the month before it, as an evaluation would.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from modelwatch.evaluate.implausible_values import implausible_points
from modelwatch.evaluate.points import Points
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import Direction, Rule
from modelwatch.stats.arrays import Floats

HOURS, MONTH, DAY = 365 * 24, 30 * 24, 24
ONSET = 40 * DAY
Columns = tuple[Floats, Floats | None]
Draw = Callable[[np.random.Generator], Columns]


@dataclass(frozen=True, slots=True)
class World:
    """``every``: hours from point to point; ``kind`` and ``better`` are the rule's."""

    draw: Draw
    better: Direction | None = Direction.HIGHER
    kind: str = "accuracy-drop"
    every: int = 1


def rates(rate: float, rows: float, *, night: float = 1.0) -> Draw:
    """Of ``rows`` decisions an hour; at night of so many times as many."""

    def draw(rng: np.random.Generator) -> Columns:
        hours = np.arange(HOURS) % 24
        size = rng.poisson(np.where((hours >= 22) | (hours < 7), rows * night, rows))
        good = rng.binomial(size, rate)
        return np.where(size > 0, good / np.maximum(size, 1), np.nan), size.astype(float)

    return draw


def rounded(digits: int, spread: float, memory: float) -> Draw:
    """A rate that wanders, rounded before it is logged."""

    def draw(rng: np.random.Generator) -> Columns:
        return np.round(0.92 + spread * _wander(rng, memory), digits), None

    return draw


def _wander(rng: np.random.Generator, memory: float) -> Floats:
    """Autoregressive, with variance 1."""
    from scipy.signal import lfilter

    noise = rng.normal(size=HOURS) * np.sqrt(1 - memory**2)
    return np.asarray(lfilter([1.0], [1.0, -memory], noise))


def counts(mean: float) -> Draw:
    return lambda rng: (rng.poisson(mean, HOURS).astype(float), None)


def held(inner: Draw, length: int, *, weekend: bool = False) -> Draw:
    """Computed every ``length`` hours only, and logged every hour; or not on weekends."""

    def draw(rng: np.random.Generator) -> Columns:
        values, weights = inner(rng)
        hours = np.arange(HOURS)
        source = hours // length * length
        if weekend:
            saturday = hours // 168 * 168 + 5 * 24
            source = np.where(hours >= saturday, saturday - 1, hours)
        return values[source], None if weights is None else weights[source]

    return draw


def switching(stay: float, values: tuple[float, float]) -> Draw:
    """One of two values, which lasts."""

    def draw(rng: np.random.Generator) -> Columns:
        state = np.cumsum(rng.random(HOURS) > stay) % 2
        return np.where(state == 0, *values), None

    return draw


def latency(rng: np.random.Generator) -> Columns:
    cycle = 0.3 * np.sin(np.arange(HOURS) * 2 * np.pi / 24)
    return np.exp(4.8 + cycle + 0.2 * _wander(rng, 0.8)), None


def released(draw: Draw, factor: float) -> Draw:
    """Every quarter a release that leaves so much of what was left to perfect."""

    def improved(rng: np.random.Generator) -> Columns:
        values, weights = draw(rng)
        quarter = np.arange(HOURS) // (90 * DAY)
        return 1 - (1 - values) * factor**quarter, weights

    return improved


def fixed(rng: np.random.Generator) -> Columns:
    """A share of missing values that upstream ends for good."""
    values = rng.binomial(5000, 0.03, HOURS) / 5000
    return np.where(np.arange(HOURS) < ONSET, values, 0.0), np.full(HOURS, 5000.0)


def idle_nights(rng: np.random.Generator) -> Columns:
    """Orders of a shop that is closed at night."""
    hours = np.arange(HOURS) % 24
    return rng.poisson(np.where((hours >= 20) | (hours < 8), 0, 30)).astype(float), None


LOWER = Direction.LOWER
HEALTHY: dict[str, World] = {
    "accuracy of 20,000 rows": World(rates(0.92, 20_000)),
    "of 50 rows": World(rates(0.92, 50)),
    "of 20 rows": World(rates(0.92, 20)),
    "of 5 rows": World(rates(0.92, 5)),
    "of 200 rows, at night 4": World(rates(0.95, 200, night=0.02)),
    "0.999 of 200 rows": World(rates(0.999, 200)),
    "0.9999 of 200 rows": World(rates(0.9999, 200)),
    "always perfect": World(rates(1.0, 200)),
    "once a day": World(rates(0.92, 500), every=24),
    "once a day, of 20 rows": World(rates(0.98, 20), every=24),
    "rounded to 2 digits": World(rounded(2, 0.01, 0.0)),
    "rounded to 2 digits, wanders": World(rounded(2, 0.01, 0.9)),
    "rounded to 2 digits, wanders slowly": World(rounded(2, 0.01, 0.98)),
    "rounded to 3 digits, wanders": World(rounded(3, 0.005, 0.95)),
    "computed once a day": World(held(rates(0.92, 500), 24)),
    "computed every 8 hours": World(held(rates(0.92, 500), 8)),
    "stands still on weekends": World(held(rates(0.92, 500), 1, weekend=True)),
    "errors, 0.1 % of 1,000": World(rates(0.001, 1000), LOWER, "error-rate"),
    "loss share, 0.05 % of 1,000": World(rates(0.0005, 1000), LOWER),
    "two values, hours each": World(switching(0.9, (0.9, 0.95)), None),
    "two values, days each": World(switching(0.99, (0.9, 0.95)), None),
    "few events": World(counts(0.2), None, "business-metric"),
    "2 events an hour": World(counts(2.0), None, "business-metric"),
    "50 events an hour": World(counts(50.0), None, "business-metric"),
    "shop closed at night": World(idle_nights, Direction.HIGHER, "business-metric"),
    "latency": World(latency, LOWER, "latency"),
    "a release halves errors each quarter": World(released(rates(0.92, 2000), 0.5)),
    "missing values end": World(fixed, LOWER, "data-quality"),
}


def from_onset(draw: Draw, value: Callable[[np.random.Generator, Floats], Floats]) -> Draw:
    def broken(rng: np.random.Generator) -> Columns:
        values, weights = draw(rng)
        after = np.arange(HOURS) >= ONSET
        return np.where(after, value(rng, values), values), weights

    return broken


BROKEN: dict[str, World] = {
    "exactly 1 from 0.92": World(from_onset(rates(0.92, 20_000), lambda _, v: np.ones_like(v))),
    "exactly 1 from 0.92, 50 rows": World(from_onset(rates(0.92, 50), lambda _, v: np.ones_like(v))),
    "exactly 1 from 0.98, 50 rows": World(from_onset(rates(0.98, 50), lambda _, v: np.ones_like(v))),
    "repeats its last value": World(from_onset(rates(0.92, 20_000), lambda _, v: np.full_like(v, v[ONSET - 1]))),
    "repeats, rounded to 2 digits": World(from_onset(rounded(2, 0.01, 0.0), lambda _, v: np.full_like(v, 0.92))),
    "repeats, once a day before": World(
        from_onset(held(rates(0.92, 500), 24), lambda _, v: np.full_like(v, v[ONSET - 1]))
    ),
    "0.99 from 0.92, noisy": World(from_onset(rates(0.92, 2000), lambda r, _: r.binomial(2000, 0.99, HOURS) / 2000)),
    "0.985 from 0.92, noisy": World(from_onset(rates(0.92, 500), lambda r, _: r.binomial(500, 0.985, HOURS) / 500)),
    "loss 0 from 0.3": World(
        from_onset(lambda r: (0.3 + 0.01 * r.normal(size=HOURS), None), lambda _, v: np.zeros_like(v)), LOWER
    ),
    "latency a sixth": World(from_onset(latency, lambda _, v: v / 6), LOWER, "latency"),
}


def alarms(world: World, seed: int) -> int:
    """How many alarms began in one year: each day is judged on the month before it, as far as it is known."""
    judge = judge_year(world, seed)
    count, before = 0, False
    for day in range(2, HOURS // DAY + 1):
        implausible = judge(day * DAY, DAY)
        count += implausible and not before
        before = implausible
    return count


def delay(world: World, seed: int, longest: int = 20 * DAY) -> int | None:
    """How many hours after the onset it is found, evaluated hourly; ``None``: not within ``longest``."""
    judge = judge_year(world, seed)
    return next((hours for hours in range(1, longest) if judge(ONSET + hours, 1)), None)


def judge_year(world: World, seed: int) -> Callable[[int, int], bool]:
    """(hour, hours) -> whether a point of the last ``hours`` before ``hour`` is implausible by the month before it."""
    values, weights = world.draw(np.random.default_rng(seed))
    hours = np.arange(0, HOURS, world.every)
    hours = hours[np.isfinite(values[hours])]
    rule = Rule("m", world.kind, KeyPattern("m"), (), better=world.better)

    def judge(until: int, newest: int) -> bool:
        own = hours[(hours < until) & (hours >= until - MONTH)]
        times = own * np.float64(3600)
        points = Points(times, values[own], None if weights is None else weights[own], np.zeros(0))
        causes = implausible_points(rule, points)
        return causes is not None and bool(causes[own >= until - newest].any())

    return judge


def main(years: int) -> None:
    print(f"| where nothing is wrong | alarms in {years} years |\n|---|---|")
    for name, world in HEALTHY.items():
        print(f"| {name} | {sum(alarms(world, seed) for seed in range(years))} |", flush=True)
    print(f"\n| what is wrong | found, of {years} | hours until then, median and most |\n|---|---|---|")
    for name, world in BROKEN.items():
        known = sorted(found for seed in range(years) if (found := delay(world, seed)) is not None)
        print(f"| {name} | {len(known)} | {known[len(known) // 2] if known else '-'}, {max(known, default=0)} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
