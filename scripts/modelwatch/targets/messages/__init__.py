"""Messages to chat and mail: what changed on the issue, in three lines, to wherever apprise reaches."""

from __future__ import annotations

from ...model.plan import Change, Target
from ..base import ChangeOutcome, GroupRun, TargetPort
from ..draft import GroupPlan
from .apply import send_message
from .plan import plan_messages


class MessageTarget(TargetPort):
    """A message is sent at most once: it is marked as taken in the register before it goes out."""

    name = Target.MESSAGE

    def plan(self, draft: GroupPlan) -> None:
        plan_messages(draft)

    def apply(self, change: Change, run: GroupRun) -> ChangeOutcome:
        return send_message(change, run)

    def describe(self, change: Change) -> str:
        return "sending the message"
