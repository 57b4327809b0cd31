"""The workflow runs of a group: which are dispatched or proposed, under which guards, and how."""

from __future__ import annotations

from collections.abc import Sequence

from ...model.plan import Change, Command, Target
from ..base import ChangeOutcome, GroupRun, ObservationBuilder, TargetPort
from ..draft import GroupPlan
from ..sessions import TargetSessions
from .apply import apply_dispatch
from .escalation import escalate_if_unrecovered
from .observe import observe_workflows
from .plan import plan_dispatches, sync_runs
from .proposals import answer_command


class WorkflowTarget(TargetPort):
    name = Target.DISPATCH

    def observe(self, sessions: TargetSessions, models: Sequence[ObservationBuilder], now: float | None) -> None:
        observe_workflows(sessions, models, now)

    def sync(self, draft: GroupPlan) -> None:
        sync_runs(draft)

    def answer(self, draft: GroupPlan, command: Command) -> str:
        return answer_command(draft, command)

    def prepare(self, draft: GroupPlan) -> None:
        escalate_if_unrecovered(draft)

    def plan(self, draft: GroupPlan) -> None:
        plan_dispatches(draft)

    def apply(self, change: Change, run: GroupRun) -> ChangeOutcome:
        return apply_dispatch(change, run)

    def describe(self, change: Change) -> str:
        return f"the dispatch of {change.dispatch.verb}" if change.dispatch else "the dispatch"
