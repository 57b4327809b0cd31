"""Plain HTTP: which addresses are safe for secrets, a JSON POST to a webhook, a sign of life to a monitor, and a small
page."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..errors import ServiceError
from .retry import RetryPolicy

_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
RETRY_STATUSES = frozenset({429, 500, 502, 503, 504})
MAX_PAGE_BYTES = 64 * 1024


def is_secure_url(url: str) -> bool:
    """Whether nobody on the way can read what is sent to ``url``: https, or http to the loopback interface."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # a port that is none is a ValueError
    except ValueError:
        return False
    if not host or parts.username is not None or any(char.isspace() for char in url):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK_HOSTS)


def monitor_retry_policy(env: Mapping[str, str]) -> RetryPolicy:
    """Two requests of at most 10 s, with 2 s between them."""
    return RetryPolicy(max_attempts=2, timeout=10.0).scale(env)


def post_json(url: str, body: bytes, retry: RetryPolicy) -> None:
    """POST ``body``; raises ServiceError where it was not accepted. No redirect is followed."""
    if not is_secure_url(url):
        raise ServiceError("the webhook's address is not https, so nothing was sent", hint="Use an https address.")
    if problem := _send("POST", url, body, retry, "application/json")[0]:
        raise ServiceError(f"the webhook at {urlsplit(url).hostname} was not notified: {problem}", uncertain=True)


def call_monitor(url: str, name: str, method: str, body: bytes, retry: RetryPolicy) -> None:
    """Call the monitor whose address the variable ``name`` holds, with ``body`` where ``method`` is POST. Raises
    ServiceError, which never shows the address: it is what lets anybody send a sign of life. No redirect is
    followed."""
    if not is_secure_url(url):
        hint = "Monitors give an address such as https://hc-ping.com/..., which is a secret."
        raise ServiceError(f"{name} holds no https address, so nothing was sent", hint=hint)
    problem, _ = _send(method, url, body if method == "POST" else None, retry, "text/plain; charset=utf-8")
    if problem:
        raise ServiceError(f"the monitor ({name}) was not called: {problem}", uncertain=True)


def get_page(url: str, retry: RetryPolicy) -> bytes:
    """The beginning of the page at ``url``. Raises ServiceError; no redirect is followed."""
    if not is_secure_url(url):
        raise ServiceError(f"{url} is no https address", hint="Use an https address.")
    problem, page = _send("GET", url, None, retry)
    if problem:
        raise ServiceError(f"{url} cannot be read: {problem}")
    return page


def _send(method: str, url: str, body: bytes | None, retry: RetryPolicy, kind: str = "") -> tuple[str, bytes]:
    """(what went wrong, the beginning of the answer) of the last attempt."""
    problem, retryable, answer = _send_once(method, url, body, retry.timeout, kind)
    for wait in retry.backoffs():
        if not retryable:
            break
        time.sleep(wait)
        problem, retryable, answer = _send_once(method, url, body, retry.timeout, kind)
    return problem, answer


def _send_once(method: str, url: str, body: bytes | None, timeout: float, kind: str) -> tuple[str, bool, bytes]:
    """What went wrong, whether to try again, and the beginning of the answer. An error's own text is left out: it can
    hold the secret address."""
    import requests

    from .request_deadline import bound_session

    headers = {"User-Agent": "modelwatch"} | ({"Content-Type": kind} if body is not None else {})
    # Only a body that is read here is bounded in time.
    options: Any = {"headers": headers, "timeout": timeout, "allow_redirects": False, "stream": method != "GET"}
    try:
        with (
            bound_session(requests.Session(), timeout) as session,
            session.request(method, url, data=body, **options) as answer,
        ):
            status = answer.status_code
            page = answer.content[:MAX_PAGE_BYTES] if method == "GET" else b""
    except requests.RequestException as error:
        return f"no answer ({type(error).__name__})", True, b""
    if 300 <= status < 400:
        return f"it answered {status} with another address, which is not followed", False, b""
    return ("", False, page) if 200 <= status < 300 else (f"it answered {status}", status in RETRY_STATUSES, b"")
