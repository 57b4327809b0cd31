from __future__ import annotations

from array import array
from dataclasses import replace
from typing import Any

import pytest

from modelwatch.alerts.grouping import judge_models
from modelwatch.model.finding import Track
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Config, WorkflowSpec
from modelwatch.model.plan import ChangeKind, ModelObservation, ObservationError, ObservedRun, Plan
from modelwatch.model.register import DispatchRecord, DispatchState, PageRecord, Register
from modelwatch.model.rule import Mode
from modelwatch.model.series import Deployment, Labels, PulledSeries
from modelwatch.model.severity import Severity
from modelwatch.model.target import Target
from modelwatch.targets.plan import make_plan
from modelwatch.timeutil import DAY, HOUR

from ...alerts.making import at, findings, rule, tier, track, unexplained
from ..issues.test_plan import WHOLE
from ..making import (
    GROUP,
    MINUTE,
    RETRAIN,
    ROLLBACK,
    RULE,
    World,
    act,
    config,
    issue,
    judged,
    kinds,
    later,
    model,
    register,
    seen,
    skipped,
)

NOW = later("..w")
HELD = register(alerts=(WHOLE,), severity=Severity.WARNING, peak=Severity.WARNING, told=NOW)
PAGED = replace(
    HELD,
    severity=Severity.CRITICAL,
    peak=Severity.CRITICAL,
    page=PageRecord("triggered", Severity.CRITICAL, at(2)),
)


def record(verb: str = "retrain", state: str = "intended", ago: float = 0.0, attempt: int = 1) -> DispatchRecord:
    return DispatchRecord(f"{GROUP}.1.{verb}.{attempt}", verb, DispatchState(state), NOW - ago, version="v2")


def run(verb: str = "retrain", status: str = "queued", ago: float = 0.0, attempt: int = 1, **more: Any) -> ObservedRun:
    fields: dict[str, Any] = {"key": f"{GROUP}.1.{verb}.{attempt}", "conclusion": "", "model": "churn"}
    return ObservedRun(id=9, url="https://r", verb=verb, status=status, created_at=NOW - ago, **(fields | more))


def plan_for(text: str, of: Register | None, *runs: ObservedRun, now: float | None = None, **more: Any) -> Plan:
    by = config(**{key: more.pop(key) for key in ("workflows",) if key in more})
    observed = seen(*([issue(of)] if of else []), runs=runs, **more)
    return make_plan(judged(text, by), by, observed, later(text) if now is None else now)


def dispatched(plan: Plan) -> list[str]:
    return [change.dispatch.key for change in plan.changes if change.dispatch]


def records(plan: Plan) -> dict[str, tuple[str, str]]:
    held = next((c.register for c in plan.changes if c.kind.target is Target.ISSUE), None)
    assert held is not None, kinds(plan)
    return {r.key.split(".", 2)[2]: (r.state.value, r.conclusion) for r in held.dispatches}


def test_the_intent_is_written_before_the_dispatch() -> None:
    """ "The intent is written before a dispatch"; "the dispatch key is `group.episode.verb.attempt`"."""
    plan = plan_for("..w", None)
    assert kinds(plan) == ["open-issue", "dispatch-workflow"]
    assert records(plan) == {"retrain.1": ("intended", "")}
    change = plan.changes[1]
    assert change.dispatch is not None
    assert change.dispatch.key == f"{GROUP}.1.retrain.1"
    assert (change.dispatch.workflow, change.dispatch.repository) == ("retrain.yml", "acme/churn")
    assert (change.dispatch.model, change.dispatch.version, change.dispatch.target_version) == ("churn", "v2", "")
    assert "accuracy" in change.dispatch.reason
    assert kinds(plan_for("..w", HELD)) == ["update-issue", "dispatch-workflow"]


def test_a_tier_may_name_any_workflow() -> None:
    """ "... and may name any workflow." """
    of = config(
        rule(tiers=(tier("warning", ("shadow",)),)),
        workflows=(WorkflowSpec("shadow", "", "acme/other", "go", "main", inputs=(("x", "1"),)),),
    )
    plan = make_plan(judged("..w", of), of, seen(), NOW)
    change = plan.changes[1]
    assert change.dispatch is not None
    assert (change.repository, change.dispatch.event_type, change.dispatch.ref) == ("acme/other", "go", "main")
    assert change.dispatch.inputs == (("x", "1"),)


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.PROPOSE])
def test_modes(mode: Mode) -> None:
    """ "Modes: `observe | propose | act`." """
    plan = plan_for("..w", HELD, workflows=(replace(RETRAIN, mode=mode),))
    assert dispatched(plan) == []
    if mode is Mode.OBSERVE:
        assert not plan.changes
        assert "mode observe" in skipped(plan, "retrain")
        return
    assert kinds(plan) == ["update-issue"]
    assert records(plan) == {"retrain.1": ("proposed", "")}
    assert [note.key for note in plan.changes[0].notes] == [f"{GROUP}.1.proposal.retrain.1"]
    held = plan.changes[0].register
    assert not plan_for("..w", held, workflows=(replace(RETRAIN, mode=mode),)).changes, "proposed once"


def test_an_intent_is_looked_for_among_the_workflow_runs() -> None:
    """ "An intent without a receipt is looked for among workflow runs." """
    plan = plan_for("..w", replace(HELD, dispatches=(record(ago=HOUR),)), run())
    assert dispatched(plan) == []
    assert records(plan) == {"retrain.1": ("sent", "")}
    held = plan.changes[0].register
    assert held is not None
    assert (held.dispatches[0].run_id, held.dispatches[0].url) == (9, "https://r")


def test_an_intent_waits_ten_minutes() -> None:
    plan = plan_for("..w", replace(HELD, dispatches=(record(ago=10 * MINUTE - 1),)))
    assert not plan.changes
    assert "waiting" in skipped(plan, "retrain")


def test_a_lost_retraining_is_repeated() -> None:
    """ "... and if it is not found after 10 minutes a retraining is repeated ..." """
    plan = plan_for("..w", replace(HELD, dispatches=(record(ago=10 * MINUTE),)))
    assert dispatched(plan) == [f"{GROUP}.1.retrain.2"]
    assert records(plan) == {"retrain.1": ("lost", ""), "retrain.2": ("intended", "")}


def test_a_lost_rollback_is_only_proposed() -> None:
    """ "... a rollback only proposed." """
    started = replace(record("retrain", "sent", ago=HOUR), run_id=9)
    held = replace(PAGED, dispatches=(record("rollback", ago=HOUR), started))
    plan = plan_for("..c", held)
    assert dispatched(plan) == []
    assert records(plan)["rollback.1"] == ("lost", "")
    assert records(plan)["rollback.2"] == ("proposed", "")
    assert [note.topic for note in plan.changes[0].notes] == ["proposal"]


def test_a_dispatch_that_github_accepted_and_never_started_is_lost_after_an_hour() -> None:
    """A 204 promises no workflow run: a retraining is repeated, and the issue says so."""
    young = plan_for("..w", replace(HELD, dispatches=(record(state="sent", ago=HOUR - 1),)))
    assert not young.changes
    plan = plan_for("..w", replace(HELD, dispatches=(record(state="sent", ago=HOUR),)))
    assert dispatched(plan) == [f"{GROUP}.1.retrain.2"]
    assert records(plan) == {"retrain.1": ("lost", ""), "retrain.2": ("intended", "")}
    (note,) = plan.changes[0].notes
    assert note.topic == "lost"
    assert note.detail.startswith("GitHub accepted retrain.1 at ")


def test_a_rollback_that_never_started_is_proposed_and_the_on_call_is_called() -> None:
    held = replace(PAGED, dispatches=(record("rollback", "sent", ago=HOUR),))
    plan = plan_for("..c", held)
    assert (records(plan)["rollback.1"], records(plan)["rollback.2"]) == (("lost", ""), ("proposed", ""))
    assert [note.topic for note in plan.changes[0].notes] == ["lost", "proposal"]
    (page,) = (change for change in plan.changes if change.kind is ChangeKind.TRIGGER_INCIDENT)
    assert "has not started a workflow run for it" in page.reason
    assert plan.changes[0].register is not None
    again = plan_for("..c", replace(plan.changes[0].register, page=replace(PAGED.page, at=NOW)))  # type: ignore[type-var]
    assert not again.changes, "once"


def test_a_workflow_run_that_is_known_and_no_longer_listed_is_not_lost() -> None:
    known = replace(record(state="sent", ago=30 * DAY), run_id=9)
    assert not plan_for("..w", replace(HELD, dispatches=(known,))).changes


def test_what_is_lost_again_and_again_is_proposed() -> None:
    lost = (record(state="lost", ago=3 * HOUR), record(ago=HOUR, attempt=2))
    plan = plan_for("..w", replace(HELD, dispatches=lost))
    assert dispatched(plan) == []
    assert records(plan)["retrain.3"] == ("proposed", "")


def test_unlisted_runs_prove_no_loss() -> None:
    down = (ObservationError(Target.DISPATCH, "403"),)
    plan = plan_for("..w", replace(HELD, dispatches=(record(ago=DAY),)), errors=down)
    assert not plan.changes
    assert "403" in skipped(plan, "retrain")


@pytest.mark.parametrize("conclusion", ["success", "failure"])
def test_the_outcome_is_written_on_the_issue(conclusion: str) -> None:
    """ "A dispatched workflow run is followed; its outcome is written on the issue." """
    held = replace(HELD, dispatches=(record(state="sent", ago=HOUR),))
    plan = plan_for("..w", held, run(status="completed", conclusion=conclusion, ago=HOUR))
    assert kinds(plan) == ["update-issue"]
    assert records(plan) == {"retrain.1": ("finished", conclusion)}
    note = plan.changes[0].notes[0]
    assert (note.key, note.detail) == (f"{GROUP}.1.workflow.retrain.1", f"retrain finished: {conclusion}")
    assert plan_for("..w", held, run(status="in_progress", ago=HOUR)).changes[0].notes == ()


def test_an_outcome_is_written_on_a_closed_issue_too() -> None:
    held = replace(HELD, dispatches=(record(state="sent", ago=HOUR),), closed=later("..w.."))
    observed = seen(issue(held, state="closed"), runs=(run(status="completed", conclusion="success"),))
    plan = make_plan(judged("..w..", config()), config(), observed, later("..w.."))
    assert kinds(plan) == ["update-issue"]
    assert plan.changes[0].expect.issue_state == "closed"


def test_a_finished_retraining_is_repeated_after_its_cooldown() -> None:
    """Also a failed one: not within the cooldown."""
    done = replace(HELD, dispatches=(record(state="finished", ago=DAY - 1),))
    assert "[cooldown]" in skipped(plan_for("..w", done), "retrain")
    again = replace(HELD, dispatches=(record(state="finished", ago=DAY),))
    assert dispatched(plan_for("..w", again)) == [f"{GROUP}.1.retrain.2"]


def test_rollback_goes_to_the_version_before() -> None:
    plan = plan_for("..c", PAGED)
    assert dispatched(plan) == [f"{GROUP}.1.rollback.1"]
    change = next(change for change in plan.changes if change.kind is ChangeKind.DISPATCH_WORKFLOW)
    assert change.dispatch is not None
    assert (change.dispatch.version, change.dispatch.target_version) == ("v2", "v1")
    assert "[one-at-a-time]" in skipped(plan, "retrain"), "not while a rollback is under way"


def test_a_rollback_without_a_target_is_not_even_proposed() -> None:
    """Rollback "to a version that exists, was healthy under the same rules, and is not what just failed": nobody could
    approve it."""
    plan = plan_for("cwc", PAGED, now=later("..c"))
    assert dispatched(plan) == [f"{GROUP}.1.retrain.1"], "which then need not wait"
    assert "rollback.1" not in records(plan)
    assert "v1 was not healthy while it served: accuracy was critical" in skipped(plan, "rollback")
    register = plan.changes[0].register
    assert register is not None
    assert "no rollback: v1 was not healthy" in register.troubles[0], "the issue says why"


def test_one_rollback_per_episode() -> None:
    """ "Rollback makes one attempt per episode." """
    done = replace(PAGED, dispatches=(record("rollback", "finished", ago=90 * DAY),))
    plan = plan_for("..c", done, workflows=act(RETRAIN, ROLLBACK))
    assert f"{GROUP}.1.rollback.2" not in dispatched(plan)
    assert "[once-per-episode]" in skipped(plan, "rollback")


def test_a_run_with_the_key_is_the_receipt_even_if_the_intent_is_forgotten() -> None:
    specs = (replace(RETRAIN, cooldown=0.0),)
    plan = plan_for("..w", HELD, run(status="completed", ago=MINUTE), workflows=specs)
    assert dispatched(plan) == []
    assert records(plan) == {"retrain.1": ("sent", "")}
    before = run(status="completed", ago=DAY)
    assert dispatched(plan_for("..w", HELD, before, workflows=specs)) == [f"{GROUP}.1.retrain.2"], "of another life"


def test_a_retraining_that_helps_closes_the_loop() -> None:
    """ "... the metric is looked at again; then incident and issue close, or escalate." """
    world = World(config())
    for text in ("..w", "..ww", "..ww.", "..ww.."):
        world.evaluate(text)
        world.finish_runs()
    assert not world.open_issues
    topics = [key.split(".")[2] for key in world.notes[1]]
    assert topics == ["workflow", "recovered"]
    world = World(config())
    for text in ("..w", "..ww", "..wwc"):
        world.evaluate(text)
        world.finish_runs("failure")
    assert world.paged == ["critical"]
    assert [found.verb for found in world.runs] == ["retrain", "rollback"]


def test_nothing_is_started_on_the_way_down() -> None:
    """The error tier has fallen to warning, whose list names a retraining: the metric can be on its way back for a
    day, and can be healthy by now."""
    down = plan_for("..eeww.", None)
    assert dispatched(down) == []
    assert "recovering" in {skip.guard for skip in down.skips if skip.what == "retrain"}
    falling = plan_for("..eeww", None)
    assert dispatched(falling) == []
    (skip,) = [skip for skip in falling.skips if skip.what == "retrain"]
    assert (skip.guard, "getting better: error until" in skip.reason) == ("recovering", True)
    assert dispatched(plan_for("..ee" + 30 * "w", None)) == [f"{GROUP}.1.retrain.1"]
    assert dispatched(plan_for("..wweew", None)) == [], "nor what the way up did not start"


def test_the_data_quality_of_one_model_blocks_no_other() -> None:
    """ "A data-quality alert ... blocks retraining of the same model." """
    text, nulls = "..w", rule("nulls", kind="data-quality")
    of = Config((model(RULE, nulls), replace(model(RULE), name="fraud")), "c1")
    tracks = {
        "churn": findings(track(text, RULE), track(text, nulls)),
        "fraud": findings(replace(track(text, RULE), model="fraud")),
    }
    judgement = judge_models(of, tracks, {name: PulledSeries(name, ()) for name in tracks}, later(text), unexplained)
    made = make_plan(judgement, of, {name: ModelObservation(name) for name in tracks}, later(text))
    assert [change.model for change in made.changes if change.dispatch] == ["fraud"]
    assert [skip.model for skip in made.skips if skip.guard == "data-quality"] == ["churn"]
    told = {c.model: c.register.troubles for c in made.changes if c.register}
    assert told["churn"] == ("retrain is blocked: data quality is in doubt: nulls fires",), "the issue says so"
    assert told["fraud"] == ()


@pytest.mark.parametrize(("share", "starts"), [(0.04, False), (0.4, True)])
def test_one_small_segment_alone_rolls_nothing_back(share: float, starts: bool) -> None:
    """But it is paged, and so is a segment that many are in."""
    labels = (("region", "eu"),)

    def rows(text: str, n: float, labels: Labels = ()) -> Track:
        return replace(track(text, RULE, labels, versions=("v1", "v2"), version=[0, 1, 1]), n=array("d", [n] * 3))

    of = config()
    tracks = findings(rows("...", 1000), rows("..c", 1000 * share, labels))
    pull = PulledSeries("churn", (), (Deployment("v1", at(0)), Deployment("v2", at(1))))
    judgement = judge_models(of, {"churn": tracks}, {"churn": pull}, later("..c"), unexplained)
    plan = make_plan(judgement, of, seen(), later("..c"))
    assert "trigger-incident" in kinds(plan)
    assert any("rollback" in key for key in dispatched(plan)) == starts
    if not starts:
        assert skipped(plan, "rollback") == "[small-segment] only region=eu is critical, and it has 4 % of the rows"


def test_an_estimate_alone_rolls_nothing_back() -> None:
    """Though a rule asks for it: the configuration refuses that, and so does the plan."""
    estimated = replace(RULE, metric=KeyPattern("estimated/accuracy"))
    of = config(estimated)
    plan = make_plan(judged("..c", of), of, seen(), later("..c"))
    assert "trigger-incident" in kinds(plan)
    assert not any("rollback" in key for key in dispatched(plan))
    assert not any(change.dispatch and change.dispatch.verb == "rollback" for change in plan.changes)
    assert skipped(plan, "rollback") == "[estimate] an estimate alone is no reason for it: wait for labels"
