"""The client of PagerDuty's REST API for services, policies, rules and webhooks.

Reading and replacing are repeated with bounds. Creating is repeated only after a 429, since any other failure could
leave a second object: callers look first, and look again after a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ServiceError
from .pagerduty import PagerDutySession, import_pdpyras, malformed_answer
from .retry import RetryPolicy

Resource = Mapping[str, Any]
PAGE_SIZE = 100
MAX_PAGES = 100
"""PagerDuty lists at most the first 10,000 of anything."""
_RESUME_HINT = "The same command continues where it stopped."
_HINTS = {
    0: f"Is the address right, and the network up? {_RESUME_HINT}",
    400: "PagerDuty refused the request for the reason above.",
    401: "The token is wrong: PAGERDUTY_WRITE_TOKEN is a REST token of this account.",
    402: "The account's plan does not have this.",
    403: "The token may not do this: PAGERDUTY_WRITE_TOKEN needs a REST token that is not read-only.",
    404: "Is the address right (`pagerduty.region`, `pagerduty.api_url`)? Or was something deleted meanwhile?",
    429: "This is a rate limit; the same command continues where it stopped.",
}


class AdminClient:
    """One account, by one token."""

    def __init__(self, token: str, url: str, retry: RetryPolicy) -> None:
        self.url = url
        session = import_pdpyras().APISession(token)
        session.headers["Content-Type"] = "application/json"  # of every request, says PagerDuty's description
        self._session = PagerDutySession(session, url, retry)

    def get(self, path: str, name: str, action: str, **params: Any) -> Resource:
        """The object ``name`` of the answer. ``action`` says in errors what was tried. Raises ServiceError."""
        return self._read_object(self._send("get", path, action, params=params), action, name)

    def list_all(self, path: str, name: str, action: str, **params: Any) -> list[Resource]:
        """Every page of a list. Raises ServiceError."""
        resources: list[Resource] = []
        for page in range(MAX_PAGES):
            query = {**params, "limit": PAGE_SIZE, "offset": page * PAGE_SIZE}
            answer = self._read_object(self._send("get", path, action, params=query), action)
            rows = answer.get(name)
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise malformed_answer(action, self.url)
            resources += rows
            if not answer.get("more"):
                break
        return resources

    def post(self, path: str, name: str, body: Resource, action: str) -> Resource:
        """Create; not repeated where the outcome is uncertain. Raises ServiceError."""
        answer = self._send("post", path, action, json={name: body}, repeatable=False)
        return self._read_object(answer, action, name)

    def put(self, path: str, name: str, body: Resource, action: str) -> Resource:
        """Replace, which is safe to repeat. Raises ServiceError."""
        return self._read_object(self._send("put", path, action, json={name: body}), action, name)

    def put_document(self, path: str, body: Resource, action: str) -> None:
        """Replace, where the body has no name around it. Raises ServiceError."""
        self._send("put", path, action, json=body)

    def get_document(self, path: str, action: str) -> Resource:
        return self._read_object(self._send("get", path, action), action)

    def delete(self, path: str, action: str) -> None:
        """Delete; an object that is gone already is no failure. Raises ServiceError."""
        try:
            self._send("delete", path, action)
        except ServiceError as error:
            if error.status != 404:
                raise

    def _send(self, method: str, path: str, action: str, **arguments: Any) -> Any:
        try:
            return self._session.request(method, path, action, **arguments)
        except ServiceError as error:
            reason = "PagerDuty has trouble (status.pagerduty.com)." if error.status >= 500 else "PagerDuty refused it."
            error.hint = _HINTS.get(error.status, f"{reason} {_RESUME_HINT}")
            raise

    def _read_object(self, answer: Any, action: str, name: str = "") -> Resource:
        """The object that is the answer, or ``name`` in it."""
        try:
            data = answer.json()
            resource = data[name] if name else data
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise malformed_answer(action, self.url) from error
        if not isinstance(resource, dict):
            raise malformed_answer(action, self.url)
        return resource
