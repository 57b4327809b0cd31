"""The vectorised evaluation says what one window and one point at a time says, whatever the rule and the data."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from modelwatch.model.keys import KeyPattern
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
    VersionOverride,
)
from modelwatch.model.series import Series
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR

from . import naive
from .making import INF, NAN, NOW, rule, series, track

VALUE = st.one_of(st.integers(0, 64).map(lambda k: k / 64), st.sampled_from([NAN, INF, 1.5, -0.5]))
"""Sums of these are exact, so that a tie is a tie in both evaluations."""
WEIGHT = st.one_of(st.integers(0, 400).map(float), st.just(NAN))
LIMIT = st.builds(Limit, st.sampled_from(LimitKind), st.sampled_from([0.0, 0.03125, 0.25, 0.5, 0.9, 2.0]))
TIER = st.builds(
    Tier, st.sampled_from(Severity), st.lists(LIMIT, min_size=1, max_size=3).map(tuple), st.just(("issue",))
)
TIERS = st.lists(TIER, max_size=4).map(tuple)


@st.composite
def some_series(draw: st.DrawFn, name: str = "eval/accuracy") -> Series:
    size = draw(st.integers(0, 50))
    offsets = sorted(draw(st.sets(st.integers(-1, 24 * 25), min_size=size, max_size=size)), reverse=True)
    values = draw(st.lists(VALUE, min_size=size, max_size=size))
    weights = draw(st.one_of(st.none(), st.lists(WEIGHT, min_size=size, max_size=size)))
    versions = draw(st.lists(st.integers(-1, 2), min_size=size, max_size=size))
    rows: list[tuple[float, ...]] = [(NOW - hours * HOUR, value) for hours, value in zip(offsets, values, strict=True)]
    if weights is not None:
        rows = [(*row, weight) for row, weight in zip(rows, weights, strict=True)]
    return series(rows, name=name, versions=("a", "b", "c"), version_of=versions)


@st.composite
def some_rule(draw: st.DrawFn) -> Rule:
    kind = draw(st.sampled_from([kind for kind in BaselineKind if kind is not BaselineKind.FILE]))
    spec = BaselineSpec(
        kind,
        length=draw(st.sampled_from([DAY, 7 * DAY, 20 * DAY])),
        version=draw(st.sampled_from(["previous", "a", "nobody"])),
        value=draw(st.sampled_from([0.0, 0.5, 0.75, 1.25])),
        n=draw(st.sampled_from([None, 40.0, 4000.0])),
    )
    more: dict[str, Any] = {
        "window": draw(st.sampled_from([HOUR, 5 * HOUR, 3 * DAY, 8 * DAY])),
        "every": draw(st.sampled_from([HOUR, 7 * HOUR, DAY])),
        "baseline": spec,
        "aggregate": draw(st.sampled_from(Aggregate)),
        "interval": draw(st.sampled_from(Interval)),
        "better": draw(st.sampled_from([None, *Direction])),
        "recover": draw(st.one_of(st.none(), LIMIT)),
        "min_points": draw(st.sampled_from([1, 1, 2, 4])),
        "min_weight": draw(st.sampled_from([0.0, 0.0, 150.0])),
        "overrides": draw(st.lists(st.builds(VersionOverride, st.sampled_from("ab"), TIERS), max_size=2).map(tuple)),
        "improvement": draw(st.sampled_from([None, 0.125])),
        "denominator": KeyPattern("eval/requests"),
    }
    return rule(*draw(TIERS), **more)


def close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == pytest.approx(other, rel=1e-9, abs=1e-9)


DEPLOYED = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 600).map(lambda h: NOW - h * HOUR)), max_size=4)


def zero_baseline(newest: float, *forms: LimitKind) -> tuple[Any, ...]:
    """A rule that compares with a baseline of 0, and a value."""
    limits = Tier(Severity.ERROR, tuple(Limit(form, 0.5) for form in forms), ("issue",))
    a_rule = rule(limits, baseline=BaselineSpec(BaselineKind.CONSTANT, value=0.0), better=Direction.LOWER)
    return a_rule, series([(NOW - HOUR, newest)]), series([], name="eval/requests"), []


@example(*zero_baseline(0.25, LimitKind.RISE))
@example(*zero_baseline(-0.5, LimitKind.RISE))
@example(*zero_baseline(0.25, LimitKind.RISE, LimitKind.RISE_POINTS))
@example(*zero_baseline(0.75, LimitKind.RISE, LimitKind.RISE_POINTS))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(some_rule(), some_series(), some_series("eval/requests"), DEPLOYED)
def test_every_row(a_rule: Rule, some: Series, below: Series, deployed: list[tuple[str, float]]) -> None:
    found = track(a_rule, some, below, deployed=deployed, history=5 * DAY)
    times = [found.grid.time(index) for index in range(found.grid.count)]
    every = [
        naive.evaluate(a_rule, some, below, deployed, NOW, time, before)
        for before, time in pairwise([-math.inf, *times])
    ]
    for index, wanted in enumerate(naive.with_absence(every, a_rule, some, deployed, NOW, times)):
        row = found.finding(index)
        assert found.is_fresh(index) == wanted.fresh, (row, wanted)
        exact = ("outcome", "severity", "cause", "clear", "improved", "points", "version")
        assert [getattr(row, name) for name in exact] == [getattr(wanted, name) for name in exact], (row, wanted)
        for name in ("value", "baseline", "low", "high", "n"):
            assert close(getattr(row, name), getattr(wanted, name)), (name, row, wanted)
