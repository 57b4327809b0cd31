"""JSON of issues, comments, labels and issue events, as GitHub gives it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from .records import Comment, Issue, IssueEvent, Label
from .repository_json import format_time, format_time_or_none, node_id, page_url, repository_url, user
from .routing import Call


def label(call: Call, record: Label) -> dict[str, Any]:
    return {
        "id": record.id,
        "node_id": node_id("Label", record.id),
        "url": f"{repository_url(call, call.repo)}/labels/{quote(record.name, safe='')}",
        "name": record.name,
        "color": record.color,
        "default": False,
        "description": record.description,
    }


def milestone(call: Call, number: int) -> dict[str, Any]:
    repo = call.repo
    url = f"{repository_url(call, repo)}/milestones/{number}"
    return {
        "url": url,
        "html_url": f"{page_url(call, repo)}/milestone/{number}",
        "labels_url": f"{url}/labels",
        "id": number,
        "node_id": node_id("Milestone", number),
        "number": number,
        "state": "open",
        "title": repo.milestones[number],
        "description": None,
        "creator": user(call, repo.owner),
        "open_issues": sum(i.milestone == number and i.state == "open" for i in repo.issues.items.values()),
        "closed_issues": sum(i.milestone == number and i.state == "closed" for i in repo.issues.items.values()),
        "created_at": format_time(repo.created),
        "updated_at": format_time(repo.created),
        "closed_at": None,
        "due_on": None,
    }


def issue(call: Call, record: Issue) -> dict[str, Any]:
    repo = call.repo
    url = f"{repository_url(call, repo)}/issues/{record.number}"
    page = f"{page_url(call, repo)}/{'pull' if record.pull else 'issues'}/{record.number}"
    people = [user(call, login) for login in record.assignees]
    shaped: dict[str, Any] = {"url": url, "repository_url": repository_url(call, repo), "html_url": page}
    shaped |= {"labels_url": f"{url}/labels{{/name}}", "comments_url": f"{url}/comments", "events_url": f"{url}/events"}
    shaped |= {"timeline_url": f"{url}/timeline", "id": record.id, "node_id": node_id("Issue", record.id)}
    shaped |= {"number": record.number, "title": record.title, "user": user(call, record.login), "body": record.body}
    shaped |= {"labels": [label(call, repo.labels[name.lower()]) for name in record.labels], "state": record.state}
    shaped |= {"state_reason": record.state_reason, "locked": False, "active_lock_reason": None, "assignees": people}
    shaped |= {"assignee": people[0] if people else None, "comments": record.comments}
    shaped |= {"milestone": milestone(call, record.milestone) if record.milestone else None}
    shaped |= {"created_at": format_time(record.created), "updated_at": format_time(record.updated)}
    shaped |= {
        "closed_at": format_time_or_none(record.closed),
        "author_association": call.state.author_association(repo, record.login),
    }
    shaped |= {"closed_by": user(call, record.closed_by) if record.closed_by else None}
    shaped["performed_via_github_app"] = None
    if record.pull:
        pull = f"{repository_url(call, repo)}/pulls/{record.number}"
        shaped["pull_request"] = {
            "url": pull,
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
        }
    return shaped


def comment(call: Call, record: Comment) -> dict[str, Any]:
    repo = call.repo
    url = f"{repository_url(call, repo)}/issues"
    found = repo.issues.get(record.issue)
    page = f"{page_url(call, repo)}/{'pull' if found and found.pull else 'issues'}/{record.issue}"
    return {
        "id": record.id,
        "node_id": node_id("IssueComment", record.id),
        "url": f"{url}/comments/{record.id}",
        "html_url": f"{page}#issuecomment-{record.id}",
        "issue_url": f"{url}/{record.issue}",
        "body": record.body,
        "user": user(call, record.login),
        "created_at": format_time(record.created),
        "updated_at": format_time(record.updated),
        "author_association": call.state.author_association(repo, record.login),
        "performed_via_github_app": None,
    }


def event(call: Call, record: IssueEvent) -> dict[str, Any]:
    """An entry of ``/issues/{number}/events``, or of its timeline."""
    extra = dict(record.extra)
    if "assignee" in extra:
        extra["assignee"] = user(call, str(extra["assignee"]))
        extra["assigner"] = user(call, record.login)
    return {
        "id": record.id,
        "node_id": node_id("IssueEvent", record.id),
        "url": f"{repository_url(call, call.repo)}/issues/events/{record.id}",
        "actor": user(call, record.login),
        "event": record.event,
        "commit_id": None,
        "commit_url": None,
        "created_at": format_time(record.created),
        "performed_via_github_app": None,
        **extra,
    }
