"""JSON of incidents with all around them, and of what is set up, as PagerDuty's REST API gives it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .records import Actor, Incident, Integration, LogEntry, Note, Service, User
from .state import DEFAULT_POLICY, PagerDutyState


def format_time(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Serializer:
    """``site`` is the URL under which the client reached us."""

    state: PagerDutyState
    site: str

    def reference(self, kind: str, path: str, number: str, summary: str) -> dict[str, Any]:
        url = f"{self.site}/{path}/{number}"
        return {"id": number, "type": f"{kind}_reference", "summary": summary, "self": url, "html_url": url}

    def actor(self, actor: Actor) -> dict[str, Any]:
        path = {"user": "users", "service": "services", "integration": "integrations"}[actor.kind]
        return self.reference(actor.kind, path, actor.id, actor.name)

    def service_reference(self, service: Service) -> dict[str, Any]:
        return self.reference("service", "services", service.id, service.name)

    def policy_reference(self, service: Service) -> dict[str, Any]:
        number = self.state.service_settings.get(service.id, {}).get("policy", DEFAULT_POLICY)
        name = self.state.policies[number]["name"]
        return self.reference("escalation_policy", "escalation_policies", number, name)

    def policy(self, policy: dict[str, Any]) -> dict[str, Any]:
        whole = {"description": "", "num_loops": 0, "on_call_handoff_notifications": "if_has_services", "teams": []}
        rules = [
            {**rule, "targets": [self._target(target) for target in rule["targets"]]}
            for rule in policy.get("escalation_rules", [])
        ]
        own = {"escalation_rules": rules, "services": self._services_of_policy(policy["id"])}
        return self._object("escalation_policy", "escalation_policies", policy, whole) | own

    def _object(self, kind: str, path: str, row: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
        url = f"{self.site}/{path}/{row['id']}"
        return {**whole, **row, "type": kind, "summary": row["name"], "self": url, "html_url": url}

    def _target(self, target: dict[str, Any]) -> dict[str, Any]:
        kind, number = target["type"].removesuffix("_reference"), target["id"]
        if kind == "user":
            return self.reference(kind, "users", number, self.state.users[number].name)
        return self.reference(kind, "schedules", number, self.state.schedules[number]["name"])

    def _services_of_policy(self, policy: str) -> list[dict[str, Any]]:
        mine = {number for number, settings in self.state.service_settings.items() if settings.get("policy") == policy}
        return [self.service_reference(one) for one in self.state.services.values() if one.id in mine]

    def schedule(self, schedule: dict[str, Any]) -> dict[str, Any]:
        whole = {"time_zone": "Etc/UTC", "description": "", "users": [], "teams": [], "escalation_policies": []}
        return self._object("schedule", "schedules", schedule, whole)

    def priority(self, priority: dict[str, Any]) -> dict[str, Any]:
        return self._object("priority", "priorities", priority, {"description": ""})

    def integration(self, integration: Integration) -> dict[str, Any]:
        url = f"{self.site}/services/{integration.service}/integrations/{integration.id}"
        shaped: dict[str, Any] = {"id": integration.id, "type": integration.type, "summary": integration.name}
        shaped |= {
            "self": url,
            "html_url": url,
            "name": integration.name,
            "created_at": format_time(integration.created),
        }
        shaped |= {"service": self.service_reference(self.state.services[integration.service])}
        return shaped | {"integration_key": integration.key}

    def user(self, user: User) -> dict[str, Any]:
        url = f"{self.site}/users/{user.id}"
        shaped: dict[str, Any] = {"id": user.id, "type": "user", "summary": user.name, "self": url, "html_url": url}
        shaped |= {"name": user.name, "email": user.email, "time_zone": "Etc/UTC", "color": "green", "role": "user"}
        shaped |= {"avatar_url": f"{url}/avatar.png", "description": None, "invitation_sent": False}
        return shaped | {"job_title": "On call", "teams": [], "contact_methods": [], "notification_rules": []}

    def service(self, service: Service) -> dict[str, Any]:
        url = f"{self.site}/services/{service.id}"
        mine = [incident for incident in self.state.incidents if incident.service.id == service.id]
        unresolved = {incident.status for incident in mine}
        status = "critical" if "triggered" in unresolved else "warning" if "acknowledged" in unresolved else "active"
        shaped: dict[str, Any] = {"id": service.id, "type": "service", "summary": service.name, "self": url}
        shaped |= {"html_url": url, "name": service.name, "description": "", "status": status}
        shaped |= {"created_at": format_time(service.created), "escalation_policy": self.policy_reference(service)}
        shaped |= {"teams": [], "incident_urgency_rule": {"type": "constant", "urgency": "severity_based"}}
        settings = self.state.service_settings.get(service.id, {})
        shaped |= {name: value for name, value in settings.items() if name != "policy" and value is not None}
        if mine:
            shaped["last_incident_timestamp"] = format_time(mine[-1].created)
        path = f"services/{service.id}/integrations"
        integrations = [
            {**self.reference("integration", path, one.id, one.name), "type": f"{one.type}_reference"}
            for one in self.state.integrations.values()
            if one.service == service.id
        ]
        return shaped | {"integrations": integrations, "alert_creation": "create_alerts_and_incidents"}

    def incident_reference(self, incident: Incident) -> dict[str, Any]:
        return self.reference("incident", "incidents", incident.id, self._summary(incident))

    @staticmethod
    def _summary(incident: Incident) -> str:
        return f"[#{incident.number}] {incident.title}"

    def incident(self, incident: Incident) -> dict[str, Any]:
        url = f"{self.site}/incidents/{incident.id}"
        first = incident.log[0]
        shaped: dict[str, Any] = {"id": incident.id, "type": "incident", "summary": self._summary(incident)}
        shaped |= {"self": url, "html_url": url, "incident_number": incident.number, "title": incident.title}
        shaped |= {"created_at": format_time(incident.created), "updated_at": format_time(incident.updated)}
        shaped |= {"status": incident.status, "service": self.service_reference(incident.service), "assignments": []}
        shaped |= {"assigned_via": "escalation_policy", "last_status_change_at": format_time(incident.changed)}
        shaped |= {
            "last_status_change_by": self.actor(incident.changed_by),
            "escalation_policy": self.policy_reference(incident.service),
        }
        shaped |= {"first_trigger_log_entry": self.reference("trigger_log_entry", "log_entries", first.id, "Triggered")}
        opened = int(incident.is_open)
        shaped |= {"alert_counts": {"all": 1, "triggered": opened, "resolved": 1 - opened}, "is_mergeable": True}
        shaped |= {"teams": [], "pending_actions": [], "urgency": incident.urgency, "acknowledgements": []}
        if incident.resolved is not None:
            shaped["resolved_at"] = format_time(incident.resolved)
        if incident.acknowledged_by is not None and incident.acknowledged is not None:
            acknowledger = self.actor(incident.acknowledged_by)
            shaped["acknowledgements"] = [{"at": format_time(incident.acknowledged), "acknowledger": acknowledger}]
        return shaped | ({"incident_key": incident.key} if self.state.show_incident_keys else {})

    def alert(self, incident: Incident) -> dict[str, Any]:
        url = f"{self.site}/alerts/{incident.alert}"
        event = incident.event
        contexts = [{"type": "link", **link} for link in event.get("links", [])]
        contexts += [{"type": "image", **image} for image in event.get("images", [])]
        details = event["payload"].get("custom_details", {})
        first = incident.log[0]
        shaped: dict[str, Any] = {"id": incident.alert, "type": "alert", "summary": incident.title, "self": url}
        shaped |= {"html_url": url, "created_at": format_time(incident.created), "alert_key": incident.key}
        shaped |= {"status": "triggered" if incident.is_open else "resolved", "severity": incident.severity}
        shaped |= {"service": self.service_reference(incident.service), "suppressed": False}
        shaped |= {"first_trigger_log_entry": self.reference("trigger_log_entry", "log_entries", first.id, "Triggered")}
        shaped |= {"incident": self.incident_reference(incident)}
        body = {"type": "alert_body", "contexts": contexts, "details": details, "cef_details": self._cef(incident)}
        return shaped | {"body": body}

    @staticmethod
    def _cef(incident: Incident) -> dict[str, Any]:
        payload, event = incident.event["payload"], incident.event
        return {
            "message": payload["summary"],
            "severity": payload["severity"],
            "source_origin": payload["source"],
            "source_component": payload.get("component"),
            "service_group": payload.get("group"),
            "event_class": payload.get("class"),
            "dedup_key": incident.key,
            "client": event.get("client"),
            "client_url": event.get("client_url"),
            "details": payload.get("custom_details", {}),
        }

    def log_entry(self, incident: Incident, entry: LogEntry) -> dict[str, Any]:
        url = f"{self.site}/incidents/{incident.id}/log_entries/{entry.id}"
        kind = "annotate_log_entry" if entry.action == "annotate" else f"{entry.action}_log_entry"
        channel: dict[str, Any] = {"type": entry.channel}
        if entry.action == "trigger":
            channel |= {"summary": incident.title, "details": dict(entry.details)}
        shaped: dict[str, Any] = {"id": entry.id, "type": kind, "summary": entry.action, "self": url, "html_url": url}
        shaped |= {
            "created_at": format_time(entry.at),
            "agent": self.actor(entry.by),
            "channel": channel,
            "contexts": [],
        }
        shaped |= {"service": self.service_reference(incident.service), "teams": []}
        shaped |= {"incident": self.incident_reference(incident), "event_details": {"description": entry.note}}
        return shaped | ({"note": entry.note} if entry.note else {})

    def note(self, note: Note) -> dict[str, Any]:
        shaped: dict[str, Any] = {"id": note.id, "user": self.actor(note.by), "content": note.content}
        return shaped | {"created_at": format_time(note.at), "channel": {"summary": "The PagerDuty website or APIs"}}
