"""Every target, in the order of planning and applying. A new target is one folder and one entry here."""

from __future__ import annotations

from ..model.target import Target
from .base import TargetPort
from .heartbeat.apply import send_heartbeat
from .heartbeat.plan import plan_heartbeat
from .incidents.apply import apply_incident_change, describe_incident_change
from .incidents.observe import observe_incidents
from .incidents.plan import plan_incident, sync_incident
from .issues.apply import apply_issue_change
from .issues.commands import answer_issue_command
from .issues.observe import observe_issues
from .issues.plan import assess_group, sync_issue
from .messages.addresses import observe_addresses
from .messages.apply import send_message
from .messages.plan import plan_messages
from .workflows.apply import apply_dispatch, describe_dispatch
from .workflows.escalation import call_about_workflows
from .workflows.observe import observe_workflows
from .workflows.plan import plan_dispatches, sync_runs
from .workflows.proposals import answer_workflow_command

TARGETS = (
    TargetPort(
        Target.ISSUE,
        apply_issue_change,
        lambda change: str(change.kind),
        observe=observe_issues,
        sync=sync_issue,
        answer=answer_issue_command,
        prepare=assess_group,
    ),
    TargetPort(
        Target.PAGE,
        apply_incident_change,
        describe_incident_change,
        observe=observe_incidents,
        sync=sync_incident,
        plan=plan_incident,
    ),
    TargetPort(
        Target.DISPATCH,
        apply_dispatch,
        describe_dispatch,
        observe=observe_workflows,
        sync=sync_runs,
        answer=answer_workflow_command,
        prepare=call_about_workflows,
        plan=plan_dispatches,
    ),
    TargetPort(
        Target.MESSAGE, send_message, lambda _: "sending the message", observe=observe_addresses, plan=plan_messages
    ),
    TargetPort(Target.HEARTBEAT, send_heartbeat, lambda _: "sending the heartbeat", plan=plan_heartbeat),
)
"""The issue first, since it keeps the intent of whatever follows; pages before dispatches.

``write_draft`` writes the issue after all targets have planned.
"""
