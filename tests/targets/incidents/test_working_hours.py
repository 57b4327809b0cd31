"""Pages that wait for working hours: what waits, for how long, and what does not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from modelwatch.model.alert import Judgement
from modelwatch.model.finding import GradualChange
from modelwatch.model.ledger import EntryKind
from modelwatch.model.monitored_model import Config
from modelwatch.model.plan import ObservedIncident, Plan
from modelwatch.model.register import CallRecord, DispatchRecord, DispatchState, PageRecord, Register
from modelwatch.model.severity import Severity
from modelwatch.model.target import Target
from modelwatch.model.working_hours import WorkingHours
from modelwatch.report.comments import next_page_sentence
from modelwatch.report.formatting import utc_time
from modelwatch.targets.plan import make_plan
from modelwatch.timeutil import DAY, HOUR, format_utc

from ...alerts.making import at
from ..issues.test_plan import WHOLE
from ..making import GROUP, ROLLBACK, config, issue, judged, later, model, register, seen, skipped

NOW = later("..e")
OPENING = NOW // HOUR * HOUR + 3 * HOUR
SLOW = GradualChange(at(0) - 20 * DAY, -0.0015, is_share=True)
HELD = register(alerts=(WHOLE,), page=None, told=NOW)


def with_hours(**more: Any) -> Config:
    """Three hours from now, on every day, and for an hour."""
    start = OPENING % DAY
    return config(hours=WorkingHours((0, 1, 2, 3, 4, 5, 6), start, (start + HOUR) % DAY, **more))


def slowed(judgement: Judgement, rules: Collection[str] = ("accuracy",)) -> Judgement:
    """The same, of changes that came day by day."""
    groups = (
        replace(group, evidence=replace(group.evidence, gradual=SLOW)) if group.rule in rules else group
        for group in judgement.groups
    )
    return replace(judgement, groups=tuple(groups))


def plan_for(
    text: str,
    of: Register | None,
    *,
    slow: bool = True,
    now: float = NOW,
    by: Config | None = None,
    incidents: tuple[ObservedIncident, ...] | None = None,
) -> Plan:
    by = by or with_hours()
    judgement = judged(text, by)
    observed = seen(*([issue(of)] if of else []), incidents=incidents)
    return make_plan(slowed(judgement) if slow else judgement, by, observed, now)


def pages(plan: Plan) -> list[str]:
    return [str(change.kind) for change in plan.changes if change.kind.target is Target.PAGE]


def written(plan: Plan) -> Register | None:
    return next((change.register for change in plan.changes if change.kind.target is Target.ISSUE), None)


def test_the_issue_is_opened_at_once_and_says_until_when_the_page_waits() -> None:
    plan = plan_for("..e", None)
    found = written(plan)
    assert [str(change.kind) for change in plan.changes] == ["open-issue"]
    assert "pages in working hours, at most until" in skipped(plan, "trigger-incident")
    assert found is not None
    assert found.page_after == OPENING
    assert "The page waits until" in next_page_sentence(found, model(), NOW)
    assert next_page_sentence(found, model(), OPENING) == ""


@pytest.mark.parametrize(
    ("text", "slow", "hours", "paged"),
    [
        ("..e", False, {}, True),
        ("..c", True, {}, True),
        ("..c", False, {}, True),
        ("..e", True, {"slow": Severity.ERROR}, True),
        ("..e", False, {"sudden": Severity.CRITICAL}, False),
    ],
)
def test_what_is_urgent_pages_at_once(text: str, slow: bool, hours: dict[str, Any], paged: bool) -> None:
    plan = plan_for(text, None, slow=slow, by=with_hours(**hours))
    assert (pages(plan) == ["trigger-incident"]) is paged


def test_waiting_is_on_record_once() -> None:
    found = written(plan_for("..e", None))
    assert found is not None
    (entry,) = [entry for entry in found.ledger.recent if entry.kind is EntryKind.PAGE]
    assert (entry.at, entry.who, entry.what) == (NOW, "modelwatch", "the page waits for working hours")
    assert entry.why == f"until {format_utc(OPENING)}: error is not urgent"
    worse = written(plan_for("..e", replace(found, severity=Severity.WARNING)))
    assert worse is not None
    assert [entry.key for entry in worse.ledger.recent].count(entry.key) == 1


def test_it_pages_when_working_hours_begin_even_where_nobody_looked_then() -> None:
    waiting = replace(HELD, page_after=OPENING)
    assert pages(plan_for("..e", waiting, now=OPENING - 60)) == []
    for now in (OPENING, OPENING + 5 * HOUR):
        plan = plan_for("..e", waiting, now=now)
        found = written(plan)
        assert pages(plan) == ["trigger-incident"]
        assert found is not None
        assert found.page_after is None


def test_waiting_changes_nothing_more_on_the_issue() -> None:
    assert plan_for("..e", replace(HELD, page_after=OPENING), now=NOW + HOUR).changes == ()


def test_a_sudden_turn_for_the_worse_does_not_wait() -> None:
    assert pages(plan_for("..e", replace(HELD, page_after=OPENING), slow=False)) == ["trigger-incident"]
    assert pages(plan_for("..c", replace(HELD, page_after=OPENING))) == ["trigger-incident"]


def test_a_workflow_that_did_not_help_is_urgent() -> None:
    tried = DispatchRecord(
        f"{GROUP}.1.rollback.1", "rollback", DispatchState.FINISHED, at(1), conclusion="failure", settled="escalated"
    )
    assert pages(plan_for("..e", replace(HELD, dispatches=(tried,), page_after=OPENING))) == ["trigger-incident"]


def test_what_was_paged_says_nothing_of_waiting() -> None:
    paged = replace(HELD, page=PageRecord("triggered", Severity.ERROR, at(2)))
    plan = plan_for("..e", paged)
    assert pages(plan) == []
    assert "paged already" in skipped(plan, "trigger-incident")


def test_an_acknowledged_page_names_the_first_time_at_which_another_one_can_follow() -> None:
    page = PageRecord("triggered", Severity.ERROR, NOW, status="acknowledged", status_at=NOW, status_by="person ada")
    proposed = DispatchRecord(f"{GROUP}.1.rollback.1", "rollback", DispatchState.PROPOSED, NOW)
    done = replace(proposed, state=DispatchState.FINISHED, conclusion="success", ended=NOW)
    day, reminder, settled = NOW + DAY, NOW + ROLLBACK.remind, NOW + ROLLBACK.settle
    reminded = CallRecord("reminder.rollback.1", "it waits", NOW)
    cases: tuple[tuple[tuple[DispatchRecord, ...], tuple[CallRecord, ...], str], ...] = (
        ((), (), f"if it still fires at {utc_time(day)}"),
        ((proposed,), (), f"if the proposed rollback still waits at {utc_time(reminder)}"),
        ((proposed,), (reminded,), f"if it still fires at {utc_time(day)}"),
        ((done,), (), f"if it still fires at {utc_time(settled)}"),
    )
    for dispatches, calls, condition in cases:
        found = replace(HELD, page=page, dispatches=dispatches, calls=calls)
        assert f"the on-call is paged again {condition}" in next_page_sentence(found, model(), NOW + 60)


def test_recovery_while_it_waits_pages_nobody() -> None:
    plan = plan_for("..e.....", replace(HELD, page_after=OPENING), now=later("..e....."))
    found = written(plan)
    assert "trigger-incident" not in pages(plan)
    assert found is not None
    assert found.closed is not None
    assert next_page_sentence(found, model(), NOW) == ""
