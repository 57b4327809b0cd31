"""Tracks seen as rows."""

from __future__ import annotations

from array import array

import pytest

from modelwatch.model.finding import Cause, Grid, Outcome, Track
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import Rule
from modelwatch.model.severity import Severity

NAN = float("nan")
TRACK = Track(
    model="churn",
    rule=Rule("accuracy", "accuracy-drop", KeyPattern("eval/accuracy"), ()),
    labels=(("region", "eu"),),
    grid=Grid(7200.0, 3600.0, 3),
    outcome=array("b", [1, 3, 2]),
    severity=array("b", [3, -1, -1]),
    clear=array("b", [0, 0, 1]),
    improved=array("b", [0, 0, 1]),
    cause=array("b", [0, Cause.NO_POINTS.code, Cause.TOO_FEW_POINTS.code]),
    value=array("d", [0.6, NAN, -0.5]),
    baseline=array("d", [0.8, 0.8, 0.0]),
    low=array("d", [0.5, NAN, NAN]),
    high=array("d", [0.7, NAN, NAN]),
    n=array("d", [100.0, NAN, NAN]),
    points=array("i", [4, 0, 1]),
    version=array("i", [0, -1, 0]),
    versions=("v1",),
)


def test_a_row() -> None:
    row = TRACK.finding(0)
    assert (row.model, row.rule, row.kind, row.labels) == ("churn", "accuracy", "accuracy-drop", (("region", "eu"),))
    assert (row.time, row.outcome, row.severity) == (7200.0, Outcome.BREACH, Severity.CRITICAL)
    assert (row.value, row.baseline, row.low, row.high, row.n, row.points) == (0.6, 0.8, 0.5, 0.7, 100.0, 4)
    assert row.change == pytest.approx(-0.25)
    assert (row.version, row.improved, row.clear, row.reason) == ("v1", False, False, "")


def test_what_is_not_there_is_none() -> None:
    row = TRACK.finding(1)
    assert (row.severity, row.value, row.change, row.n, row.version) == (None, None, None, None, "")
    assert row.reason == "no points in the window"
    assert row.outcome is Outcome.NO_DATA


def test_there_is_no_change_from_zero() -> None:
    assert TRACK.finding(2).change is None


def test_negative_rows_count_from_the_end_and_the_grid_ends() -> None:
    assert TRACK.finding(-1).time == TRACK.finding(2).time == TRACK.grid.last == 14400.0
    for index in (3, -4):
        with pytest.raises(IndexError):
            TRACK.finding(index)


def test_every_cause_but_none_has_words() -> None:
    assert [cause for cause in Cause if not cause.text] == [Cause.NONE]
