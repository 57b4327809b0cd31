"""Stories of what the numbers say: as of when, since when, how bad it was, and that nobody is called for a proof."""

from __future__ import annotations

from .advice import workflows
from .stories import page_somebody, roll_back, story
from .timeline import HEALTHY, RULES, Timeline, model_config

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
