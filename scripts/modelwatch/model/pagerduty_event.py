"""An event from PagerDuty that came as a ``repository_dispatch``, and the action that follows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

BUTTON_VERBS = ("retrain", "rollback", "degrade")
"""What a custom action of an incident can request."""


@dataclass(frozen=True, slots=True)
class PagerDutyEvent:
    """One event, every text checked by a pattern of its own."""

    id: str
    type: str
    """PagerDuty's: ``incident.acknowledged``."""
    occurred: float
    """Seconds UTC."""
    incident: str = ""
    """Its id at PagerDuty."""
    key: str = ""
    """The group that it was triggered for; PagerDuty leaves it out of incidents that have alerts."""
    agent_type: str = "none"
    agent: str = ""
    """PagerDuty's id of the person or service that caused it."""
    verb: str = ""

    @property
    def by_person(self) -> bool:
        return self.agent_type == "user"


class EventAction(StrEnum):
    IGNORE = "ignore"
    REFRESH = "refresh"
    """Write fresh evidence on the issue, and its address beside the incident."""
    ASSIGN = "assign"
    """Assign the issue to the person who acknowledged."""
    ASK = "ask"
    """Evaluate again, and ask on the issue why somebody resolved the incident."""
    COMMAND = "command"
    """Treat it as the command ``verb`` on the issue."""


@dataclass(frozen=True, slots=True)
class EventDecision:
    action: EventAction
    reason: str
    model: str = ""
    rule: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class PagerDutyPerson:
    """The person who caused an event: their GitHub login where it is known, else why it is not."""

    login: str = ""
    unknown_reason: str = ""
