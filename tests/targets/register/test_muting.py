from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelwatch.model.acknowledgement import person_mute
from modelwatch.model.plan import Change, ChangeKind, Command, Plan
from modelwatch.model.register import PageRecord, Register
from modelwatch.model.severity import Severity
from modelwatch.targets.plan import make_plan
from modelwatch.timeutil import DAY, HOUR

from ...alerts.making import at
from ..issues.test_plan import WHOLE
from ..making import GROUP, World, config, issue, judged, kinds, later, register, seen, skipped

NOW = later("..e")
HELD = register(alerts=(WHOLE,), page=PageRecord("triggered", Severity.ERROR, at(2)), told=NOW)

ACKNOWLEDGED = PageRecord(
    "triggered", Severity.ERROR, at(2), status="acknowledged", status_by="modelwatch", status_at=NOW
)


def plan_for(text: str, of: Register = HELD, now: float | None = None, **more: Any) -> Plan:
    when = later(text) if now is None else now
    return make_plan(judged(text, config()), config(), seen(issue(of, **more)), when)


def closed(reason: str = "completed", since: float = NOW) -> dict[str, Any]:
    return {"state": "closed", "state_reason": reason, "closed_at": since}


def commanded(verb: str, argument: str = "", allowed: bool = True, at_: float = NOW, number: int = 7) -> Command:
    refused = "" if allowed else "ada is not in `github.people`"
    return Command(number, "ada", at_, verb, argument, allowed, refused, by_stranger=not allowed)


def first(plan: Plan) -> tuple[Change, Register]:
    change = plan.changes[0]
    assert change.register is not None
    return change, change.register


def test_closing_while_it_fires_acknowledges_for_24_h() -> None:
    """ "Closing an issue while the alert fires acknowledges it for 24 h or until it gets worse." """
    quiet = plan_for("..e", now=NOW + DAY - 1, **closed())
    assert kinds(quiet) == ["update-issue", "acknowledge-incident"], "PagerDuty is to know"
    known = replace(first(quiet)[1], page=ACKNOWLEDGED)
    assert not plan_for("..e", known, now=NOW + DAY - 1, **closed()).changes
    assert "[ack]" in skipped(quiet, "update-issue")
    assert "[ack]" in skipped(quiet, "trigger-incident")
    change, held = first(plan_for("..e", now=NOW + DAY, **closed()))
    assert (change.kind, held.episode, held.start) == (ChangeKind.REOPEN_ISSUE, 1, HELD.start)
    assert "24 h" in change.reason


def test_worse_ends_the_acknowledgement() -> None:
    plan = plan_for("..c", replace(HELD, ack_until=NOW + 9 * DAY), now=NOW + 60, **closed())
    assert kinds(plan)[:2] == ["reopen-issue", "trigger-incident"]
    assert [note.topic for note in plan.changes[0].notes] == ["reopened"]
    assert first(plan)[1].ack_until is None


def test_an_acknowledgement_that_ran_out_is_forgotten_with_the_reopening() -> None:
    _, held = first(plan_for("..e", replace(HELD, ack_until=NOW + HOUR), now=NOW + 2 * DAY, **closed()))
    assert held.ack_until is None


def test_closed_as_not_planned_is_silenced_until_recovery_or_worse() -> None:
    """What was closed as an error stays quiet as an error: when it becomes critical, it is news."""
    plan = plan_for("..e", now=NOW + 9 * DAY, **closed("not_planned"))
    change, held = first(plan)
    assert kinds(plan) == ["update-issue", "resolve-incident"], "written down without reopening, however long it lasts"
    assert held.muted_until_recovery
    assert change.expect.issue_state == "closed"
    known = replace(held, page=PageRecord("resolved", Severity.ERROR, NOW))
    assert not plan_for("..ee", known, now=NOW + 10 * DAY, **closed("not_planned")).changes
    milder = plan_for("..ew", known, now=NOW + 10 * DAY, **closed("not_planned"))
    assert [(one.reason, one.notes) for one in milder.changes] == [("muted (silence): the numbers have moved", ())]
    recovered = plan_for("..e..", held, **closed("not_planned"))
    assert kinds(recovered) == ["resolve-incident", "update-issue"]
    assert not first(replace(recovered, changes=recovered.changes[1:]))[1].muted_until_recovery
    for held_before in (HELD, known):  # worse before or after the closing was seen
        worse = plan_for("..c", held_before, now=NOW + 9 * DAY, **closed("not_planned"))
        assert kinds(worse)[:2] == ["reopen-issue", "trigger-incident"]
        assert "it got worse" in worse.changes[0].reason
        assert not first(worse)[1].muted_until_recovery


def test_closed_as_not_planned_by_somebody_else_is_closed_for_a_day() -> None:
    other = {**closed("not_planned"), "closed_by": "mallory", "closer_may_mute": False}
    _, held = first(plan_for("..e", now=NOW + HOUR, **other))
    assert (held.ack_until, held.muted_until_recovery) == (NOW + DAY, False)
    assert kinds(plan_for("..e", now=NOW + DAY, **other))[0] == "reopen-issue"
    before = replace(HELD, muted_until_recovery=True)
    assert kinds(plan_for("..e", before, now=NOW + DAY, **other))[0] == "reopen-issue", "0.1 asked nobody's name"
    acknowledged = replace(held, page=ACKNOWLEDGED)
    later_reason = closed("not_planned")
    assert not plan_for("..e", acknowledged, now=NOW + 2 * HOUR, **later_reason).changes
    assert kinds(plan_for("..e", acknowledged, now=NOW + DAY, **later_reason))[0] == "reopen-issue", (
        "whoever may triage can change the reason of a closed issue"
    )


@pytest.mark.parametrize("reason", ["completed", "not_planned"])
def test_what_a_bot_closed_is_reopened_and_pages_nobody_anew(reason: str) -> None:
    bot = {**closed(reason), "closed_by": "stale[bot]", "closed_by_bot": True, "closer_may_mute": False}
    plan = plan_for("..e", now=NOW + HOUR, **bot)
    change, held = first(plan)
    assert kinds(plan) == ["reopen-issue"]
    assert change.reason == "stale[bot] closed the issue, and the alert is still firing"
    assert [note.detail for note in change.notes] == ["Reopened, since a bot had closed it"]
    assert (held.ack_until, held.muted_until_recovery, held.calls) == (None, False, ())


def test_recovery_of_what_a_person_closed_reopens_nothing() -> None:
    plan = plan_for("..e..", **closed())
    assert kinds(plan) == ["resolve-incident", "update-issue"]
    held = plan.changes[1].register
    assert held is not None
    assert held.closed == later("..e..")
    assert not plan_for("..e..", replace(held, page=None), **closed()).changes
    again = plan_for("..e..e", replace(held, page=None), **closed())
    assert kinds(again)[0] == "reopen-issue", "firing anew is news"


def test_unproved_recovery_of_what_a_person_closed_changes_nothing() -> None:
    plan = plan_for("..e..", replace(HELD, start=at(4)), **closed())
    assert not plan.changes
    assert "0 of 2" in skipped(plan, "close-issue")


def test_reopened_by_a_person_stays_open_until_recovered_twice_over() -> None:
    """ "Reopened it stays open until the alert has recovered twice over." """
    world = World(config())
    for text in ("..e", "..e.", "..e.."):
        world.evaluate(text)
    assert not world.open_issues
    world.reopen()
    text = "..e.."
    open_for = 0
    while open_for < 9:
        text += "."
        world.evaluate(text)
        if not world.open_issues:
            break
        open_for += 1
    # Seen to be reopened with the finding at 5; the four after it prove the recovery.
    assert open_for == 4
    world.evaluate(text)
    assert not world.open_issues


def test_not_planned_and_reopened_speaks_again() -> None:
    muted = replace(HELD, muted_until_recovery=True)
    _, held = first(plan_for("..e", muted))
    assert not held.muted_until_recovery


def test_silence_asked_for_on_the_issue() -> None:
    """Silences may be "asked for on the issue"."""
    plan = plan_for("..c", commands=(commanded("silence", "24h known upstream trouble"),))
    change, held = first(plan)
    assert kinds(plan) == ["update-issue", "acknowledge-incident"], "no page, no dispatch"
    assert (held.silence_until, held.silence_reason, held.silence_by) == (NOW + DAY, "known upstream trouble", "ada")
    assert held.commands == (7,)
    assert [(note.key, note.topic) for note in change.notes] == [(f"{GROUP}.1.command.7", "command")]
    assert "[silence]" in skipped(plan, "rollback")
    held = replace(held, page=ACKNOWLEDGED)
    (quiet,) = plan_for("..c", held, now=NOW + DAY - 1).changes
    assert (quiet.kind, quiet.notes) == (ChangeKind.UPDATE_ISSUE, ())
    assert "trigger-incident" in kinds(plan_for("..c", held, now=NOW + DAY))


def test_a_command_is_answered_once() -> None:
    answered = replace(HELD, commands=(7,))
    assert not plan_for("..e", answered, commands=(commanded("silence", "24h again"),)).changes
    full = replace(HELD, commands=tuple(range(100, 120)))
    assert not plan_for("..e", full, commands=(commanded("ack"),)).changes, "a register of 0.1: ids of comments ascend"
    read = replace(HELD, last_comment=50)
    assert not plan_for("..e", read, commands=(commanded("ack"),)).changes, "it was read before"
    assert len(first(plan_for("..e", full, commands=(commanded("ack", number=130),)))[1].commands) == 20


def test_unsilence() -> None:
    silenced = replace(HELD, silence_until=NOW + DAY, silence_reason="x", silence_by="ada")
    plan = plan_for("..c", silenced, commands=(commanded("unsilence"),))
    assert first(plan)[1].silence_until is None
    assert "trigger-incident" in kinds(plan)


@pytest.mark.parametrize(
    ("said", "ended"),
    [
        ({"silence_until": NOW + DAY, "silence_reason": "x", "silence_by": "ada"}, "the silence"),
        ({"ack_until": NOW + DAY, "ack_by": "ada"}, "the acknowledgement"),
        ({"verdict": "false-positive", "verdict_by": "ada"}, "the false-positive verdict"),
        (
            {"silence_until": NOW + DAY, "silence_by": "ada", "ack_until": NOW + DAY, "ack_by": "ada"},
            "the silence and the acknowledgement",
        ),
        ({}, ""),
    ],
)
def test_unsilence_ends_whatever_a_comment_muted(said: dict[str, Any], ended: str) -> None:
    page = replace(ACKNOWLEDGED, status_by="ada")
    change, held = first(plan_for("..e", replace(HELD, page=page, **said), commands=(commanded("unsilence"),)))
    assert (f"ada ended {ended}" if ended else "no comment mutes this") in change.notes[0].detail
    assert person_mute(held, Severity.ERROR, NOW) is None
    assert held.page is not None
    by_comment = "silence_by" in said or "ack_by" in said
    assert held.page.status_person == ("" if by_comment else "ada"), "who commented did nothing at PagerDuty"


SILENCED = replace(HELD, silence_until=NOW + DAY, silence_reason="x", silence_by="ada")


@pytest.mark.parametrize("by", ["modelwatch", "ada"])
def test_what_is_unsilenced_while_it_fires_is_paged(by: str) -> None:
    """modelwatch acknowledged the incident because of the silence: nobody is called about it any more."""
    silenced = replace(SILENCED, page=replace(ACKNOWLEDGED, status_by=by), ack_until=NOW + DAY, ack_by="ada")
    plan = plan_for("..e", silenced, commands=(commanded("unsilence"),))
    (page,) = (change for change in plan.changes if change.kind is ChangeKind.TRIGGER_INCIDENT)
    assert page.reason == "still firing: ada ended the silence and the acknowledgement"
    assert page.about == f"{GROUP}.2", "a further trigger of an acknowledged alert would notify nobody"
    again = plan_for("..e", replace(first(plan)[1], page=replace(HELD.page, at=NOW)))  # type: ignore[type-var]
    assert "trigger-incident" not in kinds(again)


def test_what_a_person_acknowledged_at_pagerduty_stays_with_that_person() -> None:
    silenced = replace(SILENCED, page=replace(ACKNOWLEDGED, status_by="grace"))
    plan = plan_for("..e", silenced, commands=(commanded("unsilence"),))
    assert "trigger-incident" not in kinds(plan)
    answer = first(plan)[0].notes[0].detail
    assert answer == "ada ended the silence; the incident stays acknowledged at PagerDuty by grace"


def test_what_is_unsilenced_after_it_has_recovered_is_not_paged() -> None:
    silenced = replace(SILENCED, page=ACKNOWLEDGED)
    assert "trigger-incident" not in kinds(plan_for("..e......", silenced, commands=(commanded("unsilence"),)))


def test_ack_lasts_24_h_or_until_worse() -> None:
    _, held = first(plan_for("..e", commands=(commanded("ack"),)))
    assert (held.ack_until, held.ack_by) == (NOW + DAY, "ada")
    held = replace(held, page=ACKNOWLEDGED)
    refreshed, _ = first(plan_for("..e", held, now=NOW + 7 * HOUR))
    assert (refreshed.kind, refreshed.notes) == (ChangeKind.UPDATE_ISSUE, ()), "fresh evidence, which notifies nobody"
    worse = plan_for("..c", held, now=NOW + 60)
    assert "trigger-incident" in kinds(worse)
    assert first(worse)[1].ack_until is None
    change, better = first(plan_for("..eii", held))
    assert (better.severity, better.muted_severity, change.notes) == (Severity.INFO, Severity.ERROR, ())
    assert "trigger-incident" not in kinds(plan_for("..eiie", better)), "what the person saw stays the measure"
    assert "trigger-incident" in kinds(plan_for("..eiic", better))


@pytest.mark.parametrize(
    ("verb", "argument", "outcome", "answer"),
    [
        ("silence", "24h x", "refused", "not in `github.people`"),
        ("approve", "", "refused", "nothing is proposed here"),
        ("silence", "", "invalid", "give a length"),
        ("silence", "tomorrow because", "invalid", "give a length"),
        ("silence", "0h because", "invalid", "give a length"),
        ("silence", "91d because", "invalid", "up to 90 days"),
        ("silence", "24h", "invalid", "give a reason"),
        ("promote", "", "invalid", "say which version"),
        ("deploy", "now", "invalid", "unknown command `deploy`"),
    ],
)
def test_refused_and_invalid_commands_are_explained(verb: str, argument: str, outcome: str, answer: str) -> None:
    allowed = "people" not in answer
    change, held = first(plan_for("..e", commands=(commanded(verb, argument, allowed),)))
    assert answer in change.notes[0].detail
    entry = next(entry for entry in held.ledger.recent if entry.kind == "command")
    assert (entry.what, outcome in entry.why) == (f"command {verb}, {outcome}", False)
    assert (f": {outcome}: " in change.notes[0].detail) == (outcome == "refused"), "a mistake needs no verdict"
    assert (held.silence_until, held.ack_until, held.commands) == (None, None, (7,))


def test_all_strangers_get_one_answer_and_people_theirs() -> None:
    strangers = [replace(commanded("ack", allowed=False, number=n), author=f"m{n}") for n in range(20, 620)]
    commands = (*strangers, commanded("silence", "24h a deployment", number=300), commanded("ack", number=700))
    plan = plan_for("..e", commands=commands, last_comment=710)
    change, held = first(plan)
    assert (held.silence_until, held.ack_until, held.last_comment) == (NOW + DAY, NOW + DAY, 710)
    answers = [note.detail for note in change.notes]
    assert len(answers) == 3
    assert answers[2].startswith(
        "600 commands by m20, m21, m22, m23, m24 and 595 others, the newest by m619, `ack`: refused"
    )
    assert [entry.key for entry in held.ledger.recent if entry.kind == "command"] == [
        "command.300", "command.700", "command.619"]  # fmt: skip
    assert not plan_for("..e", replace(held, page=ACKNOWLEDGED), commands=commands, last_comment=710).changes


def test_strangers_on_a_public_repository_cause_nothing() -> None:
    plan = plan_for("..e", commands=(commanded("ack", allowed=False),), last_comment=7, is_public=True)
    assert not plan.changes
    assert "1 from people who are not in `github.people`" in skipped(plan, "commands")


def test_comments_that_were_left_out_are_reported_once() -> None:
    change, held = first(plan_for("..e", last_comment=90, comments_left_out=True))
    assert [(note.topic, note.key) for note in change.notes] == [("comments", f"{GROUP}.1.comments.90")]
    assert "post a command again" in change.notes[0].detail
    assert held.last_comment == 90


def test_a_silence_outlives_the_closing() -> None:
    held = replace(HELD, silence_until=NOW + DAY, silence_by="ada", silence_reason="x", closed=NOW, page=None)
    plan = plan_for("..e..e", held, **closed())
    assert not plan.changes
    assert "[silence]" in skipped(plan, "update-issue")


def test_a_false_positive_is_kept_quiet_until_it_has_recovered() -> None:
    world = World(config())
    world.evaluate("..e")
    world.comment(NOW, "false-positive", "known upstream trouble")
    world.evaluate("..ec")
    assert world.paged == ["error"], "worse, and nobody is paged"
    held = world.issues[1].register
    assert held is not None
    assert held.verdict == "false-positive"
    for text in ("..ec.", "..ec..", "..ec...", "..ec...."):
        world.evaluate(text)
    assert not world.open_issues
    world.evaluate("..ec....e")
    assert world.paged == ["error", "error"], "fires again: heard again"
