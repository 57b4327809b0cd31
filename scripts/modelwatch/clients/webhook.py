"""A webhook of the user's: one JSON body, sent with bounded patience. Its address is a secret and is never shown."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from .addresses import is_secure_url
from .failure import ServiceError
from .patience import RetryPolicy

_RETRY_STATUSES = frozenset({429, 500, 502, 503, 504})


def post_json(url: str, body: bytes, retry: RetryPolicy) -> None:
    """POST ``body``; raises ServiceError where it was not taken. No redirect is followed."""
    parts = urlsplit(url)
    if not is_secure_url(url):
        raise ServiceError("the webhook's address is not https, and nothing was sent", hint="Only https is used.")
    trouble = ""
    for number in range(retry.max_attempts):
        if number:
            time.sleep(retry.backoff(number - 1))
        trouble, again = _post_once(url, body, retry.timeout)
        if not trouble:
            return
        if not again:
            break
    raise ServiceError(f"the webhook at {parts.hostname} was not told: {trouble}", uncertain=True)


def _post_once(url: str, body: bytes, timeout: float) -> tuple[str, bool]:
    """What went wrong, and whether to try again. Nothing of an error's own text, which may hold the address."""
    import requests

    headers = {"Content-Type": "application/json", "User-Agent": "modelwatch"}
    try:
        answer = requests.post(url, data=body, headers=headers, timeout=timeout, allow_redirects=False, stream=True)
    except requests.RequestException as error:
        return f"no answer ({type(error).__name__})", True
    with answer:
        status = answer.status_code
    return ("", False) if 200 <= status < 300 else (f"it answered {status}", status in _RETRY_STATUSES)
