"""Plain HTTP: which addresses are safe for secrets, and a JSON POST to a webhook."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from ..errors import ServiceError
from .retry import RetryPolicy

_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
RETRY_STATUSES = frozenset({429, 500, 502, 503, 504})


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


def post_json(url: str, body: bytes, retry: RetryPolicy) -> None:
    """POST ``body``; raises ServiceError where it was not accepted. No redirect is followed."""
    if not is_secure_url(url):
        raise ServiceError("the webhook's address is not https, so nothing was sent", hint="Use an https address.")
    problem, retryable = _post_once(url, body, retry.timeout)
    for wait in retry.backoffs():
        if not retryable:
            break
        time.sleep(wait)
        problem, retryable = _post_once(url, body, retry.timeout)
    if problem:
        raise ServiceError(f"the webhook at {urlsplit(url).hostname} was not notified: {problem}", uncertain=True)


def _post_once(url: str, body: bytes, timeout: float) -> tuple[str, bool]:
    """What went wrong, and whether to try again. An error's own text is left out: it can hold the secret address."""
    import requests

    from .request_deadline import bound_session

    headers = {"Content-Type": "application/json", "User-Agent": "modelwatch"}
    try:
        with (
            bound_session(requests.Session(), timeout) as session,
            session.post(url, body, headers=headers, timeout=timeout, allow_redirects=False, stream=True) as answer,
        ):
            status = answer.status_code
    except requests.RequestException as error:
        return f"no answer ({type(error).__name__})", True
    return ("", False) if 200 <= status < 300 else (f"it answered {status}", status in RETRY_STATUSES)
