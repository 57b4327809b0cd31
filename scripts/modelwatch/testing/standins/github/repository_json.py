"""JSON of accounts, repositories and branches, as GitHub gives it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from .records import ROLES
from .routing import Call
from .state import Repo

_ACCOUNT_PARTS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_REPO_PARTS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}


def format_time(at: float) -> str:
    """A time as GitHub writes it: whole seconds, UTC."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_time_or_none(at: float | None) -> str | None:
    return None if at is None else format_time(at)


def node_id(kind: str, number: int) -> str:
    """A GraphQL node id; opaque to clients."""
    return base64.b64encode(f"{kind}{number}".encode()).decode()


def user(call: Call, login: str) -> dict[str, Any]:
    """A simple user."""
    number = call.state.account_id(login)
    kind = call.state.account_type(login)
    url = f"{call.base}/users/{login.replace('[', '%5B').replace(']', '%5D')}"
    shaped: dict[str, Any] = {"login": login, "id": number, "node_id": node_id("User", number)}
    shaped |= {"avatar_url": f"{call.site}/avatars/u/{number}", "gravatar_id": "", "url": url}
    page = f"{call.site}/apps/{login.removesuffix('[bot]')}" if kind == "Bot" else f"{call.site}/{login}"
    shaped |= {name: url + part for name, part in _ACCOUNT_PARTS.items()}
    return shaped | {"html_url": page, "type": kind, "user_view_type": "public", "site_admin": False}


def repository_url(call: Call, repo: Repo) -> str:
    return f"{call.base}/repos/{repo.full_name}"


def page_url(call: Call, repo: Repo) -> str:
    """The repository's web page."""
    return f"{call.site}/{repo.full_name}"


def minimal_repository(call: Call, repo: Repo) -> dict[str, Any]:
    """A repository inside another answer."""
    url = repository_url(call, repo)
    shaped: dict[str, Any] = {"id": repo.id, "node_id": node_id("Repository", repo.id), "name": repo.name}
    shaped |= {"full_name": repo.full_name, "private": repo.private, "owner": user(call, repo.owner)}
    shaped |= {"html_url": page_url(call, repo), "description": None, "fork": False, "url": url}
    return shaped | {name: url + part for name, part in _REPO_PARTS.items()}


def permissions(repo: Repo, login: str, *, app_pushes: bool | None = None) -> dict[str, bool]:
    """``app_pushes``: for an app's token, whether its permissions let it push."""
    if app_pushes is not None:
        return {"admin": False, "maintain": False, "push": app_pushes, "triage": app_pushes, "pull": True}
    have = ROLES.index(repo.role(login))
    words = {"admin": "admin", "maintain": "maintain", "push": "write", "triage": "triage", "pull": "read"}
    return {word: have >= ROLES.index(role) for word, role in words.items()}


def full_repository(call: Call, repo: Repo) -> dict[str, Any]:
    """The answer to ``GET /repos/{owner}/{repo}``."""
    page = page_url(call, repo)
    issues = sum(issue.state == "open" for issue in repo.issues.items.values())
    pushes = call.token.allows("contents", "write") if call.token.kind == "app" else None
    shaped = minimal_repository(call, repo)
    shaped |= {"git_url": f"git:{page.partition(':')[2]}.git", "ssh_url": f"git@stand.in:{repo.full_name}.git"}
    shaped |= {"clone_url": f"{page}.git", "svn_url": page, "mirror_url": None, "homepage": None, "language": None}
    shaped |= dict.fromkeys(("forks_count", "stargazers_count", "watchers_count", "forks", "watchers", "size"), 0)
    shaped |= {"default_branch": repo.git.default_branch, "open_issues_count": issues, "open_issues": issues}
    shaped |= {"has_issues": repo.has_issues, "has_projects": False, "has_wiki": False, "has_pages": False}
    shaped |= {"has_discussions": False, "has_downloads": False, "archived": False, "disabled": False}
    shaped |= {"visibility": "private" if repo.private else "public", "license": None, "topics": []}
    shaped |= {"created_at": format_time(repo.created), "updated_at": format_time(repo.created)}
    shaped |= {"pushed_at": format_time(repo.pushed or repo.created), "subscribers_count": 0, "network_count": 0}
    return shaped | {"permissions": permissions(repo, call.login, app_pushes=pushes)}
