"""The receiving side: who did it at PagerDuty, and what is written on the issue and beside the incident."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..clients.github import repository_path
from ..context import RunContext
from ..errors import ServiceError, UserError
from ..model.monitored_model import Model
from ..model.pagerduty_event import PagerDutyEvent, PagerDutyPerson
from ..model.plan import ObservedIssue
from ..targets.observe import observe_models
from ..targets.register.authorization import Authorizer
from ..targets.register.client import comment_once
from ..targets.sessions import TargetSessions


@dataclass(frozen=True, slots=True)
class EventHandler:
    """Answers one event for the models of ``config``."""

    context: RunContext

    @property
    def sessions(self) -> TargetSessions:
        return self.context.sessions

    def add_key(self, event: PagerDutyEvent) -> PagerDutyEvent:
        """With the key of its alert, where the event has none and a REST token lets us look. Raises ServiceError."""
        if event.key or not event.incident:
            return event
        failed: UserError | None = None
        for model in self._pagerduty_accounts():
            incidents = self.sessions.incidents(model)
            try:
                key = incidents.alert_key(event.incident) if incidents else ""
            except ServiceError as error:
                failed = None if error.status == 404 else error
                continue
            if key:
                return replace(event, key=key)
        if failed is not None:
            raise failed
        return event

    def _pagerduty_accounts(self) -> list[Model]:
        """One model for every account that can be read."""
        found: dict[tuple[str, str], Model] = {}
        for model in self.context.config.models:
            spec = model.pagerduty
            if spec.token is not None:
                found.setdefault((spec.token.reveal(), spec.api_url), model)
        return list(found.values())

    def identify_person(self, model: Model, event: PagerDutyEvent) -> PagerDutyPerson:
        """By the id at PagerDuty, else by the address that REST gives for it. Never raises for a target in trouble."""
        if not event.by_person or not event.agent:
            return PagerDutyPerson(unknown_reason="PagerDuty names no person")
        people = {name.lower(): login for name, login in model.pagerduty.people}
        if login := people.get(event.agent.lower(), ""):
            return PagerDutyPerson(login)
        nobody = f"`pagerduty.people` names no login for PagerDuty user {event.agent}"
        incidents = self.sessions.incidents(model)
        if incidents is None:
            return PagerDutyPerson(unknown_reason=f"{nobody}, and without `pagerduty.token` the address is not known")
        try:
            email = incidents.user_email(event.agent)
        except UserError as error:
            return PagerDutyPerson(unknown_reason=f"{nobody}, and the address cannot be read: {error}")
        login = people.get(email.lower(), "")
        return PagerDutyPerson(login) if login else PagerDutyPerson(unknown_reason=nobody)

    def denial_reason(self, model: Model, person: PagerDutyPerson) -> str:
        """Why a command of ``person`` does not count; empty where it does."""
        if not person.login:
            return person.unknown_reason
        github = self.sessions.github(model.github, model.github.repository)
        return Authorizer(github, model.github.people).denial_reason(person.login)

    def find_issue(self, model: Model, group: str) -> ObservedIssue | None:
        """The open issue of ``group``."""
        observed = observe_models(self.sessions, [model], None, self.context.now)[model.name]
        known = [one for one in observed.issues if one.group == group and one.state == "open" and one.register]
        return min(known, key=lambda one: one.number, default=None)

    def assign_issue(self, model: Model, issue: ObservedIssue, login: str) -> bool:
        """Whether GitHub has assigned it: it drops a login that may not be, without a word. Raises ServiceError."""
        repository = model.github.repository
        github = self.sessions.github(model.github, repository)
        what = f"assign the issue {repository}#{issue.number}"
        path = f"{repository_path(repository)}/issues/{issue.number}/assignees"
        data = github.require_object(
            github.write("POST", path, what, {"assignees": [login]}, permission="issues: write"), what
        )
        rows = data.get("assignees") or []
        return any(isinstance(row, dict) and str(row.get("login")).lower() == login.lower() for row in rows)

    def comment_on_issue(self, model: Model, issue: ObservedIssue, key: str, text: str) -> None:
        """Comment once. Raises ServiceError."""
        github = self.sessions.github(model.github, model.github.repository)
        comment_once(github, issue.url, key, text)

    def annotate_incident(self, model: Model, issue: ObservedIssue, event: PagerDutyEvent) -> None:
        """The issue's address as a change event beside the incident: it wakes nobody. Raises UserError."""
        self.sessions.change_events(model.name).submit(
            f"{model.name}: the evidence is on the GitHub issue #{issue.number}",
            source=f"modelwatch/{model.name}",
            timestamp=self.context.now,
            details={"incident": event.incident, "group": issue.group},
            links=[("GitHub issue", issue.url)],
        )
