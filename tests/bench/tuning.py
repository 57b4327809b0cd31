"""Tuning one rule over a year of hourly points: 200 settings, two processes."""

from __future__ import annotations

from collections.abc import Iterator

from .measure import Row, best, python

CODE = """
import numpy as np
from modelwatch.backtest.tuning import TuningOptions, suggest
from modelwatch.timeutil import DAY
from modelwatch.model.tuning import AlertBudget
from tests.tuning.worlds import FAMILIES, draw_world
if __name__ == "__main__":
    world = draw_world(FAMILIES["windows decide"], np.random.default_rng(7))
    budget = AlertBudget(1.0, 30 * DAY)
    found = suggest(
        world.model, world.rule, world.history, world.span, world.incidents, budget, TuningOptions(processes=2)
    )
    assert len(found.tried) == 200, len(found.tried)
"""


def rows() -> Iterator[Row]:
    """Seconds of the whole process, interpreter and simulated history included."""
    (spent,) = best(1, lambda: python(CODE))
    figure = "tuning: 200 settings, a year of hours"
    yield Row(figure, f"{spent.seconds:.0f} s", "2 min on two cores", spent.seconds / 120, 1.0)
