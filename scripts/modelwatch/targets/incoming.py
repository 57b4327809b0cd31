"""The receiving side: who did it at PagerDuty, and what is told on the issue and beside the incident."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..clients.failure import ServiceError
from ..clients.github import repository_path
from ..errors import UserError
from ..model.incoming import Incoming, Person
from ..model.plan import ObservedIssue
from ..model.watched import Config, Model
from .connect import Connected
from .remark import remark
from .teams import People


@dataclass(frozen=True, slots=True)
class Desk:
    """Answers one event for the models of ``config``."""

    config: Config
    targets: Connected

    def with_key(self, incoming: Incoming) -> Incoming:
        """With the key of its alert, where the event has none and a REST token lets us look. Raises ServiceError."""
        if incoming.key or not incoming.incident:
            return incoming
        failed: UserError | None = None
        for model in self._asked():
            incidents = self.targets.incidents(model)
            try:
                key = incidents.alert_key(incoming.incident) if incidents else ""
            except ServiceError as error:
                failed = None if error.status == 404 else error
                continue
            if key:
                return replace(incoming, key=key)
        if failed is not None:
            raise failed
        return incoming

    def _asked(self) -> list[Model]:
        """One model for every account that can be asked."""
        found: dict[tuple[str, str], Model] = {}
        for model in self.config.models:
            spec = model.pagerduty
            if spec.token is not None:
                found.setdefault((spec.token.reveal(), spec.api_url), model)
        return list(found.values())

    def person(self, model: Model, incoming: Incoming) -> Person:
        """By the id at PagerDuty, else by the address that REST gives for it. Never raises for a target in trouble."""
        if not incoming.by_person or not incoming.agent:
            return Person(unknown="PagerDuty names no person")
        people = {name.lower(): login for name, login in model.pagerduty.people}
        if login := people.get(incoming.agent.lower(), ""):
            return Person(login)
        nobody = f"`pagerduty.people` names no login for PagerDuty user {incoming.agent}"
        incidents = self.targets.incidents(model)
        if incidents is None:
            return Person(unknown=f"{nobody}, and without `pagerduty.token` the address is not known")
        try:
            email = incidents.email(incoming.agent)
        except UserError as error:
            return Person(unknown=f"{nobody}, and the address cannot be read: {error}")
        login = people.get(email.lower(), "")
        return Person(login) if login else Person(unknown=nobody)

    def refusal(self, model: Model, person: Person) -> str:
        """Why a command of ``person`` does not count; empty where it does."""
        if not person.login:
            return person.unknown
        github = self.targets.github(model.github, model.github.repository)
        return People(github, model.github.people).refuses(person.login)

    def issue(self, model: Model, group: str, now: float) -> ObservedIssue | None:
        """The open issue of ``group``."""
        observed = self.targets.observe(now=now)[model.name]
        known = [one for one in observed.issues if one.group == group and one.state == "open" and one.register]
        return min(known, key=lambda one: one.number, default=None)

    def assign(self, model: Model, issue: ObservedIssue, login: str) -> bool:
        """Whether GitHub has assigned it: it drops a login that may not be, without a word. Raises ServiceError."""
        repository = model.github.repository
        github = self.targets.github(model.github, repository)
        what = f"assign the issue {repository}#{issue.number}"
        path = f"{repository_path(repository)}/issues/{issue.number}/assignees"
        data = github.object(github.write("POST", path, what, {"assignees": [login]}, needs="issues: write"), what)
        rows = data.get("assignees") or []
        return any(isinstance(row, dict) and str(row.get("login")).lower() == login.lower() for row in rows)

    def say(self, model: Model, issue: ObservedIssue, key: str, text: str) -> None:
        """Comment once. Raises ServiceError."""
        github = self.targets.github(model.github, model.github.repository)
        remark(github, issue.url, key, text)

    def annotate(self, model: Model, issue: ObservedIssue, incoming: Incoming, now: float) -> None:
        """The issue's address as a change event beside the incident: it wakes nobody. Raises UserError."""
        self.targets.change_events(model.name).submit(
            f"{model.name}: the evidence is on the GitHub issue #{issue.number}",
            source=f"modelwatch/{model.name}",
            timestamp=now,
            details={"incident": incoming.incident, "group": issue.group},
            links=[("GitHub issue", issue.url)],
        )
