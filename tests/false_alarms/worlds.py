"""Data without change, and named shifts of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rng = np.random.Generator
Draw = Callable[[Rng, tuple[int, int]], Floats]
"""Values of the shape ``(windows, rows)``."""


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """Few values, or categories (``values`` is None), by their shares: only their counts are drawn."""

    shares: Floats
    values: Floats | None = None

    def counts(self, rng: Rng, size: tuple[int, int]) -> NDArray[np.int64]:
        return np.asarray(rng.multinomial(size[1], self.shares / self.shares.sum(), size=size[0]))


World = Draw | Shares


def values_of(world: World, rng: Rng, size: int) -> Floats:
    """Numbers of one window, in no order or in ascending order."""
    if not isinstance(world, Shares):
        (drawn,) = world(rng, (1, size))
        return np.asarray(drawn)
    assert world.values is not None
    return np.repeat(world.values, world.counts(rng, (1, size))[0])


def _poisson(mean: float) -> Shares:
    at = np.arange(20.0)
    return Shares(np.exp(at * np.log(mean) - np.cumsum(np.log(np.maximum(at, 1.0)))), at)


def _zipf(count: int, power: float) -> Shares:
    return Shares(np.arange(1.0, count + 1) ** -power)


def _zeros(share: float) -> Shares:
    tail = 0.9 ** np.arange(40)
    return Shares(np.append(share, (1 - share) * tail / tail.sum()), np.append(0.0, 1.3 ** np.arange(40.0)))


NUMBERS: dict[str, World] = {
    "normal": lambda rng, size: rng.normal(size=size),
    "heavy tail": lambda rng, size: np.tan(np.pi * (rng.random(size) - 0.5)),
    "skewed": lambda rng, size: np.exp(1.5 * rng.normal(size=size)),
    "few values": _poisson(3.0),
    "many zeros": _zeros(0.6),
}
"""Normal, Cauchy, lognormal, Poisson, and a tail beside 60 % zeros."""
CATEGORIES: dict[str, Shares] = {
    "2 categories": Shares(np.array([0.98, 0.02])),
    "8 categories": Shares(np.array([0.4, 0.2, 0.15, 0.1, 0.06, 0.04, 0.03, 0.02])),
    "100 categories": _zipf(100, 1.0),
}
WORLDS: dict[str, World] = {**NUMBERS, **CATEGORIES}


def _normal(mean: float, spread: float = 1.0) -> Draw:
    return lambda rng, size: rng.normal(mean, spread, size=size)


def _lump(rng: Rng, size: tuple[int, int]) -> Floats:
    return np.where(rng.random(size) < 0.1, 0.0, rng.normal(size=size))


SHIFTS: dict[str, tuple[World, World]] = {
    "mean + 0.25 sd": (_normal(0.0), _normal(0.25)),
    "mean + 0.5 sd": (_normal(0.0), _normal(0.5)),
    "spread x 1.5": (_normal(0.0), _normal(0.0, 1.5)),
    "10 % at one value": (_normal(0.0), _lump),
    "counts 3 -> 3.6": (_poisson(3.0), _poisson(3.6)),
    "a category halves": (
        CATEGORIES["8 categories"],
        Shares(np.array([0.2, 0.4, 0.15, 0.1, 0.06, 0.04, 0.03, 0.02])),
    ),
}
"""What was, and what is."""
