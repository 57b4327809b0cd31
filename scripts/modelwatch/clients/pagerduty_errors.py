"""PagerDuty's errors (and those of pdpyras) in plain words: status, PagerDuty's own message, and what to do."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

from .failure import ServiceError, shorten

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
