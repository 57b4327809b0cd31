"""The diagnosis: which of several steps is the next one, and what is told of the rest."""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import Any

import pytest

from modelwatch.model.acknowledgement import CLOSING
from modelwatch.model.alert import MONITORING_SILENT, AlertState, Evidence, Group
from modelwatch.model.finding import Cause, Outcome
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import GitHubSpec, ReleaseSpec
from modelwatch.model.plan import ModelObservation, ObservedIssue
from modelwatch.model.recent_change import RecentChanges
from modelwatch.model.register import FALSE_POSITIVE, DispatchState, FollowerRecord
from modelwatch.model.release import FALLBACK, Move, MoveState, MoveVerb, recovery_move
from modelwatch.model.rule import Aggregate, Limit, LimitKind, Rule, Tier
from modelwatch.model.series import NO_POINTS, PulledSeries, Series
from modelwatch.model.severity import Severity
from modelwatch.model.version_health import VersionHealth
from modelwatch.report.diagnosis import Diagnosis, DiagnosisInput, describe_freshness, diagnose, diagnosis_text
from modelwatch.timeutil import DAY

from .golden import DROP, OPEN, diagnosed, pulled
from .making import HOUR, NEWEST, NOW, alert, clear, finding, group, model, record, register

COMMANDED = model(github=GitHubSpec(repository="acme/churn-model", people=("ada",)))
BEGAN = replace(DROP, evidence=replace(DROP.evidence, previous=("v6",)))


ISSUE = ObservedIssue(17, "https://example.org/17", BEGAN.key, "open", "", None, NEWEST, "bot", "", register())


def known(pull: PulledSeries | None = None, *groups: Group, **fields: object) -> DiagnosisInput:
    moves = pull.moves if pull else ()
    shown = [
        replace(one, evidence=replace(one.evidence, move=recovery_move(moves, one.start))) for one in groups or (BEGAN,)
    ]
    plain = DiagnosisInput(COMMANDED, tuple(shown), pull or pulled(), ModelObservation("churn", (ISSUE,)), None)
    return replace(plain, **fields)  # type: ignore[arg-type]


def moved(verb: MoveVerb = MoveVerb.ROLLBACK, state: MoveState = MoveState.DONE, at: float = NOW - 600) -> PulledSeries:
    return replace(pulled(), moves=(Move("k", verb, "churn", "v7", "v6", "worse", "ada", at, state=state),))


def test_a_drop_that_began_with_a_version_is_to_be_rolled_back() -> None:
    assert diagnose(known(), NOW).next == (
        "If v7 is the cause, roll back to v6, which was healthy: comment `/modelwatch rollback v6` on "
        "https://example.org/17."
    )


def test_without_an_issue_no_comment_is_advised() -> None:
    alone = known(observed=ModelObservation("churn"))
    assert diagnose(alone, NOW).next == "Follow the runbook: https://example.org/runbooks/accuracy-drop.md"
    release = replace(COMMANDED, release=ReleaseSpec("acme/churn/model"))
    assert "healthy: `modelwatch release rollback v6 --model churn" in diagnose(replace(alone, model=release), NOW).next


def test_of_an_issue_that_a_person_closed_nothing_is_to_be_done() -> None:
    acked = register(ack_until=NOW + HOUR, ack_by=CLOSING, severity=Severity.CRITICAL)
    closed = replace(ISSUE, state="closed", register=acked)
    found = diagnose(known(observed=ModelObservation("churn", (closed,))), NOW)
    assert found.headline.startswith("CRITICAL (muted)")
    assert found.next.startswith("Nothing for now: acknowledged by closing the issue, at most until")
    assert found.next.endswith("To go on, reopen https://example.org/17.")


@pytest.mark.parametrize(
    ("said", "do", "headed"),
    [
        ({"ack_until": NOW + HOUR, "ack_by": "ada"}, (), True),
        ({"ack_until": NOW + HOUR, "ack_by": "ada"}, ("issue",), True),
        ({"silence_until": NOW + HOUR, "silence_by": "ada"}, (), True),
        ({"verdict": FALSE_POSITIVE}, (), True),
        ({"verdict": FALSE_POSITIVE}, ("issue", "page"), False),
    ],
)
def test_what_a_person_muted_is_headed_by_what_calls_for_action_alone(
    said: dict[str, Any], do: tuple[str, ...], headed: bool
) -> None:
    muted = replace(ISSUE, register=register(severity=Severity.CRITICAL, **said))
    drift = replace(group(alert(), rule="inputs", kind="data-drift", severity=Severity.WARNING), do=do)
    acting = replace(BEGAN, do=("issue", "page"))
    found = diagnose(known(None, drift, acting, observed=ModelObservation("churn", (muted,))), NOW)
    assert found.headline.startswith("CRITICAL (muted)" if headed else "WARNING · ")
    assert ("roll back to v6" in found.next) == headed, "what the issue of the muted alert says, too"


def test_who_is_led_gets_the_step_of_the_leader() -> None:
    nulls = group(alert(), rule="nulls", kind="data-quality", severity=Severity.WARNING)
    led = FollowerRecord(BEGAN.key, "churn", "accuracy", "accuracy-drop", Severity.CRITICAL, NEWEST, ("a",))
    leading = replace(ISSUE, group=nulls.key, register=register(group=nulls.key, rule="nulls", followers=(led,)))
    found = diagnose(known(None, BEGAN, nulls, observed=ModelObservation("churn", (leading,))), NOW)
    assert found.headline.startswith("CRITICAL")
    assert found.next.startswith("Fix the data, not the model.")


def test_after_a_rollback_by_hand_the_next_windows_tell() -> None:
    assert diagnose(known(moved()), NOW).next == (
        "Wait: the rollback to v6 was made at 2026-11-20 11:55 UTC; the next windows show whether it helped."
    )


def test_the_version_that_was_rolled_back_is_not_called_healthy() -> None:
    health = (VersionHealth("v6", NOW - 600), VersionHealth("v7", NEWEST, judged=9, rolled_back="worse"))
    back = replace(BEGAN.evidence, version="v6", version_since=NOW - 600, previous=(), health=health)
    found = diagnose(known(moved(), replace(BEGAN, evidence=back)), NOW)
    assert found.sections["Changed"] == ("version v7 (rolled back) → v6, first seen 2026-11-20 11:55 UTC",)
    degraded = replace(back, health=(health[0], VersionHealth(FALLBACK, NOW - 1200, NOW - 600), health[1]))
    between = diagnose(known(moved(), replace(BEGAN, evidence=degraded)), NOW)
    assert between.sections["Changed"] == found.sections["Changed"], "the fallback that served between is no version"


def test_after_a_fallback_that_did_not_help_the_advice_is_about_it() -> None:
    back = record(verb="rollback", target_version="v6", state=DispatchState.FINISHED, conclusion="success")
    back = replace(back, at=NOW - 3 * HOUR, ended=NOW - 3 * HOUR, settled="escalated")
    degraded = replace(back, key="d", verb="degrade", target_version="", at=NOW - 2 * HOUR, ended=NOW - 2 * HOUR)
    issue = replace(ISSUE, register=register(dispatches=(back, degraded), severity=Severity.CRITICAL))
    release = replace(COMMANDED, release=ReleaseSpec("acme/churn/model"))
    found = diagnose(known(model=release, observed=ModelObservation("churn", (issue,))), NOW)
    assert found.next == (
        "Ask the owner whether the fallback shall go on serving, or end it with `modelwatch release restore`: "
        "the degrade did not bring the metric back."
    )
    alone = replace(issue, register=register(dispatches=(back,), severity=Severity.CRITICAL))
    assert diagnose(known(observed=ModelObservation("churn", (alone,))), NOW).next.startswith(
        "Look for a cause outside"
    )


def test_the_share_of_the_drop_is_shown_beside_values_of_the_same_time() -> None:
    why = BEGAN.evidence.why
    assert why is not None
    (line,) = diagnose(known(), NOW).sections["Where"]
    assert line.endswith("of the drop")
    later = replace(BEGAN, evidence=replace(BEGAN.evidence, why=replace(why, at=why.at - HOUR)))
    (line,) = diagnose(known(None, later), NOW).sections["Where"]
    assert "of the drop" not in line


def test_a_move_that_broke_off_comes_first() -> None:
    assert diagnose(known(moved(state=MoveState.INTENDED)), NOW).next.startswith(
        "Check the rollback to v6 of 2026-11-20 11:55"
    )


@pytest.mark.parametrize(
    "pull",
    [moved(at=NOW - 3 * HOUR), moved(at=NEWEST - 11 * HOUR), moved(MoveVerb.RETRAIN), moved(MoveVerb.CANARY)],
    ids=["long ago", "before it began", "no way out", "no way out either"],
)
def test_what_has_not_helped_or_cannot_is_not_waited_for(pull: PulledSeries) -> None:
    assert diagnose(known(pull), NOW).next.startswith("If v7 is the cause")


def test_what_recovers_says_so_first() -> None:
    calm = alert()
    found = diagnose(known(None, group(calm, clear=(clear(calm, 2),))), NOW)
    assert found.headline.startswith("ERROR, recovering · churn: accuracy is 0.85")
    assert found.next == "Wait: one more healthy evaluation, and this closes automatically."
    asked = ObservedIssue(17, "https://example.org/17", group().key, "open", "", None, NEWEST, "bot", "", OPEN)
    proposed = known(None, group(calm, clear=(clear(calm, 2),)), observed=ModelObservation("churn", (asked,)))
    assert diagnose(proposed, NOW).next.startswith("Wait: "), "nobody has to decide about what heals by itself"


def test_without_a_healthy_version_nobody_is_sent_back() -> None:
    lost = replace(BEGAN, evidence=replace(BEGAN.evidence, previous=()))
    found = diagnose(known(None, lost), NOW)
    assert "no healthy version on record → v7, right before it began" in diagnosis_text(found)
    assert "go back" not in found.next


def test_a_value_beyond_a_limit_without_proof_is_not_called_healthy() -> None:
    tier = Tier(Severity.ERROR, (Limit(LimitKind.DROP, 0.05),), ())
    rule = Rule("accuracy", "accuracy-drop", KeyPattern("eval/accuracy"), (tier,))
    few = finding(severity=None, outcome=Outcome.OK, n=60.0)
    calm = group(state=AlertState.RESOLVED, severity=None, latest=few)
    found = diagnose(known(None, calm, model=replace(COMMANDED, rules=(rule,))), NOW)
    assert found.headline == (
        "NOT PROVEN · churn: nothing is firing, but beyond a limit: accuracy 7.6 % below its baseline 0.92 (60 rows)"
    )
    fine = replace(calm, latest=replace(few, value=0.91, change=-0.0109))
    assert diagnose(known(None, fine, model=replace(COMMANDED, rules=(rule,))), NOW).headline.startswith("HEALTHY")


def test_points_that_are_late_are_told_whatever_fires() -> None:
    """Fresh latency does not hide labels that are late."""
    tiers = ()
    rules = tuple(
        Rule(name, kind, KeyPattern(metric), tiers, window=HOUR, every=HOUR)
        for name, kind, metric in (("accuracy", "accuracy-drop", "eval/accuracy"), ("p95", "latency", "serving/p95"))
    )

    def points(name: str, age: float) -> Series:
        return Series(name, (), array("d", (NOW - age,)), array("d", (1.0,)), None)

    pull = PulledSeries("churn", (points("eval/accuracy", 5 * HOUR), points("serving/p95", 60.0)))
    late = "the newest judged point is 5 h old; rule accuracy expects one every 1 h"
    assert late in diagnosis_text(diagnose(known(pull, model=replace(COMMANDED, rules=rules)), NOW), 100)
    slow = group(alert(), rule="p95", kind="latency")
    assert late in diagnosis_text(diagnose(known(pull, slow, model=replace(COMMANDED, rules=rules)), NOW), 100)
    quiet = known(pull, model=replace(COMMANDED, rules=rules))
    assert late.capitalize() in diagnosis_text(diagnose(replace(quiet, groups=()), NOW), 100)


@pytest.mark.parametrize(
    ("step", "age", "late"),
    [
        (HOUR, 1.2 * HOUR, ""),  # the newest of an hourly metric is that old before the next one comes
        (HOUR, 2.5 * HOUR, "; rule accuracy expects one every 1 h"),
        (DAY, 30 * HOUR, ""),
        (DAY, 50 * HOUR, "; rule accuracy expects one every 1 d"),
        (60.0, 0.9 * HOUR, ""),  # evaluated every hour, that is soon enough
        (60.0, 3 * HOUR, "; rule accuracy expects one every 1 min"),
    ],
)
def test_points_are_late_once_one_is_missing(step: float, age: float, late: str) -> None:
    rule = Rule("accuracy", "accuracy-drop", KeyPattern("eval/accuracy"), (), window=DAY, every=HOUR)
    times = array("d", (NOW - age - step * back for back in range(9, -1, -1)))
    pull = PulledSeries("churn", (Series("eval/accuracy", (), times, array("d", [0.9] * 10), None),))
    assert describe_freshness(pull, [rule], NOW).partition(" old")[2] == late


def test_a_value_that_is_the_last_measurement_is_of_no_window() -> None:
    for aggregate, told in ((Aggregate.MEAN, "over 12 h"), (Aggregate.LAST, "in the newest measurement")):
        rule = Rule("accuracy", "accuracy-drop", KeyPattern("eval/accuracy"), (), aggregate=aggregate, window=12 * HOUR)
        seen = diagnose(known(model=replace(COMMANDED, rules=(rule,))), NOW)
        assert told in "\n".join(line for lines in seen.sections.values() for line in lines)


def test_a_key_that_was_mistyped_is_named_in_the_next_step() -> None:
    note = f"{NO_POINTS}eval/acuracy. Did you mean `eval/accuracy`?"
    silent = alert(finding(rule=MONITORING_SILENT, cause=Cause.NO_DATA_YET, labels=(("rule", "accuracy"),)))
    blind = group(silent, rule=MONITORING_SILENT, kind=MONITORING_SILENT, evidence=Evidence(notes=(note,)))
    assert diagnose(known(None, blind), NOW).next.startswith(f"Check the configuration: {note}")
    stopped = replace(silent, finding=replace(silent.finding, cause=Cause.OVERDUE))
    blind = group(stopped, rule=MONITORING_SILENT, kind=MONITORING_SILENT, evidence=Evidence(notes=(note,)))
    assert "configuration" not in diagnose(known(None, blind), NOW).next, "the metric is logged, so its name is right"


def test_the_next_step_is_wrapped_and_its_command_is_not() -> None:
    command = "`modelwatch release rollback v6 --model churn --reason nobody-knows-yet`"
    step = f"Look for a cause outside the release, and if there is none, go back by {command} at once."
    shown = diagnosis_text(Diagnosis("OK", {}, step, firing=True), 60).splitlines()
    assert any(line.strip() == command for line in shown), "it can be copied"
    assert all(len(line) <= 60 or command in line for line in shown)
    assert shown[2].startswith("Next      Look")
    assert shown[3].startswith(" " * 10)


def test_an_error_that_keeps_the_issues_from_being_read_is_shown_once() -> None:
    error = "404 Not Found. The token cannot see it."
    recent = RecentChanges(problems=(f"commits, deployments: GitHub: could not read acme/churn-model: {error}",))
    problem = f"issue cannot be observed: GitHub: could not list the issues of acme/churn-model: {error}"
    found = known(recent_changes=recent)
    assert "Before" in diagnose(found, NOW).sections
    found = replace(found, problems=(problem,))
    sections = diagnose(found, NOW).sections
    assert sections["Unknown"] == (problem,)
    assert "Before" not in sections


def test_a_narrow_terminal_gets_narrow_lines() -> None:
    found = diagnose(known(), NOW)
    assert max(len(line) for line in diagnosis_text(found, 80).splitlines()[:-1]) <= 80
    assert max(len(line) for line in diagnosis_text(found, 300).splitlines()[:-1]) <= 100
    assert "http" not in diagnosed(pulled("down")).splitlines()[0]
    assert OPEN.dispatches, "the golden world has a proposal"


def test_evidence_alone_is_enough() -> None:
    assert diagnose(known(None, group(evidence=Evidence())), NOW).next.startswith("Follow the runbook: https://")


def test_scores_that_were_logged_as_numbers_are_what_drifted() -> None:
    """No reference, no arrow from nothing; and no earlier version cures what comes in."""
    age = finding(labels=(("features", "age"),), baseline=None, change=None, value=0.4, rule="drift", kind="data-drift")
    moved_on = replace(BEGAN.evidence, segments=(age,), why=None, previous=("v6",))
    drift = group(alert(age), rule="drift", kind="data-drift", unit="psi", evidence=moved_on)
    found = diagnose(known(None, drift), NOW)
    assert "Drifted   age: PSI 0.4\n" in diagnosis_text(found)
    assert "Where" not in diagnosis_text(found)
    assert found.next.startswith("Follow the runbook: ")
