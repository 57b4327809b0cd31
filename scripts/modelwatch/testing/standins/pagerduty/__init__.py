"""A PagerDuty on loopback: events with the vendor's strictness, incidents with a life, the REST API over them."""

from __future__ import annotations

from .records import Incident, Service, User
from .standin import PagerDutyStandIn
from .state import PagerDutyState

__all__ = ["Incident", "PagerDutyStandIn", "PagerDutyState", "Service", "User"]
