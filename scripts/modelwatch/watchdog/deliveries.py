"""Whether pages and issues arrive: the newest evaluation did not end with exit code 4.

GitHub keeps no exit codes. But its runner annotates the step that failed with the code, and annotations can be read
without unpacking an artifact or reading a log.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..clients.github import repository_path
from ..errors import ServiceError
from ..timeutil import format_utc
from .condition import ConditionResult, State, address, quote
from .settings import Access
from .workflow_runs import PERMISSION, STARTED_BY_ITSELF, WorkflowRun, newest_runs

NAME = "deliveries"
PARTLY_APPLIED = 4
SOURCE_DOWN = 3
"""A source was down, so perhaps nothing was to be delivered: it proves nothing."""
ALL_DELIVERED = frozenset({10, 11, 12})
"""Alerts fire and the workflow reports them: what was to be delivered was."""
MAX_RUNS = 50
MAX_FAILED = 10
"""Of how many runs that failed the exit codes are read."""
MAX_JOBS = 20
_EXIT_CODE = re.compile(r"exit code (\d{1,3})\b")
_RUNBOOK_WORDS = "Call the owner of each alert that fires yourself, then find out why: the run's summary has it."


def check_deliveries(access: Access) -> ConditionResult:
    """The newest run that proves something decides. Raises ServiceError where none does, or one does not say how it
    failed."""
    settings = access.settings
    events = () if settings.any_event else STARTED_BY_ITSELF
    runs = newest_runs(access, settings.workflow, status="completed", events=events, count=MAX_RUNS)
    if not runs:
        return ConditionResult(NAME, State.OK, f"{quote(settings.workflow)} has not run yet")
    ended = [run for run in runs if run.conclusion not in ("cancelled", "skipped", "neutral")]
    for place, run in enumerate(ended[:MAX_FAILED]):
        if run.conclusion == "success":
            return ConditionResult(NAME, State.OK, f"the evaluation of {format_utc(run.ended)} delivered everything")
        codes = _exit_codes(access, run)
        if PARTLY_APPLIED in codes:
            since = _failing_since(access, ended[place : place + MAX_FAILED])
            what = f"an evaluation could not deliver everything (exit code {PARTLY_APPLIED}): {address(run.url)}"
            return ConditionResult(NAME, State.BROKEN, what, since, _RUNBOOK_WORDS)
        if codes and codes <= ALL_DELIVERED:
            shown = " and ".join(map(str, sorted(codes)))
            what = f"the evaluation of {format_utc(run.ended)} ended with exit code {shown}: it delivered everything"
            return ConditionResult(NAME, State.OK, what)
        if not codes or codes - ALL_DELIVERED != {SOURCE_DOWN}:
            text = f"the newest evaluation ended ({run.conclusion}) without saying whether it delivered anything"
            raise ServiceError(text, hint=run.url)
    text = f"none of the newest {len(runs)} evaluations proves that pages and issues arrive: each was cancelled, or"
    raise ServiceError(f"{text} had a source that was down", hint=runs[0].url)


def _failing_since(access: Access, runs: Sequence[WorkflowRun]) -> float:
    """When the oldest of the newest runs in a row that ended so ended."""
    since = runs[0].ended
    for run in runs[1:]:
        if run.conclusion != "failure":
            break
        codes = _exit_codes(access, run)
        if PARTLY_APPLIED in codes:
            since = run.ended
        elif codes != {SOURCE_DOWN}:
            break
    return since


def _exit_codes(access: Access, run: WorkflowRun) -> set[int]:
    """Of the steps of a run that failed. Raises ServiceError."""
    base, name = repository_path(access.settings.repository), f"a run of {access.settings.workflow}"
    path = f"{base}/actions/runs/{run.id}/jobs?per_page={MAX_JOBS}"
    jobs = access.github.get(path, f"list the jobs of {name}", permission=PERMISSION).get("jobs") or []
    codes = set[int]()
    for job in jobs:
        if job.get("conclusion") != "failure":
            continue
        notes = access.github.paginate(
            f"{base}/check-runs/{int(job['id'])}/annotations",
            f"read the annotations of {name}",
            {"per_page": 50},
            permission="checks: read",
        )
        found = (_EXIT_CODE.search(str(note.get("message") or "")) for note in next(notes, ()))
        codes |= {int(match[1]) for match in found if match}
    return codes
