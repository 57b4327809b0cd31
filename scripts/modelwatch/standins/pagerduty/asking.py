"""A request to the REST API: who asks, what for, which page of it; and how it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..http import Request, Response
from . import checked
from .records import Actor, Incident, RestToken
from .shapes import Shapes
from .state import PagerDutyState

T = TypeVar("T")
MAX_PAGE = 100
MAX_OFFSET = 10_000
NUMBER = "([^/]+)"
"""An id in a path."""


class Refusal(Exception):  # noqa: N818  (it is an answer more than an error)
    """An answer that is not a success, in the shape of PagerDuty's REST API."""

    def __init__(self, status: int, code: int, message: str, errors: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        error: dict[str, Any] = {"message": message, "code": code}
        self.body = {"error": error | ({"errors": list(errors)} if errors else {})}


def invalid(*problems: str) -> Refusal:
    return Refusal(400, 2001, "Invalid Input Provided", problems)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, authenticated."""

    state: PagerDutyState
    request: Request
    token: RestToken
    shapes: Shapes
    words: tuple[str, ...]
    """What the path's parameters were."""

    def incident(self) -> Incident:
        found = self.state.find(self.words[0])
        if found is None:
            raise Refusal(404, 2100, "Not Found")
        return found

    def requester(self) -> Actor:
        """In whose name a change is made; account tokens must say so."""
        self.may_write()
        if self.token.user:
            user = self.state.users[self.token.user]
        else:
            email = self.request.headers.get("from", "")
            if not email:
                raise invalid("From header is required and must be the email address of a valid user")
            found = self.state.user_by_email(email)
            if found is None:
                raise Refusal(400, 1008, "Requester User Not Found")
            user = found
        return Actor("user", user.id, user.name)

    def may_write(self) -> None:
        if self.token.read_only:
            raise Refusal(403, 2010, "Access Denied")

    def body(self) -> Any:
        try:
            return json.loads(self.request.body)
        except ValueError as error:
            raise invalid("Body is not valid JSON") from error

    def field(self, name: str) -> dict[str, Any]:
        """The object ``name`` of the body."""
        body = self.body()
        value = body.get(name) if isinstance(body, dict) else None
        if not isinstance(value, dict):
            raise invalid(f"{name} is required")
        return value

    def many(self, name: str) -> list[str]:
        """A list parameter, with or without the brackets that the client adds."""
        return [*self.request.query.get(f"{name}[]", []), *self.request.query.get(name, [])]

    def page(self, name: str, items: Sequence[T], shape: Callable[[T], Any]) -> Response:
        limit, offset = self._number("limit", 25), self._number("offset", 0)
        limit = min(limit, MAX_PAGE)
        if offset + limit > MAX_OFFSET:
            raise invalid(f"Offset plus limit must not be greater than {MAX_OFFSET}")
        some = items[offset : offset + limit]
        total = len(items) if self.request.first("total") == "true" else None
        about = {"limit": limit, "offset": offset, "total": total, "more": offset + limit < len(items)}
        return Response.of({name: [shape(item) for item in some], **about})

    def _number(self, name: str, default: int) -> int:
        text = self.request.first(name)
        if text and not text.isdecimal():
            raise invalid(f"{name} must be a number")
        return int(text) if text else default


def checked_body(ask: Ask, name: str, shape: checked.Fields) -> dict[str, Any]:
    """The object ``name`` of a write, checked."""
    ask.may_write()
    if ask.request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise Refusal(415, 2000, "Unsupported Media Type")
    value = ask.field(name)
    found = list(checked.problems(value, shape, name))
    if found:
        raise invalid(*found)
    return json.loads(json.dumps(value))  # type: ignore[no-any-return]


def at(rows: dict[str, Any], number: str) -> Any:
    if number not in rows:
        raise Refusal(404, 2100, "Not Found")
    return rows[number]
