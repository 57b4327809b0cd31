"""Stories of alerts that come back."""

from __future__ import annotations

from .stories import proposing, story
from .timeline import CRITICAL, HEALTHY, Timeline


@story(causes=2)
def comes_back_after_a_rollback(time: Timeline) -> None:
    """The second time, page, issue and `diagnose` say what helped the first time"""
    time.configure(proposing())
    time.until(2)
    time.deploy("v7")
    time.data(accuracy=CRITICAL)
    time.until(4)
    time.expect(woken=1, step="approve rollback.1")
    time.acknowledge()
    time.comment("rollback v6")
    time.until(5)
    time.finish("rollback")
    time.deploy("v6")
    time.data(accuracy=HEALTHY)
    time.until(10)
    time.expect(woken=0, issues=0, dispatched=("rollback",))
    time.until(36)
    time.deploy("v8")
    time.data(accuracy=CRITICAL)
    time.until(38)
    time.expect(woken=1, page="^critical", details="Second time since .* rollback to v6 helped, it recovered .* later")
    time.expect(says=r"### Seen before\s+Second time since .* `rollback` to `v6` helped", verdict="Second time since")
