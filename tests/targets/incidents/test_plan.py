from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelwatch.model.monitored_model import Config, PagerDutySpec
from modelwatch.model.pagerduty_setup import EscalationPolicy, EscalationStep
from modelwatch.model.plan import ObservationError, ObservedIncident, Plan
from modelwatch.model.register import CallRecord, FlapRecord, PageRecord, Register
from modelwatch.model.rule import Mode
from modelwatch.model.secret import Secret
from modelwatch.model.severity import Severity
from modelwatch.model.target import Target
from modelwatch.targets.plan import make_plan
from modelwatch.timeutil import DAY, HOUR, MINUTE

from ...alerts.making import at
from ..issues.test_plan import WHOLE
from ..making import GROUP, RETRAIN, RULE, World, config, issue, judged, kinds, later, register, seen, skipped

NOW = later("..e")
PAGED = PageRecord("triggered", Severity.ERROR, at(2))
HELD = register(alerts=(WHOLE,), page=PAGED, told=NOW)


def incident(status: str, changed: float, by_person: bool = True, created: float = at(2)) -> ObservedIncident:
    return ObservedIncident(GROUP, status, "", created, changed, by_person)


def plan_for(
    text: str,
    of: Register | None,
    *incidents: ObservedIncident,
    now: float | None = None,
    rest: bool = True,
    by: Config | None = None,
    **more: Any,
) -> Plan:
    given = {"incidents": incidents if rest else None, **more}
    observed = seen(*([issue(of)] if of else []), **given)
    return make_plan(judged(text, by or config()), by or config(), observed, later(text) if now is None else now)


def pages(plan: Plan) -> list[str]:
    return [str(change.kind) for change in plan.changes if change.kind.target is Target.PAGE]


def test_a_tier_that_pages_triggers_an_incident_after_its_issue() -> None:
    assert kinds(plan_for("..e", None)) == ["open-issue", "trigger-incident"]
    assert kinds(plan_for("..w", None)) == ["open-issue", "dispatch-workflow"]


def test_paged_once() -> None:
    assert pages(plan_for("..e", HELD, rest=False)) == []
    assert pages(plan_for("..e", HELD, incident("triggered", at(2)))) == []
    assert pages(plan_for("..e", HELD, incident("acknowledged", at(2)))) == []
    assert "paged already" in skipped(plan_for("..e", HELD, rest=False), "trigger-incident")


def test_worse_is_paged_again() -> None:
    plan = plan_for("..c", HELD, incident("acknowledged", at(2)))
    assert pages(plan) == ["trigger-incident"]
    assert "worse" in next(change.reason for change in plan.changes if change.kind.target is Target.PAGE)


STEP = EscalationStep(users=("a",), wait=HOUR)


@pytest.mark.parametrize(
    ("status", "policy", "paged_ago", "further"),
    [
        ("triggered", None, 20 * MINUTE, False),  # PagerDuty still calls people about it
        ("triggered", None, 40 * MINUTE, True),
        ("triggered", EscalationPolicy("named only"), 40 * MINUTE, True),
        ("triggered", EscalationPolicy("p", (STEP, STEP)), 110 * MINUTE, False),
        ("triggered", EscalationPolicy("p", (STEP, STEP)), 130 * MINUTE, True),
        ("triggered", EscalationPolicy("p", (STEP,), repeat=2), 170 * MINUTE, False),
        ("triggered", EscalationPolicy("p", (STEP,), repeat=2), 190 * MINUTE, True),
        ("acknowledged", EscalationPolicy("p", (STEP,), repeat=9), MINUTE, True),  # notifies nobody
    ],
)
def test_worse_is_a_further_alert_where_the_open_one_notifies_nobody(
    status: str, policy: EscalationPolicy | None, paged_ago: float, further: bool
) -> None:
    now = later("..c")
    by = config(pagerduty=PagerDutySpec(Secret("KEY", "k" * 32), escalation=policy))
    of = replace(HELD, page=replace(PAGED, at=now - paged_ago))
    plan = plan_for("..c", of, incident(status, now - paged_ago), now=now, by=by)
    (change,) = [change for change in plan.changes if change.kind.target is Target.PAGE]
    assert change.about == (f"{GROUP}.2" if further else "")


def test_never_downgraded_only_resolved() -> None:
    """ "Pages are never downgraded, only resolved." """
    critical = replace(HELD, page=replace(PAGED, severity=Severity.CRITICAL))
    plan = plan_for("..cee", critical, rest=False)
    assert pages(plan) == []
    assert "never downgraded" in skipped(plan, "trigger-incident")
    plan = plan_for("..eii", HELD, rest=False)
    assert pages(plan) == []
    assert "never downgraded" in skipped(plan, "trigger-incident")


def test_resolved_by_hand_is_triggered_again_after_4_h() -> None:
    """ "An incident resolved by hand while firing is triggered again after 4 h, or at once when worse." """
    resolved = incident("resolved", NOW)
    soon = plan_for("..e", HELD, resolved, now=NOW + 4 * HOUR - 1)
    assert pages(soon) == []
    assert "4 h" in skipped(soon, "trigger-incident")
    assert pages(plan_for("..e", HELD, resolved, now=NOW + 4 * HOUR)) == ["trigger-incident"]
    assert pages(plan_for("..c", HELD, resolved, now=NOW + 60)) == ["trigger-incident"]


def test_without_rest_nobody_knows_that_it_was_resolved_by_hand() -> None:
    assert pages(plan_for("..e", HELD, now=NOW + 9 * HOUR, rest=False)) == []


def test_an_incident_list_that_lags_does_not_page_twice() -> None:
    before = incident("resolved", at(1))
    assert pages(plan_for("..e", HELD, before, now=at(1) + 4 * HOUR + 60)) == []
    assert pages(plan_for("..e", HELD, now=at(2) + 60)) == []
    assert pages(plan_for("..e", HELD, now=at(2) + 4 * HOUR)) == ["trigger-incident"]


def test_the_address_of_a_new_incident_is_learnt() -> None:
    shown = replace(incident("triggered", at(2)), url="https://pagerduty.example/incidents/2")
    assert plan_for("..e", HELD, shown, now=PAGED.at + 60).changes == (), "a second evaluation at once"
    plan = plan_for("..e", HELD, shown, now=PAGED.at + HOUR)
    written = plan.changes[0].register
    assert written is not None
    assert written.page == replace(PAGED, url=shown.url)
    assert not plan_for("..e", replace(written, told=NOW), shown).changes, "once"


def test_resolved_after_recovery() -> None:
    assert pages(plan_for("..e..", HELD, rest=False)) == ["resolve-incident"]
    assert pages(plan_for("..e..", HELD, incident("acknowledged", at(3)))) == ["resolve-incident"]
    forgotten = replace(HELD, page=None)
    assert pages(plan_for("..e..", forgotten, rest=False)) == ["resolve-incident"], "a crash may have hidden the page"
    assert pages(plan_for("..e..", forgotten)) == [], "REST would show it"
    warned = replace(forgotten, severity=Severity.WARNING, peak=Severity.WARNING)
    assert pages(plan_for("..w..", warned, rest=False)) == [], "it never paged"
    assert pages(plan_for("..e..", warned, rest=False)) == ["resolve-incident"], "the issue may have missed the page"
    resolved = replace(HELD, page=PageRecord("resolved", Severity.ERROR, at(1)))
    assert pages(plan_for("..e..", resolved, rest=False)) == ["resolve-incident"], "it may have been paged since"
    assert pages(plan_for("..e..", resolved)) == [], "REST would show it"


def test_what_may_have_been_paged_is_resolved_once_pagerduty_answers() -> None:
    """The receipt of the page is lost, and PagerDuty is down when the issue is closed."""
    world = World(config())
    world.budget = 2
    world.evaluate("..e")
    assert world.issues[1].register is not None
    assert world.issues[1].register.page is None
    world.down = frozenset({Target.PAGE})
    world.evaluate("..e...")
    assert not world.open_issues
    assert world.open_incidents
    world.down = frozenset()
    world.evaluate("..e....")
    assert not world.open_incidents
    assert not world.plan("..e.....").changes
    unrecorded = plan_for("..e..", replace(HELD, page=None), incident("triggered", at(2)))
    assert pages(unrecorded) == ["resolve-incident"], "REST shows what the register missed"
    by_hand = plan_for("..e..", HELD, incident("resolved", at(3)))
    assert kinds(by_hand) == ["close-issue"]
    assert by_hand.changes[0].register is not None
    page = by_hand.changes[0].register.page
    assert page == PageRecord("resolved", Severity.ERROR, at(3), status="resolved", status_at=at(3))


@pytest.mark.parametrize("rest", [False, True])
def test_an_incident_that_outlived_its_issue_is_resolved(rest: bool) -> None:
    closed = issue(replace(HELD, closed=at(4)), state="closed", closed_at=at(4))
    observed = seen(closed, incidents=(incident("triggered", at(2)),) if rest else None)
    plan = make_plan(judged("..e..", config()), config(), observed, later("..e.."))
    assert kinds(plan) == ["resolve-incident"]
    assert plan.changes[0].expect.issue == 1


def test_an_incident_paged_while_github_was_down_needs_its_own_proof() -> None:
    late = incident("triggered", at(3), created=at(3))
    assert "resolve-incident" not in kinds(plan_for("..e.", None, late)), "it still fires"
    plan = plan_for("..ee..", None, incident("triggered", at(4), created=at(4)))
    assert not plan.changes
    assert "1 of 2" in skipped(plan, "resolve-incident")
    assert kinds(plan_for("..ee..", None, late)) == ["resolve-incident"]


def test_an_incident_that_began_after_the_closing_needs_its_own_proof() -> None:
    closed = issue(replace(HELD, closed=at(4) + 60), state="closed", closed_at=at(4) + 60)
    after = incident("triggered", at(5), created=at(5))
    plan = make_plan(judged("..e...", config()), config(), seen(closed, incidents=(after,)), later("..e..."))
    assert "resolve-incident" not in kinds(plan)
    assert "0 of 2" in skipped(plan, "resolve-incident")
    plan = make_plan(judged("..e.....", config()), config(), seen(closed, incidents=(after,)), later("..e....."))
    assert kinds(plan) == ["resolve-incident"]


def test_without_rest_a_page_that_no_issue_remembers_is_told_to_be_over_for_a_day() -> None:
    """PagerDuty drops a resolve where nothing is open, so that one too many harms nobody."""
    assert kinds(plan_for("..ee.", None, rest=False)) == ["open-issue", "trigger-incident"], "it still fires"
    assert kinds(plan_for("..ee..", None, rest=False)) == ["resolve-incident"]
    assert kinds(plan_for("..ee" + "." * 25, None, rest=False)) == ["resolve-incident"]
    assert kinds(plan_for("..ee" + "." * 27, None, rest=False)) == [], "once an alert is a day old it is history"
    assert kinds(plan_for("..ww..", None, rest=False)) == [], "this tier never paged"
    assert kinds(plan_for("..ee..", None, rest=False, by=config(page_mode=Mode.OBSERVE))) == []
    down = plan_for("..ee..", None, rest=False, errors=(ObservationError(Target.ISSUE, "503"),))
    assert kinds(down) == [], "an issue that cannot be seen may know of a person's wish"


def test_without_rest_a_page_after_the_closing_is_told_to_be_over_until_the_issue_knows() -> None:
    register_of = replace(HELD, page=PageRecord("resolved", Severity.ERROR, at(4)), closed=at(4))

    def plan(of: Register) -> Plan:
        closed = issue(of, state="closed", closed_at=of.closed)
        return make_plan(judged("..e..ee..", config()), config(), seen(closed), later("..e..ee.."))

    assert kinds(plan(register_of)) == ["resolve-incident"]
    assert kinds(plan(replace(register_of, page=PageRecord("resolved", Severity.ERROR, at(8))))) == []
    assert kinds(plan(replace(register_of, closed=at(8)))) == [], "the closing had its proof"


def test_github_down_while_it_fired_leaves_no_incident_behind() -> None:
    for rest in (True, False):
        world = World(config(), rest=rest, down=frozenset({Target.ISSUE}))
        for text in ("..e", "..ee", "..ee.", "..ee.."):
            world.evaluate(text)
        assert len(world.open_incidents) == 1
        world.down = frozenset()
        world.evaluate("..ee...")
        assert (world.issues, world.open_incidents) == ({}, []), rest


def test_pagerduty_that_cannot_be_observed_is_paged_but_not_resolved() -> None:
    troubles = (ObservationError(Target.PAGE, "401"),)
    assert pages(plan_for("..e", None, rest=False, errors=troubles)) == ["trigger-incident"]
    plan = plan_for("..e..", HELD, rest=False, errors=troubles)
    assert kinds(plan) == ["close-issue"], "one target's failure never stops another"
    assert "401" in skipped(plan, "resolve-incident")
    wanted = plan.changes[0].register
    assert wanted is not None
    (told,) = wanted.troubles
    assert told.startswith("notifying PagerDuty failed")
    assert "401" in told, "an issue that closes over an incident that stays says so"

    closed = issue(wanted, state="closed")
    late = {"now": later("..e..") + 60}
    still = make_plan(judged("..e..", config()), config(), seen(closed, errors=troubles), **late)
    assert kinds(still) == [], "said once"
    plan = make_plan(
        judged("..e..", config()), config(), seen(closed, incidents=(incident("triggered", at(2)),)), **late
    )
    assert kinds(plan) == ["resolve-incident"]


def test_no_key_and_no_mode_no_page() -> None:
    keyless = plan_for("..e", None, by=config(pagerduty=PagerDutySpec()))
    assert pages(keyless) == []
    assert "routing key" in skipped(keyless, "trigger-incident")
    observing = plan_for("..e", None, by=config(page_mode=Mode.OBSERVE))
    assert pages(observing) == []
    assert "mode observe" in skipped(observing, "trigger-incident")


def test_an_incident_is_open_and_no_issue_says_more() -> None:
    troubles = (ObservationError(Target.ISSUE, "503"),)
    assert pages(plan_for("..e", None, incident("triggered", at(2)), errors=troubles)) == []
    assert pages(plan_for("..e", None, errors=troubles)) == ["trigger-incident"]


@pytest.mark.parametrize(
    ("text", "paged", "fired", "still_open"),
    [
        ("..e..e", ["error"], 2, True),
        ("..e..w..e..e", ["error"], 4, True),
        ("..e..c", ["error", "critical"], 2, True),
        ("..c..e..c", ["critical"], 3, True),
        ("..w..e", ["error"], 2, True),
        ("..e..eeeeeee", ["error"], 2, True),
        ("..e..eeeeeeeee", ["error", "error"], 2, True),
        ("..e..e" + 13 * ".", ["error"], 2, True),
        ("..e..e" + 16 * ".", ["error"], 2, False),
        ("..e..e" + 16 * "." + "e", ["error"], 3, True),
    ],
)
def test_flapping_is_one_episode_that_pages_as_it_gets_worse_or_lasts(
    text: str, paged: list[str], fired: int, still_open: bool
) -> None:
    world = World(config(workflows=(RETRAIN,)))
    for end in range(3, len(text) + 1):
        world.evaluate(text[:end])
    assert world.paged == paged
    (found,) = world.issues.values()
    assert found.register is not None
    assert found.register.flap is not None
    assert (found.register.flap.fired, found.state == "open") == (fired, still_open)
    assert [change for change in world.plan(text).changes if change.kind.target is not Target.DISPATCH] == []


FLAPPING = replace(
    HELD, start=at(0) - DAY, flap=FlapRecord(4, at(0) - DAY, at(2)), page=replace(PAGED, severity=Severity.WARNING)
)


def test_a_flapping_group_pages_so_often_in_24_h() -> None:
    """Held back, which the issue says; a person who has to be called is called."""

    def paged(*hours_ago: float) -> Register:
        assert FLAPPING.page is not None
        times = tuple(NOW - hours * HOUR for hours in hours_ago)
        return replace(FLAPPING, page=replace(FLAPPING.page, page_times=times))

    assert pages(plan_for("..e", paged(30, 25, 2, 1), rest=False)) == ["trigger-incident"]
    plan = plan_for("..e", paged(5, 2, 1), rest=False)
    assert pages(plan) == []
    assert "3 pages in 24 h are the most" in skipped(plan, "trigger-incident")
    written = next(change.register for change in plan.changes if change.kind.target is Target.ISSUE)
    assert written is not None
    assert "a page was held back" in written.troubles[0]
    called = replace(paged(5, 2, 1), calls=(CallRecord("escalated.rollback.1", "not recovered", NOW - 60),))
    assert FLAPPING.page is not None
    called = replace(called, page=replace(called.page or FLAPPING.page, at=NOW - HOUR))
    assert pages(plan_for("..e", called, rest=False)) == ["trigger-incident"]


def test_a_flapping_group_recovers_on_windows_that_share_no_data() -> None:
    long = config(replace(RULE, window=20 * HOUR))
    text = "..e" + 13 * "."
    plan = plan_for(text, replace(FLAPPING, page=None), by=long, now=at(5))
    written = next(change.register for change in plan.changes if change.kind.target is Target.ISSUE)
    assert written is not None
    assert written.flap is not None
    assert written.flap.quiet_until == at(5) + RULE.hold * 20 * HOUR
    assert "it flaps, and healthy evaluations count after" in skipped(plan, "close-issue")
