"""Send repository dispatches to GitHub, with a token from the environment, a file or a GitHub App."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from ..clients.github import read_number
from ..timeutil import parse_iso
from .reloading_file import ReloadingFile, parse_private_key, parse_token
from .settings import RelaySettings, make_tls_context
from .telemetry import Metrics

EVENT_TYPE = "pagerduty"
"""What workflows listen to: ``on: {repository_dispatch: {types: [pagerduty]}}``."""
_MAX_PAUSE = 60.0
"""Seconds; GitHub's own advice for its secondary limit, and often enough to retry while the primary one lasts."""
_MAX_ANSWER_BYTES = 1024 * 1024
_MAX_GITHUB_CONNECTIONS = 512
_RENEW_BEFORE = 300.0
"""Seconds before its end at which an App's token is replaced."""


class TokenUnavailableError(Exception):
    """There is no token to dispatch with; the message contains no secret."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class StaticTokenProvider:
    """A personal access token, fine-grained or classic: from the file, which may change, or the environment."""

    def __init__(self, value: str, file: ReloadingFile[str] | None) -> None:
        self._value = value
        self._file = file

    async def token(self, session: ClientSession, repository: str) -> str:
        token = self._file.value() if self._file else self._value
        if not token:
            raise TokenUnavailableError("there is no GitHub token")
        return token

    def invalidate(self, repository: str) -> None:
        """Nothing to do: a new token comes from outside."""

    def problem(self) -> str:
        return f"the file of the GitHub token: {self._file.problem}" if self._file and not self._file.value() else ""


@dataclass(frozen=True, slots=True)
class _TokenLease:
    token: str
    expires_at: float


class AppTokenProvider:
    """Installation tokens of a GitHub App, one a repository, with ``contents: write`` and nothing else."""

    def __init__(self, app_id: str, key: ReloadingFile[str], api_url: str, clock: Callable[[], float]) -> None:
        self._app_id = app_id
        self._key = key
        self._api_url = api_url
        self._clock = clock
        self._leases: dict[str, _TokenLease] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def token(self, session: ClientSession, repository: str) -> str:
        """A token for dispatches to ``repository``. Raises TokenUnavailableError, aiohttp's errors and TimeoutError."""
        async with self._locks.setdefault(repository, asyncio.Lock()):
            lease = self._leases.get(repository)
            if lease is None or lease.expires_at - _RENEW_BEFORE <= self._clock():
                lease = await self._request_lease(session, repository)
                self._leases[repository] = lease
            return lease.token

    def invalidate(self, repository: str) -> None:
        """Drop the last token, which GitHub refused (401)."""
        self._leases.pop(repository, None)

    def problem(self) -> str:
        """Why there is no token now; empty where there is one."""
        return "" if self._key.value() else f"the private key of the GitHub App: {self._key.problem}"

    def app_jwt(self) -> str:
        """The App's own token, valid for nine minutes, from a minute ago since clocks differ."""
        import jwt

        key = self._key.value()
        if not key:
            raise TokenUnavailableError("there is no private key of the GitHub App")
        now = int(self._clock())
        try:
            return jwt.encode({"iat": now - 60, "exp": now + 540, "iss": self._app_id}, key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise TokenUnavailableError("the private key of the GitHub App cannot be used") from error

    async def _request_lease(self, session: ClientSession, repository: str) -> _TokenLease:
        headers = {"authorization": f"Bearer {self.app_jwt()}"}
        scope = {"repositories": [repository.partition("/")[2]], "permissions": {"contents": "write"}}
        try:
            installation = await self._request_json(session, "GET", f"/repos/{repository}/installation", headers, None)
            path = f"/app/installations/{read_number(installation['id'])}/access_tokens"
            lease = await self._request_json(session, "POST", path, headers, scope)
            return _TokenLease(parse_token(lease["token"]), parse_iso(lease["expires_at"]))
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise TokenUnavailableError("GitHub's answer about the App is malformed") from error

    async def _request_json(
        self, session: ClientSession, verb: str, path: str, headers: dict[str, str], body: dict[str, Any] | None
    ) -> Any:
        """What GitHub answers. Raises TokenUnavailableError, ValueError, aiohttp's errors and TimeoutError."""
        follow = verb == "GET"  # a repository that was renamed
        url = self._api_url + path
        async with session.request(verb, url, headers=headers, json=body, allow_redirects=follow) as answer:
            if answer.status not in (200, 201):
                raise TokenUnavailableError(f"GitHub gave the App no token: {answer.status}", answer.status)
            text = bytearray()
            async for chunk in answer.content.iter_any():
                text += chunk
                if len(text) > _MAX_ANSWER_BYTES:
                    raise ValueError("it is too large")
            try:
                return json.loads(text)
            except RecursionError as error:
                raise ValueError("it is nested too deeply") from error


TokenProvider = StaticTokenProvider | AppTokenProvider


def make_token_provider(settings: RelaySettings, clock: Callable[[], float]) -> TokenProvider:
    """The provider that the settings configure: an App before a file before the environment."""
    if settings.app_key_file is not None:
        return AppTokenProvider(
            settings.app_id, ReloadingFile(settings.app_key_file, parse_private_key), settings.api_url, clock
        )
    file = ReloadingFile(settings.token_file, parse_token) if settings.token_file else None
    return StaticTokenProvider(settings.token, file)


@dataclass(frozen=True, slots=True)
class DispatchResult:
    """The outcome of a dispatch."""

    outcome: str
    """``accepted``, ``refused``, ``limited``, ``timeout``, ``unreachable`` or ``unready``."""
    status: int = 0
    """GitHub's; 0 where there was no answer."""
    reason: str = ""
    """The relay's own text."""
    retry_after: float = 0.0
    """Seconds to wait before a retry."""

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
        """Dispatch; never raises for a failure of GitHub or the network."""
        wait = self._paused_until - time.monotonic()
        if wait > 0:
            return DispatchResult("limited", 0, "GitHub's rate limit", wait)
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
        """Try a broken connection once more, since an idle one that GitHub has closed looks the same. If the first
        request did arrive, the receiving workflow drops the second."""
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
        reason = _MOVED_REASON if 300 <= status < 400 else _STATUS_REASONS.get(status)
        return DispatchResult("refused", status, reason or "GitHub did not accept the dispatch")

    def _get_session(self) -> ClientSession:
        """The session, opened on first use in the loop that uses it: not every host signals start and end."""
        if self._session is None:
            headers = {
                "accept": "application/vnd.github+json",
                "content-type": "application/json",
                "user-agent": "modelwatch-relay",
                "x-github-api-version": "2022-11-28",
            }
            authorities = make_tls_context(self._settings.ca_file)
            self._session = ClientSession(
                connector=TCPConnector(
                    limit=_MAX_GITHUB_CONNECTIONS, keepalive_timeout=30, ttl_dns_cache=60, ssl=authorities
                ),
                proxy=self._settings.proxy or None,
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
    401: "GitHub does not accept the token",
    403: "the token cannot dispatch: it needs contents: write",
    404: "the repository does not exist, or the token cannot see it",
    422: "GitHub reports an invalid dispatch",
}
_MOVED_REASON = "the repository has moved: write its new name"


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
