"""A request to the REST API: who asks, what for, which page of it; and how it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..http import Request, Response
from . import validation
from .records import Actor, Incident, RestToken
from .rest_json import Serializer
from .state import PagerDutyState

T = TypeVar("T")
MAX_PAGE = 100
MAX_OFFSET = 10_000
ID_PATTERN = "([^/]+)"
"""An id in a path."""


class PagerDutyApiError(Exception):
    """An answer that is not a success, in the shape of PagerDuty's REST API."""

    def __init__(self, status: int, code: int, message: str, errors: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        error: dict[str, Any] = {"message": message, "code": code}
        self.body = {"error": error | ({"errors": list(errors)} if errors else {})}


def invalid_input(*problems: str) -> PagerDutyApiError:
    return PagerDutyApiError(400, 2001, "Invalid Input Provided", problems)


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request, authenticated."""

    state: PagerDutyState
    request: Request
    token: RestToken
    serializer: Serializer
    path_parameters: tuple[str, ...]
    """What the path's parameters were."""

    def find_incident(self) -> Incident:
        found = self.state.find_incident(self.path_parameters[0])
        if found is None:
            raise PagerDutyApiError(404, 2100, "Not Found")
        return found

    def requester(self) -> Actor:
        """In whose name a change is made; account tokens must say so."""
        self.require_write()
        if self.token.user:
            user = self.state.users[self.token.user]
        else:
            email = self.request.headers.get("from", "")
            if not email:
                raise invalid_input("From header is required and must be the email address of a valid user")
            found = self.state.user_by_email(email)
            if found is None:
                raise PagerDutyApiError(400, 1008, "Requester User Not Found")
            user = found
        return Actor("user", user.id, user.name)

    def require_write(self) -> None:
        if self.token.read_only:
            raise PagerDutyApiError(403, 2010, "Access Denied")

    def json_body(self) -> Any:
        try:
            return json.loads(self.request.body)
        except ValueError as error:
            raise invalid_input("Body is not valid JSON") from error

    def body_object(self, name: str) -> dict[str, Any]:
        """The object ``name`` of the body."""
        body = self.json_body()
        value = body.get(name) if isinstance(body, dict) else None
        if not isinstance(value, dict):
            raise invalid_input(f"{name} is required")
        return value

    def list_parameter(self, name: str) -> list[str]:
        """A list parameter, with or without the brackets that the client adds."""
        return [*self.request.query.get(f"{name}[]", []), *self.request.query.get(name, [])]

    def page_response(self, name: str, items: Sequence[T], shape: Callable[[T], Any]) -> Response:
        limit, offset = self._int_parameter("limit", 25), self._int_parameter("offset", 0)
        limit = min(limit, MAX_PAGE)
        if offset + limit > MAX_OFFSET:
            raise invalid_input(f"Offset plus limit must not be greater than {MAX_OFFSET}")
        some = items[offset : offset + limit]
        total = len(items) if self.request.first("total") == "true" else None
        about = {"limit": limit, "offset": offset, "total": total, "more": offset + limit < len(items)}
        return Response.of({name: [shape(item) for item in some], **about})

    def _int_parameter(self, name: str, default: int) -> int:
        text = self.request.first(name)
        if text and not text.isdecimal():
            raise invalid_input(f"{name} must be a number")
        return int(text) if text else default


def validated_body(ask: RequestContext, name: str, shape: validation.ObjectSchema) -> dict[str, Any]:
    """The object ``name`` of a write, checked."""
    ask.require_write()
    if ask.request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise PagerDutyApiError(415, 2000, "Unsupported Media Type")
    value = ask.body_object(name)
    found = list(validation.find_problems(value, shape, name))
    if found:
        raise invalid_input(*found)
    return json.loads(json.dumps(value))  # type: ignore[no-any-return]


def get_or_404(rows: dict[str, Any], number: str) -> Any:
    if number not in rows:
        raise PagerDutyApiError(404, 2100, "Not Found")
    return rows[number]
