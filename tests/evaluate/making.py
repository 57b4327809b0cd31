"""Short ways to make series, rules and evaluations for the tests of this package."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.finding import Finding, Track
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import Limit, LimitKind, Rule, Tier
from modelwatch.model.series import Deployment, Labels, PulledSeries, Series
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR

NOW = 20_000 * DAY
"""A midnight (UTC)."""
NAME = "eval/accuracy"
NAN = float("nan")
INF = float("inf")


def series(
    points: Iterable[Sequence[float]],
    *,
    name: str = NAME,
    labels: Labels = (),
    versions: tuple[str, ...] = (),
    version_of: Sequence[int] | None = None,
) -> Series:
    """``points``: (time, value) or (time, value, weight), all of one sort."""
    rows = [tuple(row) for row in points]
    weighted = bool(rows) and len(rows[0]) == 3
    return Series(
        name,
        labels,
        array("d", [row[0] for row in rows]),
        array("d", [row[1] for row in rows]),
        array("d", [row[2] for row in rows]) if weighted else None,
        versions,
        array("i", version_of if version_of is not None else [-1] * len(rows)),
    )


def hourly(values: Sequence[float], *, until: float = NOW, weight: float | None = None, **more: Any) -> Series:
    """One point an hour, the last at ``until``."""
    first = until - (len(values) - 1) * HOUR
    rows: list[tuple[float, ...]] = [(first + i * HOUR, value) for i, value in enumerate(values)]
    if weight is not None:
        rows = [(*row, weight) for row in rows]
    return series(rows, **more)


def tier(severity: str, form: LimitKind, value: float) -> Tier:
    return Tier(Severity(severity), (Limit(form, value),), ("issue",))


def rule(*tiers: Tier, **more: Any) -> Rule:
    given = {"window": 4 * HOUR, "every": HOUR, "metric": KeyPattern(NAME), **more}
    return Rule(name="accuracy", kind="accuracy-drop", tiers=tiers, **given)


def tracks(
    a_rule: Rule,
    *some: Series,
    now: float = NOW,
    history: float = 2 * DAY,
    deployed: Sequence[tuple[str, float]] = (),
) -> tuple[Track, ...]:
    """All tracks of one rule over these series."""
    pull = PulledSeries("churn", some, tuple(Deployment(version, since) for version, since in deployed))
    return evaluate_model(Model("churn", (a_rule,), history=history), pull, now).tracks


def track(a_rule: Rule, *some: Series, **more: Any) -> Track:
    """The track of the whole."""
    return tracks(a_rule, *some, **more)[0]


def newest(a_rule: Rule, *some: Series, **more: Any) -> Finding:
    return track(a_rule, *some, **more).finding(-1)


def rows(one: Track) -> list[Finding]:
    return [one.finding(index) for index in range(one.grid.count)]
