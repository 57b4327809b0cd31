"""What is found in experiments: at each look, by segment, and what is decided."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from modelwatch.model.experiment import (
    DecisionReason,
    ExperimentDecision,
    ExperimentMetric,
    ExperimentResult,
    GuardrailState,
    MetricForm,
)
from modelwatch.model.rule import Direction
from modelwatch.report.experiments import decision_line
from modelwatch.timeutil import DAY

from .tables import OUTCOMES, REVENUE, SPEC, START, analyse, first, model, simple_log

NOW = START + 20 * DAY
LATENCY = ExperimentMetric("latency", "latency", MetricForm.MEAN, better=Direction.LOWER, margin=0.05)


def run(folder: Path, log: dict[str, Any], now: float = NOW, **changed: Any) -> ExperimentResult:
    return analyse(model(folder, log), replace(SPEC, **changed), now, folder)


def test_a_difference_is_that_of_scipy(tmp_path: Path) -> None:
    log = simple_log(effect=0.5)
    found = first(run(tmp_path, log))
    new, control = (log["revenue"][log["arm"] == arm] for arm in ("new", "control"))
    assert found.difference == pytest.approx(new.mean() - control.mean())
    assert found.low is not None
    assert found.high is not None
    fixed = stats.ttest_ind(new, control, equal_var=False).confidence_interval()
    assert found.low < fixed.low < fixed.high < found.high
    assert found.high - found.low < 2.2 * (fixed.high - fixed.low)


def test_each_look_is_what_was_found_on_that_day(tmp_path: Path) -> None:
    """The history is recomputed every time, and nothing of later days is in it."""
    rng = np.random.default_rng(3)
    log = simple_log(600, region=rng.choice(["eu", "us"], 600))
    known = log["at"] + rng.exponential(2 * DAY, 600)
    paid = {"id": log["id"], "known": known, "revenue": log.pop("revenue")}
    spec = replace(SPEC, follow_up=3 * DAY)
    watched = model(tmp_path, log, paid)
    whole = analyse(watched, spec, NOW, tmp_path)
    assert len(whole.looks) == 20
    for day in (5, 12, 20):
        then = analyse(watched, spec, START + day * DAY, tmp_path)
        assert then.newest == whole.looks[day - 1]


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000), st.integers(1, 5))
def test_the_order_of_rows_and_the_split_into_files_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, seed: int, parts: int
) -> None:
    log = simple_log(900, customer=np.random.default_rng(seed).integers(0, 400, 900))
    log["arm"] = np.where(log["customer"] % 2, "new", "control")
    order = np.random.default_rng(seed).permutation(900)
    shuffled = {name: column[order] for name, column in log.items()}
    spec = replace(SPEC, unit="customer", follow_up=5 * DAY)
    folders = [tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")]
    one = analyse(model(folders[0], log), spec, NOW, folders[0])
    other = analyse(model(folders[1], shuffled, parts=parts), spec, NOW, folders[1])
    assert one.arms == other.arms
    for name in ("difference", "low", "high", "lift"):
        assert getattr(first(one), name) == pytest.approx(getattr(first(other), name), rel=1e-9)


def test_swapped_arms_swap_the_sign(tmp_path: Path) -> None:
    log = simple_log(effect=1.0)
    there = first(run(tmp_path / "a", log))
    back = first(run(tmp_path / "b", log, control="new"))
    assert there.difference == pytest.approx(-(back.difference or 0))
    assert there.low == pytest.approx(-(back.high or 0))
    assert there.control == pytest.approx(back.treatment)


def test_a_covariate_makes_the_interval_narrower_and_may_be_missing(tmp_path: Path) -> None:
    log = simple_log(2000)
    before = log["revenue"] + np.random.default_rng(2).standard_normal(2000)
    some = np.where(np.arange(2000) % 4 == 0, np.nan, before)
    widths = []
    for place, covariate in enumerate((None, before, some)):
        table = log if covariate is None else {**log, "before": covariate}
        covariates = () if covariate is None else ("before",)
        found = first(run(tmp_path / str(place), table, covariates=covariates))
        widths.append((found.high or 0) - (found.low or 0))
    plain, whole, partial = widths
    assert partial == pytest.approx(plain * np.sqrt(1 - 0.75 * 0.8), rel=0.05)
    assert whole == pytest.approx(plain * np.sqrt(1 - 0.8), rel=0.1)  # the correlation is 2 / sqrt 5
    assert whole < partial < plain


def test_ship_what_is_better_and_harmless(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    log = simple_log(2000, effect=1.0, latency=rng.gamma(50, 2, 2000))
    found = run(tmp_path, log, guardrails=(LATENCY,))
    assert (found.decision, found.chosen, found.reason) == (ExperimentDecision.SHIP, "new", DecisionReason.BETTER)
    assert found.newest.guardrails[0].state is GuardrailState.PASSED
    assert (found.newest.guardrails[0].worst or 1) < 0.05
    assert "ship new: revenue of new is +" in decision_line(found)
    assert decision_line(found).endswith("better than the control, and its guardrails hold.")


@pytest.mark.parametrize(
    ("effect", "slower", "noise", "decision", "reason", "state"),
    [
        (1.0, 12.0, 2, ExperimentDecision.STOP, DecisionReason.GUARDRAIL, GuardrailState.BREACHED),
        (1.0, 0.0, 60, ExperimentDecision.GO_ON, DecisionReason.BETTER_UNGUARDED, GuardrailState.OPEN),
        (-1.0, 0.0, 2, ExperimentDecision.STOP, DecisionReason.WORSE, GuardrailState.PASSED),
        (0.0, 0.0, 2, ExperimentDecision.GO_ON, DecisionReason.UNDECIDED, GuardrailState.PASSED),
        (0.0, 3.0, 2, ExperimentDecision.GO_ON, DecisionReason.UNDECIDED, GuardrailState.PASSED),
    ],
)
def test_decisions(
    tmp_path: Path,
    effect: float,
    slower: float,
    noise: float,
    decision: ExperimentDecision,
    reason: DecisionReason,
    state: GuardrailState,
) -> None:
    """The margin is 5 % of 100: 3 more are proven to be worse, and are within it."""
    log = simple_log(2000, effect=effect)
    rng = np.random.default_rng(5)
    log["latency"] = 100 + noise * rng.standard_normal(2000) + slower * (log["arm"] == "new")
    found = run(tmp_path, log, guardrails=(LATENCY,))
    assert (found.decision, found.reason) == (decision, reason)
    assert found.newest.guardrails[0].state is state


def test_lower_is_better_where_it_is_stated(tmp_path: Path) -> None:
    metric = replace(REVENUE, better=Direction.LOWER)
    assert run(tmp_path, simple_log(effect=1.0), metrics=(metric,)).reason is DecisionReason.WORSE
    assert run(tmp_path / "b", simple_log(effect=-1.0), metrics=(metric,)).reason is DecisionReason.BETTER


def test_nothing_is_decided_with_few_units(tmp_path: Path) -> None:
    found = run(tmp_path, simple_log(150, effect=5.0))
    assert (found.decision, found.reason) == (ExperimentDecision.GO_ON, DecisionReason.TOO_EARLY)
    assert first(found).low is None
    assert first(found).difference is not None


def test_the_end_without_proof_is_a_decision(tmp_path: Path) -> None:
    until = START + 15 * DAY
    assert run(tmp_path, simple_log(), until=until, follow_up=6 * DAY).reason is DecisionReason.UNDECIDED
    found = run(tmp_path, simple_log(), until=until, follow_up=5 * DAY)
    assert (found.decision, found.reason) == (ExperimentDecision.STOP, DecisionReason.ENDED)


def test_shares_that_are_not_as_planned_stop_everything(tmp_path: Path) -> None:
    log = simple_log(2000, effect=1.0)
    keep = (log["arm"] == "control") | (np.arange(2000) % 4 > 0)
    found = run(tmp_path, {name: column[keep] for name, column in log.items()})
    assert (found.decision, found.reason) == (ExperimentDecision.STOP, DecisionReason.SAMPLE_RATIO)
    assert found.srm_p < 0.001
    assert "units were not shared out as planned (p < 0.001)" in decision_line(found)


def test_shares_are_those_that_were_planned(tmp_path: Path) -> None:
    log = simple_log(3000)
    log["arm"] = np.where(np.random.default_rng(1).random(3000) < 0.1, "new", "control")
    assert run(tmp_path, log, arms=(("control", 9.0), ("new", 1.0))).srm_p > 0.05
    assert run(tmp_path, log).srm_p < 1e-6


def test_outcomes_that_are_missing_in_one_arm_stop_everything(tmp_path: Path) -> None:
    log = simple_log(2000)
    log["revenue"] = np.where((log["arm"] == "new") & (np.arange(2000) % 3 == 0), np.nan, log["revenue"])
    found = run(tmp_path, log)
    assert found.srm_p > 0.01
    assert (found.decision, found.reason) == (ExperimentDecision.STOP, DecisionReason.ATTRITION)


def test_units_in_several_arms_stop_everything(tmp_path: Path) -> None:
    log = simple_log(2000, customer=np.arange(2000) % 500)
    found = run(tmp_path, log, unit="customer", follow_up=DAY)
    assert found.reason is DecisionReason.MIXED


def test_the_best_of_several_arms_is_shipped(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    arm = rng.choice(["control", "a", "b", "c"], 4000)
    gain = np.select([arm == "a", arm == "b"], [0.8, 1.5], 0.0)
    log = simple_log(4000, arm=arm, revenue=10 + 2 * rng.standard_normal(4000) + gain)
    arms = tuple((name, 1.0) for name in ("control", "a", "b", "c"))
    found = run(tmp_path, log, arms=arms)
    assert found.chosen == "b"
    reasons = {verdict.arm: verdict.reason for verdict in found.verdicts}
    assert reasons == {"a": DecisionReason.BETTER, "b": DecisionReason.BETTER, "c": DecisionReason.UNDECIDED}


def test_several_arms_make_each_interval_wider(tmp_path: Path) -> None:
    """Bonferroni: each of two treatments has half of the chance of an error."""
    log = simple_log(2000)
    two = run(tmp_path / "two", log, alpha=0.025)
    log["arm"] = np.where(np.arange(2000) % 3 == 0, "other", log["arm"])
    three = run(tmp_path / "three", log, arms=(("control", 1.0), ("new", 1.0), ("other", 1.0)))
    alone = {name: column[log["arm"] != "other"] for name, column in log.items()}
    same = run(tmp_path / "alone", alone, alpha=0.025, units=round(SPEC.units * 2 / 3))
    assert first(three).low == pytest.approx(first(same).low, rel=1e-3)
    assert two.newest.effects[0].low != first(three).low


def segments_log(harm: float, seed: int = 7, n: int = 8000) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    log = simple_log(n, seed=seed, region=np.array([f"r{place}" for place in rng.integers(0, 20, n)]))
    log["revenue"] = log["revenue"] + (0.5 - harm * (log["region"] == "r3")) * (log["arm"] == "new")
    return log


def test_the_segment_that_is_harmed_is_named(tmp_path: Path) -> None:
    found = run(tmp_path, segments_log(harm=3.0), segments=("region",))
    harmed = [one for one in found.segments if one.is_harmed]
    assert [(one.column, one.value) for one in harmed] == [("region", "r3")]
    assert (harmed[0].effect.high or 0) < 0
    assert found.decision is ExperimentDecision.SHIP
    assert decision_line(found).endswith("But it harms region=r3: find out why before you ship it there.")


def test_no_segment_is_named_by_chance(tmp_path: Path) -> None:
    """20 segments in 15 experiments: a bound at 5 % without correction would name about 15."""
    named = 0
    for seed in range(15):
        log = segments_log(0.5, seed, 4000)
        log["revenue"] = log["revenue"] - 0.5 * (log["arm"] == "new")
        named += sum(one.is_harmed for one in run(tmp_path / str(seed), log, segments=("region",)).segments)
    assert named <= 2


def test_each_segment_pays_for_all_that_are_looked_at(tmp_path: Path) -> None:
    """Harm that is named in a look at one segment is not named among twenty, and the interval is wider."""
    log = segments_log(harm=1.25, seed=9)
    many = run(tmp_path / "many", log, segments=("region",))
    log["region"] = np.where(log["region"] == "r3", "r3", "")
    one = run(tmp_path / "one", log, segments=("region",))
    found = [next(part for part in result.segments if part.value == "r3") for result in (one, many)]
    assert [part.is_harmed for part in found] == [True, False]
    assert found[0].effect.difference == found[1].effect.difference
    assert (found[0].effect.low or 0) > (found[1].effect.low or 0)


def test_each_guardrail_pays_for_all(tmp_path: Path) -> None:
    log = simple_log(2000, latency=np.random.default_rng(5).gamma(50, 2, 2000))
    alone = run(tmp_path / "a", log, guardrails=(LATENCY,)).newest.guardrails[0]
    second = replace(REVENUE, name="again", margin=0.5)
    both = run(tmp_path / "b", log, guardrails=(LATENCY, second)).newest.guardrails[0]
    assert (both.worst or 0) > (alone.worst or 0)


def test_the_time_that_is_left_is_stated(tmp_path: Path) -> None:
    found = run(tmp_path, simple_log(2000))
    assert found.required is not None
    assert found.required.units == 2000
    assert found.required.daily == pytest.approx(100, rel=0.2)
    assert found.required.minimal_effect == pytest.approx((3.3 + 0.84) * np.sqrt(16 / 2000), rel=0.1)
    assert found.required.days_for_half == pytest.approx(0.7 * 60, rel=0.35)


def test_an_unknown_lag_counts_no_unit(tmp_path: Path) -> None:
    """Outcomes that come for three weeks cannot be measured in a log of ten days."""
    log = simple_log(500, days=10)
    rng = np.random.default_rng(8)
    paid = {"id": log["id"], "known": log["at"] + 21 * DAY * rng.random(500), "revenue": log.pop("revenue")}
    found = analyse(model(tmp_path, log, paid, table=OUTCOMES), SPEC, START + 10 * DAY, tmp_path)
    assert sum(arm.followed for arm in found.arms) == 0
    assert "when outcomes are complete is not known yet" in found.notes[0]
