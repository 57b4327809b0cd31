from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelwatch.alerts.grouping import judge_models
from modelwatch.model.alert import Judgement, SourceFailure, fingerprint
from modelwatch.model.calendar import CalendarSpec
from modelwatch.model.explanation import Explanation
from modelwatch.model.ledger import EntryKind
from modelwatch.model.monitored_model import BlastRadius, Config, Matcher, Model, Silence
from modelwatch.model.plan import Change, ChangeKind, ModelObservation, ObservationError, Plan, Precondition
from modelwatch.model.register import DispatchRecord, DispatchState, PageRecord, Register
from modelwatch.model.rule import BaselineKind, BaselineSpec, Mode, Rule
from modelwatch.model.severity import Severity
from modelwatch.model.target import Target
from modelwatch.targets.plan import make_plan, sync_groups
from modelwatch.timeutil import DAY, HOUR, MINUTE

from ...alerts.making import at, findings, pull, rule, tier, track, unexplained
from ..making import GROUP, RULE, World, config, issue, judged, kinds, later, model, register, seen, skipped

WHOLE = fingerprint("churn", "accuracy", ())
FIRED = register(alerts=(WHOLE,), severity=Severity.INFO, peak=Severity.INFO)


def plan_for(text: str, of: Register | None, now: float | None = None, **more: Any) -> Plan:
    observed = seen(issue(of, **more)) if of else seen()
    return make_plan(judged(text, config()), config(), observed, later(text) if now is None else now)


def only(plan: Plan) -> Change:
    assert len(plan.changes) == 1, kinds(plan)
    return plan.changes[0]


def said(change: Change) -> list[str]:
    return [note.topic for note in change.notes]


def test_a_firing_group_opens_its_issue() -> None:
    change = only(plan_for("..i", None))
    assert change.kind is ChangeKind.OPEN_ISSUE
    assert change.expect == Precondition()
    assert (change.repository, change.severity) == ("acme/churn", Severity.INFO)
    held = change.register
    assert held is not None
    assert (held.group, held.episode, held.start) == (GROUP, 1, at(2))
    assert (held.alerts, held.config, held.config_since) == ((WHOLE,), "d1", at(2))
    assert not change.notes, "a new issue is its own message"


def test_quiet_and_pending_groups_ask_for_nothing() -> None:
    of = config(replace(RULE, for_=3))
    assert not make_plan(judged("..cc", of), of, seen(), later("..cc")).changes
    assert not plan_for("....", None).changes


def test_a_tier_that_asks_for_nothing_gets_nothing() -> None:
    of = config(rule(tiers=(tier("warning", ()),)))
    plan = make_plan(judged("..w", of), of, seen(), later("..w"))
    assert not plan.changes
    assert "has no actions" in skipped(plan, "open-issue")


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.PROPOSE])
def test_issues_that_are_only_observed(mode: Mode) -> None:
    of = config(issue_mode=mode)
    plan = make_plan(judged("..c", of), of, seen(), later("..c"))
    assert kinds(plan) == ["trigger-incident"]
    assert f"mode {mode}" in skipped(plan, "open-issue")
    assert "no dispatch" in skipped(plan, "rollback")


def test_an_update_only_where_something_changed() -> None:
    told = replace(FIRED, told=later("..i"))
    assert not plan_for("..i", told).changes
    worse = _first("..iw", told).changes[0]
    assert worse.kind is ChangeKind.UPDATE_ISSUE
    assert said(worse) == ["worse"]
    assert worse.expect == Precondition(1, "b0", "open")


def _first(text: str, of: Register) -> Plan:
    plan = plan_for(text, of)
    return replace(plan, changes=plan.changes[:1])


def test_better_is_told_too() -> None:
    held = register(alerts=(WHOLE,), severity=Severity.ERROR, page=PageRecord("triggered", Severity.ERROR, at(2)))
    change = only(plan_for("..eii", held))
    assert said(change) == ["better"]
    assert change.register is not None
    assert (change.register.severity, change.register.peak) == (Severity.INFO, Severity.ERROR)


def test_the_key_of_a_note_does_not_depend_on_when_it_is_planned() -> None:
    """A comment posted just before a crash has to be recognised an hour later."""
    first, second = _first("..iw", FIRED).changes[0], _first("..iww", FIRED).changes[0]
    assert first.notes[0].key == second.notes[0].key == f"{GROUP}.1.worse.warning-{int(at(3))}"


def test_evidence_is_refreshed_every_six_hours_without_a_comment() -> None:
    told = later("..i") - 6 * HOUR
    change = only(plan_for("..i", replace(FIRED, told=told)))
    assert (change.kind, change.notes) == (ChangeKind.UPDATE_ISSUE, ())
    assert change.register is not None
    assert change.register.told == later("..i")
    assert not plan_for("..i", replace(FIRED, told=told + 1)).changes
    assert not plan_for("..i", replace(FIRED, told=None)).changes


@pytest.mark.parametrize("mute", [{}, {"ack_until": at(20)}, {"silence_until": at(20), "silence_by": "ada"}])
def test_evidence_is_refreshed_where_its_numbers_have_moved(mute: dict[str, Any]) -> None:
    """Muted or not, without a comment, and at most every 15 minutes."""
    among = config()

    def plan(values: list[float], of: Register, now: float) -> list[Change]:
        watched = track("..eeee", RULE, values=values)
        found = judge_models(among, {"churn": findings(watched)}, {"churn": pull()}, now, unexplained)
        return [*make_plan(found, among, seen(issue(of)), now).changes]

    now, page = later("..eeee"), PageRecord("triggered", Severity.ERROR, at(2), status="acknowledged", status_at=at(2))
    held = register(alerts=(WHOLE,), start=at(2), config_since=at(2), told=at(-9), page=page, **mute)
    (written,) = plan([0.9, 0.9, 0.8, 0.8, 0.8, 0.8], held, now - HOUR)
    assert written.register is not None
    known = replace(written.register, told=now - HOUR, severity=Severity.ERROR)
    assert plan([0.9, 0.9, 0.8, 0.8, 0.8, 0.795], known, now) == []
    (moved,) = plan([0.9, 0.9, 0.8, 0.8, 0.8, 0.78], known, now)
    assert (moved.kind, moved.notes) == (ChangeKind.UPDATE_ISSUE, ())
    assert "the numbers have moved" in moved.reason
    assert plan([0.9, 0.9, 0.8, 0.8, 0.8, 0.78], replace(known, told=now - 10 * MINUTE), now) == []


def test_start_never_moves() -> None:
    """ "`start` never moves." """
    change = _first("..iiiw", replace(FIRED, start=at(1))).changes[0]
    assert change.register is not None
    assert change.register.start == at(1)


def test_alerts_are_remembered_for_their_proof() -> None:
    other = "0123456789abcdef"
    change = only(plan_for("..i", replace(FIRED, alerts=(other,))))
    assert change.register is not None
    assert change.register.alerts == (other, WHOLE)


def test_recovery_closes_the_issue_after_its_incident() -> None:
    page = PageRecord("triggered", Severity.ERROR, at(2))
    plan = plan_for("..e..", replace(FIRED, page=page))
    assert kinds(plan) == ["resolve-incident", "close-issue"]
    close = plan.changes[1]
    assert said(close) == ["recovered"]
    assert close.register is not None
    assert close.register.closed == later("..e..")
    assert close.register.page == page, "that the incident is resolved is for its receipt to say"


def test_firing_again_within_24_h_reopens_the_episode_without_new_attempts() -> None:
    """ "A group that fires again within 24 h of closing reopens its episode without new attempts." """
    tried = DispatchRecord(f"{GROUP}.1.retrain.1", "retrain", DispatchState.FINISHED, at(0) - 40 * DAY)
    closed = replace(FIRED, closed=at(1), dispatches=(tried,), severity=Severity.WARNING)
    plan = plan_for("..w", closed, state="closed", closed_at=at(1))
    reopen = only(plan)
    assert (reopen.kind, said(reopen)) == (ChangeKind.REOPEN_ISSUE, ["reopened"])
    assert reopen.register is not None
    assert (reopen.register.episode, reopen.register.closed, reopen.register.start) == (1, None, FIRED.start)
    assert reopen.register.dispatches == (tried,)
    assert "[refired]" in skipped(plan, "retrain")
    # ... and it stays so for the rest of the episode, once the register has been written.
    plan = plan_for("..ww", reopen.register)
    assert "[refired]" in skipped(plan, "retrain")


def test_later_it_is_a_new_issue_and_the_next_episode() -> None:
    """ "... later it is a new issue and the next episode." """
    closed = replace(FIRED, closed=later("..i") - DAY - 1)
    change = only(plan_for("..i", closed, state="closed", closed_at=closed.closed))
    assert change.kind is ChangeKind.OPEN_ISSUE
    assert change.register is not None
    assert (change.register.episode, change.register.start) == (2, at(2))
    just = replace(FIRED, closed=later("..i") - DAY)
    assert only(plan_for("..i", just, state="closed", closed_at=just.closed)).kind is ChangeKind.REOPEN_ISSUE


@pytest.mark.parametrize("target", [Target.ISSUE])
def test_what_cannot_be_observed_gets_no_create_close_or_dispatch_but_pages(target: Target) -> None:
    """ "A target that cannot be observed gets no create, close or dispatch, but pages still go out." """
    down = seen(errors=(ObservationError(target, "404: no such repository"),))
    plan = make_plan(judged("..c", config()), config(), down, later("..c"))
    assert kinds(plan) == ["trigger-incident"]
    assert "404" in skipped(plan, "open-issue")
    assert "404" in skipped(plan, "rollback")
    assert ("churn", "issue cannot be observed: 404: no such repository") in plan.troubles
    both = seen(errors=(*down["churn"].errors, ObservationError(Target.DISPATCH, "404: no such repository")))
    troubles = make_plan(judged("..c", config()), config(), both, later("..c")).troubles
    assert troubles == (("churn", "issue and dispatch cannot be observed: 404: no such repository"),)
    closing = seen(
        issue(replace(FIRED, page=PageRecord("triggered", Severity.ERROR, at(2)))), errors=down["churn"].errors
    )
    assert not make_plan(judged("..e..", config()), config(), closing, later("..e..")).changes


def test_a_model_that_was_not_observed_is_not_touched() -> None:
    plan = make_plan(judged("..c", config()), config(), {}, later("..c"))
    assert kinds(plan) == ["trigger-incident"]


def test_a_failed_source_closes_nothing() -> None:
    """ "Closing needs proof: ... a failed source ... closes nothing." """
    failed = Judgement(at(9), "c1", (), (SourceFailure("churn", "W&B answers 502"),))
    plan = make_plan(failed, config(), seen(issue(FIRED)), at(9))
    assert not plan.changes
    assert "its source cannot be read, which proves nothing" in skipped(plan, "close-issue")
    assert "502" not in str(plan), "the report has the reason already"


def test_a_rule_that_is_no_more_closes_nothing() -> None:
    """ "... a missing alert ... closes nothing." """
    plan = make_plan(Judgement(at(9), "c1", ()), config(), seen(issue(FIRED)), at(9))
    assert not plan.changes
    assert "a missing alert closes nothing" in skipped(plan, "close-issue")


def test_a_changed_rule_is_proved_anew() -> None:
    """ "... or a changed config closes nothing." """
    stale = replace(FIRED, config="d0")
    plan = plan_for("..e..", stale)
    change = only(plan)
    assert change.kind is ChangeKind.UPDATE_ISSUE
    assert change.register is not None
    assert (change.register.config, change.register.config_since) == ("d1", later("..e.."))
    assert "0 of 2 healthy evaluations in a row" in skipped(plan, "close-issue")
    assert kinds(plan_for("..e...", change.register)) == []
    assert kinds(plan_for("..e....", change.register)) == ["resolve-incident", "close-issue"]


FILES = replace(RULE, baseline=BaselineSpec(BaselineKind.FILE, path="b.json"), settings="s1")


@pytest.mark.parametrize(
    ("of", "settings", "what"),
    [
        (RULE, "", "the rule was changed"),
        (FILES, "s1", "the baseline of the rule was replaced"),
        (FILES, "s0", "the rule was changed"),
        (FILES, "", "the rule or its baseline was changed"),
        (
            replace(FILES, calendar=CalendarSpec(file="c.yml")),
            "s1",
            "the baseline or calendar of the rule was replaced",
        ),
    ],
)
def test_the_record_says_whether_somebody_changed_the_rule_or_its_baseline_is_another(
    of: Rule, settings: str, what: str
) -> None:
    """A retraining captures a new baseline: then nobody has changed the rule, and recovery is proved anew."""
    stale = replace(FIRED, config="d0", settings=settings)
    text, configured = "..e..", config(of)
    plan = make_plan(judged(text, configured), configured, seen(issue(stale)), later(text))
    register = only(plan).register
    assert register is not None
    (entry,) = [entry for entry in register.ledger.recent if entry.kind is EntryKind.RULE]
    assert (entry.what, register.settings) == (what, of.settings)


def test_silences_and_inhibitions_stop_messages_and_dispatches() -> None:
    """ "... stop messages and dispatches; they close nothing." """
    of = config(silences=(Silence(Matcher(), until=at(99), owner="ada", reason="migration"),))
    plan = make_plan(judged("..c", of), of, seen(), later("..c"))
    assert not plan.changes
    for what in ("open-issue", "trigger-incident", "retrain", "rollback"):
        assert "[silence]" in skipped(plan, what)
    held = register(alerts=(WHOLE,), told=at(2))
    assert not make_plan(judged("..e", of), of, seen(issue(held)), later("..e")).changes
    (old,) = make_plan(judged("..e", of), of, seen(issue(replace(held, told=at(-9)))), later("..e")).changes
    assert (old.kind, old.notes) == (ChangeKind.UPDATE_ISSUE, ()), "nor do its numbers get old"
    (worse,) = make_plan(judged("..c", of), of, seen(issue(held)), later("..c")).changes
    assert (worse.kind, worse.notes) == (ChangeKind.UPDATE_ISSUE, ()), "the issue stays true, and nobody is notified"
    recovered = make_plan(judged("..c..", of), of, seen(issue(held)), later("..c.."))
    assert kinds(recovered) == ["resolve-incident", "close-issue"], "a silence does not keep open either"


def test_blast_radius_across_models() -> None:
    """ "Guards ... blast radius per evaluation": the worst goes first, the rest is refused and told."""
    names = ("a", "b", "c")
    of = Config(tuple(replace(model(), name=name) for name in names), "c1", BlastRadius(2, 1, 1))
    texts = {"a": "..e", "b": "..c", "c": "..e"}
    tracks = {name: findings(track(text, RULE, model=name, versions=("v",))) for name, text in texts.items()}
    judgement = judge_models(of, tracks, {name: pull() for name in names}, later("..e"), unexplained)
    plan = make_plan(judgement, of, {name: ModelObservation(name) for name in names}, later("..e"))
    assert [(change.model, str(change.kind)) for change in plan.changes] == [
        ("b", "open-issue"),
        ("b", "trigger-incident"),
        ("b", "dispatch-workflow"),
        ("a", "open-issue"),
    ]
    refused = {(skip.model, skip.what) for skip in plan.skips if skip.guard == "blast-radius"}
    assert refused == {("a", "trigger-incident"), ("c", "trigger-incident"), ("c", "open-issue")}


def test_trouble_of_last_time_is_cleared_once_nothing_is_left() -> None:
    told = replace(FIRED, told=later("..i"), troubles=("PagerDuty failed",))
    change = only(plan_for("..i", told))
    assert change.register is not None
    assert change.register.troubles == ()


def test_groups_of_the_changes_travel_with_the_plan() -> None:
    of = config(RULE, rule("latency"))
    plan = make_plan(judged("..i", of, latency="..."), of, seen(), later("..i"))
    assert [group.rule for group in plan.groups] == ["accuracy"]
    assert (plan.at, plan.config) == (later("..i"), "c1")
    assert all(change.reason for change in plan.changes)
    assert all(skip.reason for skip in plan.skips)
    assert len({change.id for change in plan.changes}) == len(plan.changes)


def test_a_model_without_a_repository_is_only_paged() -> None:
    bare = Config((Model("churn", (RULE,), pagerduty=model().pagerduty),), "c1")
    plan = make_plan(judged("..c", bare), bare, seen(), later("..c"))
    assert kinds(plan) == ["trigger-incident"]


def test_a_person_may_turn_worse_and_better_again() -> None:
    world = World(config())
    for text in ("..i", "..ie", "..iei", "..ieii", "..ieiie"):
        world.evaluate(text)
    topics = [key.split(".")[2] for key in world.notes[1]]
    assert topics == ["worse", "better", "worse"]


def test_the_onset_that_the_issue_shows_moves_only_with_the_evidence() -> None:
    """What is as plausible as before is kept; and nothing is written because of it alone."""
    among = config()
    judgement = judged("..ee", among)

    def onset(shown: float | None, begins: tuple[float, float]) -> tuple[float | None, list[str]]:
        why = Explanation(judgement.groups[0].newest, -0.1, since=at(2), since_range=begins)
        groups = tuple(
            replace(group, evidence=replace(group.evidence, why=why)) if group.key == GROUP else group
            for group in judgement.groups
        )
        page = PageRecord("triggered", Severity.ERROR, at(2))
        alerts = (fingerprint("churn", "accuracy", ()),)
        held = register(start=at(2), alerts=alerts, onset=shown, page=page, told=at(3), title="a title")
        observed = seen(issue(held))
        shown_group = sync_groups(replace(judgement, groups=groups), among, observed, later("..ee"))[GROUP].group
        plan = make_plan(replace(judgement, groups=groups), among, observed, later("..ee"))
        assert shown_group.evidence.why is not None
        return shown_group.evidence.why.since, [change.reason for change in plan.changes]

    assert onset(at(1), (at(1), at(2))) == (at(1), [])
    assert onset(at(0), (at(1), at(2))) == (at(2), [])
    assert onset(None, (at(1), at(2))) == (at(2), [])
