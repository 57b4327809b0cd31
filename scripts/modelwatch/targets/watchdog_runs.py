"""Looks up when the watchdog workflow last succeeded: one bounded request, two where it never has."""

from __future__ import annotations

from ..clients.github import GitHubClient, quote_segment, repository_path
from ..errors import ServiceError, UserError
from ..model.monitored_model import Model
from ..model.self_monitoring import WatchdogRuns, WatchdogSpec
from ..timeutil import parse_iso
from .sessions import TargetSessions

PERMISSION = "actions: read"


def read_watchdog_runs(sessions: TargetSessions, spec: WatchdogSpec, host: Model) -> WatchdogRuns:
    """Never raises: what cannot be read is the ``error`` of the result."""
    repository = spec.repository or host.github.repository
    try:
        return _read(sessions.github(host.github, repository), repository, spec.workflow)
    except UserError as error:
        if isinstance(error, ServiceError) and error.status == 404:
            return WatchdogRuns(repository)
        return WatchdogRuns(repository, error=str(error))
    except (KeyError, TypeError, ValueError):
        return WatchdogRuns(repository, error=f"GitHub's answer about {spec.workflow} is not what GitHub sends")


def _read(github: GitHubClient, repository: str, workflow: str) -> WatchdogRuns:
    path = f"{repository_path(repository)}/actions/workflows/{quote_segment(workflow)}"
    action = f"list the runs of {workflow} in {repository}"
    rows = github.get(f"{path}/runs?status=success&per_page=1", action, permission=PERMISSION)["workflow_runs"]
    if rows:
        ended = parse_iso(str(rows[0]["updated_at"]))
        return WatchdogRuns(repository, ended, ended)
    made = github.get(path, f"read {workflow} of {repository}", permission=PERMISSION)["created_at"]
    return WatchdogRuns(repository, None, parse_iso(str(made)))
