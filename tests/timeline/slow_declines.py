"""What gets worse so slowly that nobody needs to be woken."""

from __future__ import annotations

from .stories import story
from .timeline import ERROR, HEALTHY, Timeline, model_config

STARTER_RULES = """\
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        window: 24h
        every: 1h
        baseline: {rolling: 28d}
        tiers:
          warning:  {drop: 2%,  do: [issue]}
          error:    {drop: 5%,  do: [issue, page]}
          critical: {drop: 10%, do: [issue, page]}
"""
"""As `modelwatch init` writes them, but for the workflows."""
NO_ANCHOR = STARTER_RULES.replace("{rolling: 28d}", "{rolling: 28d, anchor: off}")
SATURDAY, MONDAY = 24 * 40, 24 * 42
"""Hours of midnight; the story begins on a Monday."""


@story()
def slow_decline(time: Timeline) -> None:
    """9 % in 60 days: an issue that tells the trend, and on Saturday night a page that waits until Monday, 9 o'clock"""
    hours = "    timezone: Europe/Berlin\n    hours: {from: 09:00, to: 17:00}\n"
    time.configure(model_config(rules=STARTER_RULES, more=hours), healthy=67 * 24)

    def decline_until(hour: int) -> None:
        for midnight in range(round(time.hour), hour, 24):
            time.data(accuracy=HEALTHY * (1 - 0.09 * midnight / (60 * 24)))
            time.skip_to(min(midnight + 24, hour))

    decline_until(24 * 10)
    time.until(24 * 10 + 1)
    time.expect(woken=0, issues=0, verdict="^HEALTHY")
    decline_until(24 * 24)
    time.until(24 * 24 + 1)
    time.expect(woken=0, issues=1, title=r"^\[warning\]", says=r"steadily down for 2\d days, −0.1[34] points a day")
    time.expect(verdict=r"^WARNING.*steadily down for 2\d days, −0.1[34] points a day")
    decline_until(SATURDAY + 22)
    time.until(SATURDAY + 23)
    waits = "page waits until Monday 2026-11-02 09:00 Europe/Berlin"
    time.expect(woken=0, issues=1, title=r"^\[error\]", says=waits, verdict=waits, status=waits)
    decline_until(MONDAY + 7)
    time.until(MONDAY + 7)
    time.expect(woken=0, says=waits)
    time.until(MONDAY + 8)
    time.expect(
        woken=1, page=r"^error .*below its baseline.*steadily down for 4\d days, −0.1[34] points a day", urgency="high"
    )
    time.until(MONDAY + 9)
    time.expect(woken=0, issues=1, comments=1)


@story()
def outlasts_the_history(time: Timeline) -> None:
    """A failure lasts for 70 days: it fires until it has recovered, though today's baseline lies within it"""
    time.configure(model_config(rules=NO_ANCHOR), healthy=67 * 24)
    time.data(accuracy=ERROR)
    time.until(12)
    time.expect(woken=1, issues=1, title=r"^\[error\]", verdict="^ERROR")
    for day in (5, 15, 28, 31, 33, 35, 38, 42, 50, 60, 70):
        time.skip_to(24 * day - 1)
        time.until(24 * day)
        reminded = day in (5, 15, 31, 70)  # each time after twice as long, since nobody acknowledges it
        time.expect(woken=reminded, issues=1, title=r"^\[error\]", verdict="^ERROR", summary=r"1 firing \(error\)")
    time.expect(says="longer than the history", verdict="7.* below its baseline", status="error")
    time.data(accuracy=HEALTHY)
    time.until(24 * 70 + 30)
    time.expect(woken=0, issues=0, open_incidents=0, verdict="^HEALTHY")
