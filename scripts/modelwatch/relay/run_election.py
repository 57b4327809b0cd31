"""Elect the one workflow run that handles an event: of those with the event's id, the lowest that has not failed.

Nothing is stored: workflow runs are found by the id in their ``run-name``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..clients.github import GitHubClient, quote_segment, read_number, repository_path
from ..errors import ServiceError, UserError
from ..timeutil import format_iso, parse_iso
from .pagerduty_webhook import safe_id

FAILED_CONCLUSIONS = frozenset({"failure", "cancelled", "timed_out", "startup_failure", "stale", "action_required"})
MAX_LISTED_RUNS = 1_000
"""GitHub lists no more for one query."""


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """A workflow run, as far as it matters here."""

    id: int
    title: str
    status: str
    conclusion: str
    created: float = 0.0

    @property
    def failed(self) -> bool:
        return self.status == "completed" and self.conclusion in FAILED_CONCLUSIONS

    def has_id(self, name: str) -> bool:
        """Whether ``name`` is one of the words of its title."""
        return name in self.title.split()


@dataclass(frozen=True, slots=True)
class ElectionResult:
    """Whether this workflow run proceeds; ``reason`` says why, and can be shown."""

    proceed: bool
    reason: str


def elect(name: str, own: int, runs: Iterable[WorkflowRun]) -> ElectionResult | None:
    """Whether ``own`` proceeds for the event ``name``; ``None`` where it does not carry the name, or is missing."""
    same = sorted({run.id: run for run in runs if run.has_id(name)}.values(), key=lambda run: run.id)
    if all(run.id != own for run in same):
        return None
    chosen = next(run for run in same if run.id == own or not run.failed)
    if chosen.id != own:
        return ElectionResult(False, f"workflow run {chosen.id} carries the same event and came first")
    if before := [run for run in same if run.id < own]:
        return ElectionResult(True, f"the {len(before)} workflow runs before it failed")
    return ElectionResult(True, "it is the first workflow run of this event")


@dataclass(frozen=True, slots=True)
class RunElection:
    """The election among the runs of one workflow (the name of its file).

    ``settle_seconds`` after a workflow run's creation GitHub's lists are trusted to contain all earlier ones.
    """

    github: GitHubClient
    repository: str
    workflow: str
    clock: Callable[[], float]
    settle_seconds: float = 10.0
    poll_interval: float = 3.0
    max_attempts: int = 10
    clock_tolerance: float = 60.0
    """Seconds by which the clocks of PagerDuty, GitHub and this machine can differ."""

    def decide(self, event: str, own: int, since: float) -> ElectionResult:
        """Whether workflow run ``own`` proceeds for ``event``, which occurred at ``since`` (seconds UTC).

        Raises ServiceError where GitHub gives no answer, and UserError where the title does not carry the id. Then the
        workflow run fails visibly, instead of acting on a guess.
        """
        name = safe_id(event)
        path = f"{repository_path(self.repository)}/actions/workflows/{quote_segment(self.workflow)}/runs"
        for number in range(self.max_attempts):
            if number:
                time.sleep(self.poll_interval)
            now = self.clock()
            runs = list(self._list_runs(path, min(since, now) - self.clock_tolerance, now + self.clock_tolerance))
            own_run = next((run for run in runs if run.id == own), None)
            if own_run is None:
                continue
            result = elect(name, own, runs)
            if result is None:
                raise UserError(
                    f"the title of workflow run {own} does not carry {name}",
                    hint="Its run-name needs ${{ github.event.client_payload.id }} as one of its words.",
                )
            if not result.proceed or now - own_run.created >= self.settle_seconds:
                return result
        raise ServiceError(f"GitHub does not list workflow run {own} yet", hint="Run the job again.")

    def _list_runs(self, path: str, since: float, until: float) -> list[WorkflowRun]:
        """Every workflow run created in a span; a span with too many is split in two."""
        created = "..".join(format_iso(int(max(at, 0.0))) for at in (since, until))
        params: dict[str, str | int] = {"event": "repository_dispatch", "created": created}
        runs: list[WorkflowRun] = []
        for page in self.github.paginate(
            path, "list workflow runs", params, permission="actions: read", item="workflow_runs"
        ):
            runs += map(_workflow_run, page)
            if len(runs) >= MAX_LISTED_RUNS and until - since > 2.0:
                middle = float(int((since + until) / 2))
                return self._list_runs(path, since, middle) + self._list_runs(path, middle, until)
        return runs


def _workflow_run(run: dict[str, Any]) -> WorkflowRun:
    title = str(run.get("display_title") or run.get("name") or "")
    status, conclusion = str(run.get("status") or ""), str(run.get("conclusion") or "")
    try:
        return WorkflowRun(read_number(run["id"]), title, status, conclusion, parse_iso(run["created_at"]))
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        text, hint = "GitHub's answer is not a list of workflow runs", "A proxy may be in the way."
        raise ServiceError(text, hint=hint) from error
