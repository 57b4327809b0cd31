"""Data without change, and named shifts of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Draw = Callable[[np.random.Generator, int], np.ndarray]

NUMERIC: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "few values": lambda rng, n: rng.poisson(3.0, size=n).astype(float),
}
SHARES = np.array([0.4, 0.2, 0.15, 0.1, 0.06, 0.04, 0.03, 0.02])
CATEGORIES: dict[str, Draw] = {"8 categories": lambda rng, n: rng.multinomial(n, SHARES)}
"""These draw counts."""

SHIFTS: dict[str, tuple[Draw, Draw]] = {
    "mean + 0.25 sd": (NUMERIC["normal"], lambda rng, n: rng.normal(0.25, 1, size=n)),
    "mean + 0.5 sd": (NUMERIC["normal"], lambda rng, n: rng.normal(0.5, 1, size=n)),
    "spread x 1.5": (NUMERIC["normal"], lambda rng, n: rng.normal(0, 1.5, size=n)),
    "10 % at one value": (
        NUMERIC["normal"],
        lambda rng, n: np.where(rng.uniform(size=n) < 0.1, 0.0, rng.normal(size=n)),
    ),
    "half of a category": (
        CATEGORIES["8 categories"],
        lambda rng, n: rng.multinomial(n, SHARES - np.array([0.2, -0.2, 0, 0, 0, 0, 0, 0])),
    ),
}
