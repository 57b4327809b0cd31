"""Simulated experiments of which the true effect is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from modelwatch.stats.arrays import Floats

Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]
"""Draws ``(*shape, k)`` values of units without an effect: the value, for a ratio its denominator, then covariates."""


@dataclass(frozen=True, slots=True)
class World:
    draw: Draw
    per_day: tuple[int, ...] = (100, 100)
    """Units a day of the control and of each treatment."""
    is_ratio: bool = False
    effect: float = 0.0
    """Added to the value of each treated unit; of a share, how much more probable it is."""
    is_share: bool = False
    planned_days: float = 60.0

    @property
    def planned(self) -> tuple[float, ...]:
        """Units of each arm for which intervals are the narrowest."""
        return tuple(self.planned_days * count for count in self.per_day)

    def with_effect(self, effect: float) -> World:
        return replace(self, effect=effect)


def share(p: float) -> Draw:
    return lambda rng, shape: (rng.random((*shape, 1)) < p).astype(np.float64)


def lognormal(sigma: float) -> Draw:
    return lambda rng, shape: np.exp(sigma * rng.standard_normal((*shape, 1)))


def capped(draw: Draw, cap: float) -> Draw:
    return lambda rng, shape: np.minimum(draw(rng, shape), cap)


def pareto(tail: float) -> Draw:
    return lambda rng, shape: rng.pareto(tail, (*shape, 1)) + 1


def sparse_revenue(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """One in twenty units buys, for a lognormal amount."""
    buys = rng.random((*shape, 1)) < 0.05
    return np.asarray(buys * np.exp(rng.standard_normal((*shape, 1))))


def with_covariate(noise: float, sigma: float = 0.0) -> Draw:
    """What a unit was worth before explains ``1 / (1 + noise^2)`` of its value. ``sigma``: both are lognormal."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        before = rng.standard_normal(shape)
        now = (before + noise * rng.standard_normal(shape)) / np.sqrt(1 + noise**2)
        both = np.stack([now, before], axis=-1)
        return np.asarray(np.exp(sigma * both) if sigma else both)

    return draw


def clicks_per_view(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Units view different numbers of pages, and click a tenth of them, each at a rate of its own."""
    views = rng.geometric(0.2, shape)
    return np.stack([rng.binomial(views, rng.beta(1, 9, shape)), views], axis=-1).astype(np.float64)


NULL: dict[str, World] = {
    "share of 20 %": World(share(0.2)),
    "share of 1 %": World(share(0.01)),
    "share of 1 %, arms 90 : 10": World(share(0.01), (180, 20)),
    "share of 0.2 %, arms 95 : 5": World(share(0.002), (950, 50)),
    "share of 20 %, planned for 3 days": World(share(0.2), planned_days=3),
    "share of 20 %, planned for 3 years": World(share(0.2), planned_days=1095),
    "normal": World(lambda rng, shape: rng.standard_normal((*shape, 1))),
    "lognormal, sigma 1.5": World(lognormal(1.5)),
    "lognormal, sigma 2": World(lognormal(2.0)),
    "lognormal, sigma 1.5, arms 90 : 10": World(lognormal(1.5), (180, 20)),
    "the same, capped at 20": World(capped(lognormal(1.5), 20.0), (180, 20)),
    "Pareto, tail 2.5": World(pareto(2.5)),
    "Pareto, tail 2.5, arms 90 : 10": World(pareto(2.5), (180, 20)),
    "one in 20 buys, arms 80 : 20": World(sparse_revenue, (160, 40)),
    "CUPED, normal": World(with_covariate(1.0)),
    "CUPED, lognormal, arms 80 : 20": World(with_covariate(0.5, 0.6), (160, 40)),
    "ratio": World(clicks_per_view, is_ratio=True),
    "ratio, arms 90 : 10": World(clicks_per_view, (180, 20), is_ratio=True),
    "four arms, share of 5 %": World(share(0.05), (80, 80, 80, 80)),
    "four arms, lognormal, 70 : 10 : 10 : 10": World(lognormal(1.5), (140, 20, 20, 20)),
}
"""Without an effect."""
EFFECTS: dict[str, World] = {
    "share of 10 % + 2 points": World(share(0.1), effect=0.02, is_share=True),
    "share of 10 % + 3 points": World(share(0.1), effect=0.03, is_share=True),
    "normal + 0.1": World(NULL["normal"].draw, effect=0.1),
    "normal + 0.2": World(NULL["normal"].draw, effect=0.2),
    "CUPED, normal + 0.1": World(with_covariate(1.0), effect=0.1),
    "lognormal (sigma 1) + 0.25": World(lognormal(1.0), effect=0.25),
}
"""With one."""
