"""Plans the heartbeat: one for the watchdog, and only while it fires."""

from __future__ import annotations

from ...model.alert import WATCHDOG
from ...model.plan import ChangeKind
from ..draft import GroupPlan


def plan_heartbeat(draft: GroupPlan) -> None:
    """Deliver the watchdog, whatever mutes it: a silence is for people."""
    if draft.group.rule == WATCHDOG and draft.firing:
        draft.add_change(ChangeKind.SEND_HEARTBEAT, "the watchdog fires")
