"""What a drill reads of the services to verify a link, each time anew: an earlier failure must not answer for now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..clients.github import repository_path
from ..clients.pagerduty import IncidentsApi
from ..clients.wandb import WandbProjectError, WandbSessions, find_runs, translate_wandb_error
from ..errors import UserError
from ..model.drill import DRILL_PREFIX
from ..model.monitored_model import Model
from ..model.plan import ObservedRun
from ..model.register import Register
from ..targets.register.client import IssueClient, IssueView
from ..targets.sessions import TargetSessions
from ..targets.workflows.observe import parse_run
from ..timeutil import format_iso, parse_iso
from .rows import WANDB_TAG
from .site import DrillSite

ON_PAGERDUTY = "on-pagerduty"
"""How the workflow's file begins that receives PagerDuty's events."""
TRIGGERED = "incident.triggered"
CLOCK_SKEW = 30.0
"""Seconds between the clocks of two services."""
MAX_RUN_PAGES = 3


class Probes:
    """Reads the services of one site. Everything raises UserError."""

    def __init__(self, site: DrillSite) -> None:
        self.site = site

    @property
    def model(self) -> Model:
        return self.site.model

    def sessions(self) -> TargetSessions:
        return TargetSessions(self.site.config, self.site.env)

    def wandb_runs(self) -> list[Any]:
        """The W&B runs of drills in the project: of this one, and of those before."""
        spec = self.model.wandb
        if spec is None:
            return []
        api = WandbSessions(self.site.env).session(spec.base_url, spec.entity)
        try:
            return find_runs(api, f"{spec.entity}/{spec.project}", {"tags": WANDB_TAG}, lambda _: False)
        except WandbProjectError:  # the first row makes it
            return []

    def logged_rows(self, names: Iterable[str]) -> int:
        """How many rows the W&B runs with these ids hold."""
        wanted = set(names)
        try:
            return sum(int(run.lastHistoryStep) + 1 for run in self.wandb_runs() if run.id in wanted)
        except UserError:
            raise
        except Exception as error:  # the client raises what its service answers
            raise translate_wandb_error(error, "W&B") from error

    def delete_wandb_runs(self) -> int:
        """Delete the W&B runs of drills; returns how many."""
        runs = self.wandb_runs()
        for run in runs:
            try:
                run.delete()
            except Exception as error:
                raise translate_wandb_error(error, f"W&B run {run.id}") from error
        return len(runs)

    def issues(self) -> tuple[IssueClient, list[IssueView]]:
        """The drill's issues: with our label, and marked in the title."""
        client = self.sessions().issue_client(self.model.github)
        return client, [issue for issue in client.list_labelled(None) if is_marked(issue.title)]

    def issue_of(self, key: str) -> IssueView | None:
        """The newest issue of the group ``key``, read by its number."""
        client, issues = self.issues()
        own = [issue.number for issue in issues if issue.register_block.group == key]
        return client.get(max(own)) if own else None

    def register_of(self, key: str) -> Register | None:
        issue = self.issue_of(key)
        return issue.register_block.register if issue else None

    def incidents_api(self) -> IncidentsApi:
        api = self.sessions().incidents(self.model)
        if api is None:
            raise UserError("incidents cannot be read without a REST token.", hint="Set `pagerduty.token`.")
        return api

    def incident_of(self, key: str) -> dict[str, Any] | None:
        """The newest incident of the alert ``key``."""
        return self.incidents_api().latest_incident(key)

    def open_incidents(self, service: str) -> list[dict[str, Any]]:
        """The open incidents of the service with this id that are marked as a drill's."""
        rows = self.incidents_api().open_incidents(service)
        return [row for row in rows if is_marked(str(row.get("title") or row.get("summary") or ""))]

    def workflow_runs(self) -> list[ObservedRun]:
        """The workflow runs that modelwatch dispatched for this model, newest first."""
        return [run for row in self._run_rows({}) if (run := parse_run(row)) and run.model == self.model.name]

    def received_runs(self, since: float) -> list[dict[str, Any]]:
        """The workflow runs since then that received the trigger of an incident."""
        query = {"event": "repository_dispatch", "created": f">={format_iso(since - CLOCK_SKEW)}"}
        rows = self._run_rows(query)
        return [
            row
            for row in rows
            if ON_PAGERDUTY in str(row.get("path")) and TRIGGERED in f"{row.get('display_title')} {row.get('name')}"
        ]

    def cancel_run(self, run: ObservedRun) -> None:
        self._change_run("POST", f"{run.id}/cancel", f"cancel the workflow run {run.id}")

    def delete_run(self, run: ObservedRun) -> None:
        self._change_run("DELETE", str(run.id), f"delete the workflow run {run.id}")

    def _change_run(self, verb: str, path: str, what: str) -> None:
        repository = self.model.github.repository
        github = self.sessions().github(self.model.github, repository)
        address = f"{repository_path(repository)}/actions/runs/{path}"
        github.write(verb, address, what, {}, permission="actions: write")

    def _run_rows(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        repository = self.model.github.repository
        github = self.sessions().github(self.model.github, repository)
        what = f"list the workflow runs of {repository}"
        path = f"{repository_path(repository)}/actions/runs"
        rows: list[dict[str, Any]] = []
        for number, page in enumerate(
            github.paginate(path, what, dict(query), permission="actions: read", item="workflow_runs"), start=1
        ):
            rows += page
            if number >= MAX_RUN_PAGES:
                break
        return rows


def is_marked(title: str) -> bool:
    return title.startswith(DRILL_PREFIX)


def time_of(row: Mapping[str, Any], name: str) -> float:
    """Seconds (UTC) of a time in an answer; UserError where it is none."""
    try:
        return parse_iso(str(row[name]))
    except (KeyError, ValueError) as error:
        raise UserError(f"the answer has no time `{name}`", hint="A proxy may be in the way.") from error
