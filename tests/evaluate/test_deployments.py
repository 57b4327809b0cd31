"""Deployments, and that no window crosses one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.evaluate.deployments import version_timeline
from modelwatch.model.finding import Cause, Outcome
from modelwatch.model.series import Deployment
from modelwatch.timeutil import HOUR

from .making import NOW, hourly, rows, rule, series, track


def test_the_version_at_a_time_is_the_newest_deployed_at_or_before() -> None:
    service = version_timeline([Deployment("b", 20.0), Deployment("a", 10.0), Deployment("a", 30.0)])
    assert service.versions == ("a", "b")
    assert list(service.version_at(np.array([9.0, 10.0, 19.9, 20.0, 29.0, 30.0, 99.0]))) == [-1, 0, 0, 1, 1, 0, 0]
    assert list(service.start_of(np.array([9.0, 10.0, 25.0]))) == [-np.inf, 10.0, 20.0]


def test_a_version_deployed_again_while_it_serves_is_no_other_version() -> None:
    found = track(rule(), hourly([0.0, 0.25, 0.5, 0.25]), deployed=[("a", NOW - 9 * HOUR), ("a", NOW - HOUR)])
    assert found.finding(-1).value == 0.25


def test_no_window_crosses_a_deployment() -> None:
    """DESIGN: no window crosses a deployment of another version."""
    found = rows(track(rule(), hourly([0.0] * 4 + [1.0] * 4), deployed=[("a", 0), ("b", NOW - 3 * HOUR)]))
    assert [(row.value, row.points, row.version) for row in found[-5:]] == [
        (0.0, 4, "a"),
        (1.0, 1, "b"),
        (1.0, 2, "b"),
        (1.0, 3, "b"),
        (1.0, 4, "b"),
    ]


def test_a_window_after_a_silent_deployment_has_no_data() -> None:
    last = rows(track(rule(), hourly([0.5] * 4, until=NOW - HOUR), deployed=[("a", 0), ("b", NOW - 60)]))[-1]
    assert (last.outcome, last.cause, last.version) == (Outcome.NO_DATA, Cause.NO_POINTS, "b")


def test_before_the_first_deployment_the_version_is_unknown() -> None:
    found = rows(track(rule(), hourly([0.5] * 8), deployed=[("a", NOW - HOUR)]))
    assert [row.version for row in found[-4:]] == ["", "", "a", "a"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), max_size=5), st.integers(1, 12))
def test_every_window_holds_the_points_of_one_version(deployed: list[tuple[str, int]], window: int) -> None:
    since = [(version, NOW - hours * HOUR) for version, hours in deployed]
    service = version_timeline([Deployment(*one) for one in since])
    code = [float(service.version_at(np.array([NOW - h * HOUR]))[0]) for h in range(48)]
    some = series([(NOW - h * HOUR, code[h]) for h in range(48)][::-1])
    found = track(rule(window=window * HOUR), some, deployed=since)
    for row in rows(found):
        if row.points:
            mine = found.versions.index(row.version) if row.version else -1
            assert row.value == mine
