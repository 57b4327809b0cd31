"""PagerDuty's REST API, to look at what is set up there and to set it up.

Reading and replacing are repeated with bounds; creating is repeated only where PagerDuty said that it did nothing
(429), since a second one may come of it otherwise: whoever creates looks first, and looks again after a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ServiceError
from .pagerduty import (
    configure_session,
    error_from_answer,
    import_pdpyras,
    pdpyras_errors,
    server_label,
    translate_pagerduty_error,
)
from .retry import RetryPolicy

Resource = Mapping[str, Any]
PAGE_SIZE = 100
MAX_PAGES = 100
"""PagerDuty shows at most the first 10,000 of anything."""
_HINTS = {
    400: "PagerDuty refused what was sent: the reason stands above.",
    401: "The token is wrong: PAGERDUTY_WRITE_TOKEN is a REST token of this account.",
    402: "The account's plan does not have this.",
    403: "The token may not do this: PAGERDUTY_WRITE_TOKEN needs a REST token that is not read-only.",
    404: "Is the address right (`pagerduty.region`, `pagerduty.api_url`)? Or something was deleted meanwhile.",
    429: "This is a rate limit; the same command goes on where it stopped.",
}
_RESUME_HINT = "The same command goes on where it stopped."


def _status_hint(status: int) -> str:
    if not status:
        return "Is the address right, and the network up?"
    return "PagerDuty has trouble (status.pagerduty.com)." if status >= 500 else "PagerDuty refused it."


class AdminClient:
    """One account, by one token."""

    def __init__(self, token: str, url: str, patience: RetryPolicy) -> None:
        self.url = url
        self._session = configure_session(import_pdpyras().APISession(token), url, patience)
        self._create_session = configure_session(import_pdpyras().APISession(token), url, patience)
        self._create_session.retry = {429: patience.max_retries}
        self._create_session.max_network_attempts = 0
        for session in (self._session, self._create_session):
            session.headers["Content-Type"] = "application/json"  # of every request, says PagerDuty's description

    def get(self, path: str, name: str, what: str, **params: Any) -> Resource:
        """The object ``name`` of the answer. ``what`` says in errors what was tried. Raises ServiceError."""
        return self._require_object(self._send(self._session, "get", path, what, params=params), name, what)

    def list_all(self, path: str, name: str, what: str, **params: Any) -> list[Resource]:
        """Every page of a list. Raises ServiceError."""
        found: list[Resource] = []
        for page in range(MAX_PAGES):
            asked = {**params, "limit": PAGE_SIZE, "offset": page * PAGE_SIZE}
            answer = self._parse_json(self._send(self._session, "get", path, what, params=asked), what)
            rows = answer.get(name)
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise self._malformed_answer(what)
            found += rows
            if not answer.get("more"):
                break
        return found

    def post(self, path: str, name: str, body: Resource, what: str) -> Resource:
        """Create; not repeated where it is uncertain what became of it. Raises ServiceError."""
        return self._require_object(self._send(self._create_session, "post", path, what, json={name: body}), name, what)

    def put(self, path: str, name: str, body: Resource, what: str) -> Resource:
        """Replace, which is safe to repeat. Raises ServiceError."""
        return self._require_object(self._send(self._session, "put", path, what, json={name: body}), name, what)

    def put_document(self, path: str, body: Resource, what: str) -> None:
        """The same where the body has no name around it. Raises ServiceError."""
        self._send(self._session, "put", path, what, json=body)

    def get_document(self, path: str, what: str) -> Resource:
        return self._parse_json(self._send(self._session, "get", path, what), what)

    def delete(self, path: str, what: str) -> None:
        """What is gone already is no failure. Raises ServiceError."""
        try:
            self._send(self._session, "delete", path, what)
        except ServiceError as error:
            if error.status != 404:
                raise

    def _send(self, session: Any, method: str, path: str, what: str, **given: Any) -> Any:
        try:
            answer = getattr(session, method)(path, **given)
        except pdpyras_errors() as error:
            raise self._with_hint(translate_pagerduty_error(error, what, self.url)) from error
        if not answer.ok:
            raise self._with_hint(error_from_answer(answer, what, self.url))
        return answer

    @staticmethod
    def _with_hint(error: ServiceError) -> ServiceError:
        error.hint = _HINTS.get(error.status) or f"{_status_hint(error.status)} {_RESUME_HINT}"
        return error

    def _parse_json(self, answer: Any, what: str) -> Resource:
        try:
            data = answer.json()
        except ValueError as error:
            raise self._malformed_answer(what) from error
        if not isinstance(data, dict):
            raise self._malformed_answer(what)
        return data

    def _require_object(self, answer: Any, name: str, what: str) -> Resource:
        found = self._parse_json(answer, what).get(name)
        if not isinstance(found, dict):
            raise self._malformed_answer(what)
        return found

    def _malformed_answer(self, what: str) -> ServiceError:
        text = f"could not {what}: the answer is not the JSON that PagerDuty sends"
        return ServiceError(text, uncertain=True, where=server_label(self.url), hint="A proxy may be in the way.")
