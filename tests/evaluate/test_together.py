"""Detectors work on many series at once: each is decided exactly as it is alone."""

from __future__ import annotations

from array import array
from dataclasses import fields, replace

import numpy as np
import pytest

from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.evaluate.hypotheses import is_detectable
from modelwatch.model.finding import Track
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import (
    Aggregate,
    BaselineKind,
    BaselineSpec,
    Direction,
    Interval,
    Limit,
    LimitKind,
    Rule,
    Tier,
)
from modelwatch.model.series import Deployment, PulledSeries, Series
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR

from .making import NOW

HOURS = 24 * 40
TIERS = tuple(
    Tier(severity, (Limit(LimitKind.DROP, limit),), ("issue",), false_alarms=90 * DAY)
    for severity, limit in ((Severity.WARNING, 0.05), (Severity.CRITICAL, 0.15))
)
KINDS: dict[str, dict[str, object]] = {
    "proportions": {"interval": Interval.WILSON, "weight": "eval/n"},
    "means": {"interval": Interval.NORMAL},
    "sums": {"aggregate": Aggregate.SUM},
    "quantiles": {"aggregate": Aggregate.P95},
    "seasonal": {"interval": Interval.WILSON, "weight": "eval/n", "baseline": BaselineSpec(BaselineKind.SEASONAL)},
}


def rules(kind: str) -> list[Rule]:
    given = {"window": DAY, "baseline": BaselineSpec(BaselineKind.ROLLING), **KINDS[kind]}
    base = Rule(
        "accuracy",
        "accuracy-drop",
        KeyPattern("eval/0"),
        TIERS,
        better=Direction.HIGHER,
        **given,  # type: ignore[arg-type]
    )
    assert is_detectable(base)
    return [replace(base, name=f"accuracy-{i}", metric=KeyPattern(f"eval/{i}")) for i in range(12)]


def one_series(place: int) -> Series:
    """Of every third one something is lost for a while, of every third one for good; some lack points, or were logged
    at other minutes."""
    rng = np.random.default_rng(place)
    level = np.full(HOURS, 0.8)
    if place % 3:
        level[HOURS - 200 : HOURS - 120 if place % 3 == 1 else HOURS] *= 0.7
    values = np.clip(level + 0.02 * rng.standard_normal(HOURS), 0, 1)
    times = NOW - HOUR * np.arange(HOURS)[::-1] - (600.0 if place == 5 else 0.0)
    kept = np.ones(HOURS, np.bool_) if place % 4 else rng.random(HOURS) < 0.9
    weights = array("d", np.full(HOURS, 500.0)[kept])
    return Series(f"eval/{place}", (), array("d", times[kept]), array("d", values[kept]), weights)


def judge(some: list[Rule], series: list[Series]) -> tuple[Track, ...]:
    pull = PulledSeries("churn", tuple(series), (Deployment("v1", NOW - 90 * DAY), Deployment("v2", NOW - 15 * DAY)))
    return evaluate_model(Model("churn", tuple(some), history=20 * DAY), pull, NOW).tracks


def values(track: Track) -> dict[str, object]:
    """All that a track has, so that equal rows are equal, NaN included."""
    found = ((field.name, getattr(track, field.name)) for field in fields(track))
    return {name: value.tobytes() if isinstance(value, array) else value for name, value in found}


@pytest.mark.parametrize("kind", KINDS)
def test_a_series_is_decided_the_same_alone_and_among_others(kind: str) -> None:
    some, series = rules(kind), [one_series(place) for place in range(12)]
    together = judge(some, series)
    assert {max(track.severity) >= 0 for track in together} == {True, False}
    for rule, own, track in zip(some, series, together, strict=True):
        (alone,) = judge([rule], [own])
        assert values(track) == values(alone)
