"""The PagerDuty stand-in: Events API v2 and REST API on one address."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..http import Request, Response
from . import events_api, rest_api
from .state import PagerDutyState


class PagerDutyStandIn:
    """PagerDuty as its clients see it; ``state`` is what tests look at and change."""

    name = "pagerduty"

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.state = PagerDutyState(clock)

    def handle(self, request: Request) -> Response:
        """Answer one request; one at a time."""
        with self.state.lock:
            match request.method, request.path:
                case "POST", "/v2/enqueue":
                    return events_api.enqueue_event(self.state, request)
                case "POST", "/v2/change/enqueue":
                    return events_api.enqueue_change_event(self.state, request)
                case _:
                    return rest_api.answer_request(self.state, request)

    def snapshot(self) -> dict[str, Any]:
        """What there is, briefly, for the control interface."""
        with self.state.lock:
            incidents = [
                {
                    "id": incident.id,
                    "service": incident.service.name,
                    "key": incident.key,
                    "title": incident.title,
                    "status": incident.status,
                    "severity": incident.severity,
                    "log": [entry.action for entry in incident.log],
                }
                for incident in self.state.incidents
            ]
            return {
                "incidents": incidents,
                "notifications": len(self.state.notifications),
                "changes": len(self.state.change_events),
                "dropped": len(self.state.dropped_events),
            }

    def reset(self) -> None:
        """Forget incidents and change events; services, users and tokens stay."""
        with self.state.lock:
            self.state.incidents.clear()
            self.state.notifications.clear()
            self.state.change_events.clear()
            self.state.dropped_events.clear()
