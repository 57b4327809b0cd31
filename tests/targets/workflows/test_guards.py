"""Every guard refuses what it is for, and what it does not know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelwatch.model.alert import Group
from modelwatch.model.monitored_model import BlastRadius
from modelwatch.model.plan import Dispatch, ModelObservation, ObservationError, ObservedRun
from modelwatch.model.register import DispatchRecord, DispatchState
from modelwatch.model.target import Target
from modelwatch.targets.draft import BlastRadiusCounter, GroupPlan
from modelwatch.targets.workflows.guards import GUARDS, DispatchRequest, first_refusal
from modelwatch.timeutil import DAY, HOUR, format_utc

from ...alerts.making import rule
from ..making import GROUP, RETRAIN, ROLLBACK, RULE, config, issue, judged, later, model, register

NOW = later("..c")
NAN = float("nan")


def groups(text: str = "..c", **others: str) -> tuple[Group, ...]:
    of = config(RULE, rule("nulls", kind="data-quality"))
    return judged(text, of, **others).groups


def request(verb: str = "retrain", **more: Any) -> DispatchRequest:
    """A request of a draft whose parts are ``more``; ``records`` stand in the register of another issue."""
    workflow = more.pop("workflow", RETRAIN if verb == "retrain" else ROLLBACK)
    error = more.pop("unobservable", "")
    observed = ModelObservation(
        "churn",
        issues=(issue(register(dispatches=more.pop("records", ())), 2),),
        runs=more.pop("runs", ()),
        errors=(ObservationError(Target.DISPATCH, error),) if error else (),
    )
    target = more.pop("target", "v1" if verb == "rollback" else "")
    why = more.pop("no_target_reason", "")
    draft = GroupPlan(
        more.pop("group", groups()[0]),
        model(workflows=(workflow,) if workflow else ()),
        observed,
        NOW,
        more.pop("counter", BlastRadiusCounter(BlastRadius())),
        more.pop("model_groups", groups()),
        register=more.pop("register", register()),
    )
    assert not more
    return DispatchRequest(draft, verb, target, no_target_reason=why)


def record(verb: str = "retrain", ago: float = 0.0, state: str = "sent", number: int = 1) -> DispatchRecord:
    return DispatchRecord(f"other.1.{verb}.{number}", verb, DispatchState(state), NOW - ago)


def run(verb: str = "retrain", ago: float = 0.0, status: str = "completed", number: int = 1) -> ObservedRun:
    return ObservedRun(number, "", f"other.1.{verb}.{number}", verb, "churn", status, "", NOW - ago)


def guard(of: DispatchRequest) -> str:
    return first_refusal(of)[0]


@pytest.mark.parametrize("verb", ["retrain", "rollback"])
def test_nothing_refuses_a_plain_request(verb: str) -> None:
    assert first_refusal(request(verb)) == ("", "")


def test_every_guard_has_a_name_of_its_own() -> None:
    assert len({name for name, _ in GUARDS}) == len(GUARDS) == 12


def test_what_is_past_is_not_acted_on() -> None:
    """ "What happened wholly in the past is reported, never acted on." """
    assert guard(request(group=groups("..c..")[0])) == "past"


def test_unknown_workflows_and_registers_refuse() -> None:
    assert guard(request(workflow=None)) == "configured"
    assert guard(request(workflow=replace(RETRAIN, file=""))) == "configured"
    assert guard(request(register=None)) == "configured"


def test_runs_that_cannot_be_listed_refuse() -> None:
    assert guard(request(unobservable="403")) == "unobservable"


def test_one_at_a_time() -> None:
    """ "Retraining has a cooldown, a budget and a data-quality gate, one at a time." """
    assert guard(request(runs=(run(status="in_progress", ago=9 * DAY),))) == "one-at-a-time"
    assert guard(request(runs=(run(status="an unknown word", ago=9 * DAY),))) == "one-at-a-time"
    assert guard(request(records=(record(state="intended", ago=60),))) == "one-at-a-time"
    planned = Dispatch("k", "retrain", "retrain.yml", "", "", "", "churn", "", "", "")
    assert guard(request(counter=BlastRadiusCounter(BlastRadius(), dispatches=[planned]))) == "one-at-a-time"
    other = replace(planned, model="fraud")
    assert guard(request(counter=BlastRadiusCounter(BlastRadius(), dispatches=[other]))) == ""


def test_no_retraining_while_a_rollback_is_under_way() -> None:
    assert guard(request(runs=(run("rollback", status="queued", ago=9 * DAY),))) == "one-at-a-time"
    assert guard(request(records=(record("rollback", state="intended", ago=60),))) == "one-at-a-time"
    assert guard(request("rollback", runs=(run("retrain", status="queued"),))) == "", "a rollback does not wait"


def test_data_quality_blocks_retraining() -> None:
    """ "A data-quality alert ... blocks retraining of the same model." """
    assert guard(request(model_groups=groups(nulls="..w"))) == "data-quality"
    assert guard(request("rollback", model_groups=groups(nulls="..w"))) == ""
    assert guard(request(model_groups=groups(nulls="w.."))) == ""


def test_rollback_target() -> None:
    assert guard(request("rollback", target="")) == "rollback-target"
    assert guard(request("rollback", target="v2")) == "rollback-target", "v2 is the version that just failed"


@pytest.mark.parametrize("state", ["lost", "proposed"])
def test_what_never_happened_costs_nothing(state: str) -> None:
    assert guard(request(records=(record(state=state),))) == ""


def test_cooldown() -> None:
    assert guard(request(records=(record(ago=DAY - 1, state="finished"),))) == "cooldown"
    assert guard(request(runs=(run(ago=DAY - 1),))) == "cooldown"
    assert guard(request(records=(record(ago=DAY, state="finished"),), runs=(run(ago=DAY),))) == ""
    assert guard(request(runs=(run("rollback", ago=HOUR),))) == "", "of that verb"


@pytest.mark.parametrize("ago", [NAN, -HOUR])
def test_times_that_make_no_sense_refuse(ago: float) -> None:
    assert guard(request(records=(record(ago=ago, state="finished"),))) == "cooldown"


def test_no_attempt_before_the_last_one_can_show() -> None:
    """Labels that come six days late say nothing of a model that was trained three days ago."""
    late = replace(groups()[0], newest=NOW - 6 * DAY)
    assert guard(request(group=late, runs=(run(ago=3 * DAY),))) == "effect"
    assert guard(request(group=late, records=(record(ago=6 * DAY, state="sent"),))) == "effect"
    assert guard(request(group=late, runs=(run(ago=7 * DAY),))) == ""
    assert guard(request(group=late, runs=(replace(run(ago=7 * DAY), ended_at=NOW - 5 * DAY),))) == "effect"
    assert guard(request(group=late, runs=(replace(run(ago=3 * DAY), conclusion="failure"),))) == "", "it failed"
    failed = replace(record(ago=3 * DAY, state="finished"), conclusion="failure")
    assert guard(request(group=late, records=(failed,))) == ""
    assert guard(replace(request(group=late, runs=(run(ago=3 * DAY),)), requested_by="ada")) == "", "a person may"
    assert guard(request(runs=(run(ago=3 * DAY),))) == ""
    assert guard(request(runs=(run(ago=DAY),))) == "", "a day of the new version is judged"


def test_an_attempt_is_repeated_when_it_provably_did_not_help() -> None:
    group = groups()[0]
    alert = group.alerts[0]
    stale = replace(group, alerts=(replace(alert, finding=replace(alert.finding, time=NOW - 2 * DAY)),))
    refused, at = request(group=stale, runs=(run(ago=1.5 * DAY),)), format_utc(NOW - 1.5 * DAY)
    assert first_refusal(refused) == (
        "effect",
        f"nothing that was judged after the last retrain, of {at}, proves that it did not help",
    )
    assert guard(request(group=stale, runs=(run(ago=3.5 * DAY),))) == ""


def test_budget() -> None:
    spent = tuple(record(ago=number * 2 * DAY, state="finished", number=number) for number in range(1, 5))
    assert guard(request(records=spent)) == "budget"
    assert guard(request(records=spent[:3])) == ""
    runs = tuple(run(ago=number * 2 * DAY, number=number) for number in range(1, 5))
    assert guard(request(records=spent, runs=runs)) == "budget"
    assert guard(request(records=spent[:3], runs=runs[:3])) == "", "a run and its receipt are one dispatch"
    assert guard(request(records=spent, workflow=replace(RETRAIN, budget=5))) == ""
    assert guard(request(records=spent, workflow=replace(RETRAIN, budget_period=7 * DAY))) == ""
    assert guard(request(workflow=replace(RETRAIN, budget=0))) == "budget"


def test_once_per_episode() -> None:
    tried = register(dispatches=(replace(record("rollback", 9 * DAY, "finished"), key=f"{GROUP}.1.rollback.1"),))
    assert guard(request("rollback", register=tried)) == "once-per-episode"
    assert guard(request("retrain", register=tried)) == ""


def test_no_new_attempts_once_it_fired_again() -> None:
    tried = (replace(record(ago=9 * DAY, state="finished"), key=f"{GROUP}.1.retrain.1"),)
    assert guard(request(register=register(dispatches=tried, refired=NOW - DAY))) == "refired"
    assert guard(request(register=register(dispatches=tried, reopened=NOW - DAY))) == "refired"
    assert guard(request(register=register(refired=NOW - DAY))) == "", "what was not tried yet is no new attempt"


def test_blast_radius() -> None:
    assert guard(request(counter=BlastRadiusCounter(BlastRadius(dispatches=0)))) == "blast-radius"


URL = "https://github.com/acme/churn/actions/runs/1"
LAST, JUDGED = format_utc(NOW - 3 * DAY), format_utc(NOW - 6 * DAY)
TRIED = register(dispatches=(replace(record("rollback", DAY, "finished"), key=f"{GROUP}.1.rollback.1"),))
REASONS = {
    "past": (request(group=groups("..c..")[0]), "it no longer fires"),
    "configured": (request(workflow=None), "no workflow 'retrain' is configured for this model"),
    "unobservable": (request(unobservable="HTTP 403"), "workflow runs cannot be observed: HTTP 403"),
    "refired": (
        request("rollback", register=replace(TRIED, refired=NOW - DAY)),
        "it was tried in this episode, which fired again: no new attempt",
    ),
    "once-per-episode": (request("rollback", register=TRIED), "one rollback per episode, and it was tried"),
    "one-at-a-time": (
        request(runs=(replace(run("rollback", status="queued"), url=URL),)),
        f"a rollback of this model is under way: {URL}",
    ),
    "data-quality": (request(model_groups=groups(nulls="..w")), "data quality is in doubt: nulls fires"),
    "rollback-target": (
        request("rollback", target="", no_target_reason="v6 shares the likely cause: trained on the same data (june)"),
        "v6 shares the likely cause: trained on the same data (june)",
    ),
    "cooldown": (
        request(records=(record(ago=HOUR, state="finished"),)),
        "cooldown: the last retrain of this model was less than 24 h ago (23.0 h left)",
    ),
    "effect": (
        request(group=replace(groups()[0], newest=NOW - 6 * DAY), runs=(run(ago=3 * DAY),)),
        f"the last retrain, of {LAST}, cannot show yet: data is judged up to {JUDGED}",
    ),
    "budget": (
        request(records=tuple(record(ago=n * 2 * DAY, state="finished", number=n) for n in range(1, 5))),
        "budget: 4 of 4 retrain dispatches in 30 days are spent",
    ),
    "blast-radius": (
        request(counter=BlastRadiusCounter(BlastRadius(dispatches=0))),
        "blast radius: this evaluation already has 0 dispatches; the rest waits for the next one",
    ),
}


@pytest.mark.parametrize("name", REASONS)
def test_the_reason_that_a_person_reads(name: str) -> None:
    of, reason = REASONS[name]
    assert first_refusal(of) == (name, reason)


def test_every_guard_has_its_reason_above() -> None:
    assert list(REASONS) == [name for name, _ in GUARDS]
