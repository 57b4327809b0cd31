"""Tails so heavy that no budget can be promised are reported, and no others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.evaluate.heavy_tails import HEAVY, MIN_VALUES, tail_index
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import Interval
from modelwatch.model.series import PulledSeries
from modelwatch.stats.arrays import Floats
from modelwatch.timeutil import DAY

from .making import NOW, hourly
from .test_anchors import accuracy_rule

POINTS = 24 * 67
Draw = Callable[[np.random.Generator], Floats]
HOUR_OF_DAY = np.arange(POINTS) % 24
WORLDS: dict[str, tuple[Draw, float]] = {
    "revenue per order, 20 an hour": (lambda rng: (1 + rng.pareto(1.5, (POINTS, 20))).mean(axis=1), 0.8),
    "Cauchy": (lambda rng: rng.standard_cauchy(POINTS), 1.0),
    "Student's t with 3 degrees": (lambda rng: rng.standard_t(3, POINTS), 0.0),
    "amounts with a variance": (lambda rng: (1 + rng.pareto(3.5, (POINTS, 20))).mean(axis=1), 0.0),
    "lognormal": (lambda rng: np.exp(0.55 * rng.standard_normal(POINTS)), 0.0),
    "rare events": (lambda rng: rng.poisson(0.05, POINTS).astype(float), 0.0),
    "a batch every night": (lambda rng: np.where(HOUR_OF_DAY == 3, 1000.0, 2.0) + rng.random(POINTS), 0.0),
    "constant": (lambda rng: np.full(POINTS, rng.random()), 0.0),
    "an incident of three days": (lambda rng: rng.normal(np.where(np.arange(POINTS) < 72, 500, 100), 5), 0.0),
}


@pytest.mark.parametrize("name", WORLDS)
def test_only_tails_without_a_variance_are_heavy(name: str) -> None:
    draw, expected = WORLDS[name]
    heavy = np.mean([tail_index(draw(np.random.default_rng(seed))) < HEAVY for seed in range(40)])
    assert heavy >= expected if expected else heavy <= 0.05


def test_few_values_say_nothing() -> None:
    assert tail_index(np.random.default_rng(1).standard_cauchy(MIN_VALUES - 1)) == np.inf


@pytest.mark.parametrize(("power", "notes"), [(1.5, 1), (3.5, 0)])
def test_the_rule_says_that_its_budget_is_not_promised(power: float, notes: int) -> None:
    values = (1 + np.random.default_rng(2).pareto(power, (POINTS, 20))).mean(axis=1)
    revenue = accuracy_rule(interval=Interval.NORMAL, weight=None)
    pull = PulledSeries("churn", (hourly(values.tolist()),))
    found = evaluate_model(Model("churn", (revenue,), history=30 * DAY), pull, NOW).notes
    assert len(found) == notes
    assert all("budget of false alarms is not promised" in note for note in found)
