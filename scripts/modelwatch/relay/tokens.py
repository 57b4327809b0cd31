"""Whose name GitHub hears: a token from the environment or a file, or a GitHub App's, made for an hour at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from .settings import RelaySettings
from .watched import ReloadingFile, parse_private_key, parse_token

if TYPE_CHECKING:
    from aiohttp import ClientSession

_RENEW_BEFORE = 300.0
"""Seconds before its end at which an App's token is replaced."""


class TokenUnavailableError(Exception):
    """There is none to send with; the message holds no secret."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class TokenProvider(Protocol):
    """Where tokens come from."""

    async def token(self, session: ClientSession, repository: str) -> str:
        """A token that may dispatch to ``repository``. Raises NoToken, aiohttp's errors and TimeoutError."""

    def invalidate(self, repository: str) -> None:
        """GitHub did not take the last one (401)."""

    def problem(self) -> str:
        """Why there can be no token now; empty where all is well."""


class StaticTokenProvider:
    """A personal access token, fine-grained or classic: from the file, which may change, or the environment."""

    def __init__(self, value: str, file: ReloadingFile[str] | None) -> None:
        self._value = value
        self._file = file

    async def token(self, session: ClientSession, repository: str) -> str:
        found = self._file.value() if self._file else self._value
        if not found:
            raise TokenUnavailableError("there is no GitHub token")
        return found

    def invalidate(self, repository: str) -> None:
        """Only whoever made it can make another one."""

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
        async with self._locks.setdefault(repository, asyncio.Lock()):
            lease = self._leases.get(repository)
            if lease is None or lease.expires_at - _RENEW_BEFORE <= self._clock():
                lease = await self._request_lease(session, repository)
                self._leases[repository] = lease
            return lease.token

    def invalidate(self, repository: str) -> None:
        self._leases.pop(repository, None)

    def problem(self) -> str:
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
        found = await self._request_json(session, "GET", f"/repos/{repository}/installation", headers, None)
        asked = {"repositories": [repository.partition("/")[2]], "permissions": {"contents": "write"}}
        path = f"/app/installations/{int(found['id'])}/access_tokens"
        made = await self._request_json(session, "POST", path, headers, asked)
        return _TokenLease(str(made["token"]), datetime.fromisoformat(str(made["expires_at"])).timestamp())

    async def _request_json(
        self, session: ClientSession, verb: str, path: str, headers: dict[str, str], body: dict[str, Any] | None
    ) -> dict[str, Any]:
        async with session.request(verb, self._api_url + path, headers=headers, json=body) as answer:
            if answer.status not in (200, 201):
                raise TokenUnavailableError(f"GitHub gave the App no token: {answer.status}", answer.status)
            try:
                found: dict[str, Any] = await answer.json(content_type=None)
                wanted = ("id",) if verb == "GET" else ("token", "expires_at")
                if not isinstance(found, dict) or any(name not in found for name in wanted):
                    raise ValueError
            except ValueError as error:
                raise TokenUnavailableError("GitHub's answer about the App makes no sense") from error
            return found


def make_token_provider(settings: RelaySettings, clock: Callable[[], float]) -> TokenProvider:
    """As the settings say: an App before a file before the environment."""
    if settings.app_key_file is not None:
        return AppTokenProvider(
            settings.app_id, ReloadingFile(settings.app_key_file, parse_private_key), settings.api_url, clock
        )
    file = ReloadingFile(settings.token_file, parse_token) if settings.token_file else None
    return StaticTokenProvider(settings.token, file)
