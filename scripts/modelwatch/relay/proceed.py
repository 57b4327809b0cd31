"""The guarantee that an event takes effect once: of several workflow runs with one id, the lowest that has not failed
proceeds. Nothing is stored; the workflow runs are observed, by the id in their ``run-name``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..clients.failure import ServiceError
from ..clients.github import GitHub, repository_path, segment
from ..errors import UserError
from .events import safe_id

FAILED = frozenset({"failure", "cancelled", "timed_out", "startup_failure", "stale", "action_required"})
MOST_LISTED = 1_000
"""GitHub lists no more of one query."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A workflow run, as far as it matters here."""

    id: int
    title: str
    status: str
    conclusion: str
    created: float = 0.0

    @property
    def failed(self) -> bool:
        return self.status == "completed" and self.conclusion in FAILED

    def carries(self, name: str) -> bool:
        """Whether ``name`` is one of the words of its title."""
        return name in self.title.split()


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether this workflow run is the one; ``reason`` says why, and may be shown."""

    proceed: bool
    reason: str


def decide(name: str, own: int, runs: Iterable[Seen]) -> Decision | None:
    """Who proceeds for the event ``name``; ``None`` where ``own`` does not carry it, or is missing."""
    same = sorted({run.id: run for run in runs if run.carries(name)}.values(), key=lambda run: run.id)
    if all(run.id != own for run in same):
        return None
    chosen = next(run for run in same if run.id == own or not run.failed)
    if chosen.id != own:
        return Decision(False, f"workflow run {chosen.id} carries the same event and came first")
    before = [run for run in same if run.id < own]
    if before:
        return Decision(True, f"the {len(before)} workflow runs before it failed")
    return Decision(True, "it is the first workflow run of this event")


@dataclass(frozen=True, slots=True)
class Guard:
    """Asks GitHub about the workflow runs of one workflow (its file's name).

    ``settle``: seconds after a workflow run's creation from which GitHub's lists are trusted to hold those before it.
    """

    github: GitHub
    repository: str
    workflow: str
    clock: Callable[[], float]
    settle: float = 10.0
    wait: float = 3.0
    tries: int = 10
    margin: float = 60.0
    """By how many seconds PagerDuty's, GitHub's and our own clock may differ."""

    def ask(self, event: str, own: int, since: float) -> Decision:
        """Whether workflow run ``own`` proceeds for ``event``, which occurred at ``since`` (seconds UTC).

        Raises ServiceError where GitHub does not say, and UserError where the title does not carry the id. Then the
        workflow run fails, and is seen: nothing is ever done, or left out, on a guess.
        """
        name = safe_id(event)
        path = f"{repository_path(self.repository)}/actions/workflows/{segment(self.workflow)}/runs"
        for number in range(self.tries):
            if number:
                time.sleep(self.wait)
            now = self.clock()
            runs = list(self._runs(path, min(since, now) - self.margin, now + self.margin))
            mine = next((run for run in runs if run.id == own), None)
            if mine is None:
                continue
            found = decide(name, own, runs)
            if found is None:
                raise UserError(
                    f"the title of workflow run {own} does not carry {name}",
                    hint="Its run-name needs ${{ github.event.client_payload.id }} as one of its words.",
                )
            if not found.proceed or now - mine.created >= self.settle:
                return found
        raise ServiceError(f"GitHub does not list workflow run {own} yet", hint="Run the job again.")

    def _runs(self, path: str, since: float, until: float) -> list[Seen]:
        """Every workflow run that was created in a span; one that holds too many is cut in two."""
        created = f"{_stamp(since)}..{_stamp(until)}"
        params: dict[str, str | int] = {"event": "repository_dispatch", "created": created}
        found: list[Seen] = []
        for page in self.github.pages(path, "list workflow runs", params, needs="actions: read", item="workflow_runs"):
            found += map(_seen, page)
            if len(found) >= MOST_LISTED and until - since > 2.0:
                middle = float(int((since + until) / 2))
                return self._runs(path, since, middle) + self._runs(path, middle, until)
        return found


def _seen(run: dict[str, Any]) -> Seen:
    title = str(run.get("display_title") or run.get("name") or "")
    status, conclusion = str(run.get("status") or ""), str(run.get("conclusion") or "")
    return Seen(int(run.get("id") or 0), title, status, conclusion, _moment(str(run.get("created_at"))))


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(int(max(at, 0.0)), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise ServiceError("GitHub does not say when a workflow run was created") from error
