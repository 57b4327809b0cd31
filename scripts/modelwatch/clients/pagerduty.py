"""PagerDuty through pdpyras: events with bounded retries and lengths, and incidents as REST shows them."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from ..errors import UserError
from .addresses import is_private
from .failure import ServiceError
from .pagerduty_errors import answered, errors, pdpyras_module, translate, where
from .patience import Patience

EVENTS_URL = "https://events.pagerduty.com"
API_URL = "https://api.pagerduty.com"
MAX_SUMMARY = 1024
MAX_DEDUP_KEY = 255
MAX_BYTES = 512_000
SEVERITIES = ("critical", "error", "warning", "info")


def pagerduty_patience(env: Mapping[str, str]) -> Patience:
    """At most 10 s a request; waits of 4, 8 and 16 s between them."""
    return Patience.from_env(env, tries=4, wait=2.0, longest=16.0, timeout=10.0)


def events_url_from(env: Mapping[str, str], configured: str = "") -> str:
    """As configured, else PAGERDUTY_EVENTS_URL, else the US host (the EU has its own)."""
    return (configured or env.get("PAGERDUTY_EVENTS_URL") or EVENTS_URL).rstrip("/")


def api_url_from(env: Mapping[str, str], configured: str = "") -> str:
    """As configured, else PAGERDUTY_API_URL, else the US host (the EU has its own)."""
    return (configured or env.get("PAGERDUTY_API_URL") or API_URL).rstrip("/")


def open_session(session: Any, url: str, patience: Patience) -> Any:
    """Bound ``session``: pdpyras' own defaults repeat a 429 for ever."""
    if not is_private(url):
        raise UserError(f"{url!r} is not the https URL of PagerDuty", hint=f"It looks like {EVENTS_URL}.")
    session.url = url
    session.timeout = patience.timeout
    session.sleep_timer = patience.wait * patience.scale
    session.sleep_timer_base = 2
    session.max_network_attempts = min(patience.retries, 2)
    session.max_http_attempts = patience.retries
    session.retry = {429: patience.retries} | dict.fromkeys((500, 502, 503, 504), min(patience.retries, 2))
    session.log.setLevel(logging.CRITICAL)
    return session


class Events:
    """The Events API v2 for one integration key."""

    def __init__(self, routing_key: str, url: str, patience: Patience) -> None:
        if not routing_key:
            raise UserError("there is no PagerDuty routing key", hint='Set `pagerduty.routing_key` to "${NAME}".')
        self.url = url
        self._session = open_session(pdpyras_module().EventsAPISession(routing_key), url, patience)

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
            "summary": bounded(summary, MAX_SUMMARY) or "modelwatch",
            "source": bounded(source, MAX_SUMMARY) or "modelwatch",
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
            payload["custom_details"] = _finite(details)
            _fit(sent)
        return self._send("trigger", dedup_key, sent)

    def resolve(self, dedup_key: str) -> str:
        """Resolve the alert of ``dedup_key``; PagerDuty drops this where none is open."""
        return self._send("resolve", dedup_key, {})

    def _send(self, action: str, dedup_key: str, sent: dict[str, Any]) -> str:
        if not isinstance(dedup_key, str) or not 0 < len(dedup_key) <= MAX_DEDUP_KEY:
            raise UserError(f"{dedup_key!r} is not a dedup_key", hint=f"It is text of 1 to {MAX_DEDUP_KEY} characters.")
        try:
            return str(self._session.send_event(action, dedup_key=dedup_key, **sent))
        except errors() as error:
            raise translate(error, f"{action} the alert", self.url) from error


class ChangeEvents:
    """Change events of the Events API v2, for one integration key: what was changed, beside the incidents."""

    def __init__(self, routing_key: str, url: str, patience: Patience) -> None:
        if not routing_key:
            raise UserError("there is no PagerDuty routing key", hint='Set `pagerduty.routing_key` to "${NAME}".')
        self.url = url
        self._session = open_session(pdpyras_module().ChangeEventsAPISession(routing_key), url, patience)

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
        payload = {"summary": bounded(summary, MAX_SUMMARY) or "modelwatch", "custom_details": _finite(details or {})}
        _fit({"payload": payload})
        shown = [{"href": href, "text": text} for text, href in links if href.startswith(("http://", "https://"))]
        try:
            self._session.submit(
                payload["summary"],
                source=bounded(source, MAX_SUMMARY),
                custom_details=payload["custom_details"],
                links=shown,
                timestamp=datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds"),
            )
        except errors() as error:
            raise translate(error, "tell of the change", self.url) from error


class Incidents:
    """The REST API, to see incidents (a read-only token is enough)."""

    def __init__(self, token: str, url: str, patience: Patience) -> None:
        self.url = url
        self._session = open_session(pdpyras_module().APISession(token), url, patience)

    def newest(self, incident_key: str) -> dict[str, Any] | None:
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
        except errors() as error:
            raise translate(error, what, self.url) from error
        if not answer.ok:
            raise answered(answer, what, self.url)
        try:
            rows = answer.json()["incidents"]
            return dict(rows[0]) if rows else None
        except (ValueError, TypeError, KeyError) as error:
            text = f"could not {what}: the answer is not the JSON that PagerDuty sends"
            raise ServiceError(text, where=where(self.url), hint="A proxy may be in the way.") from error

    def alert_key(self, incident: str) -> str:
        """The deduplication key of the first alert of an incident; empty where it has none. Raises ServiceError."""
        rows = self._rows(f"/incidents/{quote(incident, safe='')}/alerts", "alerts", f"read the alerts of {incident}")
        return next((str(row["alert_key"]) for row in rows if isinstance(row, dict) and row.get("alert_key")), "")

    def email(self, user: str) -> str:
        """The address of a user; empty where PagerDuty does not say. Raises ServiceError."""
        found = self._rows(f"/users/{quote(user, safe='')}", "user", f"read the user {user}")
        return str(found.get("email") or "") if isinstance(found, dict) else ""

    def _rows(self, path: str, name: str, what: str) -> Any:
        try:
            answer = self._session.get(path)
        except errors() as error:
            raise translate(error, what, self.url) from error
        if not answer.ok:
            raise answered(answer, what, self.url)
        try:
            return answer.json()[name]
        except (ValueError, TypeError, KeyError) as error:
            text = f"could not {what}: the answer is not the JSON that PagerDuty sends"
            raise ServiceError(text, where=where(self.url), hint="A proxy may be in the way.") from error


def bounded(text: str, limit: int) -> str:
    """``text`` cut to ``limit`` characters, with an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _fit(sent: dict[str, Any]) -> None:
    """Replace custom_details by a note where the whole would be larger than PagerDuty takes."""
    size = len(json.dumps(sent).encode()) + 100  # and the routing key, the dedup_key and the action
    if size > MAX_BYTES:
        note = f"The details are left out: {size:,} bytes are more than the {MAX_BYTES:,} that PagerDuty takes."
        sent["payload"]["custom_details"] = {"note": note}


def _finite(value: Any) -> Any:
    """``value`` as strict JSON: NaN and infinities in words."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
