"""People approve, reject and ask; each refusal says why, and nothing is started twice."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from modelwatch.model.monitored_model import Config, WorkflowSpec
from modelwatch.model.plan import Change, ChangeKind, Command, ModelObservation, ObservedRun, Plan
from modelwatch.model.register import DispatchRecord, DispatchState, PageRecord, Register
from modelwatch.model.release import Registry, Version
from modelwatch.model.rule import Mode
from modelwatch.model.severity import Severity
from modelwatch.report.comments import actions_table
from modelwatch.report.dispatch_command import dispatch_command
from modelwatch.report.formatting import utc_time
from modelwatch.targets.plan import make_plan
from modelwatch.timeutil import HOUR, MINUTE

from ...alerts.making import at, rule
from ..issues.test_plan import WHOLE
from ..making import GROUP, RETRAIN, ROLLBACK, RULE, World, config, issue, judged, kinds, later, register, skipped

NOW = later("..c")
PROPOSE = replace(ROLLBACK, mode=Mode.PROPOSE)
ASKED = DispatchRecord(f"{GROUP}.1.rollback.1", "rollback", DispatchState.PROPOSED, NOW, target_version="v1")
HELD = register(
    alerts=(WHOLE,),
    severity=Severity.CRITICAL,
    peak=Severity.CRITICAL,
    page=PageRecord("triggered", Severity.CRITICAL, at(2)),
    told=NOW,
    dispatches=(DispatchRecord(f"{GROUP}.1.retrain.1", "retrain", DispatchState.FINISHED, at(1), told=True), ASKED),
)


def said(verb: str, argument: str = "", number: int = 7, author: str = "ada", allowed: bool = True) -> Command:
    refused = "" if allowed else f"{author} is not in `github.people`"
    return Command(number, author, NOW, verb, argument, allowed, refused)


def by(*workflows: WorkflowSpec) -> Config:
    return config(workflows=workflows or (RETRAIN, PROPOSE))


def plan_for(
    *commands: Command, of: Register = HELD, text: str = "..c", among: Config | None = None, **more: object
) -> Plan:
    among = among or by()
    seen = {"churn": ModelObservation("churn", (issue(of, commands=commands),), **more)}  # type: ignore[arg-type]
    return make_plan(judged(text, among), among, seen, later(text))


def answers(plan: Plan) -> list[str]:
    """Of refused and invalid commands what stands after the command."""
    notes = [note for change in plan.changes for note in change.notes]
    told = [note.detail for note in notes if note.topic == "command"]
    return [re.sub(r"^\w+, `[^`]*`: ", "", text) for text in told]


def sent(plan: Plan, but: str = "retrain") -> list[Change]:
    """Dispatches; the tier's own retraining is another matter."""
    found = [change for change in plan.changes if change.kind is ChangeKind.DISPATCH_WORKFLOW]
    return [change for change in found if change.dispatch and change.dispatch.verb != but]


def held(plan: Plan) -> Register:
    assert plan.changes[0].register is not None
    return plan.changes[0].register


@pytest.mark.parametrize("argument", ["", "rollback.1", "ROLLBACK.1", "rollback.1 go on", "because it burns"])
def test_an_approval_starts_what_was_proposed_under_its_key(argument: str) -> None:
    plan = plan_for(said("approve", argument))
    (change,) = sent(plan)
    assert change.dispatch is not None
    assert (change.dispatch.key, change.dispatch.target_version) == (ASKED.key, "v1")
    assert "ada requested rollback" in change.reason
    assert change.dispatch.reason.endswith("; requested by ada"), "the history of the release says who"
    assert answers(plan) == ["ada approved rollback.1: rollback.1 to v1 is dispatched"]
    record = held(plan).dispatches[-1]
    assert (record.state, record.by, record.at) == (DispatchState.INTENDED, "ada", NOW)
    assert kinds(plan) == ["update-issue", "dispatch-workflow"], "the intent is written first"


def test_a_refusal_says_what_it_answers() -> None:
    plan = plan_for(said("rollback", "v0 " * 40), said("approve", "retrain.1", number=8, author="bob"))
    first, second = (note.detail for change in plan.changes for note in change.notes if note.topic == "command")
    assert first.startswith("ada, `rollback v0 v0 v0")
    assert "…`: refused: version 'v0'" in first
    assert second == "bob, `approve retrain.1`: refused: retrain.1 has been started already"


def test_two_approvals_at_once_start_it_once() -> None:
    plan = plan_for(said("approve"), said("approve", number=8, author="bob"))
    assert len(sent(plan)) == 1
    assert answers(plan)[1] == "refused: rollback.1 is under way already"


def test_a_stranger_starts_nothing() -> None:
    plan = plan_for(said("approve", author="mallory", allowed=False))
    assert not sent(plan)
    assert "mallory is not in `github.people`" in answers(plan)[0]


@pytest.mark.parametrize(
    ("commands", "answer"),
    [
        ((said("approve", "rollback.9"),), "there is no proposal 'rollback.9' here; proposed: `rollback.1`"),
        ((said("approve", "$(reboot).1"),), "there is no proposal '$(reboot).1' here; proposed: `rollback.1`"),
        ((said("approve", "retrain.1"),), "refused: retrain.1 has been started already"),
        ((said("promote"),), "say which version: `promote <version>`"),
        ((said("promote", "v9"),), "no workflow 'promote' is configured for this model"),
        ((said("degrade"),), "no workflow 'degrade' is configured for this model"),
        ((said("rollback", "v0"),), "version 'v0' is not on record as healthy; these are: v1"),
        ((said("rollback", "`id`; rm -rf /"),), "version '`id`;' is not on record as healthy; these are: v1"),
    ],
)
def test_each_refusal_says_why(commands: tuple[Command, ...], answer: str) -> None:
    plan = plan_for(*commands)
    assert not sent(plan)
    assert answer in answers(plan)[0]


def test_a_version_that_does_not_exist_is_not_promoted() -> None:
    seen = Registry(
        "churn", "acme/churn/model", (Version("v7", ("production",), "d", 1.0), Version("v8", (), "d", 2.0))
    )
    promote = WorkflowSpec("promote", "promote.yml", mode=Mode.PROPOSE)
    for wanted, answer in (
        ("v9", "there is no version 'v9'; the newest are: v7, v8"),
        ("$(id)", "there is no version '$(id)'; the newest are: v7, v8"),
        ("v8", "ada requested promote: promote.1 to v8 is dispatched"),
    ):
        plan = plan_for(said("promote", wanted), among=by(ROLLBACK, promote), registry=seen)
        assert answers(plan) == [answer]
        assert len(sent(plan)) == (wanted == "v8")


def test_of_several_proposals_one_has_to_be_named() -> None:
    other = DispatchRecord(f"{GROUP}.1.degrade.1", "degrade", DispatchState.PROPOSED, NOW)
    of = replace(HELD, dispatches=(ASKED, other))
    among = by(RETRAIN, PROPOSE, WorkflowSpec("degrade", "degrade.yml", mode=Mode.PROPOSE))
    plan = plan_for(said("approve"), of=of, among=among)
    assert answers(plan) == ["several workflows are proposed; name one: `rollback.1`, `degrade.1`"]
    (change,) = sent(plan_for(said("approve", "degrade.1"), of=of, among=among))
    assert change.dispatch is not None
    assert change.dispatch.verb == "degrade"


def test_rejected_is_not_proposed_again_in_this_episode() -> None:
    plan = plan_for(said("reject", "rollback.1 not at night"))
    assert held(plan).dispatches[-1].state is DispatchState.REJECTED
    again = plan_for(of=held(plan))
    assert "ada rejected rollback.1: not proposed again here" in skipped(again, "rollback")
    late = plan_for(said("approve", "rollback.1", 9), of=held(plan))
    anew = "to start it anyway, comment `/modelwatch rollback v1`"
    assert answers(late) == [f"refused: rollback.1 was rejected by ada; {anew}"]
    under_way = replace(ASKED, key=f"{GROUP}.1.rollback.2", state=DispatchState.SENT)
    busy = replace(held(plan), dispatches=(*held(plan).dispatches, under_way))
    refused = plan_for(said("approve", "rollback.1", 9), of=busy)
    assert answers(refused) == ["refused: rollback.1 was rejected by ada"], "the other would be refused, too"


def test_a_proposal_that_a_person_answers_later_has_that_time_and_that_person() -> None:
    now = NOW + 40 * MINUTE
    of = replace(HELD, told=NOW)
    run = ObservedRun(
        9, "https://r", ASKED.key, "rollback", "churn", "completed", "success", now - 300, now - 60, by="robin"
    )
    rejects = replace(said("reject"), at=now - 300)
    cases: tuple[tuple[tuple[Command, ...], tuple[ObservedRun, ...], str, str], ...] = (
        ((), (run,), "robin", "rollback dispatched"),
        ((), (replace(run, by=""),), "a person", "rollback dispatched"),
        ((rejects,), (), "ada", "rollback rejected"),
    )
    for commands, runs, who, what in cases:
        seen = {"churn": ModelObservation("churn", (issue(of, commands=commands),), runs=runs)}
        register = held(make_plan(judged("..c", by()), by(), seen, now))
        record = next(record for record in register.dispatches if record.key == ASKED.key)
        assert (record.at, record.by) == (now - 300, who)
        entry = next(entry for entry in register.ledger.recent if entry.what == what)
        assert (entry.at, entry.who) == (record.at, who)
        assert f"{utc_time(record.at).removesuffix(' UTC')} | `rollback` {what.split()[1]}" in actions_table(register)


def test_rejected_and_then_asked_for_is_a_new_attempt() -> None:
    of = replace(HELD, dispatches=(replace(ASKED, state=DispatchState.REJECTED, by="ada"),))
    (change,) = sent(plan_for(said("rollback", "v1"), of=of))
    assert change.dispatch is not None
    assert change.dispatch.key == f"{GROUP}.1.rollback.2"


def test_what_no_tier_asks_for_goes_through_the_same_guards() -> None:
    of = replace(HELD, dispatches=())
    (change,) = sent(plan_for(said("retrain"), of=of, text="..e"), but="")
    assert change.dispatch is not None
    assert change.dispatch.verb == "retrain"
    nulls = config(RULE, rule("nulls", kind="data-quality"), workflows=(RETRAIN, PROPOSE))
    seen = {"churn": ModelObservation("churn", (issue(of, commands=(said("retrain"),)),))}
    plan = make_plan(judged("..e", nulls, nulls="..e"), nulls, seen, NOW)
    assert [change for change in sent(plan, but="") if change.group == GROUP] == []
    assert answers(plan) == ["refused: data quality is in doubt: nulls fires"]


def test_mode_observe_is_not_to_be_talked_round() -> None:
    plan = plan_for(said("rollback"), among=by(replace(ROLLBACK, mode=Mode.OBSERVE)), of=replace(HELD, dispatches=()))
    assert answers(plan) == ["refused: workflow 'rollback' is in mode observe"]


def test_a_person_may_try_again_where_the_tier_may_not() -> None:
    of = replace(HELD, dispatches=(replace(ASKED, state=DispatchState.FINISHED, conclusion="failure"),))
    assert not sent(plan_for(of=of, among=by(RETRAIN, ROLLBACK)))
    (change,) = sent(plan_for(said("rollback", "v1"), of=of))
    assert change.dispatch is not None
    assert change.dispatch.key.endswith("rollback.2")


def test_an_approval_counts_while_it_is_silenced() -> None:
    of = replace(HELD, silence_until=NOW + 10 * HOUR, silence_by="bob", silence_reason="deploying")
    assert len(sent(plan_for(said("approve"), of=of))) == 1


def test_nothing_is_started_for_what_fires_no_more() -> None:
    plan = plan_for(said("approve"), text="..c...")
    assert not sent(plan)
    assert answers(plan) == ["refused: it no longer fires"]


REGISTRY = Registry(
    "churn",
    "acme/churn/model",
    (
        Version("v2", ("production",), "d2", 2.0, commit="c2", data="june"),
        Version("v1", ("previous",), "d1", 1.0, number="1.0.0", commit="c1", data="may"),
        Version("v0", (), "d0", 0.0, commit="c0", data="june"),
    ),
)


def test_the_registry_says_which_version_there_is() -> None:
    of = replace(HELD, dispatches=())
    plan = plan_for(said("rollback", "v9"), of=of, registry=REGISTRY)
    assert answers(plan) == ["there is no version 'v9'; the newest are: v2, 1.0.0 (v1), v0"]
    plan = plan_for(said("rollback", "v0"), of=of, registry=REGISTRY)
    assert answers(plan) == ["refused: v0 shares the likely cause: trained on the same data (june)"]
    bad = replace(REGISTRY, versions=(REGISTRY.versions[0], replace(REGISTRY.versions[1], data="june")))
    plan = plan_for(said("rollback"), of=of, registry=bad)
    assert answers(plan) == ["refused: 1.0.0 (v1) shares the likely cause: trained on the same data (june)"]
    (change,) = sent(plan_for(said("rollback", "1.0.0"), of=of, registry=REGISTRY))
    assert change.dispatch is not None
    assert change.dispatch.target_version == "1.0.0"


def test_a_proposal_of_another_version_has_another_name_and_an_approval_of_the_old_one_starts_nothing() -> None:
    """A person approves what the issue said when they read it."""
    old = replace(HELD, dispatches=(HELD.dispatches[0], replace(ASKED, target_version="v0")))
    plan = plan_for(of=old, registry=REGISTRY)
    assert [(record.name, str(record.state), record.target_version) for record in held(plan).dispatches[1:]] == [
        ("rollback.1", "rejected", "v0"),
        ("rollback.2", "proposed", "v1"),
    ]
    (note,) = (note for change in plan.changes for note in change.notes if note.topic == "proposal")
    assert note.detail == "instead of rollback.1: v0 shares the likely cause: trained on the same data (june)"
    renewed = held(plan)
    for command, answer in (
        (said("approve", "rollback.1"), "refused: rollback.1 was rejected by modelwatch"),
        (replace(said("approve"), at=NOW - 60), "refused: rollback.2 was proposed after that"),
    ):
        late = plan_for(command, of=renewed, registry=REGISTRY)
        assert not sent(late)
        assert answers(late)[0].startswith(answer)
    (change,) = sent(plan_for(said("approve"), of=renewed, registry=REGISTRY))
    assert change.dispatch is not None
    assert change.dispatch.target_version == "v1"


def test_a_proposal_is_about_the_version_that_serves_now() -> None:
    """Another version was deployed since, which is bad, too."""
    asked = replace(HELD, dispatches=(HELD.dispatches[0], replace(ASKED, version="v1.5")))
    waiting = plan_for(of=asked)
    assert held(waiting).dispatches[-1] == replace(ASKED, version="v2"), "the same proposal, of the version that serves"
    command = dispatch_command(held(waiting), held(waiting).dispatches[-1], by().models[0])
    assert "-f version=v2 -f target_version=v1" in command
    (change,) = sent(plan_for(said("approve", "rollback.1"), of=asked))
    assert change.dispatch is not None
    assert (change.dispatch.version, change.dispatch.target_version) == ("v2", "v1")


def test_a_registry_that_cannot_be_read_starts_no_rollback() -> None:
    of = replace(HELD, dispatches=())
    plan = plan_for(of=of, among=by(RETRAIN, ROLLBACK), registry_error="W&B is down (HTTP 502)")
    assert not sent(plan)
    assert "the registry cannot be read: W&B is down (HTTP 502)" in skipped(plan, "rollback")
    plan = plan_for(said("rollback", "v1"), of=of, registry_error="W&B is down (HTTP 502)")
    assert answers(plan) == ["refused: the registry cannot be read: W&B is down (HTTP 502)"]


def test_no_version_to_go_back_to_proposes_to_degrade() -> None:
    of = replace(HELD, dispatches=())
    bad = replace(REGISTRY, versions=(REGISTRY.versions[0], replace(REGISTRY.versions[1], data="june")))
    among = by(RETRAIN, ROLLBACK, WorkflowSpec("degrade", "degrade.yml", mode=Mode.PROPOSE))
    plan = plan_for(of=of, among=among, registry=bad)
    states = {record.verb: record.state for record in held(plan).dispatches}
    assert states["degrade"] is DispatchState.PROPOSED
    assert "rollback" not in states
    assert "trained on the same data (june)" in skipped(plan, "degrade")
    assert "trained on the same data (june)" in skipped(plan, "rollback")


# --- by itself only in the first hours after a deployment


def first_hours(text: str, hours: float, among: Config | None = None) -> Plan:
    own = replace(ROLLBACK, automatic=hours * HOUR)
    among = among or by(RETRAIN, own)
    of = replace(HELD, dispatches=HELD.dispatches[:1])
    return plan_for(of=of, text=text, among=among)


def test_a_rollback_goes_by_itself_in_the_first_hours_only() -> None:
    assert len(sent(first_hours("..c", 2))) == 1
    plan = first_hours("..cccc", 2)
    assert not sent(plan)
    assert "within 2 h after a deployment; this one is 4 h old" in skipped(plan, "rollback")
    assert held(plan).dispatches[-1].state is DispatchState.PROPOSED


def test_and_only_for_a_critical_tier_or_an_error_rate() -> None:
    tiers = tuple(
        replace(one, do=("issue", "rollback")) if one.severity is Severity.ERROR else one for one in RULE.tiers
    )
    own = replace(ROLLBACK, automatic=9 * HOUR)
    plain = first_hours("..e", 9, config(replace(RULE, tiers=tiers), workflows=(RETRAIN, own)))
    assert not sent(plain)
    assert "only for a critical tier or an error rate" in skipped(plain, "rollback")
    errors = first_hours("..e", 9, config(replace(RULE, tiers=tiers, kind="error-rate"), workflows=(RETRAIN, own)))
    assert len(sent(errors)) == 1


def test_the_whole_way_from_proposal_to_recovery() -> None:
    world = World(config(workflows=(RETRAIN, PROPOSE)))
    world.evaluate("..c")
    assert [run.verb for run in world.runs] == ["retrain"]
    world.finish_runs()
    world.comment(NOW, "approve")
    world.evaluate("..cc")
    assert [run.verb for run in world.runs] == ["retrain", "rollback"]
    world.finish_runs()
    for text in ("..cc.", "..cc..", "..cc...", "..cc...."):
        world.evaluate(text)
    assert not world.open_issues
    assert not world.open_incidents
