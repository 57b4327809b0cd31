"""PagerDuty's errors (and those of pdpyras) in plain words: status, PagerDuty's own message, and what to do."""

from __future__ import annotations

import json
import logging
import math
import warnings
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote

from ..errors import ServiceError, UserError, shorten
from .http import is_secure_url
from .retry import RetryPolicy

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


def translate_pagerduty_error(error: Exception, action: str, url: str) -> ServiceError:
    """What pdpyras raised. ``what`` is the request in words, ``url`` the server's."""
    answer = getattr(error, "response", None)
    if answer is not None:
        return error_from_answer(answer, action, url)
    cause = error.__cause__ or error
    text = f"could not {action}: no usable answer ({type(cause).__name__})"
    hint = "PagerDuty is unreachable or slow; the next evaluation tries again."
    return ServiceError(text, uncertain=True, where=server_label(url), hint=hint)


def error_from_answer(answer: Any, action: str, url: str) -> ServiceError:
    """What was answered instead of what was asked for, by its status and PagerDuty's own words."""
    status = int(answer.status_code)
    said = _pagerduty_message(answer)
    if answer.ok:
        text = f"could not {action}: the answer is not the JSON that PagerDuty sends"
        return ServiceError(
            text, status=status, uncertain=True, where=server_label(url), hint="A proxy may be in the way."
        )
    text = f"could not {action}: {status}" + (f" {said}" if said else "")
    return ServiceError(
        text, status=status, uncertain=status >= 500, where=server_label(url), hint=_pagerduty_hint(status)
    )


def _pagerduty_hint(status: int) -> str:
    match status:
        case 400:
            return "PagerDuty refused what was sent: is the routing key one of an Events API v2 integration?"
        case 401 | 403:
            return "The key or token is wrong, or may not do this."
        case 404:
            return "Is the address right (the EU has its own hosts: `pagerduty.events_url`, `pagerduty.api_url`)?"
        case 429:
            return "This is a rate limit (about 120 events a minute for one key); the next evaluation tries again."
        case _ if status >= 500:
            return "PagerDuty has trouble; the next evaluation tries again."
        case _:
            return ""


def _pagerduty_message(answer: Any) -> str:
    try:
        data = answer.json()
    except ValueError:
        return shorten(answer.text, 160)
    if not isinstance(data, Mapping):
        return shorten(data, 160)
    inner = data.get("error")
    found = inner if isinstance(inner, Mapping) else data
    errors = found.get("errors")
    parts = [str(found.get("message") or ""), *(map(str, errors) if isinstance(errors, list) else ())]
    return shorten("; ".join(part for part in parts if part))


def server_label(url: str) -> str:
    """How errors name the server."""
    return f"PagerDuty ({url})"


EVENTS_URL = "https://events.pagerduty.com"
API_URL = "https://api.pagerduty.com"
MAX_SUMMARY = 1024
MAX_DEDUP_KEY = 255
MAX_EVENT_BYTES = 512_000
SEVERITIES = ("critical", "error", "warning", "info")


def pagerduty_retry_policy(env: Mapping[str, str]) -> RetryPolicy:
    """At most 10 s a request; waits of 4, 8 and 16 s between them."""
    return RetryPolicy.from_env(env, max_attempts=4, initial_wait=2.0, max_wait=16.0, timeout=10.0)


def pagerduty_events_url(env: Mapping[str, str], configured: str = "") -> str:
    """As configured, else PAGERDUTY_EVENTS_URL, else the US host (the EU has its own)."""
    return (configured or env.get("PAGERDUTY_EVENTS_URL") or EVENTS_URL).rstrip("/")


def pagerduty_api_url(env: Mapping[str, str], configured: str = "") -> str:
    """As configured, else PAGERDUTY_API_URL, else the US host (the EU has its own)."""
    return (configured or env.get("PAGERDUTY_API_URL") or API_URL).rstrip("/")


def configure_session(session: Any, url: str, retry: RetryPolicy) -> Any:
    """Bound ``session``: pdpyras' own defaults repeat a 429 for ever."""
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
    return session


class EventsApi:
    """The Events API v2 for one integration key."""

    def __init__(self, routing_key: str, url: str, patience: RetryPolicy) -> None:
        if not routing_key:
            raise UserError("there is no PagerDuty routing key", hint='Set `pagerduty.routing_key` to "${NAME}".')
        self.url = url
        self._session = configure_session(import_pdpyras().EventsAPISession(routing_key), url, patience)

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
        client: str = "modelwatch",
        client_url: str = "",
    ) -> str:
        """Open an alert, or update the open one of ``dedup_key``. ``timestamp`` in seconds (UTC). Gives the key back.

        Raises UserError for what PagerDuty would refuse, ServiceError where it cannot be told.
        """
        if severity not in SEVERITIES:
            raise UserError(f"{severity!r} is not one of PagerDuty's severities", hint=", ".join(SEVERITIES))
        payload: dict[str, Any] = {
            "summary": truncate(summary, MAX_SUMMARY) or "modelwatch",
            "source": truncate(source, MAX_SUMMARY) or "modelwatch",
            "severity": severity,
            "timestamp": datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds"),
        }
        payload |= {
            name: value for name, value in (("component", component), ("group", group), ("class", klass)) if value
        }
        sent: dict[str, Any] = {"payload": payload, "client": client}
        if client_url:
            sent["client_url"] = client_url
        if found := [{"href": href, "text": text} for text, href in links if href.startswith(("http://", "https://"))]:
            sent["links"] = found
        if details:
            payload["custom_details"] = _strict_json(details)
            _limit_details(sent)
        return self._send_event("trigger", dedup_key, sent)

    def resolve(self, dedup_key: str) -> str:
        """Resolve the alert of ``dedup_key``; PagerDuty drops this where none is open."""
        return self._send_event("resolve", dedup_key, {})

    def _send_event(self, action: str, dedup_key: str, sent: dict[str, Any]) -> str:
        if not isinstance(dedup_key, str) or not 0 < len(dedup_key) <= MAX_DEDUP_KEY:
            raise UserError(f"{dedup_key!r} is not a dedup_key", hint=f"It is text of 1 to {MAX_DEDUP_KEY} characters.")
        try:
            return str(self._session.send_event(action, dedup_key=dedup_key, **sent))
        except pdpyras_errors() as error:
            raise translate_pagerduty_error(error, f"{action} the alert", self.url) from error


class ChangeEventsApi:
    """Change events of the Events API v2, for one integration key: what was changed, beside the incidents."""

    def __init__(self, routing_key: str, url: str, patience: RetryPolicy) -> None:
        if not routing_key:
            raise UserError("there is no PagerDuty routing key", hint='Set `pagerduty.routing_key` to "${NAME}".')
        self.url = url
        self._session = configure_session(import_pdpyras().ChangeEventsAPISession(routing_key), url, patience)

    def submit(
        self,
        summary: str,
        *,
        source: str,
        timestamp: float,
        details: Mapping[str, Any] | None = None,
        links: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Tell of one change. ``timestamp`` in seconds (UTC); ``links`` as text and URL. Raises ServiceError."""
        payload = {
            "summary": truncate(summary, MAX_SUMMARY) or "modelwatch",
            "custom_details": _strict_json(details or {}),
        }
        _limit_details({"payload": payload})
        shown = [{"href": href, "text": text} for text, href in links if href.startswith(("http://", "https://"))]
        try:
            self._session.submit(
                payload["summary"],
                source=truncate(source, MAX_SUMMARY),
                custom_details=payload["custom_details"],
                links=shown,
                timestamp=datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds"),
            )
        except pdpyras_errors() as error:
            raise translate_pagerduty_error(error, "tell of the change", self.url) from error


class IncidentsApi:
    """The REST API, to see incidents (a read-only token is enough)."""

    def __init__(self, token: str, url: str, patience: RetryPolicy) -> None:
        self.url = url
        self._session = configure_session(import_pdpyras().APISession(token), url, patience)

    def latest_incident(self, incident_key: str) -> dict[str, Any] | None:
        """The newest incident with this key, as PagerDuty describes it; ``None`` where there is none."""
        params = {
            "incident_key": incident_key,
            "date_range": "all",
            "statuses[]": ["triggered", "acknowledged", "resolved"],
            "sort_by": "created_at:desc",
            "limit": 1,
        }
        what = "look for the incident"
        try:
            answer = self._session.get("/incidents", params=params)
        except pdpyras_errors() as error:
            raise translate_pagerduty_error(error, what, self.url) from error
        if not answer.ok:
            raise error_from_answer(answer, what, self.url)
        try:
            rows = answer.json()["incidents"]
            return dict(rows[0]) if rows else None
        except (ValueError, TypeError, KeyError) as error:
            text = f"could not {what}: the answer is not the JSON that PagerDuty sends"
            raise ServiceError(text, where=server_label(self.url), hint="A proxy may be in the way.") from error

    def alert_key(self, incident: str) -> str:
        """The deduplication key of the first alert of an incident; empty where it has none. Raises ServiceError."""
        rows = self._get(f"/incidents/{quote(incident, safe='')}/alerts", "alerts", f"read the alerts of {incident}")
        return next((str(row["alert_key"]) for row in rows if isinstance(row, dict) and row.get("alert_key")), "")

    def user_email(self, user: str) -> str:
        """The address of a user; empty where PagerDuty does not say. Raises ServiceError."""
        found = self._get(f"/users/{quote(user, safe='')}", "user", f"read the user {user}")
        return str(found.get("email") or "") if isinstance(found, dict) else ""

    def _get(self, path: str, name: str, what: str) -> Any:
        try:
            answer = self._session.get(path)
        except pdpyras_errors() as error:
            raise translate_pagerduty_error(error, what, self.url) from error
        if not answer.ok:
            raise error_from_answer(answer, what, self.url)
        try:
            return answer.json()[name]
        except (ValueError, TypeError, KeyError) as error:
            text = f"could not {what}: the answer is not the JSON that PagerDuty sends"
            raise ServiceError(text, where=server_label(self.url), hint="A proxy may be in the way.") from error


def truncate(text: str, limit: int) -> str:
    """``text`` cut to ``limit`` characters, with an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _limit_details(sent: dict[str, Any]) -> None:
    """Replace custom_details by a note where the whole would be larger than PagerDuty takes."""
    size = len(json.dumps(sent).encode()) + 100  # and the routing key, the dedup_key and the action
    if size > MAX_EVENT_BYTES:
        note = f"The details are left out: {size:,} bytes are more than the {MAX_EVENT_BYTES:,} that PagerDuty takes."
        sent["payload"]["custom_details"] = {"note": note}


def _strict_json(value: Any) -> Any:
    """``value`` as strict JSON: NaN and infinities in words."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _strict_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict_json(item) for item in value]
    return value
