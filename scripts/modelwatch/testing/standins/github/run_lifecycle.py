"""The life of a workflow run: dispatched, waiting for a reviewer, queued, in progress, completed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import errors, workflow_file
from .records import Workflow, WorkflowRun
from .state import GitHubState, Repo, RunControl
from .workflow_file import WorkflowFile

WORKFLOWS_FOLDER = ".github/workflows/"


def sync_workflows(state: GitHubState, repo: Repo) -> list[Workflow]:
    """The workflows of the default branch, by path; their ids stay the same."""
    known = {workflow.path: workflow for workflow in repo.workflows.values()}
    found: list[Workflow] = []
    for path in sorted(repo.git.files_at(repo.git.default_branch)):
        if (
            path.startswith(WORKFLOWS_FOLDER)
            and path.endswith((".yml", ".yaml"))
            and "/" not in path.removeprefix(WORKFLOWS_FOLDER)
        ):
            workflow = known.get(path) or Workflow(state.next_id(), path, _added_at(repo, path))
            repo.workflows[workflow.id] = workflow
            found.append(workflow)
    return found


def _added_at(repo: Repo, path: str) -> float:
    """When the file was committed to the default branch: GitHub makes the workflow then."""
    sha, at = repo.git.resolve_ref(repo.git.default_branch), repo.created
    while sha is not None and path in repo.git.commits[sha].files:
        at = repo.git.commits[sha].at
        sha = next(iter(repo.git.commits[sha].parents), None)
    return at


def find_workflow(state: GitHubState, repo: Repo, name: str) -> Workflow:
    """By id or by file name; raises ``GitHubApiError`` (404)."""
    for workflow in sync_workflows(state, repo):
        if name in (str(workflow.id), workflow.path.removeprefix(WORKFLOWS_FOLDER), workflow.path):
            return workflow
    raise errors.not_found_error()


def read_workflow_file(repo: Repo, workflow: Workflow, ref: str) -> WorkflowFile | None:
    """The workflow's file at ``ref``, ``None`` where it is not there."""
    content = repo.git.files_at(ref).get(workflow.path)
    return None if content is None else workflow_file.parse_workflow(workflow.path, content)


@dataclass(frozen=True, slots=True)
class DispatchEvent:
    """What set a workflow off; ``fallback`` is its workflow run's title where the file has no ``run-name``."""

    event: str
    ref: str
    actor: str
    payload: Mapping[str, Any]
    inputs: Mapping[str, Any]
    fallback_title: str

    @property
    def branch(self) -> str:
        return self.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


def create_run(
    state: GitHubState, repo: Repo, workflow: Workflow, file: WorkflowFile, by: DispatchEvent
) -> WorkflowRun:
    """A new workflow run, on its way: waiting where an environment needs a reviewer, else queued."""
    title = file.run_title(_expression_contexts(repo, file, by), by.fallback_title)
    protected = tuple(name for name in file.environments() if repo.environments.get(name))
    now = state.clock()
    run = WorkflowRun(
        id=state.next_id(),
        number=1 + sum(run.workflow == workflow.id for run in repo.runs.items.values()),
        workflow=workflow.id,
        path=workflow.path,
        workflow_name=file.name,
        # GitHub's `name` is the run-name where the file has one, else the workflow's name; `display_title` is reliable.
        name=title if file.run_name else file.name,
        title=title,
        event=by.event,
        branch=by.branch,
        sha=repo.git.resolve_ref(by.ref) or "",
        actor=by.actor,
        created=now,
        updated=now,
        jobs=file.job_names(),
        status="waiting" if protected else "queued",
        environments=protected,
        payload=by.payload,
    )
    repo.runs.put(run.id, run)
    if not protected:
        launch_run(state, run)
    return repo.runs.items[run.id]


def run_schedule(state: GitHubState, repo: Repo, path: str, event: str = "schedule") -> WorkflowRun:
    """A workflow run that GitHub starts on the default branch, without a person. Raises ``GitHubApiError``."""
    with state.lock:
        workflow = find_workflow(state, repo, path)
        file = read_workflow_file(repo, workflow, repo.git.default_branch)
        if file is None or workflow.state != "active":
            raise errors.not_found_error()
        ref = f"refs/heads/{repo.git.default_branch}"
        return create_run(state, repo, workflow, file, DispatchEvent(event, ref, repo.owner, {}, {}, file.name))


def _expression_contexts(repo: Repo, file: WorkflowFile, by: DispatchEvent) -> dict[str, Any]:
    """What ``run-name`` can refer to."""
    github = {"event": by.payload, "event_name": by.event, "actor": by.actor, "ref_name": by.branch}
    github |= {"ref": f"refs/heads/{by.branch}", "repository": repo.full_name, "workflow": file.name}
    return {"inputs": by.inputs, "vars": {}, "github": github}


def launch_run(state: GitHubState, run: WorkflowRun) -> None:
    """Hand a workflow run to the executor, or end it at once where the state says so."""
    if state.executor is not None:
        control = RunControl(state, run.id)
        threading.Thread(target=state.executor, args=(control,), daemon=True, name=f"run-{run.id}").start()
    elif state.auto_finish is not None:
        state.finish_run(run.id, state.auto_finish)


def review_deployments(state: GitHubState, run_id: int, environments: set[str], *, approved: bool) -> WorkflowRun:
    """A reviewer decides on waiting environments; the last approval sets the workflow run going."""
    with state.lock:
        repo, run = state.run(run_id)
        if not approved:
            return state.finish_run(run_id, "failure", "A reviewer rejected the deployment.")
        left = tuple(name for name in run.environments if name not in environments)
        status = "waiting" if left else "queued"
        run = repo.runs.put(run_id, replace(run, environments=left, status=status, updated=state.clock()))
        if not left:
            launch_run(state, run)
        return repo.runs.items[run_id]
