"""The evaluation times of a rule."""

from __future__ import annotations

import math

import numpy as np

from ..model.finding import Grid
from ..model.rule import Rule
from .columns import Floats

MAX_CLOCK_SKEW = 300.0
"""Seconds that a point may lie in the future (clock skew); later ones are left out and counted."""


def evaluation_grid(rule: Rule, now: float, history: float) -> Grid:
    """UTC multiples of ``rule.every`` from ``now - history`` up to ``now - rule.lag``, both included.

    Whatever ``now`` is, the same moments are judged, so a late evaluation finds what an early one found. The grid
    has at least one time: the newest, even where ``lag`` reaches further back than ``history``.
    """
    every = rule.every
    last = math.floor((now - rule.lag) / every)
    first = min(math.ceil((now - history) / every), last)
    return Grid(start=first * every, step=every, count=last - first + 1)


def grid_times(grid: Grid) -> Floats:
    """All evaluation times, ascending (seconds, UTC)."""
    return grid.start + np.arange(grid.count, dtype=np.float64) * grid.step
