"""Whether pages and issues arrive: the newest evaluation did not end with exit code 4.

GitHub keeps no exit codes. But its runner annotates the step that failed with the code, and annotations can be read
without unpacking an artifact or reading a log.
"""

from __future__ import annotations

import re

from ..clients.github import repository_path
from ..errors import ServiceError
from .condition import ConditionResult, State, address, quote
from .settings import Access
from .workflow_runs import PERMISSION, STARTED_BY_ITSELF, WorkflowRun, newest_runs

NAME = "deliveries"
PARTLY_APPLIED = 4
ALL_DELIVERED = frozenset({3, 10, 11, 12})
"""A source was down, or alerts fire and the workflow reports them: what was to be delivered was."""
MAX_RUNS = 10
MAX_JOBS = 20
_EXIT_CODE = re.compile(r"exit code (\d{1,3})\b")
_RUNBOOK_WORDS = "Call the owner of each alert that fires yourself, then find out why: the run's summary has it."


def check_deliveries(access: Access) -> ConditionResult:
    """Raises ServiceError where the newest run failed and does not say how."""
    settings = access.settings
    events = () if settings.any_event else STARTED_BY_ITSELF
    runs = newest_runs(access, settings.workflow, status="completed", events=events, count=MAX_RUNS)
    runs = [run for run in runs if run.conclusion not in ("cancelled", "skipped", "neutral")]
    if not runs:
        return ConditionResult(NAME, State.OK, f"{quote(settings.workflow)} has not run yet")
    newest = runs[0]
    if newest.conclusion == "success":
        return ConditionResult(NAME, State.OK, "the newest evaluation delivered everything")
    codes = _exit_codes(access, newest)
    if PARTLY_APPLIED in codes:
        since = _failing_since(access, runs)
        what = f"the newest evaluation could not deliver everything (exit code {PARTLY_APPLIED}): {address(newest.url)}"
        return ConditionResult(NAME, State.BROKEN, what, since, _RUNBOOK_WORDS)
    if codes and codes <= ALL_DELIVERED:
        shown = " and ".join(map(str, sorted(codes)))
        return ConditionResult(NAME, State.OK, f"the newest evaluation ended with exit code {shown}, not 4")
    text = f"the newest evaluation ended ({newest.conclusion}) without saying whether it delivered anything"
    raise ServiceError(text, hint=newest.url)


def _failing_since(access: Access, runs: list[WorkflowRun]) -> float:
    """When the oldest of the newest runs in a row that ended so ended."""
    since = runs[0].ended
    for run in runs[1:]:
        if run.conclusion != "failure" or PARTLY_APPLIED not in _exit_codes(access, run):
            break
        since = run.ended
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
