"""The value of predictions by cohort and age: cases by hand, and delays that are known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelwatch.model.experiment import CohortsSpec, CohortValues, MissingOutcome, RepeatedOutcome
from modelwatch.timeutil import DAY

from .tables import OUTCOMES, cohort_values, model

WEEK = CohortsSpec("revenue")
BEGIN = math.floor(1_790_000_000 / (7 * DAY)) * 7 * DAY
"""Where a week of cohorts begins."""
ADD = replace(OUTCOMES, missing=MissingOutcome.ZERO, repeated=RepeatedOutcome.ADD)


def values(folder: Path, now: float, lag: float = 12 * DAY) -> CohortValues:
    """Two predictions a week for three weeks, the first of which bring 10 after a day and 20 after nine."""
    at = [BEGIN + week * 7 * DAY + day * DAY for week in range(3) for day in (1, 2)]
    log = {"id": list(range(6)), "at": at, "arm": ["a"] * 6}
    paid = {
        "id": [0, 0, 2, 2, 4, 4],
        "known": [at[place] + age * DAY for place in (0, 2, 4) for age in (1, 9)],
        "revenue": [10.0, 20.0] * 3,
    }
    return cohort_values(model(folder, log, paid, table=ADD, lag=lag), WEEK, now, folder)


def test_totals_are_of_mature_cohorts_only(tmp_path: Path) -> None:
    """On day 27 the weeks that ended on days 7 and 14 are 20 and 13 days old, and the third one is 6."""
    found = values(tmp_path, BEGIN + 27 * DAY)
    assert [curve.is_mature for curve in found.curves] == [True, True, False]
    assert (found.total, found.predictions) == (15.0, 4)
    first, second, young = found.curves
    assert first.values == second.values
    assert first.value_at(12 * DAY) == 15
    assert first.value_at(5 * DAY) == 5
    assert young.end_of_ages == 6 * DAY
    assert young.values[-1] == 5
    assert young.as_usual == 1.0


def test_a_cohort_is_as_old_as_its_youngest_prediction_can_be(tmp_path: Path) -> None:
    """One second before the first cohort is 12 days old it is young, though its own predictions are older."""
    assert not any(curve.is_mature for curve in values(tmp_path / "a", BEGIN + 19 * DAY - 1).curves)
    found = values(tmp_path / "b", BEGIN + 19 * DAY)
    assert [curve.is_mature for curve in found.curves] == [True, False]
    assert (found.total, found.predictions) == (15.0, 2)


def test_a_week_that_is_not_over_is_no_cohort(tmp_path: Path) -> None:
    assert len(values(tmp_path, BEGIN + 13.9 * DAY).curves) == 1


def test_without_a_mature_cohort_there_is_no_total(tmp_path: Path) -> None:
    found = values(tmp_path, BEGIN + 15 * DAY)
    assert found.total is None
    assert found.predictions == 0
    assert all(curve.as_usual is None for curve in found.curves)


def test_what_comes_after_the_lag_is_in_no_total(tmp_path: Path) -> None:
    """Old cohorts would look better than new ones for ever: at a lag of five days both count their first 10."""
    found = values(tmp_path, BEGIN + 60 * DAY, lag=5 * DAY)
    assert found.total == 5.0
    assert {curve.values[-1] for curve in found.curves} == {5.0}


def test_a_young_cohort_that_is_worse_shows_at_its_own_age(tmp_path: Path) -> None:
    """Its predictions bring half as much, while 90 days of lag hide that from every total."""
    rng = np.random.default_rng(1)
    n = 20_000
    at = BEGIN + 200 * DAY * rng.random(n)
    ages = 90 * DAY * rng.random(n)
    worth = np.where(at > BEGIN + 168 * DAY, 5.0, 10.0)
    paid = {"id": np.arange(n), "known": at + ages, "revenue": worth}
    watched = model(tmp_path, {"id": np.arange(n), "at": at, "arm": ["a"] * n}, paid, table=ADD, lag=90 * DAY)
    found = cohort_values(watched, WEEK, BEGIN + 200 * DAY, tmp_path)
    assert found.total == pytest.approx(10.0, abs=0.01)
    ratios = {round((curve.begin - BEGIN) / DAY): curve.as_usual for curve in found.curves if not curve.is_mature}
    assert ratios[182] == pytest.approx(0.5, abs=0.1)
    assert ratios[140] == pytest.approx(1.0, abs=0.1)


def test_the_lag_is_measured_where_it_is_not_stated(tmp_path: Path) -> None:
    """95 % of exponential delays of two days come within six, found to within a bin of 9 %."""
    rng = np.random.default_rng(2)
    n = 20_000
    at = BEGIN + 60 * DAY * rng.random(n)
    known = at + rng.exponential(2 * DAY, n)
    paid = {"id": np.arange(n), "known": known, "revenue": np.ones(n)}
    watched = model(tmp_path, {"id": np.arange(n), "at": at, "arm": ["a"] * n}, paid)
    found = cohort_values(watched, WEEK, BEGIN + 60 * DAY, tmp_path)
    assert not found.is_lag_stated
    assert found.lag == pytest.approx(-math.log(0.05) * 2 * DAY, rel=0.12)
    assert found.total == pytest.approx(0.95, abs=0.02)


def test_a_lag_that_cannot_be_measured_yet_is_a_note(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    at = BEGIN + 10 * DAY * rng.random(2000)
    paid = {"id": np.arange(2000), "known": at + 20 * DAY * rng.random(2000), "revenue": np.ones(2000)}
    watched = model(tmp_path, {"id": np.arange(2000), "at": at, "arm": ["a"] * 2000}, paid)
    found = cohort_values(watched, WEEK, BEGIN + 10 * DAY, tmp_path)
    assert found.total is None
    assert found.notes[0].startswith("when outcomes are complete is not known yet")
