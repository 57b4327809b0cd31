"""Whether the tokens of GitHub hold: none has expired, or will soon, or has nearly used up its hourly limit.

Fine-grained and classic tokens name their end with every answer. The token of a workflow and those of GitHub Apps
have none: they live for one job or an hour, and are made anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..clients.github import APP_TOKEN_PREFIX
from ..errors import ServiceError
from ..timeutil import format_utc, parse_time_text
from .condition import ConditionResult, State, length, quote
from .settings import Access, open_github

TOKEN_EXPIRY, RATE_LIMITS = "token-expiry", "rate-limits"
EXPIRY_HEADER = "github-authentication-token-expiration"
LIMITS = ("core", "graphql")
"""The hourly limits that modelwatch uses."""


def check_token_expiry(access: Access) -> ConditionResult:
    """The token that ends first decides. Raises ServiceError."""
    ends = dict[str, float | None]()
    for name in _named_tokens(access):
        try:
            ends[name] = _read_end(access, name)
        except ServiceError as error:
            if error.status != 401:
                raise
            what = f"GitHub refuses the token in {quote(name)}: it has expired, or was revoked"
            return ConditionResult(TOKEN_EXPIRY, State.BROKEN, what, None, _renew(name))
    ending = {name: end for name, end in ends.items() if end is not None}
    if not ending:
        return ConditionResult(TOKEN_EXPIRY, State.OK, f"no token has an end: {', '.join(map(quote, ends))}")
    name, end = min(ending.items(), key=lambda item: item[1])
    text = f"the token in {quote(name)} expires at {format_utc(end)}"
    notice = access.settings.token_notice
    if end - access.now > notice:
        return ConditionResult(TOKEN_EXPIRY, State.OK, text)
    what = f"{text}, in {length(end - access.now)}"
    return ConditionResult(TOKEN_EXPIRY, State.BROKEN, what, end - notice, _renew(name))


def _renew(name: str) -> str:
    return f"Make a new one with the same permissions, and set the secret: {quote(f'gh secret set {name}')}."


def _read_end(access: Access, name: str) -> float | None:
    """When the token ends; ``None`` for one without an end."""
    headers, _ = _ask(access, name)
    if _is_short_lived(access, name) or EXPIRY_HEADER not in headers:
        return None
    end = parse_time_text(headers[EXPIRY_HEADER])
    if end is None:
        raise ServiceError(f"GitHub says that the token in {name} ends at {headers[EXPIRY_HEADER]!r}, which is no time")
    return end


def check_rate_limits(access: Access) -> ConditionResult:
    """The limit of which the most is used decides. Raises ServiceError."""
    worst = (-1.0, "", 0, 0.0)
    for name in _named_tokens(access):
        _, data = _ask(access, name)
        worst = max([worst, *_shares(data, name)])
    share, what, limit, reset = worst
    if share < 0:
        raise ServiceError("GitHub names no rate limit")
    text = f"{share:.0%} of the {limit:,} requests an hour of {what} are used"
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


def _named_tokens(access: Access) -> list[str]:
    """The variables to check. Raises ServiceError where one is not set: then nobody knows what it holds."""
    missing = [name for name in access.settings.tokens if not access.env.get(name)]
    if missing:
        raise ServiceError(f"the variable {missing[0]} is not set", hint="Set it, or leave it out.")
    return list(access.settings.tokens)


def _is_short_lived(access: Access, name: str) -> bool:
    return access.env[name].startswith(APP_TOKEN_PREFIX)


def _ask(access: Access, name: str) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    """(headers, limits): a question that counts against no limit."""
    github = open_github(access.env, access.env[name].strip())
    return github.get_with_headers("/rate_limit", f"read the rate limits of the token in {name}")
