"""What a period cost: minutes of workflow runs, and calls to W&B."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..clients.github import GitHubClient, quote_segment, repository_path
from ..context import RunContext
from ..doctor.workflows import EVALUATES, FOLDER
from ..errors import ServiceError, UserError
from ..model.monitored_model import Config, Model
from ..model.scorecard import Cost, Period, WorkflowCost
from ..timeutil import DAY, MINUTE, format_iso, parse_iso

READ = "actions: read"
LIST_LIMIT = 10
"""Pages of 100: GitHub lists at most 1,000 workflow runs of a span of time. Longer lists are split."""
LONGEST_SPAN = 28 * DAY
SHORTEST_SPAN = DAY
MAX_REQUESTS = 200
"""For the workflow runs of one repository and period."""
MENTION = "modelwatch"


@dataclass(frozen=True, slots=True)
class WorkflowFiles:
    """The workflow files whose runs modelwatch costs; ``evaluating``: those that evaluate."""

    names: tuple[str, ...]
    evaluating: frozenset[str]
    problem: str = ""


def find_workflow_files(config: Config, root: Path) -> WorkflowFiles:
    """The files in the working tree ``root`` that name modelwatch, and those that the configuration dispatches."""
    configured = {flow.file for model in config.models for flow in model.workflows if flow.file and not flow.repository}
    folder = root / FOLDER
    if not folder.is_dir():
        problem = f"there is no {FOLDER} in {root}, so the workflow that evaluates is not known"
        return WorkflowFiles(tuple(sorted(configured)), frozenset(), problem)
    texts = {path.name: path.read_text("utf-8", errors="replace") for path in folder.glob("*.y*ml") if path.is_file()}
    own = {name for name, text in texts.items() if MENTION in text}
    evaluating = frozenset(name for name in own if any(word in texts[name] for word in EVALUATES))
    return WorkflowFiles(tuple(sorted(own | configured)), evaluating)


def read_cost(context: RunContext, files: WorkflowFiles, period: Period, calls_each: int | None) -> Cost:
    """The runs of ``files`` that were started in ``period``, in every repository of the models.

    ``calls_each``: the calls that one evaluation makes to W&B; ``None`` where they were not counted.
    """
    if files.problem:
        return Cost(problems=(files.problem,))
    repositories = {context.sessions.repository_key(model.github): model for model in context.config.models}
    costs: list[WorkflowCost] = []
    try:
        for model in repositories.values():
            costs += _read_repository(context, model, files, period)
    except UserError as error:
        return Cost(problems=(f"workflow runs cannot be read: {error}",))
    evaluations = sum(cost.runs for cost in costs if cost.workflow in files.evaluating)
    calls = None if calls_each is None else calls_each * evaluations
    return Cost(tuple(cost for cost in costs if cost.runs), calls, calls_each)


def _read_repository(context: RunContext, model: Model, files: WorkflowFiles, period: Period) -> Iterator[WorkflowCost]:
    name = model.github.repository
    if not name:
        raise UserError(f"no repository is configured for {model.name}.")
    github = context.sessions.github(model.github, name)
    github.get(repository_path(name), f"read the repository {name}")  # else a missing workflow file would be no cost
    reader = _RunReader(github, name)
    for file in files.names:
        cost = WorkflowCost(name, file, 0, 0)
        start = period.start
        while start < period.end:
            end = min(start + LONGEST_SPAN, period.end)
            for row in reader.read(file, start, end):
                cost = replace(cost, runs=cost.runs + 1, minutes=cost.minutes + run_minutes(row))
            start = end
        yield cost


@dataclass(slots=True)
class _RunReader:
    """Lists workflow runs of one repository, within a number of requests."""

    github: GitHubClient
    repository: str
    requests: int = 0

    def read(self, file: str, start: float, end: float) -> Iterator[dict[str, Any]]:
        """The rows of the runs of ``file`` that were started from ``start`` until before ``end``."""
        what = f"list the workflow runs of {file} in {self.repository}"
        path = f"{repository_path(self.repository)}/actions/workflows/{quote_segment(file)}/runs"
        query: dict[str, str | int] = {"created": f"{format_iso(start)}..{format_iso(end - 1)}"}
        pages = self.github.paginate(path, what, query, permission=READ, item="workflow_runs")
        rows: list[dict[str, Any]] = []
        try:
            for page in pages:
                self.requests += 1
                if self.requests > MAX_REQUESTS:
                    raise ServiceError(f"could not {what}: it takes more than {MAX_REQUESTS} requests")
                if page.last >= LIST_LIMIT:
                    break
                rows += page
            else:
                yield from rows
                return
        except ServiceError as error:
            if error.status == 404:  # the file is in the working tree, and was never pushed
                return
            raise
        if end - start <= SHORTEST_SPAN:
            raise ServiceError(f"could not {what}: there are more than 1,000 in a day")
        middle = start + (end - start) // 2
        yield from self.read(file, start, middle)
        yield from self.read(file, middle, end)


def run_minutes(row: dict[str, Any]) -> int:
    """Minutes of one workflow run, its last attempt: from its start to its last change, rounded up; 0 before it ended.

    Raises ServiceError.
    """
    if row.get("status") != "completed":
        return 0
    try:
        started = parse_iso(str(row.get("run_started_at") or row["created_at"]))
        return max(math.ceil((parse_iso(str(row["updated_at"])) - started) / MINUTE), 0)
    except (KeyError, ValueError) as error:
        raise ServiceError("GitHub's answer is not a workflow run", hint="A proxy may be in the way.") from error
