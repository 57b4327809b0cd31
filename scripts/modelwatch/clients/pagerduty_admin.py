"""PagerDuty's REST API, to look at what is set up there and to set it up.

Reading and replacing are repeated with bounds; creating is repeated only where PagerDuty said that it did nothing
(429), since a second one may come of it otherwise: whoever creates looks first, and looks again after a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .failure import ServiceError
from .pagerduty import open_session
from .pagerduty_errors import answered, errors, pdpyras_module, translate, where
from .patience import Patience

Row = Mapping[str, Any]
PAGE = 100
MOST_PAGES = 100
"""PagerDuty shows at most the first 10,000 of anything."""
_HINTS = {
    400: "PagerDuty refused what was sent: the reason stands above.",
    401: "The token is wrong: PAGERDUTY_WRITE_TOKEN is a REST token of this account.",
    402: "The account's plan does not have this.",
    403: "The token may not do this: PAGERDUTY_WRITE_TOKEN needs a REST token that is not read-only.",
    404: "Is the address right (`pagerduty.region`, `pagerduty.api_url`)? Or something was deleted meanwhile.",
    429: "This is a rate limit; the same command goes on where it stopped.",
}
_LATER = "The same command goes on where it stopped."


def _trouble(status: int) -> str:
    if not status:
        return "Is the address right, and the network up?"
    return "PagerDuty has trouble (status.pagerduty.com)." if status >= 500 else "PagerDuty refused it."


class Admin:
    """One account, by one token."""

    def __init__(self, token: str, url: str, patience: Patience) -> None:
        self.url = url
        self._session = open_session(pdpyras_module().APISession(token), url, patience)
        self._creating = open_session(pdpyras_module().APISession(token), url, patience)
        self._creating.retry = {429: patience.retries}
        self._creating.max_network_attempts = 0
        for session in (self._session, self._creating):
            session.headers["Content-Type"] = "application/json"  # of every request, says PagerDuty's description

    def get(self, path: str, name: str, what: str, **params: Any) -> Row:
        """The object ``name`` of the answer. ``what`` says in errors what was tried. Raises ServiceError."""
        return self._object(self._send(self._session, "get", path, what, params=params), name, what)

    def all(self, path: str, name: str, what: str, **params: Any) -> list[Row]:
        """Every page of a list. Raises ServiceError."""
        found: list[Row] = []
        for page in range(MOST_PAGES):
            asked = {**params, "limit": PAGE, "offset": page * PAGE}
            answer = self._json(self._send(self._session, "get", path, what, params=asked), what)
            rows = answer.get(name)
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise self._strange(what)
            found += rows
            if not answer.get("more"):
                break
        return found

    def post(self, path: str, name: str, body: Row, what: str) -> Row:
        """Create; not repeated where it is uncertain what became of it. Raises ServiceError."""
        return self._object(self._send(self._creating, "post", path, what, json={name: body}), name, what)

    def put(self, path: str, name: str, body: Row, what: str) -> Row:
        """Replace, which is safe to repeat. Raises ServiceError."""
        return self._object(self._send(self._session, "put", path, what, json={name: body}), name, what)

    def put_whole(self, path: str, body: Row, what: str) -> None:
        """The same where the body has no name around it. Raises ServiceError."""
        self._send(self._session, "put", path, what, json=body)

    def get_whole(self, path: str, what: str) -> Row:
        return self._json(self._send(self._session, "get", path, what), what)

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
        except errors() as error:
            raise self._told(translate(error, what, self.url)) from error
        if not answer.ok:
            raise self._told(answered(answer, what, self.url))
        return answer

    @staticmethod
    def _told(error: ServiceError) -> ServiceError:
        error.hint = _HINTS.get(error.status) or f"{_trouble(error.status)} {_LATER}"
        return error

    def _json(self, answer: Any, what: str) -> Row:
        try:
            data = answer.json()
        except ValueError as error:
            raise self._strange(what) from error
        if not isinstance(data, dict):
            raise self._strange(what)
        return data

    def _object(self, answer: Any, name: str, what: str) -> Row:
        found = self._json(answer, what).get(name)
        if not isinstance(found, dict):
            raise self._strange(what)
        return found

    def _strange(self, what: str) -> ServiceError:
        text = f"could not {what}: the answer is not the JSON that PagerDuty sends"
        return ServiceError(text, uncertain=True, where=where(self.url), hint="A proxy may be in the way.")
