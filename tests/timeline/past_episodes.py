"""Stories of alerts that come back."""

from __future__ import annotations

from .stories import roll_back, story
from .timeline import CRITICAL, ERROR, HEALTHY, Timeline, model_config

DAY, SATURDAY = 24, 5
"""Hours of a day, and the first Saturday: the stories begin on a Monday."""


@story(causes=2)
def comes_back_after_a_rollback(time: Timeline) -> None:
    """The second time, page, issue and `diagnose` say what helped the first time"""
    roll_back(time)
    time.deploy("v6")
    time.data(accuracy=HEALTHY)
    time.until(10)
    time.expect(woken=0, issues=0, dispatched=("rollback",))
    time.until(36)
    time.deploy("v8")
    time.data(accuracy=CRITICAL)
    time.until(38)
    time.expect(
        woken=1,
        page="^critical",
        details="Second time since .* rollback to v6 helped, it recovered .* later. .*issues/1",
    )
    time.expect(says=r"### Seen before\s+Second time since .* `rollback` to `v6` helped", verdict="Second time since")


@story(causes=4)
def every_saturday(time: Timeline) -> None:
    """What fires every Saturday: page, issue and `diagnose` say so, with a link to the last time"""
    time.configure(model_config())
    for week in range(4):
        midnight = DAY * (SATURDAY + 7 * week)
        time.skip_to(midnight)
        time.data(accuracy=ERROR)
        time.until(midnight + 3)
        time.expect(woken=1, issues=1)
        if week < 3:
            time.acknowledge()
            time.data(accuracy=HEALTHY)
            time.until(midnight + 8)
            time.expect(issues=0)
    pattern = r"Fourth time since 2026-09-26\. It fires every Saturday \(4 of the last 4\)"
    time.expect(details=rf"{pattern}.*Last time .2026-10-10 .*issues/3", says=rf"### Seen before\s+{pattern}")
    time.expect(says=r"Last time: 2026-10-10 .*issues/3", verdict=pattern)
