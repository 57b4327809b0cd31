"""Stories of what is shown while an alert is muted: as true as ever, and nobody is woken."""

from __future__ import annotations

from modelwatch.timeutil import format_iso

from .people import PAGING_WARNING
from .stories import page_somebody, proposing, story
from .timeline import BEGIN, CRITICAL, ERROR, HEALTHY, HOUR, WARNING, Timeline, model_config


def expect_shown(time: Timeline, severity: str) -> None:
    """Issue, labels, `status` and `diagnose` show ``severity``; issue and `diagnose` that it is muted; nobody woke."""
    shown = rf"^\[{severity}\] "
    time.expect(woken=0, title=shown, labels=f"severity:{severity}", says=rf"\*\*{severity}\*\* · .*Muted: ")
    time.expect(says=rf"\| Tier \| {severity} ", status=rf"accuracy +#1 +{severity} ", verdict=rf"^{severity} .muted")


@story(causes=0)
def false_positive_then_worse(time: Timeline) -> None:
    """Marked as a false positive: worse and better change what is shown, up to the peak, and wake nobody"""
    page_somebody(time)
    time.comment("false-positive")
    time.until(4)
    expect_shown(time, "error")
    for hour, accuracy, severity in ((8, CRITICAL, "critical"), (12, WARNING, "warning"), (16, ERROR, "error")):
        time.data(accuracy=accuracy)
        time.until(hour)
        expect_shown(time, severity)
    time.expect(audit="worse: now critical.*better: now warning", comments=2)
    time.data(accuracy=HEALTHY)
    time.until(20)
    time.expect(woken=0, issues=0, title=r"recovered.*was critical", says="peak: critical")


@story()
def silenced_at_each_severity(time: Timeline) -> None:
    """A silence holds at each severity, and each is shown; its end tells what it has become"""
    page_somebody(time, model_config(rules=PAGING_WARNING), WARNING)
    time.comment("silence 12h upstream repairs it")
    for hour, accuracy, severity in ((4, WARNING, "warning"), (7, ERROR, "error"), (10, CRITICAL, "critical")):
        time.data(accuracy=accuracy)
        time.until(hour)
        expect_shown(time, severity)
    time.until(16)
    time.expect(woken=1, page="^critical .*silence by robin has expired", says="Worse: now critical", title="critical")


@story()
def acknowledged_and_back(time: Timeline) -> None:
    """What was acknowledged as an error may become milder and an error again: only what is worse wakes somebody"""
    page_somebody(time)
    time.comment("ack")
    for hour, accuracy, severity in ((4, ERROR, "error"), (8, WARNING, "warning"), (12, ERROR, "error")):
        time.data(accuracy=accuracy)
        time.until(hour)
        expect_shown(time, severity)
    time.data(accuracy=CRITICAL)
    time.until(15)
    time.expect(woken=1, page="^critical", says="Worse: now critical", status="^(?!.*muted)", verdict="^CRITICAL · ")


@story()
def closed_as_not_planned_and_back(time: Timeline) -> None:
    """Closed as not planned as an error, then milder and an error again: its title is true, and only worse reopens"""
    page_somebody(time)
    time.close_issue("not_planned")
    for hour, accuracy, severity in ((4, ERROR, "error"), (8, WARNING, "warning"), (12, ERROR, "error")):
        time.data(accuracy=accuracy)
        time.until(hour)
        time.expect(woken=0, issues=0, title=rf"^\[{severity}\]", status=rf" {severity} .*muted: churn #1")
    time.data(accuracy=CRITICAL)
    time.until(15)
    time.expect(woken=1, page="^critical", issues=1, title=r"^\[critical\]", says="Reopened, since it got worse")


@story()
def silenced_in_the_configuration(time: Timeline) -> None:
    """A silence of the configuration that begins after the issue: the issue stays true"""
    since, until = format_iso(BEGIN + 3.5 * HOUR), format_iso(BEGIN + 14 * HOUR)
    silence = f"{{from: {since}, until: {until}, owner: robin, reason: maintenance}}"
    page_somebody(time, model_config(more=f"    silences: [{silence}]\n"))
    time.data(accuracy=CRITICAL)
    time.until(9)
    expect_shown(time, "critical")
    time.until(16)
    time.expect(woken=1, page="^critical", title="critical", says="Worse: now critical")


@story()
def acknowledged_at_pagerduty_for_days(time: Timeline) -> None:
    """A critical alert that is acknowledged at PagerDuty wakes somebody again a day later, which is said at once"""
    page_somebody(time, accuracy=CRITICAL)
    time.expect(details="acknowledging.*holds for 24 h\\W")
    time.acknowledge()
    time.until(4)
    time.expect(says="Acknowledged at PagerDuty by `oncall`: the on-call is paged again if it still fires at .* UTC\\.")
    time.expect(status="by oncall: the on-call is paged again if", verdict="by oncall: the on-call is paged again if")
    time.until(26, every=4)
    time.expect(woken=0)
    time.until(28)
    time.expect(woken=1, page=r"^critical Still firing: the 24 h acknowledgement at PagerDuty by oncall has .*\.2$")
    time.acknowledge()
    time.until(50, every=4)
    time.expect(woken=0)
    time.until(54, every=2)
    time.expect(woken=1, page=r"\.3$", audit="the on-call is notified again", issues=1)


@story()
def nobody_acknowledges_for_a_day(time: Timeline) -> None:
    """PagerDuty calls until its policy ends; a day after the page the on-call is notified again"""
    page_somebody(time)
    time.expect(details="acknowledging.*holds for 24 h, or until it gets worse")
    time.until(25, every=4)
    time.expect(woken=0)
    time.until(30, every=2)
    time.expect(woken=1, page="^error Still firing 1 d .*after the last page")


@story()
def nobody_knows_for_a_day_without_rest_token(time: Timeline) -> None:
    """Whether somebody acknowledged is not known without a REST token: a day after the page it is sent again"""
    page_somebody(time, model_config(token=False), CRITICAL)
    time.acknowledge()
    time.until(25, every=4)
    time.expect(woken=0)
    time.until(30, every=2)
    time.expect(woken=1, page=r"^critical Still firing 1 d .*after the last page.*\.2$")


@story()
def acknowledged_on_the_issue_is_no_bot(time: Timeline) -> None:
    """Who acknowledged on the issue is named, and not the software that passed it on to PagerDuty"""
    page_somebody(time)
    time.comment("ack")
    time.until(4)
    time.expect(says="acknowledged at PagerDuty(?! by)", audit="acknowledged at PagerDuty: acknowledged by robin")
    time.data(accuracy=CRITICAL)
    time.until(7)
    time.expect(woken=1, page="^critical", details="earlier_alert.*acknowledged by robin")
    time.comment("ack")
    time.until(8)
    time.expect(says="Muted: .acknowledged by robin, at most until")


@story()
def rollback_while_muted(time: Timeline) -> None:
    """What is rolled back while the alert is muted is watched, and nobody is promised a page that does not come"""
    time.configure(proposing())
    time.deploy("v7")
    time.data(accuracy=CRITICAL)
    time.until(3)
    time.expect(woken=1)
    time.comment("silence 12h we are on it")
    time.comment("rollback v6")
    time.until(4)
    time.finish("rollback")
    time.until(5)
    time.expect(step="^Wait: the rollback.*muted, so nobody is paged", says="ended: success.*muted, so nobody is paged")
    time.expect(verdict="Next: Wait.*muted, so nobody", says="^(?!.*is paged again)")
    time.until(9)
    time.expect(woken=0)


@story(causes=0)
def false_positive_after_an_acknowledgement(time: Timeline) -> None:
    """Who acknowledged at PagerDuty and then finds that nothing is wrong leaves no incident open"""
    page_somebody(time)
    time.acknowledge()
    time.until(4)
    time.comment("false-positive")
    time.until(5)
    time.expect(woken=0, open_incidents=0, says="^(?!.*paged again).*false positive by robin")
