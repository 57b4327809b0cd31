"""JSON of workflows, workflow runs, jobs and pending deployments, as GitHub gives it."""

from __future__ import annotations

from typing import Any

from .records import Workflow, WorkflowRun
from .repository_json import (
    format_time,
    format_time_or_none,
    minimal_repository,
    node_id,
    page_url,
    repository_url,
    user,
)
from .routing import Call


def workflow(call: Call, record: Workflow, name: str) -> dict[str, Any]:
    page = page_url(call, call.repo)
    short = record.path.rpartition("/")[2]
    return {
        "id": record.id,
        "node_id": node_id("Workflow", record.id),
        "name": name,
        "path": record.path,
        "state": record.state,
        "created_at": format_time(record.created),
        "updated_at": format_time(record.created),
        "url": f"{repository_url(call, call.repo)}/actions/workflows/{record.id}",
        "html_url": f"{page}/blob/{call.repo.git.default_branch}/{record.path}",
        "badge_url": f"{page}/workflows/{short}/badge.svg",
    }


def run_urls(call: Call, run_id: int) -> tuple[str, str]:
    """Of the API and of the web page."""
    part = f"/actions/runs/{run_id}"
    return repository_url(call, call.repo) + part, page_url(call, call.repo) + part


def run(call: Call, record: WorkflowRun) -> dict[str, Any]:
    repo = call.repo
    url, page = run_urls(call, record.id)
    base = repository_url(call, repo)
    actor = user(call, record.actor)
    commit = repo.git.commits.get(record.sha)
    suite = record.id + 1_000_000
    data: dict[str, Any] = {"id": record.id, "name": record.name, "node_id": node_id("WorkflowRun", record.id)}
    data |= {"head_branch": record.branch, "head_sha": record.sha, "path": record.path, "run_number": record.number}
    data |= {"display_title": record.title, "event": record.event, "status": record.status, "run_attempt": 1}
    data |= {"conclusion": record.conclusion, "workflow_id": record.workflow, "url": url, "html_url": page}
    data |= {"check_suite_id": suite, "check_suite_node_id": node_id("CheckSuite", suite), "pull_requests": []}
    data |= {"created_at": format_time(record.created), "updated_at": format_time(record.updated), "actor": actor}
    data |= {"triggering_actor": actor, "run_started_at": format_time(record.started or record.created)}
    data |= {"check_suite_url": f"{base}/check-suites/{suite}", "previous_attempt_url": None}
    parts = {"jobs_url": "jobs", "logs_url": "logs", "artifacts_url": "artifacts", "cancel_url": "cancel"}
    data |= {name: f"{url}/{part}" for name, part in (parts | {"rerun_url": "rerun"}).items()}
    data |= {"workflow_url": f"{base}/actions/workflows/{record.workflow}"}
    author = {"name": record.actor, "email": "stand-in@example.com"}
    data["head_commit"] = {
        "id": record.sha,
        "tree_id": commit.tree if commit else record.sha,
        "message": commit.message if commit else "",
        "timestamp": format_time(commit.at if commit else record.created),
        "author": author,
        "committer": author,
    }
    return data | {"repository": minimal_repository(call, repo), "head_repository": minimal_repository(call, repo)}


def job(call: Call, record: WorkflowRun, index: int) -> dict[str, Any]:
    """The ``index``-th job of a workflow run; the stand-in gives each the state of the whole."""
    url, page = run_urls(call, record.id)
    number = record.id * 100 + index
    done = record.status == "completed"
    return {
        "id": number,
        "run_id": record.id,
        "run_url": url,
        "run_attempt": 1,
        "node_id": node_id("CheckRun", number),
        "head_sha": record.sha,
        "head_branch": record.branch,
        "url": f"{repository_url(call, call.repo)}/actions/jobs/{number}",
        "html_url": f"{page}/job/{number}",
        "status": record.status,
        "conclusion": record.conclusion,
        "created_at": format_time(record.created),
        "started_at": format_time(record.started or record.created),
        "completed_at": format_time_or_none(record.updated if done else None),
        "name": record.jobs[index],
        "steps": [],
        "check_run_url": f"{repository_url(call, call.repo)}/check-runs/{number}",
        "labels": ["ubuntu-latest"],
        "runner_id": None,
        "runner_name": None,
        "runner_group_id": None,
        "runner_group_name": None,
        "workflow_name": record.workflow_name,
    }


def failure_annotation(call: Call, record: WorkflowRun) -> dict[str, Any]:
    """What the runner says about a step that ended with another exit code than 0."""
    return {
        "path": ".github",
        "blob_href": f"{page_url(call, call.repo)}/blob/{record.sha}/.github",
        "start_line": 7,
        "start_column": None,
        "end_line": 7,
        "end_column": None,
        "annotation_level": "failure",
        "title": "",
        "message": f"Process completed with exit code {record.exit_code}.",
        "raw_details": "",
    }


def environment_id(call: Call, name: str) -> int:
    return 1 + sorted(call.repo.environments).index(name)


def pending_deployment(call: Call, name: str) -> dict[str, Any]:
    """One environment that a workflow run waits for."""
    number = environment_id(call, name)
    reviewers = call.repo.environments[name]
    return {
        "environment": {
            "id": number,
            "node_id": node_id("Environment", number),
            "name": name,
            "url": f"{repository_url(call, call.repo)}/environments/{name}",
            "html_url": f"{page_url(call, call.repo)}/deployments/activity_log?environments_filter={name}",
        },
        "wait_timer": 0,
        "wait_timer_started_at": None,
        "current_user_can_approve": call.login in reviewers,
        "reviewers": [{"type": "User", "reviewer": user(call, login)} for login in reviewers],
    }


def deployment(call: Call, record: WorkflowRun, name: str) -> dict[str, Any]:
    """What reviewing an environment answers with."""
    number = record.id * 100 + environment_id(call, name)
    url = f"{repository_url(call, call.repo)}/deployments/{number}"
    return {
        "url": url,
        "id": number,
        "node_id": node_id("Deployment", number),
        "sha": record.sha,
        "ref": record.branch,
        "task": "deploy",
        "payload": {},
        "environment": name,
        "description": None,
        "creator": user(call, record.actor),
        "created_at": format_time(record.created),
        "updated_at": format_time(record.updated),
        "statuses_url": f"{url}/statuses",
        "repository_url": repository_url(call, call.repo),
    }
