"""Comments: one or two sentences each."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from modelwatch.model.alert import DataSpan, Evidence
from modelwatch.model.ledger import EntryKind, Ledger
from modelwatch.model.monitored_model import GitHubSpec, Model, ReleaseSpec, WorkflowSpec
from modelwatch.model.plan import Note
from modelwatch.model.register import ESCALATED, DispatchRecord, DispatchState, PageRecord
from modelwatch.model.severity import Severity
from modelwatch.model.version_health import VersionHealth
from modelwatch.report.comments import actions_table, comment_text
from modelwatch.report.next_steps import first_step, next_steps
from modelwatch.targets.register.ledger import make_entry
from modelwatch.timeutil import DAY, HOUR

from .making import LATAM, NEWEST, NOW, alert, finding, group, model, record, register

RUN = "https://example.org/runs/1"
STATE = "`accuracy` in `region=latam` is 0.85, 7.6 % below its baseline 0.92."


@pytest.mark.parametrize(
    ("topic", "told"),
    [
        ("worse", f"**Worse: now error.** {STATE}"),
        ("better", f"Better: now error (peak: critical). {STATE}"),
        ("reopened", f"Firing again. {STATE}"),
        ("opened", f"Opened at 2026-11-20 12:05 UTC: {STATE}"),
    ],
)
def test_what_changed(topic: str, told: str) -> None:
    of = group(alert(finding(labels=LATAM)))
    assert comment_text(Note("key", topic), of, register(peak=Severity.CRITICAL), NOW) == told


def test_recovery_says_how_long_it_took_and_what_happened_when() -> None:
    entries = (
        make_entry("firing", NEWEST - 36000, EntryKind.FINDING, "started firing"),
        make_entry("rollback.1.sent", NEWEST - 7200, EntryKind.DISPATCH, "rollback dispatched", who="ada", why="to v6"),
        make_entry("rollback.1.finished", NEWEST - 3600, EntryKind.DISPATCH, "rollback finished: success", url=RUN),
        make_entry("recovered.1", NEWEST, EntryKind.RECOVERY, "recovered"),
        make_entry("closed.1", NOW, EntryKind.ISSUE, "closed the issue"),
    )
    shown = comment_text(Note("k", "recovered"), group(end=NEWEST), register(), NOW, entries=entries)
    assert shown.splitlines() == [
        "**Recovered** after 10 h (2026-11-20 02:00 UTC to 2026-11-20 12:00 UTC; peak: error).",
        "",
        "| When (UTC) | Who | What |",
        "|---|---|---|",
        "| 2026-11-20 02:00 | modelwatch | started firing |",
        "| 2026-11-20 10:00 | ada | rollback dispatched: `to v6` |",
        f"| 2026-11-20 11:00 | modelwatch | rollback finished: success ([open]({RUN})) |",
        "| 2026-11-20 12:00 | modelwatch | recovered |",
    ]


def test_a_recovery_with_nothing_to_tell_is_one_sentence() -> None:
    assert "|" not in comment_text(Note("k", "recovered"), group(end=NEWEST), register(), NOW)


def test_a_proposal_says_how_to_answer_it() -> None:
    asked = register(dispatches=(record(target_version="v6"),))
    shown = comment_text(Note("g.1.proposal.rollback.1", "proposal", "its mode is propose"), None, asked, NOW)
    assert shown.startswith("**Proposed: rollback to `v6`.** Comment")
    assert (
        "Comment `/modelwatch approve rollback.1` to start it, or `/modelwatch reject rollback.1` to reject it" in shown
    )
    assert shown.endswith("Needs approval (`its mode is propose`).")


@pytest.mark.parametrize(
    ("people", "start"),
    [
        (("ada",), "Comment `/modelwatch approve rollback.1` to start it"),
        ((), "Add who may approve it to `github.people` in the configuration (nobody so far), then comment `/model"),
    ],
)
def test_a_proposal_that_nobody_may_approve_says_what_to_set(people: tuple[str, ...], start: str) -> None:
    asked, model = register(dispatches=(record(),)), Model("churn", (), github=GitHubSpec(people=people))
    note = Note("g.1.proposal.rollback.1", "proposal", "mode: propose")
    assert comment_text(note, None, asked, NOW, model).partition(".** ")[2].startswith(start)
    steps = next_steps(group(), asked, model, NOW), first_step(group(), asked, model, NOW)
    assert all(("nobody so far" in text) == (not people) for text in steps)


def test_owner_and_stakeholders_are_told_of_what_moves_a_release() -> None:
    spec = ReleaseSpec("acme/churn/model", stakeholders=("@acme/sales", "@owner", "`x` @all"))
    model = Model("churn", (), owner="@owner", release=spec)
    told = Note("g.1.workflow.rollback.1", "workflow", "rollback finished: success")
    assert comment_text(told, None, register(), NOW, model).endswith("\n\ncc @owner @acme/sales `` `x` @all ``")
    assert "cc @" not in comment_text(replace(told, key="g.1.workflow.retrain.1"), None, register(), NOW, model)
    escalated = Note("g.1.escalated.rollback.1", "escalated", "rollback.1 ended in failure")
    assert comment_text(escalated, None, register(), NOW, model).startswith(
        "**Escalated.** `rollback.1 ended in failure`"
    )


def test_a_finished_workflow_is_linked_to_its_own_run() -> None:
    runs = tuple(
        record(
            key=f"g.1.{verb}.{attempt}",
            verb=verb,
            run_id=number,
            url=f"https://example.org/runs/{number}",
            state=DispatchState.FINISHED,
            conclusion="failure",
        )
        for number, (verb, attempt) in enumerate([("retrain", 1), ("retrain", 2), ("rollback", 1)], 1)
    )
    note = Note("g.1.workflow.retrain.2", "workflow", "retrain finished: failure")
    shown = comment_text(note, None, register(dispatches=runs), NOW)
    assert shown == "**retrain ended: failure** ([workflow run 2](https://example.org/runs/2))."
    unknown = comment_text(replace(note, key="g.1.workflow.retrain.9"), None, register(dispatches=runs), NOW)
    assert unknown == "Workflow: `retrain finished: failure`"


def test_after_a_rollback_it_is_said_until_when_to_wait() -> None:
    done = record(target_version="v6", state=DispatchState.FINISHED, conclusion="success", ended=NOW - 600)
    told = Note("g.1.workflow.rollback.1", "workflow", "rollback finished: success")
    shown = comment_text(told, group(), register(dispatches=(done,)), NOW, model())
    assert shown.startswith("**rollback to `v6` ended: success**. If the metric has not recovered by 2026-11-20 13:55")
    assert "recovered by 2026-11-20 13:55 UTC, the on-call is paged again." in shown


def test_a_dispatch_that_never_started_is_told() -> None:
    note = Note("g.1.lost.rollback.1", "lost", "GitHub accepted rollback.1 at noon, and has not started it")
    shown = comment_text(note, None, register(), NOW, model())
    assert shown.startswith("**Never started.** `GitHub accepted rollback.1 at noon, and has not started it`\n\ncc ")


def test_another_topic_gives_its_detail_and_nothing_comes_alive() -> None:
    shown = comment_text(Note("k", "command", "@all [x](http://evil) `"), None, register(), NOW)
    assert shown == "Command: `` @all [x](http://evil) ` ``"


def _steps(*records: DispatchRecord, model: Model | None = None, now: float = NOW) -> tuple[str, str]:
    """The first step on the issue and on the page."""
    tried = register(dispatches=records)
    issue = next_steps(group(), tried, model, now).removeprefix("### Next step\n\n").partition("\n")[0]
    return issue, first_step(group(), tried, model, now)


def test_a_workflow_run_that_takes_too_long_is_told_as_stuck() -> None:
    sent = record(state=DispatchState.SENT, url=RUN, target_version="v6", at=NOW - HOUR)
    assert all("Watch the" in step for step in _steps(sent))
    issue, page = _steps(replace(sent, at=NOW - 3 * HOUR))
    assert issue == (
        "Find out why the rollback to `v6` has not ended since 2026-11-20 09:05 UTC; it may wait for a runner or for "
        f"an approval, see [its log]({RUN})"
    )
    assert page == issue.replace("`", "").replace(f"[its log]({RUN})", f"its log: {RUN}")
    training = replace(sent, verb="retrain", key="g.1.retrain.1", at=NOW - 3 * HOUR)
    assert all("Watch the" in step for step in _steps(training))


def test_a_failed_rollback_is_the_next_step() -> None:
    failed = record(
        state=DispatchState.FINISHED, conclusion="failure", url=RUN, target_version="v6", ended=NOW - 60.0, at=NOW - 600
    )
    release = Model("churn", (), release=ReleaseSpec("acme/churn/model"))
    for step in _steps(failed, model=release):
        assert step.startswith("Find out why the rollback to ")
        rest = step.partition("failed (failure); see ")[2]
        assert rest.startswith((f"its log: {RUN}. Or move by hand: ", f"[its log]({RUN}). Or move by hand: "))
        assert "modelwatch release rollback v6 --model churn" in step
    assert all("by hand" not in step for step in _steps(failed))


def test_a_rollback_that_did_not_help_is_told() -> None:
    done = record(
        state=DispatchState.FINISHED, conclusion="success", target_version="v6", ended=NOW - DAY, settled=ESCALATED
    )
    assert all(step.startswith("Look for a cause outside the release: the rollback to") for step in _steps(done))


def test_each_page_is_linked_to_its_own_incident_or_to_none() -> None:
    """A further page opens another incident; of earlier ones the record knows what PagerDuty said of them."""
    first, second = "https://pagerduty.example/1", "https://pagerduty.example/2"
    entries = (
        make_entry("page.1", NOW - 300, EntryKind.PAGE, "incident triggered, error"),
        make_entry("page.2", NOW - 200, EntryKind.PAGE, "incident acknowledged at PagerDuty", who="grace", url=first),
        make_entry("page.3", NOW - 100, EntryKind.PAGE, "incident triggered, critical"),
        make_entry("page.4", NOW, EntryKind.PAGE, "incident triggered, critical"),
    )
    page = PageRecord("triggered", Severity.CRITICAL, NOW, second, alerts=3)
    rows = actions_table(register(page=page, ledger=Ledger(entries))).splitlines()[2:]
    assert [row.partition("([open](")[2].partition(")")[0] for row in rows] == [first, first, "", second]
    unknown = actions_table(register(page=replace(page, url=""), ledger=Ledger(entries))).splitlines()
    assert "open" not in unknown[-1]


SERVED = VersionHealth("v6", NEWEST - 20 * HOUR, NEWEST - 10 * HOUR)
"""Until v7 took its place."""
BAD, BACK = VersionHealth("v7", NEWEST - 10 * HOUR), VersionHealth("v6", NEWEST - 2 * HOUR)
MOVED = record(
    state=DispatchState.FINISHED, conclusion="success", target_version="v6", ended=NOW - 3 * HOUR, settled=ESCALATED
)
SUCCEEDED = "the rollback to `v6` succeeded at 2026-11-20 09:05 UTC"


AGAIN = "To start it again, comment `/modelwatch rollback v6` on this issue."
STILL = f"Find out why `v7` still serves: {SUCCEEDED}, but points still come from `v7`, so it did not take effect"
OTHER = f"Find out why `v8` serves: {SUCCEEDED}, and points come from `v8` now."
LATE = f"Find out which version serves: {SUCCEEDED}, and no point of `v6` has come yet."


@pytest.mark.parametrize(
    ("services", "newest", "step"),
    [
        ((BAD, SERVED), NEWEST, f"{STILL}. {AGAIN}"),
        ((BACK, replace(BAD, since=NEWEST - 2 * HOUR)), NEWEST, f"{STILL} everywhere. {AGAIN}"),
        ((VersionHealth("v8", NEWEST - 2 * HOUR), BAD, SERVED), NEWEST, f"{OTHER} {AGAIN}"),
        ((BAD, SERVED), NOW - 4 * HOUR, LATE),
    ],
)
def test_a_rollback_that_did_not_take_effect_is_no_reason_to_look_elsewhere(
    services: tuple[VersionHealth, ...], newest: float, step: str
) -> None:
    data = DataSpan(NEWEST - 10 * HOUR, newest, 10, None)
    fires = group(evidence=Evidence(version=services[0].version, health=services, data=data))
    watched = model(runbook_base="https://example.org/pages", github=GitHubSpec("acme/churn-model", people=("ada",)))
    tried = register(dispatches=(MOVED,))
    text = next_steps(fires, tried, watched, NOW)
    assert text.split("\n\n")[1] == step
    assert text.endswith("runbook: [`rollback-failed`](https://example.org/pages/rollback-failed.md).")
    plain = re.sub("`(v.)`", r"\1", step.replace("on this issue", "on the GitHub issue"))
    assert first_step(fires, tried, watched, NOW) == plain


def test_where_the_target_of_the_rollback_serves_the_cause_is_elsewhere() -> None:
    data = DataSpan(NEWEST - 2 * HOUR, NEWEST, 2, None)
    served = Evidence(version="v6", health=(BACK, replace(BAD, until=NEWEST - 2 * HOUR)), data=data)
    tried = register(dispatches=(MOVED,))
    text = next_steps(group(evidence=served), tried, model(runbook_base="https://example.org/pages"), NOW)
    assert "Look for a cause outside the release: the rollback to `v6` succeeded" in text
    assert text.endswith("runbook: [`accuracy-drop`](https://example.org/runbooks/accuracy-drop.md).")


def test_a_retraining_that_changed_nothing_is_followed_up() -> None:
    done = record(
        verb="retrain", key="g.1.retrain.1", state=DispatchState.FINISHED, conclusion="success", ended=NOW - DAY
    )
    trains = Model("churn", (), workflows=(WorkflowSpec("retrain", "retrain.yml", settle=2 * HOUR),))
    steps = _steps(done, model=trains)
    assert all(step.startswith("Check whether the model of the retrain serves: it ended at ") for step in steps)
    fresh = replace(done, ended=NOW - HOUR)
    assert not any("serves" in step for step in _steps(fresh, model=trains))


def test_a_retraining_hides_no_rollback() -> None:
    training = record(verb="retrain", key="g.1.retrain.1", state=DispatchState.SENT, url=RUN)
    proposed = record(target_version="v6")
    assert all(step.startswith("Decide on the proposed") for step in _steps(training, proposed))
