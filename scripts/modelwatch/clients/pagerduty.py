"""The clients of PagerDuty's Events API and of its incidents, and its errors as messages that say what to do."""

from __future__ import annotations

import json
import logging
import math
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote

from ..errors import ServiceError, UserError, shorten
from .http import RETRY_STATUSES, is_secure_url
from .retry import CircuitBreaker, RetryPolicy, timeout_scale

EVENTS_URL = "https://events.pagerduty.com"
API_URL = "https://api.pagerduty.com"
OPEN_STATUSES = ("triggered", "acknowledged")
"""Of an incident that is not resolved."""
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
_NEXT_HINT = "The next evaluation tries again."
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
    return (pdpyras.PDClientError, RequestException, HTTPError, ValueError, TypeError, AttributeError, RecursionError)


def pagerduty_retry_policy(env: Mapping[str, str], call_timeout: float = 40.0) -> RetryPolicy:
    """Four requests of at most 10 s with waits of 4, 8 and 16 s between them, and ``call_timeout`` seconds in all."""
    policy = RetryPolicy(max_attempts=4, initial_wait=4.0, max_wait=16.0, timeout=10.0, call_timeout=call_timeout)
    return policy.scale(env)


def incidents_retry_policy(env: Mapping[str, str]) -> RetryPolicy:
    """The bounds of reading: pages wait for it, and are sent without it."""
    return pagerduty_retry_policy(env, call_timeout=25.0)


def events_breaker(env: Mapping[str, str]) -> CircuitBreaker:
    """For one Events API in one run, which it can delay by at most 100 s: 60 s that were lost, and one more call. Ten
    pages, the most of a run, get through even if each takes the 10 s that a request may take."""
    return CircuitBreaker(60.0 * timeout_scale(env))


def incidents_breaker(env: Mapping[str, str]) -> CircuitBreaker:
    """For one REST API in one run, which can delay pages by at most 55 s: 30 s that were lost, and one more call."""
    return CircuitBreaker(30.0 * timeout_scale(env))


def pagerduty_events_url(env: Mapping[str, str], configured: str = "") -> str:
    """As configured, else PAGERDUTY_EVENTS_URL, else the US host (the EU has its own)."""
    return (configured or env.get("PAGERDUTY_EVENTS_URL") or EVENTS_URL).rstrip("/")


def pagerduty_api_url(env: Mapping[str, str], configured: str = "") -> str:
    """As configured, else PAGERDUTY_API_URL, else the US host (the EU has its own)."""
    return (configured or env.get("PAGERDUTY_API_URL") or API_URL).rstrip("/")


class _AnswerError(Exception):
    """An answer other than success, raised before pdpyras sees it: that would repeat a 429 for ever."""

    def __init__(self, response: Any) -> None:
        super().__init__(response.status_code)
        self.response = response


def _require_success(answer: Any, **_: Any) -> None:
    if not 200 <= answer.status_code < 300:
        raise _AnswerError(answer)


@dataclass(frozen=True, slots=True)
class EventImage:
    """A picture on an incident, which PagerDuty fetches from ``src`` when somebody looks at it (Events API v2)."""

    src: str
    href: str = ""
    alt: str = ""


class PagerDutySession:
    """A session of pdpyras whose calls end in time, follow no redirect, and are repeated where that can help."""

    def __init__(self, session: Any, url: str, retry: RetryPolicy, breaker: CircuitBreaker | None = None) -> None:
        from .request_deadline import bound_session

        if not is_secure_url(url):
            raise UserError(f"{url!r} is not the https URL of PagerDuty", hint=f"It looks like {EVENTS_URL}.")
        session.url = url
        session.timeout = retry.timeout
        session.retry = {}
        session.max_network_attempts = 0
        session.log.setLevel(logging.CRITICAL)
        session.hooks["response"].append(_require_success)
        self._session: Any = bound_session(session, retry.timeout)
        self._url = url
        self._retry = retry
        self._breaker = breaker or CircuitBreaker(math.inf)

    def call(self, action: str, send: Callable[[Any], Any], *, can_wait: bool = False, repeatable: bool = True) -> Any:
        """What ``send`` returns for the session of pdpyras. Raises ServiceError.

        ``can_wait``: not made when PagerDuty has cost a part of its time, so that the rest is left to pages. What is
        not ``repeatable`` is repeated only if it certainly had no effect.
        """
        reason = self._breaker.refusal(action)
        if not reason and can_wait and self._breaker.is_slow:
            reason = "it is slow, and only pages are still sent"
        if reason:
            raise ServiceError(f"could not {action}: {reason}", where=server_label(self._url), hint=_NEXT_HINT)
        until = time.monotonic() + self._retry.call_timeout
        failures: tuple[type[Exception], ...] = (_AnswerError, *pdpyras_errors())
        with self._breaker.measure():
            for wait in (*self._retry.backoffs(), None):
                try:
                    return send(self._session)
                except failures as error:
                    failure, cause = translate_pagerduty_error(error, action, self._url), error
                seconds = self._wait_after(cause, failure, wait)
                if seconds is None or (failure.uncertain and not repeatable):
                    break
                if time.monotonic() + seconds + self._retry.timeout > until:
                    break
                time.sleep(seconds)
        raise failure from cause

    def _wait_after(self, error: Exception, failure: ServiceError, wait: float | None) -> float | None:
        """Seconds before the call is made again, at least ``wait``; ``None`` where that would not help."""
        answer = getattr(error, "response", None)
        unanswered = answer is None and isinstance(error, import_pdpyras().PDClientError)
        if not (unanswered or failure.status in RETRY_STATUSES):
            return None
        named = "" if answer is None else str(answer.headers.get("Retry-After", ""))
        seconds = int(named[:6]) if named.isdecimal() else 0
        if seconds:
            failure.hint = f"PagerDuty says to wait {seconds} s; the next evaluation tries again."
        if wait is None or seconds > self._retry.max_wait:
            return None
        return max(wait, seconds * self._retry.wait_scale)

    def request(self, method: str, path: str, action: str, *, repeatable: bool = True, **arguments: Any) -> Any:
        """The answer to one request. Raises ServiceError."""
        return self.call(action, lambda session: getattr(session, method)(path, **arguments), repeatable=repeatable)


class EventsApi:
    """The Events API v2 for one integration key: alerts, and changes that are listed beside the incidents."""

    def __init__(self, routing_key: str, url: str, retry: RetryPolicy, breaker: CircuitBreaker | None = None) -> None:
        if not routing_key:
            raise UserError("there is no PagerDuty routing key", hint='Set `pagerduty.routing_key` to "${NAME}".')
        pdpyras = import_pdpyras()
        self._alerts = PagerDutySession(pdpyras.EventsAPISession(routing_key), url, retry, breaker)
        self._changes = PagerDutySession(pdpyras.ChangeEventsAPISession(routing_key), url, retry, breaker)

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
        images: Iterable[EventImage] = (),
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
        event = {
            "payload": _without_empty(payload),
            "client_url": client_url,
            "links": _event_links(links),
            "images": _event_images(images),
        }
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
        self._alerts.call(
            f"{action} the alert",
            lambda session: session.send_event(action, dedup_key=dedup_key, **event),
            can_wait=action != "trigger",
        )

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
        change = {
            "source": shorten(source, MAX_SUMMARY),
            "custom_details": _limit_details(details or {}),
            "links": _event_links(links),
            "timestamp": _event_time(timestamp),
        }
        self._changes.call(
            "report the change", lambda session: session.submit(shorten(summary, MAX_SUMMARY), **change), can_wait=True
        )


class IncidentsApi:
    """The REST API, to read incidents; a read-only token is enough."""

    def __init__(self, token: str, url: str, retry: RetryPolicy, breaker: CircuitBreaker | None = None) -> None:
        self.url = url
        self._session = PagerDutySession(import_pdpyras().APISession(token), url, retry, breaker)

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
        rows = self._list("/incidents", "incidents", action, params=params)
        return dict(rows[0]) if rows else None

    def alert_key(self, incident: str) -> str:
        """The deduplication key of the first alert of an incident; empty where it has none. Raises ServiceError."""
        return self._first_alert(incident, "alert_key")

    def alert_severity(self, incident: str) -> str:
        """The severity of the first alert of an incident; empty where it has none. Raises ServiceError."""
        return self._first_alert(incident, "severity")

    def open_incidents(self, service: str) -> list[dict[str, Any]]:
        """The open incidents of the service with this id, at most 100. Raises ServiceError."""
        params = {"service_ids[]": [service], "date_range": "all", "statuses[]": list(OPEN_STATUSES), "limit": 100}
        return self._list("/incidents", "incidents", "list the open incidents", params=params)

    def notification_times(self, incident: str) -> list[str]:
        """When people were notified of an incident (ISO 8601), newest first. Raises ServiceError."""
        path = f"/incidents/{quote(incident, safe='')}/log_entries"
        rows = self._list(path, "log_entries", f"read the log of {incident}", params={"limit": 100})
        return [str(row.get("created_at") or "") for row in rows if row.get("type") == "notify_log_entry"]

    def user_email(self, user: str) -> str:
        """The email address of a user; empty where PagerDuty does not show it. Raises ServiceError."""
        row = self._get(f"/users/{quote(user, safe='')}", "user", f"read the user {user}")
        return str(row.get("email") or "") if isinstance(row, dict) else ""

    def _first_alert(self, incident: str, field: str) -> str:
        rows = self._list(f"/incidents/{quote(incident, safe='')}/alerts", "alerts", f"read the alerts of {incident}")
        return next((str(row[field]) for row in rows if row.get(field)), "")

    def _list(self, path: str, name: str, action: str, **arguments: Any) -> list[dict[str, Any]]:
        rows = self._get(path, name, action, **arguments)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise malformed_answer(action, self.url)
        return rows

    def _get(self, path: str, name: str, action: str, **arguments: Any) -> Any:
        answer = self._session.request("get", path, action, **arguments)
        try:
            return answer.json()[name]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise malformed_answer(action, self.url) from error


def _event_time(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds")


def _event_links(links: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"href": href, "text": text} for text, href in links if href.startswith(("http://", "https://"))]


def _event_images(images: Iterable[EventImage]) -> list[dict[str, str]]:
    """Those that PagerDuty takes: it refuses an event with an image that is not served over https."""
    return [
        _without_empty({"src": image.src, "href": image.href, "alt": image.alt})
        for image in images
        if image.src.startswith("https://")
    ]


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
    if 300 <= status < 400:
        text = f"could not {action}: PagerDuty answered {status} with another address, which is not followed"
        hint = "Is the address right (`pagerduty.events_url`, `pagerduty.api_url`)? A proxy may be in the way."
        return ServiceError(text, status=status, where=server_label(url), hint=hint)
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
