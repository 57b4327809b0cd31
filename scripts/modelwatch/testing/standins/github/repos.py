"""Accounts, repositories, collaborators, teams and the rate limit."""

from __future__ import annotations

from ..graphql import GraphQLRequestError, Node, compile_query, execute
from ..http import Response
from . import errors, repository_json
from .routing import Call, Route, route

ROUTES: list[Route] = []
_REPO = "/repos/{owner}/{repo}"
_ROLE_WORDS = {"admin": "admin", "maintain": "write", "write": "write", "triage": "read", "read": "read"}


@route(ROUTES, "GET", "/user")
def get_authenticated_user(call: Call) -> Response:
    if call.token.kind == "app":
        raise errors.GitHubApiError(403, "Resource not accessible by integration")
    return Response.of(repository_json.user(call, call.login))


@route(ROUTES, "POST", "/graphql")
def answer_graphql(call: Call) -> Response:
    """GraphQL as far as a token may ask for itself; unlike REST it answers to Apps as well."""
    query = call.json_object().get("query")
    if not isinstance(query, str):
        raise errors.GitHubApiError(400, "A query attribute must be specified and must be a string.")
    me = repository_json.user(call, call.login)
    account = Node("User", {"login": me["login"], "databaseId": me["id"]})
    try:
        return Response.of({"data": execute(compile_query(query), {}, Node("Query", {"viewer": account}))})
    except GraphQLRequestError as refused:
        return Response.of({"errors": [{"message": str(refused)}]})


@route(ROUTES, "GET", "/users/{login}")
def get_user(call: Call) -> Response:
    if call.parameters["login"] not in call.state.accounts:
        raise errors.not_found_error()
    return Response.of(repository_json.user(call, call.parameters["login"]))


@route(ROUTES, "GET", "/rate_limit")
def get_rate_limit(call: Call) -> Response:
    headers = dict(call.state.limits.headers(call.token.value, call.token.kind))
    core = {name: int(headers[f"x-ratelimit-{name}"]) for name in ("limit", "used", "remaining", "reset")}
    search = core | {"limit": 30, "used": 0, "remaining": 30}
    return Response.of({"resources": {"core": core, "search": search}, "rate": core})


@route(ROUTES, "GET", _REPO, "metadata:read")
def get_repository(call: Call) -> Response:
    return Response.of(repository_json.full_repository(call, call.repo))


@route(ROUTES, "GET", _REPO + "/collaborators/{login}/permission", "metadata:read")
def get_permission(call: Call) -> Response:
    login = call.parameters["login"]
    if login not in call.state.accounts and call.repo.role(login) == "none":
        raise errors.not_found_error()
    role = call.repo.role(login)
    if role == "none" and not call.repo.private:
        role = "read"
    person = repository_json.user(call, login) | {
        "permissions": repository_json.permissions(call.repo, login),
        "role_name": role,
    }
    return Response.of({"permission": _ROLE_WORDS.get(role, "none"), "role_name": role, "user": person})


@route(ROUTES, "GET", _REPO + "/collaborators/{login}", "metadata:read")
def check_collaborator(call: Call) -> Response:
    if call.repo.role(call.parameters["login"]) == "none":
        raise errors.not_found_error()
    return Response(204)


@route(ROUTES, "GET", _REPO + "/assignees", "issues:read")
def list_assignees(call: Call) -> Response:
    logins = sorted({call.repo.owner, *call.repo.collaborators})
    return call.list_response(logins, lambda login: repository_json.user(call, login))


@route(ROUTES, "GET", _REPO + "/assignees/{login}", "issues:read")
def check_assignee(call: Call) -> Response:
    if not call.repo.is_assignable(call.parameters["login"]):
        raise errors.not_found_error()
    return Response(204)


def _require_members_permission(call: Call) -> None:
    if not call.token.allows("members", "read"):
        raise errors.GitHubApiError(403, "Resource not accessible by integration")


@route(ROUTES, "GET", "/orgs/{org}/members/{login}")
def check_membership(call: Call) -> Response:
    _require_members_permission(call)
    if call.parameters["login"] not in call.state.organisations.get(call.parameters["org"], set()):
        raise errors.not_found_error()
    return Response(204)


@route(ROUTES, "GET", "/orgs/{org}/teams/{team}/members")
def list_team_members(call: Call) -> Response:
    _require_members_permission(call)
    members = call.state.teams.get((call.parameters["org"], call.parameters["team"]))
    if members is None:
        raise errors.not_found_error()
    return call.list_response(sorted(members), lambda login: repository_json.user(call, login))
