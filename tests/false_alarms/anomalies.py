"""Worlds for rules with ``anomaly``: healthy metrics of every kind, and what can happen to them.

``python -m tests.false_alarms.anomalies [draws]`` prints, for each kind of metric, the alerts of a healthy month, and
which accidents are found within two days. The rule is the default one, with its budget for warnings (90 days).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import numpy as np

from modelwatch.evaluate.anomaly import HOLD
from modelwatch.stats.anomaly import score_points
from modelwatch.stats.arrays import Floats, Ints
from modelwatch.timeutil import DAY, HOUR

START = 19_000 * DAY
BUDGET = 90 * DAY
DAYS = 120
LEARNED = 28 * 24
"""Hours before anything happens or counts."""

Rng = np.random.Generator
World = Callable[[Rng, int], Floats]
Accident = Callable[[Rng, Floats, int], Floats]


def _hours(count: int) -> Floats:
    return np.arange(count, dtype=np.float64)


def _daily(count: int) -> Floats:
    return np.sin(2 * np.pi * _hours(count) / 24) + 0.4 * np.sin(4 * np.pi * _hours(count) / 24 + 1)


def _wandering(rng: Rng, count: int, correlation: float) -> Floats:
    noise = rng.standard_normal(count)
    for row in range(1, count):
        noise[row] = correlation * noise[row - 1] + np.sqrt(1 - correlation**2) * noise[row]
    return noise


def _weekly(rng: Rng, count: int) -> Floats:
    weekend = np.where(_hours(count) // 24 % 7 >= 5, 0.5, 1.0)
    return 10 + 4 * weekend * (1 + _daily(count)) + 0.5 * rng.standard_normal(count)


def _bursts(rng: Rng, count: int) -> Floats:
    quiet = 5 + 0.3 * rng.standard_normal(count)
    for begin in np.flatnonzero(rng.random(count) < 1 / 60):
        quiet[begin : begin + 3] += rng.gamma(3, 2)
    return quiet


HEALTHY: Mapping[str, World] = {
    "noise": lambda rng, count: 8 + rng.standard_normal(count),
    "correlated 0.8": lambda rng, count: 8 + _wandering(rng, count, 0.8),
    "correlated 0.97": lambda rng, count: 8 + _wandering(rng, count, 0.97),
    "daily": lambda rng, count: 10 + 3 * _daily(count) + 0.5 * rng.standard_normal(count),
    "daily and weekly": _weekly,
    "trend": lambda rng, count: 8 + 0.004 * _hours(count) + rng.standard_normal(count),
    "heavy tails": lambda rng, count: 8 + rng.standard_t(3, count),
    "latency": lambda rng, count: np.exp(0.5 * rng.standard_normal(count)) * (100 + 20 * _daily(count)),
    "counts": lambda rng, count: rng.poisson(3 + 2 * (1 + _daily(count)).clip(0)).astype(float),
    "many zeros": lambda rng, count: rng.poisson(0.05, count).astype(float),
    "a daily job": lambda rng, count: (
        5 + 0.3 * rng.standard_normal(count) + np.where(_hours(count) % 24 == 3, 6 + rng.standard_normal(count), 0.0)
    ),
    "bursts": _bursts,
}


def _spread(values: Floats) -> float:
    return float(np.std(values)) or 1.0


def _spike(rng: Rng, values: Floats, at: int) -> Floats:
    return np.where(np.arange(len(values)) == at, values + 8 * _spread(values), values)


def _shift(rng: Rng, values: Floats, at: int) -> Floats:
    return np.where(np.arange(len(values)) >= at, values + 3 * _spread(values), values)


def _ramp(rng: Rng, values: Floats, at: int) -> Floats:
    share = np.clip((np.arange(len(values)) - at) / 48, 0, 1)
    return values + 5 * _spread(values) * share


def _restless(rng: Rng, values: Floats, at: int) -> Floats:
    rows = np.arange(len(values))
    noise = 4 * _spread(values) * rng.standard_normal(len(values))
    return np.where((rows >= at) & (rows < at + 12), values + noise, values)


def _no_pattern(rng: Rng, values: Floats, at: int) -> Floats:
    rows = np.arange(len(values))
    shuffled = rng.permutation(values[at - 240 : at])
    inside = (rows >= at) & (rows < at + 36)
    return np.where(inside, shuffled[rows % 240], values)


def _flat(rng: Rng, values: Floats, at: int) -> Floats:
    rows = np.arange(len(values))
    return np.where((rows >= at) & (rows < at + 24), values[at], values)


def _outage(rng: Rng, values: Floats, at: int) -> Floats:
    rows = np.arange(len(values))
    return np.where((rows >= at) & (rows < at + 6), 0.0, values)


def _doubled(rng: Rng, values: Floats, at: int) -> Floats:
    rows = np.arange(len(values))
    return np.where((rows >= at) & (rows < at + 24), 2 * values, values)


ACCIDENTS: Mapping[str, Accident] = {
    "spike": _spike,
    "shift": _shift,
    "ramp": _ramp,
    "restless": _restless,
    "no pattern": _no_pattern,
    "flat": _flat,
    "outage": _outage,
    "doubled": _doubled,
}


def alert_hours(values: Floats, budget: float = BUDGET) -> Ints:
    """Hours at which an alert begins, after ``LEARNED``: half a day without a point that reaches the budget ends it."""
    wait = score_points(START + HOUR * _hours(len(values)), values).wait
    reached = np.flatnonzero(np.nan_to_num(wait) >= budget)
    reached = reached[reached >= LEARNED]
    begins: Ints = reached[np.diff(reached, prepend=-LEARNED) * HOUR > HOLD]
    return begins


def false_alarms(world: World, rng: Rng, days: int = DAYS) -> float:
    """Alerts a month of a healthy metric, after it was learned."""
    values = world(rng, LEARNED + 24 * days)
    return len(alert_hours(values)) / days * 30


def is_found(world: World, accident: Accident, rng: Rng) -> bool:
    """Whether an alert begins within two days after the accident begins."""
    at = LEARNED + int(rng.integers(24, 24 * 21))
    values = accident(rng, world(rng, at + 48), at)
    return bool((alert_hours(values) >= at).any())


def main(draws: int) -> None:
    print(f"{'metric':<18} {'a month':>8}", *(f"{name:>11}" for name in ACCIDENTS))
    totals = []
    for name, world in HEALTHY.items():
        false = float(np.mean([false_alarms(world, np.random.default_rng([7, seed])) for seed in range(draws)]))
        found = [
            float(np.mean([is_found(world, accident, np.random.default_rng([8, seed])) for seed in range(draws)]))
            for accident in ACCIDENTS.values()
        ]
        totals.append([false, *found])
        print(f"{name:<18} {false:>8.2f}", *(f"{share:>11.0%}" for share in found), flush=True)
    false, *found = np.mean(totals, axis=0)
    print(f"{'mean':<18} {false:>8.2f}", *(f"{share:>11.0%}" for share in found))
    print(f"{'all accidents':<18} {'':>8} {np.mean(found):>11.0%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
