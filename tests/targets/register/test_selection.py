from __future__ import annotations

from dataclasses import replace

from modelwatch.model.plan import ChangeKind, ObservationError, ObservedIssue, Plan
from modelwatch.model.register import DispatchRecord, DispatchState, PageRecord
from modelwatch.model.severity import Severity
from modelwatch.model.target import Target
from modelwatch.targets.plan import make_plan
from modelwatch.targets.register.selection import select_issue

from ...alerts.making import at
from ..issues.test_plan import FIRED, WHOLE
from ..making import GROUP, config, issue, judged, kinds, later, register, seen, skipped

TOLD = replace(FIRED, told=later("..i"))


def plan_for(text: str, *issues: ObservedIssue) -> Plan:
    return make_plan(judged(text, config()), config(), seen(*issues), later(text))


def test_of_two_for_one_group_the_lowest_number_survives() -> None:
    """ "Of two for one group the lowest number survives." """
    plan = plan_for("..i", issue(TOLD, 8), issue(TOLD, 5), issue(TOLD, 9))
    assert [(str(c.kind), c.expect.issue) for c in plan.changes] == [("close-duplicate", 8), ("close-duplicate", 9)]
    assert "#5" in plan.changes[0].reason
    after = (issue(TOLD, 5), issue(TOLD, 8, state="closed", state_reason="duplicate"))
    assert not plan_for("..i", *after).changes


def test_what_a_duplicate_did_was_done() -> None:
    sent = DispatchRecord(f"{GROUP}.1.retrain.1", "retrain", DispatchState.SENT, at(2))
    page = PageRecord("triggered", Severity.ERROR, at(2))
    mine = replace(FIRED, dispatches=(replace(sent, state=DispatchState.INTENDED),))
    theirs = replace(FIRED, dispatches=(sent,), page=page, alerts=("00ff00ff00ff00ff",))
    chosen = select_issue(GROUP, (issue(theirs, 2), issue(mine, 1)))
    assert chosen.register is not None
    assert chosen.register.dispatches == (sent,)
    assert (chosen.register.page, chosen.register.alerts) == (page, tuple(sorted(("00ff00ff00ff00ff", WHOLE))))
    assert [found.number for found in chosen.duplicates] == [2]
    again = select_issue(GROUP, (issue(theirs, 2), issue(chosen.register, 1)))
    assert again.register == chosen.register, "merging twice changes nothing"


def test_the_newest_episode_counts() -> None:
    old, new = issue(replace(FIRED, closed=at(0)), 1, state="closed"), issue(replace(TOLD, episode=2), 4)
    assert select_issue(GROUP, (old, new)).issue == new
    assert not plan_for("..i", old, new).changes
    reopened = replace(old, state="open")
    plan = plan_for("..i", reopened, new)
    assert not plan.changes
    assert "issue #1 is left alone" in skipped(plan, "issue")


def test_a_strangers_issue_counts_as_not_there() -> None:
    """ "Trusted only from configured authors." """
    forged = issue(None, 1, register_error="opened by mallory", trusted=False, author="mallory")
    plan = plan_for("..i", forged)
    assert kinds(plan) == ["open-issue"]
    assert "mallory" in skipped(plan, "issue")
    assert not plan.troubles, "whoever may open issues could end every evaluation with 4"
    readable = issue(replace(FIRED, closed=at(2)), 1, trusted=False, author="mallory")
    assert kinds(plan_for("..i", readable)) == ["open-issue"], "whatever it says"


def test_of_many_strangers_issues_a_few_are_named() -> None:
    forged = [issue(None, number, trusted=False, author="mallory") for number in range(1, 101)]
    lines = [skip.reason for skip in plan_for("..i", *forged).skips if skip.guard == "identity"]
    assert len(lines) == 4
    assert lines[-1] == "97 more issues of others are ignored"


def test_a_trusted_issue_that_cannot_be_read_blocks_its_group_but_not_the_page() -> None:
    broken = issue(None, 1, register_error="its JSON is cut off")
    plan = plan_for("..c", broken)
    assert kinds(plan) == ["trigger-incident"]
    assert "cut off" in skipped(plan, "open-issue")
    assert "cut off" in skipped(plan, "rollback")
    assert any("cut off" in told for _, told in plan.troubles)
    assert not plan_for("..e..", broken).changes, "and it closes nothing"
    assert "cut off" in skipped(plan_for("..e..", broken), "close-issue")


def test_an_old_closed_issue_that_cannot_be_read_blocks_nothing() -> None:
    broken = issue(None, 1, register_error="edited", state="closed")
    assert not plan_for("..i", broken, issue(TOLD, 2)).changes
    assert select_issue(GROUP, (broken, issue(TOLD, 2))).blocked_reason == ""
    assert select_issue(GROUP, (replace(broken, number=3), issue(TOLD, 2))).blocked_reason
    assert select_issue(GROUP, (replace(broken, state="open"), issue(TOLD, 2))).blocked_reason


def test_a_register_of_another_group_is_not_believed() -> None:
    other = issue(register(group="ffffffffffffffff"), 1)
    assert select_issue(GROUP, (other,)).blocked_reason
    assert select_issue(GROUP, (replace(other, group="ffffffffffffffff"),)).issue is None


def test_a_duplicate_is_closed_beside_whatever_else_happens() -> None:
    plan = plan_for("..e..", issue(FIRED, 1), issue(FIRED, 2))
    assert [change.kind for change in plan.changes][1:] == [ChangeKind.CLOSE_ISSUE, ChangeKind.CLOSE_DUPLICATE]


def test_an_issue_that_was_closed_as_a_duplicate_does_not_carry_the_group() -> None:
    lower = issue(FIRED, 1, state="closed", state_reason="duplicate", closed_at=at(2))
    assert select_issue(GROUP, (lower, issue(FIRED, 2))).issue == issue(FIRED, 2)
    assert select_issue(GROUP, (lower,)).issue == lower, "unless there is no other"


def test_no_duplicate_is_closed_where_issues_cannot_be_observed() -> None:
    observed = seen(issue(FIRED, 1), issue(FIRED, 2), errors=(ObservationError(Target.ISSUE, "503"),))
    assert not make_plan(judged("..i", config()), config(), observed, later("..i")).changes
