"""The clients of PagerDuty's Events API and of its incidents, and its errors as messages that say what to do."""

from __future__ import annotations

import json
import logging
import math
import time
import warnings
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any
from urllib.parse import quote

from ..errors import ServiceError, UserError, shorten
from .http import RETRY_STATUSES, is_secure_url
from .retry import RetryPolicy

EVENTS_URL = "https://events.pagerduty.com"
API_URL = "https://api.pagerduty.com"
MAX_SUMMARY = 1024
MAX_DEDUP_KEY = 255
MAX_DETAILS_BYTES = 500_000
"""PagerDuty accepts an event of 512,000 bytes; its other fields have at most 12,000."""
_HINTS = {
    400: "PagerDuty refused what was sent: is the routing key one of an Events API v2 integration?",
    401: "The key or token is wrong, or may not do this.",
    403: "The key or token is wrong, or may not do this.",
    404: "Is the address right (the EU has its own hosts: `pagerduty.events_url`, `pagerduty.api_url`)?",
    429: "This is a rate limit (about 120 events a minute for one key); the next evaluation tries again.",
}
_DEPRECATED = r'The package "pdpyras" is deprecated'


@cache
def import_pdpyras() -> Any:
    """The module, without its one notice that a successor exists; every other warning stays."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_DEPRECATED, category=UserWarning)
        import pdpyras
    return pdpyras


def pdpyras_errors() -> tuple[type[Exception], ...]:
    """What a request through pdpyras can raise; it is imported on first use."""
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    pdpyras = import_pdpyras()
    return (pdpyras.PDClientError, RequestException, HTTPError, ValueError, TypeError, AttributeError)


def pagerduty_retry_policy(env: Mapping[str, str]) -> RetryPolicy:
    """At most 10 s a request; waits of 4, 8 and 16 s between them."""
    return RetryPolicy(max_attempts=4, initial_wait=2.0, max_wait=16.0, timeout=10.0).scale(env)


def pagerduty_events_url(env: Mapping[str, str], configured: str = "") -> str:
    """As configured, else PAGERDUTY_EVENTS_URL, else the US host (the EU has its own)."""
    return (configured or env.get("PAGERDUTY_EVENTS_URL") or EVENTS_URL).rstrip("/")


def pagerduty_api_url(env: Mapping[str, str], configured: str = "") -> str:
    """As configured, else PAGERDUTY_API_URL, else the US host (the EU has its own)."""
    return (configured or env.get("PAGERDUTY_API_URL") or API_URL).rstrip("/")


def configure_session(session: Any, url: str, retry: RetryPolicy) -> Any:
    """Bound ``session``: pdpyras' own defaults repeat a 429 for ever, and requests follows redirects with the key."""
    from .request_deadline import bound_session

    if not is_secure_url(url):
        raise UserError(f"{url!r} is not the https URL of PagerDuty", hint=f"It looks like {EVENTS_URL}.")
    session.url = url
    session.timeout = retry.timeout
    session.sleep_timer = retry.initial_wait * retry.wait_scale
    session.sleep_timer_base = 2
    session.max_network_attempts = min(retry.max_retries, 2)
    session.max_http_attempts = retry.max_retries
    session.retry = {429: retry.max_retries} | dict.fromkeys((500, 502, 503, 504), min(retry.max_retries, 2))
    session.log.setLevel(logging.CRITICAL)
    session.hooks["response"].append(partial(_check_answer, url, retry))
    bounded: Any = bound_session(session, retry.timeout)
    return bounded


def _check_answer(url: str, retry: RetryPolicy, answer: Any, **_: Any) -> None:
    """Every answer, before pdpyras sees it. Raises ServiceError for a redirect, which is never followed, and where the
    server names a wait that is too long; shorter ones are kept."""
    if 300 <= answer.status_code < 400:
        text = f"PagerDuty answered {answer.status_code} with another address, which is not followed"
        hint = "Is the address right (`pagerduty.events_url`, `pagerduty.api_url`)? A proxy may be in the way."
        raise ServiceError(text, status=answer.status_code, where=server_label(url), hint=hint)
    wait = str(answer.headers.get("Retry-After", ""))
    if answer.status_code not in RETRY_STATUSES or not wait.isdecimal():
        return
    if int(wait) > retry.max_wait:
        error = error_from_answer(answer, "finish the request", url)
        error.hint = f"PagerDuty says to wait {wait} s; the next evaluation tries again."
        raise error
    time.sleep(int(wait) * retry.wait_scale)


def send_request(session: Any, method: str, path: str, action: str, url: str, **arguments: Any) -> Any:
    """One request through a pdpyras session: the answer where it succeeded. Raises ServiceError."""
    try:
        answer = getattr(session, method)(path, **arguments)
    except pdpyras_errors() as error:
        raise translate_pagerduty_error(error, action, url) from error
    if not answer.ok:
        raise error_from_answer(answer, action, url)
    return answer


class EventsApi:
    """The Events API v2 for one integration key: alerts, and changes that are listed beside the incidents."""

    def __init__(self, routing_key: str, url: str, retry: RetryPolicy) -> None:
        if not routing_key:
            raise UserError("there is no PagerDuty routing key", hint='Set `pagerduty.routing_key` to "${NAME}".')
        pdpyras = import_pdpyras()
        self.url = url
        self._alerts = configure_session(pdpyras.EventsAPISession(routing_key), url, retry)
        self._changes = configure_session(pdpyras.ChangeEventsAPISession(routing_key), url, retry)

    def trigger(
        self,
        dedup_key: str,
        *,
        summary: str,
        source: str,
        severity: str,
        timestamp: float,
        component: str = "",
        group: str = "",
        klass: str = "",
        details: Mapping[str, Any] | None = None,
        links: Iterable[tuple[str, str]] = (),
        client_url: str = "",
    ) -> None:
        """Open an alert, or update the open one of ``dedup_key``. ``timestamp`` in seconds (UTC).

        Raises UserError for what PagerDuty would refuse, ServiceError where the request fails.
        """
        payload = {
            "summary": shorten(summary, MAX_SUMMARY) or "modelwatch",
            "source": shorten(source, MAX_SUMMARY) or "modelwatch",
            "severity": severity,
            "timestamp": _event_time(timestamp),
            "component": component,
            "group": group,
            "class": klass,
            "custom_details": _limit_details(details or {}),
        }
        event = {"payload": _without_empty(payload), "client_url": client_url, "links": _event_links(links)}
        self._send_event("trigger", dedup_key, client="modelwatch", **_without_empty(event))

    def resolve(self, dedup_key: str) -> None:
        """Resolve the alert of ``dedup_key``; PagerDuty drops this where none is open."""
        self._send_event("resolve", dedup_key)

    def acknowledge(self, dedup_key: str) -> None:
        """Acknowledge the incident of the alert of ``dedup_key``; PagerDuty drops this where none is open."""
        self._send_event("acknowledge", dedup_key)

    def _send_event(self, action: str, dedup_key: str, **event: Any) -> None:
        if not 0 < len(dedup_key) <= MAX_DEDUP_KEY:
            raise UserError(f"{dedup_key!r} is not a dedup_key", hint=f"It is text of 1 to {MAX_DEDUP_KEY} characters.")
        try:
            self._alerts.send_event(action, dedup_key=dedup_key, **event)
        except pdpyras_errors() as error:
            raise translate_pagerduty_error(error, f"{action} the alert", self.url) from error

    def submit_change(
        self,
        summary: str,
        *,
        source: str,
        timestamp: float,
        details: Mapping[str, Any] | None = None,
        links: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Report one change. ``timestamp`` in seconds (UTC); ``links`` as text and URL. Raises ServiceError."""
        try:
            self._changes.submit(
                shorten(summary, MAX_SUMMARY),
                source=shorten(source, MAX_SUMMARY),
                custom_details=_limit_details(details or {}),
                links=_event_links(links),
                timestamp=_event_time(timestamp),
            )
        except pdpyras_errors() as error:
            raise translate_pagerduty_error(error, "report the change", self.url) from error


class IncidentsApi:
    """The REST API, to read incidents; a read-only token is enough."""

    def __init__(self, token: str, url: str, retry: RetryPolicy) -> None:
        self.url = url
        self._session = configure_session(import_pdpyras().APISession(token), url, retry)

    def latest_incident(self, incident_key: str) -> dict[str, Any] | None:
        """The newest incident with this key, as PagerDuty describes it; ``None`` where there is none."""
        params = {
            "incident_key": incident_key,
            "date_range": "all",
            "statuses[]": ["triggered", "acknowledged", "resolved"],
            "sort_by": "created_at:desc",
            "limit": 1,
        }
        action = "look for the incident"
        rows = self._get("/incidents", "incidents", action, params=params)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise malformed_answer(action, self.url)
        return dict(rows[0]) if rows else None

    def alert_key(self, incident: str) -> str:
        """The deduplication key of the first alert of an incident; empty where it has none. Raises ServiceError."""
        rows = self._get(f"/incidents/{quote(incident, safe='')}/alerts", "alerts", f"read the alerts of {incident}")
        return next((str(row["alert_key"]) for row in rows if isinstance(row, dict) and row.get("alert_key")), "")

    def alert_severity(self, incident: str) -> str:
        """The severity of the first alert of an incident; empty where it has none. Raises ServiceError."""
        rows = self._get(f"/incidents/{quote(incident, safe='')}/alerts", "alerts", f"read the alerts of {incident}")
        return next((str(row["severity"]) for row in rows if isinstance(row, dict) and row.get("severity")), "")

    def user_email(self, user: str) -> str:
        """The email address of a user; empty where PagerDuty does not show it. Raises ServiceError."""
        row = self._get(f"/users/{quote(user, safe='')}", "user", f"read the user {user}")
        return str(row.get("email") or "") if isinstance(row, dict) else ""

    def _get(self, path: str, name: str, action: str, **arguments: Any) -> Any:
        answer = send_request(self._session, "get", path, action, self.url, **arguments)
        try:
            return answer.json()[name]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise malformed_answer(action, self.url) from error


def _event_time(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds")


def _event_links(links: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"href": href, "text": text} for text, href in links if href.startswith(("http://", "https://"))]


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _limit_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """``details`` as strict JSON; a note instead of them if they are larger than PagerDuty accepts."""
    strict: dict[str, Any] = _strict_json(details)
    size = len(json.dumps(strict).encode())
    if size <= MAX_DETAILS_BYTES:
        return strict
    return {"note": f"Details omitted: {size:,} bytes are more than the {MAX_DETAILS_BYTES:,} that an event may have."}


def _strict_json(value: Any) -> Any:
    """``value`` as strict JSON: NaN and infinities as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _strict_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict_json(item) for item in value]
    return value


def translate_pagerduty_error(error: Exception, action: str, url: str) -> ServiceError:
    """The ServiceError for what pdpyras raised; ``action`` says what was tried, ``url`` is the server's."""
    answer = getattr(error, "response", None)
    if answer is not None:
        return error_from_answer(answer, action, url)
    cause = error.__cause__ or error
    text = f"could not {action}: no usable answer ({type(cause).__name__})"
    hint = "PagerDuty is unreachable or slow; the next evaluation tries again."
    return ServiceError(text, uncertain=True, where=server_label(url), hint=hint)


def error_from_answer(answer: Any, action: str, url: str) -> ServiceError:
    """The ServiceError for an answer of another form than expected, with its status and PagerDuty's message."""
    status = int(answer.status_code)
    if answer.ok:
        return malformed_answer(action, url, status)
    text = f"could not {action}: {status} {_pagerduty_message(answer)}".rstrip()
    hint = _HINTS.get(status, "PagerDuty has trouble; the next evaluation tries again." if status >= 500 else "")
    return ServiceError(text, status=status, uncertain=status >= 500, where=server_label(url), hint=hint)


def malformed_answer(action: str, url: str, status: int = 0) -> ServiceError:
    text = f"could not {action}: the answer is not the JSON that PagerDuty sends"
    return ServiceError(text, status=status, uncertain=True, where=server_label(url), hint="A proxy may be in the way.")


def _pagerduty_message(answer: Any) -> str:
    try:
        data = answer.json()
    except (ValueError, RecursionError):
        return shorten(answer.text, 160)
    if not isinstance(data, Mapping):
        return shorten(data, 160)
    inner = data.get("error")
    body = inner if isinstance(inner, Mapping) else data
    errors = body.get("errors")
    parts = [str(body.get("message") or ""), *(map(str, errors) if isinstance(errors, list) else ())]
    return shorten("; ".join(part for part in parts if part))


def server_label(url: str) -> str:
    """How errors name the server."""
    return f"PagerDuty ({url})"
