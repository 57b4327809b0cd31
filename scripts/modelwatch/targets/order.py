"""Every target, in the order in which changes are planned and applied. A new target is one folder and one line here."""

from __future__ import annotations

from .base import TargetPort
from .incidents import IncidentTarget
from .issues import IssueTarget
from .messages import MessageTarget
from .workflows import WorkflowTarget

TARGETS: tuple[TargetPort, ...] = (IssueTarget(), IncidentTarget(), WorkflowTarget(), MessageTarget())
"""The issue first, since it keeps the intent of whatever follows; pages before dispatches."""
