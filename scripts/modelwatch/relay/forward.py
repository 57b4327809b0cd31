"""The one thing the relay does to the world: ``repository_dispatch``, once, within its time, judged by its answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from .metrics import Metrics
from .settings import RelaySettings
from .tokens import TokenProvider, TokenUnavailableError

EVENT_TYPE = "pagerduty"
"""What workflows listen to: ``on: {repository_dispatch: {types: [pagerduty]}}``."""
_MAX_PAUSE = 60.0
"""Seconds; GitHub's own advice for its secondary limit, and often enough to ask while the primary one lasts."""
_MAX_GITHUB_CONNECTIONS = 512


@dataclass(frozen=True, slots=True)
class DispatchResult:
    """What became of a dispatch."""

    outcome: str
    """``accepted``, ``refused``, ``limited``, ``timeout``, ``unreachable`` or ``unready``."""
    status: int = 0
    """GitHub's; 0 where there was no answer."""
    reason: str = ""
    """In our words."""
    retry_after: float = 0.0
    """Seconds for which it makes no sense to come again."""

    @property
    def accepted(self) -> bool:
        return self.outcome == "accepted"


class Dispatcher:
    """Sends dispatches to one GitHub."""

    def __init__(self, settings: RelaySettings, tokens: TokenProvider, metrics: Metrics) -> None:
        self._settings = settings
        self._tokens = tokens
        self._metrics = metrics
        self._session: ClientSession | None = None
        self._paused_until = 0.0

    async def dispatch(self, repository: str, payload: Mapping[str, Any]) -> DispatchResult:
        """Dispatch; never raises for anything that GitHub or the network does."""
        wait = self._paused_until - time.monotonic()
        if wait > 0:
            return DispatchResult("limited", 0, "GitHub asked to wait", wait)
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.timeouts.forward):
                sent = await self._send_with_retry(repository, payload)
        except TimeoutError:
            sent = DispatchResult("timeout", 0, "GitHub did not answer in time")
        except TokenUnavailableError as error:
            sent = DispatchResult("unready", error.status, str(error))
        self._metrics.github.labels(str(sent.status)).inc()
        self._metrics.github_seconds.observe(time.monotonic() - began)
        return sent

    async def _send_with_retry(self, repository: str, payload: Mapping[str, Any]) -> DispatchResult:
        """A broken connection is tried once more: an idle one that GitHub has closed looks just the same. Should the
        first one have arrived, then the receiving side drops the second."""
        body = json.dumps({"event_type": EVENT_TYPE, "client_payload": payload}).encode()
        for last in (False, True):
            try:
                return await self._send_once(repository, body)
            except ClientError as error:
                if last:
                    return DispatchResult("unreachable", 0, f"no answer from GitHub ({type(error).__name__})")
        raise AssertionError("unreachable")

    async def _send_once(self, repository: str, body: bytes) -> DispatchResult:
        session = self._get_session()
        headers = {"authorization": f"Bearer {await self._tokens.token(session, repository)}"}
        url = f"{self._settings.api_url}/repos/{repository}/dispatches"
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            await answer.read()
            return self._classify_answer(answer, repository)

    def _classify_answer(self, answer: ClientResponse, repository: str) -> DispatchResult:
        status = answer.status
        if status == 204:
            return DispatchResult("accepted", status)
        if status == 401:
            self._tokens.invalidate(repository)
        wait = _rate_limit_wait(status, answer.headers)
        if wait is not None:
            wait = min(wait, _MAX_PAUSE) * self._settings.wait_scale
            self._paused_until = max(self._paused_until, time.monotonic() + wait)
            return DispatchResult("limited", status, "GitHub's rate limit", wait)
        return DispatchResult("refused", status, _STATUS_REASONS.get(status, "GitHub did not take the dispatch"))

    def _get_session(self) -> ClientSession:
        """Made at the first use, in the loop that uses it: not every host tells of start and end."""
        if self._session is None:
            headers = {
                "accept": "application/vnd.github+json",
                "content-type": "application/json",
                "user-agent": "modelwatch-relay",
                "x-github-api-version": "2022-11-28",
            }
            self._session = ClientSession(
                connector=TCPConnector(limit=_MAX_GITHUB_CONNECTIONS, keepalive_timeout=30, ttl_dns_cache=60),
                timeout=ClientTimeout(total=self._settings.timeouts.forward),
                headers=headers,
                cookie_jar=DummyCookieJar(),
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()


_STATUS_REASONS = {
    401: "GitHub does not know the token",
    403: "the token may not dispatch: it needs contents: write",
    404: "the repository does not exist, or the token cannot see it",
    422: "GitHub calls the dispatch invalid",
    301: "the repository has moved: write its new name",
    307: "the repository has moved: write its new name",
}


def _rate_limit_wait(status: int, headers: Mapping[str, str]) -> float | None:
    """Seconds to wait where the answer is a rate limit, else ``None``."""
    after = headers.get("retry-after", "")
    if status not in (403, 429, 503):
        return None
    if after.isascii() and after.isdecimal():
        return float(after[:6])
    if status == 429 or (status == 403 and headers.get("x-ratelimit-remaining") == "0"):
        return _MAX_PAUSE
    return None
