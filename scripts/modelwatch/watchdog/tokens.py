"""Whether the tokens of GitHub hold: none has expired, or will soon, or has nearly used up its hourly limit.

Fine-grained and classic tokens name their end with every answer. The token of a workflow and those of GitHub Apps
have none: they live for one job or an hour, and are made anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..clients.github import APP_TOKEN_PREFIX
from ..errors import ServiceError
from ..timeutil import format_utc, parse_time_text
from .condition import ConditionResult, State, length, quote, unknown_result, worst_of
from .settings import Access, open_github

TOKEN_EXPIRY, RATE_LIMITS = "token-expiry", "rate-limits"
EXPIRY_HEADER = "github-authentication-token-expiration"
LIMITS = ("core", "graphql")
"""The hourly limits that modelwatch uses."""


def check_token_expiry(access: Access) -> ConditionResult:
    """The worst token decides, of several that hold the one that ends first."""
    found = [_check_end(access, name) for name in access.settings.tokens]
    if all(end == math.inf for end, _ in found):
        names = ", ".join(map(quote, access.settings.tokens))
        return ConditionResult(TOKEN_EXPIRY, State.OK, f"no token has an end: {names}")
    return worst_of([result for _, result in sorted(found, key=lambda item: item[0])])


def _check_end(access: Access, name: str) -> tuple[float, ConditionResult]:
    """When the token ends (infinite without an end, 0 where it is not known), and whether that is good."""
    try:
        end = _read_end(access, name)
    except ServiceError as error:
        if error.status != 401:
            return 0.0, unknown_result(TOKEN_EXPIRY, error, name)
        what = f"GitHub refuses what is in {quote(name)}: the token has expired or was revoked, or it is none of GitHub"
        return 0.0, ConditionResult(TOKEN_EXPIRY, State.BROKEN, what, None, _renew(name))
    if end is None:
        return math.inf, ConditionResult(TOKEN_EXPIRY, State.OK, f"the token in {quote(name)} has no end")
    text = f"the token in {quote(name)} expires at {format_utc(end)}"
    notice = access.settings.token_notice
    if end - access.now > notice:
        return end, ConditionResult(TOKEN_EXPIRY, State.OK, text)
    what = f"{text}, in {length(end - access.now)}"
    return end, ConditionResult(TOKEN_EXPIRY, State.BROKEN, what, end - notice, _renew(name))


def _renew(name: str) -> str:
    return f"Make a new one with the same permissions, and set the secret: {quote(f'gh secret set {name}')}."


def _read_end(access: Access, name: str) -> float | None:
    """When the token ends; ``None`` for one without an end. Raises ServiceError."""
    headers, _ = _ask(access, name)
    if _is_short_lived(access, name) or EXPIRY_HEADER not in headers:
        return None
    end = parse_time_text(headers[EXPIRY_HEADER])
    if end is None:
        raise ServiceError(f"GitHub says that the token in {name} ends at {headers[EXPIRY_HEADER]!r}, which is no time")
    return end


def check_rate_limits(access: Access) -> ConditionResult:
    """The worst token decides, of several that are in order the one of which the most is used."""
    found = [_check_limits(access, name) for name in access.settings.tokens]
    return worst_of([result for _, result in sorted(found, key=lambda item: -item[0])])


def _check_limits(access: Access, name: str) -> tuple[float, ConditionResult]:
    """The share that is used of its fullest limit (0 where it is not known), and whether that is good."""
    try:
        shares = list(_shares(_ask(access, name)[1], name))
        if not shares:
            raise ServiceError("GitHub names no rate limit")
    except ServiceError as error:
        # The client's hint is about GITHUB_TOKEN; that of a refused token is told by the condition above.
        reason = ServiceError("GitHub refuses it") if error.status == 401 else error
        return 0.0, unknown_result(RATE_LIMITS, reason, name)
    share, what, limit, reset = max(shares)
    return share, _judge_share(access, share, f"{limit:,} requests an hour of {what}", reset)


def _judge_share(access: Access, share: float, requests: str, reset: float) -> ConditionResult:
    text = f"{share:.0%} of the {requests} are used"
    if share < access.settings.max_rate:
        return ConditionResult(RATE_LIMITS, State.OK, text)
    todo = (
        "Find out which workflow uses them, and evaluate less often, or give modelwatch a token of its own. What is "
        "refused is done by the next evaluation."
    )
    return ConditionResult(RATE_LIMITS, State.BROKEN, f"{text}, until {format_utc(reset)}", None, todo)


def _shares(data: Mapping[str, Any], name: str) -> Iterator[tuple[float, str, int, float]]:
    """(share, what, limit, when it begins anew) of each limit that is used."""
    try:
        for resource in LIMITS:
            row = data["resources"].get(resource)
            if row and row["limit"] > 0:
                used = (row["limit"] - row["remaining"]) / row["limit"]
                yield used, f"{quote(name)} ({resource})", int(row["limit"]), float(row["reset"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ServiceError("GitHub's answer about rate limits is not what GitHub sends") from error


def _is_short_lived(access: Access, name: str) -> bool:
    return access.env[name].startswith(APP_TOKEN_PREFIX)


def _ask(access: Access, name: str) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    """(headers, limits): a question that counts against no limit. Raises ServiceError."""
    if not access.env.get(name, "").strip():
        raise ServiceError(f"the variable {name} is not set", hint="Set it, or leave it out.")
    github = open_github(access.env, access.env[name].strip())
    return github.get_with_headers("/rate_limit", f"read the rate limits of the token in {name}")
