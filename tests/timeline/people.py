"""Stories of pages that have to reach a person, and of what people say on the issue and at PagerDuty."""

from __future__ import annotations

from .stories import page_somebody, proposing, story
from .timeline import CRITICAL, ERROR, HEALTHY, RULES, WARNING, Timeline, model_config

PAGING_WARNING = RULES.replace("warning:  {drop: 2%,  do: [issue]}", "warning:  {drop: 2%,  do: [issue, page]}")


@story()
def urgency_follows_severity(time: Timeline) -> None:
    """A warning that pages is of low urgency, the error that follows is another alert of high urgency; both end."""
    page_somebody(time, accuracy=WARNING, config=model_config(rules=PAGING_WARNING))
    time.expect(page="^warning", urgency="low", title=r"^\[warning\]", labels="severity:warning")
    time.data(accuracy=ERROR)
    time.until(6)
    time.expect(woken=1, page=r"^error .*\.2$", urgency="high", details="earlier_alert.*warning", issues=1)
    time.expect(title=r"^\[error\]", labels="severity:error", open_incidents=2)
    time.data(accuracy=HEALTHY)
    time.until(11)
    time.expect(woken=0, open_incidents=0, issues=0)


@story()
def acknowledged_without_rest_token(time: Timeline) -> None:
    """`ack` on the issue acknowledges the incident without a REST token, too, and its end is announced"""
    page_somebody(time, model_config(token=False))
    time.comment("ack")
    time.until(4)
    time.expect(incident="acknowledged", says="Muted: .acknowledged by robin", verdict="muted.*acknowledged by robin")
    time.expect(status="muted: churn #1: acknowledged by robin .* until")
    time.until(30, every=2)
    time.expect(woken=1, page="24 h acknowledgement by robin has expired")


@story()
def closed_without_rest_token(time: Timeline) -> None:
    """Closing the issue acknowledges the incident without a REST token, and it speaks again when it gets worse"""
    page_somebody(time, model_config(token=False))
    time.close_issue()
    time.until(4)
    time.expect(incident="acknowledged", status="closed by hand", verdict="^ERROR.*closed by hand|acknowledged")
    time.data(accuracy=CRITICAL)
    time.until(7)
    time.expect(woken=1, page="^critical", verdict="^CRITICAL · ")


@story(causes=0)
def false_positive_without_rest_token(time: Timeline) -> None:
    """A false positive resolves the incident without a REST token, too"""
    page_somebody(time, model_config(token=False))
    time.comment("false-positive")
    time.until(8)
    time.expect(woken=0, open_incidents=0, issues=1, says="false positive by robin", verdict="muted")


@story()
def acknowledged_at_pagerduty_without_rest_token(time: Timeline) -> None:
    """Without a REST token the issue says that what people do at PagerDuty is not seen; worse pages again"""
    page_somebody(time, model_config(token=False))
    time.acknowledge()
    time.until(5)
    time.expect(woken=0, says="PagerDuty is not read, without a REST token")
    time.data(accuracy=CRITICAL)
    time.until(8)
    time.expect(woken=1, page=r"^critical .*\.2$")


@story()
def paged_without_an_issue(time: Timeline) -> None:
    """GitHub was down when it was paged: `status` never says that nothing fires, and `diagnose` shows it"""
    time.configure(model_config())
    time.down("github")
    time.data(accuracy=CRITICAL)
    time.until(3)
    time.expect(woken=1, status="No issue could be read", verdict="^CRITICAL")
    time.up("github")
    time.expect(status="What fires now: .modelwatch check", verdict="^CRITICAL")
    time.until(4)
    time.expect(woken=0, issues=1)


@story()
def closed_as_not_planned(time: Timeline) -> None:
    """Closing the issue as not planned silences it until it recovers: said by `status`, `diagnose` and the summary"""
    page_somebody(time, accuracy=CRITICAL)
    time.close_issue("not_planned")
    time.until(5)
    time.expect(status="^(?!.*No open issue).*closed by hand", verdict="^CRITICAL .muted", open_incidents=0)
    time.until(9)
    time.expect(woken=0)


@story()
def reminder_says_what_waits(time: Timeline) -> None:
    """The reminder of a proposal comes once, and not while a person has silenced the alert"""
    page_somebody(time, proposing("degrade", remind="3h"), CRITICAL)
    time.expect(step="approve degrade.1")
    time.comment("silence 6h the fallback is being prepared")
    time.until(8)
    time.expect(woken=0)
    time.until(14)
    time.expect(woken=1, page="silence by robin has expired|waited for a decision", step="approve degrade.1")


@story()
def windows_of_their_own(time: Timeline) -> None:
    """What flaps has recovered after two windows without firing that share no data, not after two looks at one"""
    time.configure(model_config(rules=RULES.replace("window: 1h", "window: 8h")))
    for hour in (0, 24):
        time.until(hour)
        time.data(accuracy=CRITICAL)
        time.until(hour + 3)
        time.acknowledge()
        time.data(accuracy=HEALTHY)
        time.until(hour + 15)
    time.expect(woken=1, issues=1, says="Flapping.*Healthy evaluations count as recovery after")
    time.until(24 + 6 + 2 * 8)
    time.expect(issues=1)
    time.until(24 + 12 + 2 * 8 + 2, every=2)
    time.expect(woken=0, issues=0, open_incidents=0, title="recovered")
