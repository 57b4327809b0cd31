"""Identifies the person behind an event from PagerDuty, and writes on the issue and the incident."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..context import RunContext
from ..errors import ServiceError, UserError
from ..model.ledger import EntryKind
from ..model.monitored_model import Model
from ..model.pagerduty_event import PagerDutyEvent, PagerDutyPerson
from ..model.plan import ObservedIssue
from ..targets.observe import observe_models
from ..targets.register.authorization import Authorizer
from ..targets.register.client import update_register
from ..targets.register.ledger import add_entries, make_entry, page_status_key
from ..targets.sessions import TargetSessions


@dataclass(frozen=True, slots=True)
class EventHandler:
    """Answers one event for the models of the context's configuration."""

    context: RunContext

    @property
    def sessions(self) -> TargetSessions:
        return self.context.sessions

    def add_key(self, event: PagerDutyEvent) -> PagerDutyEvent:
        """``event`` with the key of its alert, read through REST if the event has none. Raises ServiceError."""
        if event.key or not event.incident:
            return event
        failure: UserError | None = None
        models = [model for model in self.context.config.models if model.pagerduty.token is not None]
        accounts = {(model.pagerduty.token, model.pagerduty.api_url): model for model in models}
        for model in accounts.values():
            incidents = self.sessions.incidents(model)
            try:
                key = incidents.alert_key(event.incident) if incidents else ""
            except ServiceError as error:
                failure = failure if error.status == 404 else error
                continue
            if key:
                return replace(event, key=key)
        if failure is not None:
            raise failure
        return event

    def identify_person(self, model: Model, event: PagerDutyEvent) -> PagerDutyPerson:
        """The person behind ``event``: by the id at PagerDuty, else by its address through REST. Does not raise."""
        if not event.by_person or not event.agent:
            return PagerDutyPerson(unknown_reason="PagerDuty names no person")
        people = {name.lower(): login for name, login in model.pagerduty.people}
        if login := people.get(event.agent.lower(), ""):
            return PagerDutyPerson(login)
        unknown = f"`pagerduty.people` names no login for PagerDuty user {event.agent}"
        incidents = self.sessions.incidents(model)
        if incidents is None:
            return PagerDutyPerson(unknown_reason=f"{unknown}, and without `pagerduty.token` the address is not known")
        try:
            email = incidents.user_email(event.agent)
        except UserError as error:
            return PagerDutyPerson(unknown_reason=f"{unknown}, and the address cannot be read: {error}")
        login = people.get(email.lower(), "")
        return PagerDutyPerson(login) if login else PagerDutyPerson(unknown_reason=unknown)

    def denial_reason(self, model: Model, person: PagerDutyPerson) -> str:
        """Why a command of ``person`` is rejected; empty where it is accepted."""
        if not person.login:
            return person.unknown_reason
        github = self.sessions.github(model.github, model.github.repository)
        return Authorizer(github, model.github.people).denial_reason(person.login)

    def find_issue(self, model: Model, group: str) -> ObservedIssue | None:
        """The open issue of ``group``."""
        observed = observe_models(self.sessions, [model], None, self.context.now)[model.name]
        issues = [issue for issue in observed.issues if issue.group == group and issue.state == "open"]
        return min((issue for issue in issues if issue.register), key=lambda issue: issue.number, default=None)

    def record(
        self, model: Model, issue: ObservedIssue, event: PagerDutyEvent, person: PagerDutyPerson, status: str
    ) -> None:
        """Add what a person did at PagerDuty to the ledger, once for each event. Raises TargetError."""
        who = person.login or f"PagerDuty user {event.agent or 'unknown'}"
        what, at = f"incident {status} at PagerDuty", event.occurred
        entry = make_entry(page_status_key(status, at), at, EntryKind.PAGE, what, who=who)
        client = self.sessions.issue_client(model.github)
        update_register(client, issue.number, issue.group, lambda register: add_entries(register, entry))

    def annotate_incident(self, model: Model, issue: ObservedIssue, event: PagerDutyEvent) -> None:
        """Send the issue's address as a change event, which notifies nobody. Raises UserError."""
        self.sessions.events(model.name).submit_change(
            f"{model.name}: the evidence is on the GitHub issue #{issue.number}",
            source=f"modelwatch/{model.name}",
            timestamp=self.context.now,
            details={"incident": event.incident, "group": issue.group},
            links=[("GitHub issue", issue.url)],
        )
