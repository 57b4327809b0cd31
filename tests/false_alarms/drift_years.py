"""Months of many features, day by day, under a rule with a budget of false alarms: which tiers hold, and since when."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.drift import DEFAULT_LIMITS, SHARE_LIMITS
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import BaselineKind, BaselineSpec, Limit, LimitKind, Rule, Tier
from modelwatch.model.series import Histograms, PulledSeries
from modelwatch.model.severity import Severity
from modelwatch.stats.arrays import Floats, Ints
from modelwatch.stats.profile.wandb_histogram import category_bins, category_positions
from modelwatch.timeutil import DAY

from .worlds import Rng

NOW = 20_000 * DAY
WARM_UP = 36
"""Days before anything is judged: a rolling baseline of 28 days, the week before the window, and the window."""
EDGES = np.concatenate([[-40.0], np.linspace(-4, 4, 41), [40.0]])
SEVERITIES = (Severity.WARNING, Severity.ERROR, Severity.CRITICAL)
BUDGETS = (90 * DAY, 365 * DAY, 365 * DAY)
CITIES = ("urban", "rural", "suburban", "abroad")

Shift = Callable[[int], float]
"""By how much the mean (in standard deviations) or the first share has moved on a day after the warm-up."""


def still(_: int) -> float:
    return 0.0


def creep(size: float, days: int) -> Shift:
    return lambda day: size * min(max(day / days, 0.0), 1.0)


def jump(size: float) -> Shift:
    return lambda day: size if day >= 0 else 0.0


def drift_rule(method: str = "psi", budgets: tuple[float | None, ...] = BUDGETS, **more: object) -> Rule:
    limits = SHARE_LIMITS if more.get("across") else DEFAULT_LIMITS[method]
    tiers = tuple(
        Tier(severity, (Limit(LimitKind.ABOVE, limit),), ("issue",), false_alarms=budget)
        for severity, limit, budget in zip(SEVERITIES, limits, budgets, strict=True)
    )
    rule = Rule(
        name="features",
        kind="data-drift",
        metric=KeyPattern(f"features/*/{method}"),
        tiers=tiers,
        window=DAY,
        every=DAY,
        baseline=BaselineSpec(BaselineKind.ROLLING),
    )
    return replace(rule, **more)  # type: ignore[arg-type]


def numbers(
    name: str, days: int, size: int, rng: Rng, shift: Shift = still, wander: float = 0.0, parts: int = 1
) -> Histograms:
    """Normal values, ``size`` a day in ``parts`` histograms; the mean wanders from day to day by so many standard
    deviations, half of it left the day after."""
    moved, rows = 0.0, []
    for day in range(-WARM_UP, days):
        moved = 0.5 * moved + wander * np.sqrt(0.75) * rng.standard_normal()
        for _ in range(parts):
            values = rng.normal(shift(day) + moved, 1.0, size // parts)
            rows.append(array("d", np.histogram(values, bins=EDGES)[0].astype(np.float64)))
    edges = array("d", EDGES)
    return _histograms("features", name, [edges] * len(rows), rows, parts)


def categories(name: str, days: int, size: int, rng: Rng, shift: Shift = still) -> Histograms:
    """Four categories; the first loses what the second gains."""
    places = np.array(list(category_positions(CITIES).values()))
    edges, rows = [], []
    for day in range(-WARM_UP, days):
        counts = rng.multinomial(size, np.array([0.6, 0.2, 0.15, 0.05]) + shift(day) * np.array([-1, 1, 0, 0]))
        order = np.argsort(places)
        ends, filled = category_bins(places[order].tolist(), counts[order].tolist())
        edges.append(array("d", ends))
        rows.append(array("d", filled))
    return replace(_histograms("features/*/categories", name, edges, rows), categories=CITIES)


def _histograms(key: str, name: str, edges: list[array[float]], rows: list[array[float]], parts: int = 1) -> Histograms:
    times = [NOW - DAY / parts * i for i in reversed(range(len(rows)))]
    labels = (("features", name),)
    none = array("i", [-1] * len(rows))
    return Histograms(KeyPattern(key).name, labels, array("d", times), tuple(edges), tuple(rows), (), none)


def severities(rule: Rule, features: list[Histograms], days: int) -> dict[str, Ints]:
    """The severity of each feature at each evaluation time after the warm-up; -1 for none. Of more than 50 features
    those that are furthest from their reference on the last day."""
    model = Model("churn", (rule,), history=(days - 0.5) * DAY)
    tracks = evaluate_model(model, PulledSeries("churn", (), histograms=tuple(features)), NOW).tracks
    return {
        dict(track.labels).get("features", ""): np.frombuffer(track.severity, np.int8).astype(np.int64)
        for track in tracks
    }


def first_days(severity: Ints) -> Floats:
    """The first day on which each tier holds; infinite where it never does."""
    rows = [np.flatnonzero(severity >= one.code) for one in SEVERITIES]
    return np.array([float(row[0]) if len(row) else np.inf for row in rows])
