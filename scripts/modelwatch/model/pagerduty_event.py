"""What PagerDuty told through a ``repository_dispatch``, and what is to be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

BUTTON_VERBS = ("retrain", "rollback", "degrade")
"""What a custom action of an incident may ask for."""


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
    """Id at PagerDuty of whoever did it."""
    verb: str = ""

    @property
    def by_person(self) -> bool:
        return self.agent_type == "user"


class EventAction(StrEnum):
    IGNORE = "ignore"
    REFRESH = "refresh"
    """Write fresh evidence on the issue, and its address beside the incident."""
    ASSIGN = "assign"
    """Assign the issue to whoever acknowledged."""
    ASK = "ask"
    """Evaluate anew, and ask on the issue why a person resolved the incident."""
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
    """Whoever did it: the login at GitHub where it is known, else why not."""

    login: str = ""
    unknown_reason: str = ""
