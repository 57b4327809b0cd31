"""False positives under daily looks, and the time to find an effect: ``python -m tests.experiments.simulate [trials]``.

Each experiment is looked at daily for 60 days, and counts as positive if any interval at any look leaves out 0. The
same is counted of Welch's t-test with the same looks, and of one t-test at the end. Status 1 where the false positives
are above 5 % beyond chance.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, t

from modelwatch.stats.arrays import Bools, Floats
from modelwatch.stats.experiments.confidence_sequence import difference_interval, is_ready
from modelwatch.stats.experiments.effect import Effect, measure_effect
from modelwatch.stats.experiments.moments import Moments, stack

from .worlds import EFFECTS, NULL, World

ALPHA, DAYS, CHUNK = 0.05, 60, 250


@dataclass(frozen=True, slots=True)
class Looks:
    """By trial and day; of several arms, whether that of any is."""

    positive: Bools
    """The interval leaves out 0."""
    significant: Bools
    """Welch's t-test, with Bonferroni's correction for several arms."""
    ready: Bools


def simulate(world: World, trials: int, seed: int = 1) -> Looks:
    """Many experiments, day by day."""
    parts = [_chunk(world, min(CHUNK, trials - begin), [seed, begin]) for begin in range(0, trials, CHUNK)]
    return Looks(*(np.concatenate([getattr(part, name) for part in parts]) for name in Looks.__slots__))


def _chunk(world: World, trials: int, seed: list[int]) -> Looks:
    rng = np.random.default_rng(seed)
    control, *treatments = [
        _running(world, rng, trials, count, world.effect if place else 0.0) for place, count in enumerate(world.per_day)
    ]
    alpha = ALPHA / len(treatments)
    positive, significant, ready = [], [], []
    for place, treatment in enumerate(treatments, 1):
        effect = measure_effect(treatment, control, (world.planned[place], world.planned[0]), is_ratio=world.is_ratio)
        interval = difference_interval(effect, alpha)
        enough = is_ready(effect)
        positive.append(enough & ((interval.low > 0) | (interval.high < 0)))
        significant.append(_welch_p(effect, treatment, control) < alpha)
        ready.append(enough)
    return Looks(*(np.any(part, axis=0).T for part in (positive, significant, ready)))


def _running(world: World, rng: np.random.Generator, trials: int, per_day: int, effect: float) -> Moments:
    """(days, trials)."""
    days = []
    for _ in range(DAYS):
        values = world.draw(rng, (trials, per_day))
        if effect and world.is_share:
            rest = 1 - values[..., 0].mean()
            values[..., 0] = np.maximum(values[..., 0], rng.random(values.shape[:-1]) < effect / rest)
        elif effect:
            values[..., 0] += effect
        days.append(Moments.of(values))
    return stack(days).accumulate()


def _welch_p(effect: Effect, treatment: Moments, control: Moments) -> Floats:
    degrees = np.minimum(treatment.n, control.n) - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(2 * t.sf(np.abs(effect.difference) / np.sqrt(effect.variance), degrees))


def least(count: int, trials: int) -> float:
    """99 % lower bound of a rate (Clopper and Pearson 1934, one-sided)."""
    return float(beta.ppf(0.01, count, trials - count + 1)) if count else 0.0


def false_positive_lines(trials: int) -> Iterator[tuple[str, bool]]:
    """Lines of the table, and whether the rate is beyond ``ALPHA``."""
    yield f"False positives in {trials:,} experiments without an effect, {DAYS} daily looks, at the stated 5 %", False
    yield f"{'':<42}{'ever':>8}{'t, daily':>10}{'t, at the end':>15}{'first interval':>17}", False
    for name, world in NULL.items():
        looks = simulate(world, trials)
        ever = looks.positive.any(axis=1)
        first = np.argmax(looks.ready, axis=1) + 1
        ready = looks.ready.any(axis=1)
        day = f"day {np.median(first[ready]):.0f}" if ready.mean() > 0.5 else "none"
        bad = least(int(ever.sum()), trials) > ALPHA
        daily, end = looks.significant.any(axis=1).mean(), looks.significant[:, -1].mean()
        mark = "*" if bad else ""
        yield f"{name:<42}{ever.mean():>8.2%}{daily:>10.1%}{end:>15.2%}{day:>17}{mark}", bad


def power_lines(trials: int) -> Iterator[str]:
    """Lines of the table: power, and the median day on which an effect is found."""
    yield f"\nEffects found within {DAYS} days ({trials:,} experiments); the t-test is looked at once, at the end"
    yield f"{'':<42}{'found':>8}{'median day':>12}{'t-test':>9}{'saved days':>12}"
    for name, world in EFFECTS.items():
        looks = simulate(world, trials, seed=2)
        found = looks.positive.any(axis=1)
        day = np.where(found, np.argmax(looks.positive, axis=1) + 1, DAYS)
        median = np.median(np.where(found, day, np.inf))
        text = f"{median:.0f}" if np.isfinite(median) else f"> {DAYS}"
        end = looks.significant[:, -1].mean()
        yield f"{name:<42}{found.mean():>8.1%}{text:>12}{end:>9.1%}{DAYS - day.mean():>12.1f}"


def main() -> int:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    over = 0
    for line, bad in false_positive_lines(trials):
        over += bad
        print(line, flush=True)
    for line in power_lines(min(trials, 1000)):
        print(line, flush=True)
    print(f"\n{over} rates above 5 %" if over else "\nevery rate holds")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
