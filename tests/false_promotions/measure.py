"""Decisions of the gate over many trials."""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.stats import beta

from modelwatch.model.gate import GateDecision
from modelwatch.release.gate import decide, judged_rows, leading_comparison

from .worlds import World


def decisions(world: World, n: int, trials: int, seed: int = 1) -> Counter[GateDecision]:
    """What the gate decides in so many fresh draws of ``n`` rows a part. What is only told is not computed."""
    found: Counter[GateDecision] = Counter()
    for trial in range(trials):
        parts = world.parts(np.random.default_rng([seed, n, trial]), n)
        lead = leading_comparison(parts)
        rows = [row for part in parts for row in judged_rows(part, world.spec, leads=part.name == lead)]
        found[decide(rows, lead, world.spec)[0]] += 1
    return found


def least(count: int, trials: int) -> float:
    """99 % lower bound of a rate (Clopper and Pearson 1934, one-sided)."""
    return float(beta.ppf(0.01, count, trials - count + 1)) if count else 0.0
