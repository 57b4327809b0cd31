"""One request on its way through the stand-in: who asks, what for, and the parts that every operation shares."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from ..http import Request, Response
from . import errors
from .records import Token
from .state import GitHubState, Repo

T = TypeVar("T")
_PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")
_KINDS = {"": "[^/]+", "int": "[0-9]+", "path": ".*"}


@dataclass(slots=True)
class Call:
    """``base`` is the URL of the API as the client reached it, ``site`` that of the web pages."""

    state: GitHubState
    request: Request
    token: Token
    base: str
    site: str
    path: str
    parameters: dict[str, str] = field(default_factory=dict)
    matched_repo: Repo | None = None

    @property
    def repo(self) -> Repo:
        if self.matched_repo is None:
            raise errors.not_found_error()
        return self.matched_repo

    @property
    def login(self) -> str:
        return self.token.login

    def int_parameter(self, name: str) -> int:
        return int(self.parameters[name])

    def json_object(self) -> dict[str, Any]:
        """The JSON object of the body; an empty body is an empty object."""
        if not self.request.body.strip():
            return {}
        value = self.json_body()
        if not isinstance(value, dict):
            raise errors.GitHubApiError(400, "Body should be a JSON object")
        return value

    def json_body(self) -> Any:
        try:
            return json.loads(self.request.body)
        except ValueError as error:
            raise errors.invalid_json() from error

    def require_permission(self, permission: str, level: str) -> None:
        """Refuse as GitHub does where the token does not reach that far."""
        repo, token = self.repo, self.token
        user = token.kind == "user"
        if not token.reaches(repo.full_name) or (user and repo.private and repo.role(token.login) == "none"):
            if repo.private:
                raise errors.not_found_error()
            if level == "write":
                raise self._not_accessible(permission, level)
            return
        if level == "read" and not repo.private:
            return
        if permission != "metadata" and not self._is_allowed(permission, level):
            raise self._not_accessible(permission, level)
        if user and level == "write" and permission != "issues" and not repo.has_role(token.login, "write"):
            raise errors.GitHubApiError(403, "Must have admin rights to Repository.")

    def _is_allowed(self, permission: str, level: str) -> bool:
        """Comments on a pull request may be written with the permission for either, issues or pull requests."""
        if self.token.allows(permission, level):
            return True
        return permission == "issues" and self._is_pull_request() and self.token.allows("pull_requests", level)

    def _is_pull_request(self) -> bool:
        number = self.parameters.get("number", "")
        if comment := self.parameters.get("comment"):
            found = self.repo.comments.get(int(comment))
            number = str(found.issue) if found else ""
        issue = self.repo.issues.get(int(number)) if number.isdecimal() else None
        return issue is not None and issue.pull is not None

    def _not_accessible(self, permission: str, level: str) -> errors.GitHubApiError:
        who = "integration" if self.token.kind == "app" else "personal access token"
        accepted = (("x-accepted-github-permissions", f"{permission}={level}"),)
        return errors.GitHubApiError(403, f"Resource not accessible by {who}", headers=accepted)

    def can_triage(self) -> bool:
        """Whether the asker may set labels and assignees; else GitHub drops them without a word."""
        if self.token.kind == "app":
            return self.token.allows("issues", "write") or self.token.allows("pull_requests", "write")
        return self.repo.has_role(self.login, "triage")

    def paginate(self, items: Sequence[T]) -> tuple[Sequence[T], tuple[tuple[str, str], ...]]:
        """One page of ``items``, with the ``Link`` header that leads to the others."""
        size = min(max(self._int_query("per_page", 30), 1), 100)
        page = max(self._int_query("page", 1), 1)
        last = max(1, -(-len(items) // size))
        links: list[str] = []
        if page > 1:
            links += [self._link(page - 1, "prev"), self._link(1, "first")]
        if page < last:
            links += [self._link(page + 1, "next"), self._link(last, "last")]
        headers = (("link", ", ".join(links)),) if links else ()
        return items[(page - 1) * size : page * size], headers

    def _int_query(self, name: str, default: int) -> int:
        text = self.request.first(name)
        return int(text) if text.isdecimal() else default

    def _link(self, page: int, relation: str) -> str:
        query = [(name, value) for name, values in self.request.query.items() for value in values if name != "page"]
        return f'<{self.base}{quote(self.path)}?{urlencode([*query, ("page", str(page))])}>; rel="{relation}"'

    def list_response(self, items: Sequence[T], shape: Callable[[T], Any]) -> Response:
        """A page as a plain JSON list."""
        some, headers = self.paginate(items)
        return Response.of([shape(item) for item in some], headers=headers)

    def counted_response(self, name: str, items: Sequence[T], shape: Callable[[T], Any]) -> Response:
        """A page as GitHub wraps it where it also counts."""
        some, headers = self.paginate(items)
        return Response.of({"total_count": len(items), name: [shape(item) for item in some]}, headers=headers)


Handler = Callable[[Call], Response]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    permission: str
    """``issues:write``; ``metadata:read`` for what every token may read; empty outside repositories."""
    content: bool
    handler: Handler


def route(
    table: list[Route], method: str, template: str, permission: str = "", *, content: bool = False
) -> Callable[[Handler], Handler]:
    """Decorator: put a handler into ``table``. Parameters: ``{name}``, ``{name:int}``, ``{name:path}``."""
    pieces: list[str] = []
    at = 0
    for match in _PARAMETER.finditer(template):
        pieces.append(re.escape(template[at : match.start()]))
        pieces.append(f"(?P<{match.group(1)}>{_KINDS[match.group(2) or '']})")
        at = match.end()
    pattern = re.compile("".join(pieces) + re.escape(template[at:]))

    def add(handler: Handler) -> Handler:
        table.append(Route(method, pattern, permission, content, handler))
        return handler

    return add
