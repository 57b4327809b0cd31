"""The target that triggers and resolves the PagerDuty incident of a group."""

from __future__ import annotations

from collections.abc import Sequence

from ...model.plan import Change, ChangeKind, Target
from ..base import ChangeOutcome, GroupRun, ObservationBuilder, TargetPort
from ..draft import GroupPlan
from ..sessions import TargetSessions
from .apply import apply_incident_change
from .observe import observe_incidents
from .plan import notify_workflow_ends, plan_incident


class IncidentTarget(TargetPort):
    name = Target.PAGE

    def observe(self, sessions: TargetSessions, models: Sequence[ObservationBuilder], now: float | None) -> None:
        for model in models:
            observe_incidents(sessions, model)

    def sync(self, draft: GroupPlan) -> None:
        notify_workflow_ends(draft)

    def plan(self, draft: GroupPlan) -> None:
        plan_incident(draft)

    def apply(self, change: Change, run: GroupRun) -> ChangeOutcome:
        return apply_incident_change(change, run)

    def describe(self, change: Change) -> str:
        if change.kind is ChangeKind.TELL_INCIDENT:
            # Named apart from the incident's own events: one can fail where the other does not.
            return f"notifying PagerDuty how {'.'.join(change.about.split('.')[-2:])} ended"
        return "notifying PagerDuty"
