"""PagerDuty's errors (and those of pdpyras) in plain words: status, PagerDuty's own message, and what to do."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

from .failure import ServiceError, short

_DEPRECATED = r'The package "pdpyras" is deprecated'


@cache
def pdpyras_module() -> Any:
    """The module, without its one notice that a successor exists; every other warning stays."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_DEPRECATED, category=UserWarning)
        import pdpyras
    return pdpyras


def errors() -> tuple[type[Exception], ...]:
    """What a request through pdpyras can raise; it is imported on first use."""
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    pdpyras = pdpyras_module()
    return (pdpyras.PDClientError, RequestException, HTTPError, ValueError, TypeError, AttributeError)


def translate(error: Exception, what: str, url: str) -> ServiceError:
    """What pdpyras raised. ``what`` is the request in words, ``url`` the server's."""
    answer = getattr(error, "response", None)
    if answer is not None:
        return answered(answer, what, url)
    cause = error.__cause__ or error
    text = f"could not {what}: no usable answer ({type(cause).__name__})"
    hint = "PagerDuty is unreachable or slow; the next evaluation tries again."
    return ServiceError(text, uncertain=True, where=where(url), hint=hint)


def answered(answer: Any, what: str, url: str) -> ServiceError:
    """What was answered instead of what was asked for, by its status and PagerDuty's own words."""
    status = int(answer.status_code)
    said = _said(answer)
    if answer.ok:
        text = f"could not {what}: the answer is not the JSON that PagerDuty sends"
        return ServiceError(text, status=status, uncertain=True, where=where(url), hint="A proxy may be in the way.")
    text = f"could not {what}: {status}" + (f" {said}" if said else "")
    return ServiceError(text, status=status, uncertain=status >= 500, where=where(url), hint=_hint(status))


def _hint(status: int) -> str:
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


def _said(answer: Any) -> str:
    try:
        data = answer.json()
    except ValueError:
        return short(answer.text, 160)
    if not isinstance(data, Mapping):
        return short(data, 160)
    inner = data.get("error")
    found = inner if isinstance(inner, Mapping) else data
    errors = found.get("errors")
    parts = [str(found.get("message") or ""), *(map(str, errors) if isinstance(errors, list) else ())]
    return short("; ".join(part for part in parts if part))


def where(url: str) -> str:
    """How errors name the server."""
    return f"PagerDuty ({url})"
