"""Stories of what the numbers say: as of when, since when, how bad it was, and that nobody is called for a proof."""

from __future__ import annotations

from .advice import workflows
from .causes import RECALL
from .stories import page_somebody, roll_back, story
from .timeline import ERROR, HEALTHY, RULES, WARNING, Timeline, model_config

SLOW_PROOF = RULES.replace("window: 1h", "window: 6h").replace("do: [issue, page]}", "do: [issue, page, rollback]}")
FEW_ROWS = 400
"""Decisions an hour: of so few it takes hours to prove that a metric is healthy."""


@story()
def settled_before_it_is_proved(time: Timeline) -> None:
    """After a rollback the metric is back, and its proof takes longer than `settle`: nobody is called"""
    roll_back(time, model_config(rules=SLOW_PROOF, more=workflows(rollback="propose")))
    time.rows = FEW_ROWS
    time.deploy("v6")
    time.data(accuracy=HEALTHY)
    time.until(7)
    time.expect(woken=0, step="^Wait: .*recovering, not yet proven", verdict="Next: Wait: .*recovering, not yet proven")
    time.until(24)
    time.expect(woken=0, issues=0, verdict="^HEALTHY", audit="^(?!.*escalated)")


@story()
def withdrawn_false_positive(time: Timeline) -> None:
    """`unsilence` after a false positive pages anew, since that resolved the incident, and the page says why"""
    page_somebody(time)
    time.comment("false-positive")
    time.until(5)
    time.expect(woken=0, incident="resolved", open_incidents=0)
    time.comment("unsilence")
    time.until(7)
    time.expect(woken=1, page="still firing: robin withdrew the false positive", open_incidents=1)
    time.expect(audit="false positive was withdrawn")


@story()
def warning_joins_an_error(time: Timeline) -> None:
    """Another rule joins as a warning: the review counts the hours of the issue's own severity, which it is not"""
    time.configure(model_config(rules=RULES + RECALL))
    time.data(recall=HEALTHY)
    time.until(2)
    time.deploy("v7")
    time.data(accuracy=ERROR, recall=WARNING)
    time.until(9)
    time.expect(woken=1, says="Also affected.*recall.*warning", audit="recall shares the cause, warning")
    time.expect(review=r"\| Severity \| error [67] h( \d+ min)? \|")


@story()
def muted_numbers_stay_true(time: Timeline) -> None:
    """Acknowledged, then as bad as an error can be: the issue has the numbers of each evaluation that changed them"""
    page_somebody(time)
    time.comment("ack")
    time.until(5)
    time.data(accuracy=0.835)
    time.until(6)
    time.expect(woken=0, says=r"is \*\*0\.83\d*\*\*.*As of 2026-09-21 06:00 UTC", comments=2)
    time.until(9)
    time.expect(woken=0, says=r"As of 2026-09-21 0[89]:00 UTC", review=r"Rows affected \| 1[4-8]0,000 rows.*, as of")


@story()
def muted_rows_stay_true(time: Timeline) -> None:
    """While the issue is acknowledged, another alert of its cause gets worse and recovers: its row says so"""
    time.configure(model_config(rules=RULES + RECALL))
    time.data(recall=HEALTHY)
    time.until(2)
    time.deploy("v7")
    time.data(accuracy=ERROR, recall=WARNING)
    time.until(5)
    time.expect(woken=1)
    time.comment("ack")
    time.until(6)
    time.data(recall=0.877)
    time.until(7)
    time.expect(woken=0, says=r"\| `churn` `recall` \| \*\*warning\*\* \| `0\.87\d*")
    time.data(recall=HEALTHY)
    time.until(11)
    time.expect(woken=0, says=r"\| `churn` `recall` \| recovered")


@story()
def next_step_after_the_page(time: Timeline) -> None:
    """What is to be done changes after the page, which cannot be rewritten: PagerDuty has the new step beside it"""
    page_somebody(time, model_config(more=workflows(degrade="propose", retrain="propose")))
    time.expect(details="next_as_of.*2026-09-21 02:05 UTC; the GitHub issue has the current step", beside="^$")
    time.comment("degrade")
    time.until(4)
    time.expect(woken=0, step="Watch the ..degrade..", beside="churn: the next step is now: Watch the degrade")
    time.until(5)
    time.match("^((?!Watch).)*Watch the degrade((?!Watch).)*$", time.change_events)
