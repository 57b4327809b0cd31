"""What goes in and out of a stand-in: requests, answers, and the record of both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class BadRequest(Exception):  # noqa: N818  (it is an answer more than an error)
    """The request cannot be understood; answered with 400."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``path`` is decoded and without its query, header names are lower-case."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's JSON; BadRequest where it is none."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise BadRequest(f"Problems parsing JSON: {error}") from error

    def first(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return self.query.get(name, [default])[0]


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, obj: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
        """Strict JSON: a NaN is a ValueError here, not a surprise at the client."""
        body = json.dumps(obj, allow_nan=False, separators=(",", ":")).encode()
        return cls(status, body, (("content-type", "application/json; charset=utf-8"), *headers))


class StandIn(Protocol):
    """A service; it may also have ``snapshot()`` (its state as JSON) and ``reset()`` for control requests."""

    name: str

    def handle(self, request: Request) -> Response:
        """Answer; called from many threads at once, so a stand-in locks its own state."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request that came in; ``status`` is 0 where no answer was sent. ``number`` counts arrivals from 1."""

    number: int
    at: float
    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    status: int

    def json(self) -> Any:
        return json.loads(self.body)


def recorded_json(recorded: RecordedRequest) -> dict[str, Any]:
    """A recorded request as JSON, without credentials."""
    hidden = ("authorization", "x-api-key", "cookie")
    return {
        "number": recorded.number,
        "at": recorded.at,
        "method": recorded.method,
        "path": recorded.path,
        "query": recorded.query,
        "headers": {name: "***" if name in hidden else value for name, value in recorded.headers.items()},
        "body": recorded.body.decode(errors="replace"),
        "status": recorded.status,
    }
