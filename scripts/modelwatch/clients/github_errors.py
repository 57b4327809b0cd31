"""GitHub's errors (and PyGithub's odd ones) in plain words: status, GitHub's own message, and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .failure import ServiceError, shorten

_RATE_WORDS = ("rate limit", "abuse detection", "submitted too quickly")


def translate_github_error(error: Exception, action: str, permission: str, api_url: str) -> ServiceError:
    """The :class:`ServiceError` for anything that a request through PyGithub can raise.

    ``what`` is the request in words (``list the issues of acme/churn``), ``needs`` the permission it takes.
    """
    from github import GithubException
    from requests.exceptions import ConnectionError as NoConnection
    from requests.exceptions import RequestException, Timeout

    where = f"GitHub ({api_url})"
    if isinstance(error, GithubException):
        return _error_from_github_answer(error.status, error.data, error.headers or {}, action, permission, where)
    if isinstance(error, Timeout) or _is_timeout(error):
        text = f"could not {action}: no answer in time"
        return ServiceError(text, uncertain=True, hint="GitHub is slow or unreachable; try again later.", where=where)
    if isinstance(error, NoConnection):
        text = f"could not {action}: the connection failed ({shorten(_root_cause_text(error), 160)})"
        return ServiceError(text, uncertain=True, hint="Is the address right, and the network up?", where=where)
    if isinstance(error, RequestException):
        return ServiceError(f"could not {action}: {shorten(error, 200)}", uncertain=True, where=where)
    if isinstance(error, AssertionError):
        text = f"could not {action}: the answer points to another host or port ({shorten(error, 100)})"
        return ServiceError(text, hint="Set `github.api_url` to the address that GitHub itself uses.", where=where)
    if isinstance(error, RuntimeError):
        return ServiceError(f"could not {action}: {shorten(error, 200)}", where=where)
    text = f"could not {action}: the answer is not the JSON that GitHub sends"
    return ServiceError(text, uncertain=True, hint="A proxy may be in the way.", where=where)


def malformed_answer(action: str, api_url: str) -> ServiceError:
    """For an answer that is JSON, but not what was asked for."""
    return translate_github_error(ValueError(), action, "", api_url)


def _error_from_github_answer(
    status: int, data: Any, headers: Mapping[str, Any], what: str, needs: str, where: str
) -> ServiceError:
    said = github_message(data)
    text = f"could not {what}: {status}" + (f" {said}" if said else "")
    limited = status == 429 or (status == 403 and _is_rate_limit(said, headers))
    hint = _rate_limit_hint(headers) if limited else _github_hint(status, needs)
    return ServiceError(text, status=status, uncertain=status >= 500, hint=hint, where=where)


def _github_hint(status: int, needs: str) -> str:
    match status:
        case 401:
            return "The token is wrong, expired or revoked: check the secret behind GITHUB_TOKEN."
        case 403:
            wanted = f" It needs `{needs}`" if needs else " Check its permissions"
            return f"The token may not do this.{wanted} (in a workflow: under `permissions:`)."
        case 404:
            return "The repository or workflow does not exist, or the token cannot see it."
        case 410:
            return "Issues are switched off in this repository, or this one was deleted."
        case _ if status >= 500:
            return "GitHub has trouble; try again later (githubstatus.com)."
        case _:
            return ""


def _is_rate_limit(said: str, headers: Mapping[str, Any]) -> bool:
    low = said.lower()
    if any(word in low for word in _RATE_WORDS):
        return True
    return "retry-after" in headers or str(headers.get("x-ratelimit-remaining", "")) == "0"


def _rate_limit_hint(headers: Mapping[str, Any]) -> str:
    after = str(headers.get("retry-after", ""))
    reset = str(headers.get("x-ratelimit-reset", "")).partition(".")[0]
    if after.isdigit():
        when = f" It asks to wait {after} s."
    elif reset.isdigit() and len(reset) < 12:
        when = f" It ends at {datetime.fromtimestamp(int(reset), UTC):%Y-%m-%d %H:%M:%S} UTC."
    else:
        when = ""
    return f"This is a rate limit.{when} The next evaluation tries again."


def github_message(data: Any) -> str:
    """GitHub's own words in an error's body: its message and the fields it complains about."""
    if isinstance(data, bytes):
        return shorten(data.decode("utf-8", errors="replace"), 200)
    if not isinstance(data, Mapping):
        return shorten(data, 200) if data else ""
    parts = [str(data.get("message") or data.get("data") or "")]
    errors = data.get("errors")
    for item in errors if isinstance(errors, list) else []:
        if isinstance(item, Mapping):
            fields = [str(item[name]) for name in ("resource", "field", "code", "message") if item.get(name)]
            parts.append(" ".join(fields))
        else:
            parts.append(str(item))
    return shorten("; ".join(part for part in parts if part))


def _is_timeout(error: BaseException) -> bool:
    """Whether the last of several tries was too slow: ``requests`` calls that a failed connection."""
    from urllib3.exceptions import ReadTimeoutError

    inner = error.args[0] if error.args else None
    return isinstance(getattr(inner, "reason", None), ReadTimeoutError)


def _root_cause_text(error: BaseException) -> str:
    """The innermost reason of a failed connection, without object addresses."""
    seen: BaseException = error
    for _ in range(6):
        inner = getattr(seen, "reason", None) or (seen.args[0] if seen.args else None)
        if not isinstance(inner, BaseException):
            break
        seen = inner
    said = seen.__cause__.strerror if isinstance(seen.__cause__, OSError) else None
    text = said or re.sub(r"^(?:<.*>|\w+\(host=[^()]*\)): ", "", str(seen))
    return text or type(seen).__name__
