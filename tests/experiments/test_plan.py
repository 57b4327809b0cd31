"""How long an experiment will take, before it begins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.errors import SourceError
from modelwatch.model.experiment import ExperimentPlan, ExperimentSpec
from modelwatch.model.monitored_model import Model
from modelwatch.profiling.experiments import Reading, read_plan
from modelwatch.profiling.measure import measure
from modelwatch.stats.experiments.planning import required_units
from modelwatch.timeutil import DAY

from .tables import SPEC, START, model, simple_log

NOW = START + 40 * DAY
LATER = replace(SPEC, start=NOW + DAY)


def plan(watched: Model, spec: ExperimentSpec, folder: Path) -> ExperimentPlan:
    return read_plan(Reading(watched, {}, RetryPolicy(), folder / "scratch"), spec, NOW)


def test_a_plan_by_hand(tmp_path: Path) -> None:
    """Values around 10 with a standard deviation of 2, 100 units a day; the column of the arm is not there yet."""
    log = simple_log(4000, days=40)
    del log["arm"]
    found = plan(model(tmp_path, log), LATER, tmp_path)
    assert found.value == pytest.approx(10, abs=0.1)
    assert found.daily == pytest.approx(100, rel=0.05)
    half = found.effects[2]
    assert half.lift == 0.05
    assert half.difference == pytest.approx(0.5, abs=0.01)
    assert half.units == pytest.approx(required_units(0.5, 4 * 4.0, 10_000, 0.05), rel=0.1)
    assert half.days == pytest.approx((half.units or 0) / found.daily)


def test_uneven_shares_several_arms_and_the_follow_up_take_longer(tmp_path: Path) -> None:
    watched = model(tmp_path, simple_log(4000, days=40))
    even = plan(watched, LATER, tmp_path).effects[2]
    uneven = plan(watched, replace(LATER, arms=(("control", 9.0), ("new", 1.0))), tmp_path).effects[2]
    three = plan(watched, replace(LATER, arms=(("control", 1.0), ("new", 1.0), ("b", 1.0))), tmp_path).effects[2]
    followed = plan(watched, replace(LATER, follow_up=7 * DAY), tmp_path).effects[2]
    spread = required_units(uneven.difference, 4.0 / 0.09, 10_000, 0.05)
    assert (uneven.units or 0) == pytest.approx(spread, rel=0.1)
    assert (uneven.units or 0) > 2 * (even.units or 0)
    assert (three.units or 0) > 1.4 * (even.units or 0)
    assert (followed.days or 0) == pytest.approx((even.days or 0) + 7, rel=0.1)


def test_a_covariate_makes_it_shorter(tmp_path: Path) -> None:
    log = simple_log(4000, days=40)
    log["before"] = log["revenue"] + np.random.default_rng(2).standard_normal(4000)
    watched = model(tmp_path, log)
    found = plan(watched, replace(LATER, covariates=("before",)), tmp_path)
    assert found.reduction == pytest.approx(0.8, abs=0.03)
    assert (found.effects[2].units or 0) < 0.35 * (plan(watched, LATER, tmp_path).effects[2].units or 0)


def test_too_few_units_for_a_plan(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="units of the last 28 days have a value; a plan takes 30"):
        plan(model(tmp_path, simple_log(20, days=40)), LATER, tmp_path)


def test_an_experiment_that_has_not_begun_is_no_note_of_measure(tmp_path: Path) -> None:
    result = measure(model(tmp_path, simple_log(300), experiments=(LATER,)), NOW, {}, RetryPolicy(), tmp_path)
    assert not any("checkout" in note for note in result.notes)
