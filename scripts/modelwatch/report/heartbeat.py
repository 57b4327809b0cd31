"""The one line about the watchdog and its heartbeat."""

from __future__ import annotations

from ..model.alert import AlertState, Judgement
from ..model.plan import ChangeResult, Plan, Receipts
from .markdown import plain_line

MAX_REASON = 400


def heartbeat_line(judgement: Judgement, plan: Plan | None = None, receipts: Receipts | None = None) -> str:
    """``watchdog: firing, heartbeat sent``; empty where no heartbeat is configured."""
    if judgement.watchdog is None:
        return ""
    if judgement.watchdog.state is not AlertState.FIRING or (plan is not None and plan.heartbeat is None):
        return "watchdog: not firing, so no heartbeat is sent"
    receipt = receipts.heartbeat if receipts else None
    if receipt is None:
        return "watchdog: firing"
    if receipt.result is ChangeResult.DONE:
        return "watchdog: firing, heartbeat sent"
    return f"watchdog: firing, heartbeat not sent: {plain_line(receipt.detail or 'left out', MAX_REASON)}"
