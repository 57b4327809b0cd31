"""Pull requests: create, list, get and close."""

from __future__ import annotations

from typing import Any

from ..http import Response
from . import errors, issue_shapes, tracker
from .calls import Call, Route, route
from .issues import text_of
from .records import Issue, PullPart
from .shapes import full_repository, node, page_url, repository_url, stamp_or_none, user

ROUTES: list[Route] = []
_PULLS = "/repos/{owner}/{repo}/pulls"


def _side(call: Call, branch: str, sha: str) -> dict[str, Any]:
    repo = call.repo
    shaped = {"label": f"{repo.owner}:{branch}", "ref": branch, "sha": sha, "user": user(call, repo.owner)}
    return shaped | {"repo": full_repository(call, repo)}


def _shape(call: Call, issue: Issue) -> dict[str, Any]:
    pull = issue.pull
    if pull is None:
        raise errors.not_found()
    base = repository_url(call, call.repo)
    url, page = f"{base}/pulls/{issue.number}", f"{page_url(call, call.repo)}/pull/{issue.number}"
    same = issue_shapes.issue(call, issue)
    kept: tuple[str, ...] = (
        "number",
        "state",
        "locked",
        "active_lock_reason",
        "title",
        "user",
        "body",
        "labels",
        "milestone",
    )
    kept += ("assignee", "assignees", "author_association", "created_at", "updated_at", "comments", "comments_url")
    head = call.repo.git.branches.get(pull.head, pull.head_sha)
    shaped: dict[str, Any] = {name: same[name] for name in kept}
    shaped |= {"url": url, "id": issue.id + 500_000, "node_id": node("PullRequest", issue.id), "html_url": page}
    shaped |= {"diff_url": f"{page}.diff", "patch_url": f"{page}.patch", "issue_url": f"{base}/issues/{issue.number}"}
    shaped |= {"commits_url": f"{url}/commits", "review_comments_url": f"{url}/comments"}
    shaped |= {"review_comment_url": f"{base}/pulls/comments{{/number}}", "statuses_url": f"{base}/statuses/{head}"}
    shaped |= {"closed_at": stamp_or_none(issue.closed), "merged_at": None, "merge_commit_sha": None}
    shaped |= {"requested_reviewers": [], "requested_teams": [], "draft": pull.draft, "auto_merge": None}
    shaped |= {"head": _side(call, pull.head, head), "base": _side(call, pull.base, pull.base_sha), "merged": False}
    shaped |= {"mergeable": True, "rebaseable": True, "mergeable_state": "clean", "merged_by": None}
    shaped |= {"review_comments": 0, "maintainer_can_modify": False, "commits": 1, "additions": 1, "deletions": 0}
    links = {"self": url, "html": page, "issue": shaped["issue_url"], "comments": shaped["comments_url"]}
    links |= {"review_comments": shaped["review_comments_url"], "review_comment": shaped["review_comment_url"]}
    links |= {"commits": shaped["commits_url"], "statuses": shaped["statuses_url"]}
    return shaped | {"changed_files": 1, "_links": {name: {"href": href} for name, href in links.items()}}


@route(ROUTES, "POST", _PULLS, "pull_requests:write", content=True)
def create(call: Call) -> Response:
    fields, repo = call.fields(), call.repo
    for name in ("head", "base", "title"):
        if not isinstance(fields.get(name), str):
            raise errors.missing(name)
    if call.token.kind == "app" and not repo.actions_may_open_pulls:
        raise errors.Refusal(403, "GitHub Actions is not permitted to create or approve pull requests.")
    head, base = fields["head"].removeprefix(f"{repo.owner}:"), fields["base"]
    for name, branch in (("head", head), ("base", base)):
        if branch not in repo.git.branches:
            raise errors.invalid("PullRequest", name)
    git = repo.git
    if git.files(head) == git.files(base):
        message = f"No commits between {base} and {head}"
        raise errors.Refusal(
            422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": message}]
        )
    for issue in repo.issues.items.values():
        if issue.pull and issue.state == "open" and (issue.pull.head, issue.pull.base) == (head, base):
            message = f"A pull request already exists for {repo.owner}:{head}."
            problem = {"resource": "PullRequest", "code": "custom", "message": message}
            raise errors.Refusal(422, "Validation Failed", [problem])
    pull = PullPart(head, base, git.branches[head], git.branches[base], bool(fields.get("draft")))
    made = tracker.open_issue(call.state, repo, call.login, fields["title"], text_of(fields, "body"), pull=pull)
    shaped = _shape(call, made)
    return Response.of(shaped, 201, headers=(("location", shaped["url"]),))


@route(ROUTES, "GET", _PULLS, "pull_requests:read")
def list_pulls(call: Call) -> Response:
    ask = call.request.first
    state, head, base = ask("state", "open"), ask("head"), ask("base")
    found = [
        issue
        for issue in call.repo.issues.listed()
        if issue.pull
        and state in ("all", issue.state)
        and (not head or head.rpartition(":")[2] == issue.pull.head)
        and (not base or base == issue.pull.base)
    ]
    descending = ask("direction", "desc" if ask("sort", "created") == "created" else "asc") == "desc"
    found.sort(key=lambda issue: (issue.created, issue.number), reverse=descending)
    return call.listed(found, lambda issue: _shape(call, issue))


def _find(call: Call) -> Issue:
    issue = tracker.find_issue(call.repo, call.number("number"))
    if issue.pull is None:
        raise errors.not_found()
    return issue


@route(ROUTES, "GET", _PULLS + "/{number:int}", "pull_requests:read")
def get(call: Call) -> Response:
    return Response.of(_shape(call, _find(call)))


@route(ROUTES, "PATCH", _PULLS + "/{number:int}", "pull_requests:write", content=True)
def change(call: Call) -> Response:
    fields, issue = call.fields(), _find(call)
    issue = tracker.edit_texts(call.state, issue, call.login, text_of(fields, "title"), text_of(fields, "body"))
    if fields.get("state") in ("open", "closed"):
        issue = tracker.set_state(call.state, issue, call.login, fields["state"], None)
    return Response.of(_shape(call, tracker.store(call.state, call.repo, issue)))
