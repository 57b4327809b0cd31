"""Pull requests: create, list, get and close."""

from __future__ import annotations

from typing import Any

from ..http import Response
from . import errors, issue_actions, issue_json
from .issues import text_field
from .records import Issue, PullRequestDetails
from .repository_json import format_time_or_none, full_repository, node_id, page_url, repository_url, user
from .routing import Call, Route, route

ROUTES: list[Route] = []
_PULLS = "/repos/{owner}/{repo}/pulls"


def _branch_json(call: Call, branch: str, sha: str) -> dict[str, Any]:
    repo = call.repo
    shaped = {"label": f"{repo.owner}:{branch}", "ref": branch, "sha": sha, "user": user(call, repo.owner)}
    return shaped | {"repo": full_repository(call, repo)}


def _pull_json(call: Call, issue: Issue) -> dict[str, Any]:
    pull = issue.pull
    if pull is None:
        raise errors.not_found_error()
    base = repository_url(call, call.repo)
    url, page = f"{base}/pulls/{issue.number}", f"{page_url(call, call.repo)}/pull/{issue.number}"
    same = issue_json.issue(call, issue)
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
    shaped |= {"url": url, "id": issue.id + 500_000, "node_id": node_id("PullRequest", issue.id), "html_url": page}
    shaped |= {"diff_url": f"{page}.diff", "patch_url": f"{page}.patch", "issue_url": f"{base}/issues/{issue.number}"}
    shaped |= {"commits_url": f"{url}/commits", "review_comments_url": f"{url}/comments"}
    shaped |= {"review_comment_url": f"{base}/pulls/comments{{/number}}", "statuses_url": f"{base}/statuses/{head}"}
    shaped |= {"closed_at": format_time_or_none(issue.closed), "merged_at": None, "merge_commit_sha": None}
    shaped |= {"requested_reviewers": [], "requested_teams": [], "draft": pull.draft, "auto_merge": None}
    shaped |= {
        "head": _branch_json(call, pull.head, head),
        "base": _branch_json(call, pull.base, pull.base_sha),
        "merged": False,
    }
    shaped |= {"mergeable": True, "rebaseable": True, "mergeable_state": "clean", "merged_by": None}
    shaped |= {"review_comments": 0, "maintainer_can_modify": False, "commits": 1, "additions": 1, "deletions": 0}
    links = {"self": url, "html": page, "issue": shaped["issue_url"], "comments": shaped["comments_url"]}
    links |= {"review_comments": shaped["review_comments_url"], "review_comment": shaped["review_comment_url"]}
    links |= {"commits": shaped["commits_url"], "statuses": shaped["statuses_url"]}
    return shaped | {"changed_files": 1, "_links": {name: {"href": href} for name, href in links.items()}}


@route(ROUTES, "POST", _PULLS, "pull_requests:write", content=True)
def create_pull(call: Call) -> Response:
    fields, repo = call.json_object(), call.repo
    for name in ("head", "base", "title"):
        if not isinstance(fields.get(name), str):
            raise errors.missing_field(name)
    if call.token.kind == "app" and not repo.actions_may_open_pulls:
        raise errors.GitHubApiError(403, "GitHub Actions is not permitted to create or approve pull requests.")
    head, base = fields["head"].removeprefix(f"{repo.owner}:"), fields["base"]
    for name, branch in (("head", head), ("base", base)):
        if branch not in repo.git.branches:
            raise errors.validation_error("PullRequest", name)
    git = repo.git
    if git.files_at(head) == git.files_at(base):
        message = f"No commits between {base} and {head}"
        raise errors.GitHubApiError(
            422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": message}]
        )
    for issue in repo.issues.items.values():
        if issue.pull and issue.state == "open" and (issue.pull.head, issue.pull.base) == (head, base):
            message = f"A pull request already exists for {repo.owner}:{head}."
            problem = {"resource": "PullRequest", "code": "custom", "message": message}
            raise errors.GitHubApiError(422, "Validation Failed", [problem])
    pull = PullRequestDetails(head, base, git.branches[head], git.branches[base], bool(fields.get("draft")))
    made = issue_actions.open_issue(
        call.state, repo, call.login, fields["title"], text_field(fields, "body"), pull=pull
    )
    shaped = _pull_json(call, made)
    return Response.of(shaped, 201, headers=(("location", shaped["url"]),))


@route(ROUTES, "GET", _PULLS, "pull_requests:read")
def list_pulls(call: Call) -> Response:
    ask = call.request.first
    state, head, base = ask("state", "open"), ask("head"), ask("base")
    found = [
        issue
        for issue in call.repo.issues.list_items()
        if issue.pull
        and state in ("all", issue.state)
        and (not head or head.rpartition(":")[2] == issue.pull.head)
        and (not base or base == issue.pull.base)
    ]
    descending = ask("direction", "desc" if ask("sort", "created") == "created" else "asc") == "desc"
    found.sort(key=lambda issue: (issue.created, issue.number), reverse=descending)
    return call.list_response(found, lambda issue: _pull_json(call, issue))


def _find_pull(call: Call) -> Issue:
    issue = issue_actions.find_issue(call.repo, call.int_parameter("number"))
    if issue.pull is None:
        raise errors.not_found_error()
    return issue


@route(ROUTES, "GET", _PULLS + "/{number:int}", "pull_requests:read")
def get_pull(call: Call) -> Response:
    return Response.of(_pull_json(call, _find_pull(call)))


@route(ROUTES, "PATCH", _PULLS + "/{number:int}", "pull_requests:write", content=True)
def update_pull(call: Call) -> Response:
    fields, issue = call.json_object(), _find_pull(call)
    issue = issue_actions.edit_title_and_body(
        call.state, issue, call.login, text_field(fields, "title"), text_field(fields, "body")
    )
    if fields.get("state") in ("open", "closed"):
        issue = issue_actions.set_state(call.state, issue, call.login, fields["state"], None)
    return Response.of(_pull_json(call, issue_actions.store_issue(call.state, call.repo, issue)))
