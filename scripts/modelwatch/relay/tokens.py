"""Whose name GitHub hears: a token from the environment or a file, or a GitHub App's, made for an hour at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from .settings import Settings
from .watched import WatchedFile, read_key, read_token

if TYPE_CHECKING:
    from aiohttp import ClientSession

_EARLY = 300.0
"""Seconds before its end at which an App's token is replaced."""


class NoToken(Exception):  # noqa: N818 - an outcome, told in the answer and the log
    """There is none to send with; the message holds no secret."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class Tokens(Protocol):
    """Where tokens come from."""

    async def token(self, session: ClientSession, repository: str) -> str:
        """A token that may dispatch to ``repository``. Raises NoToken, aiohttp's errors and TimeoutError."""

    def refused(self, repository: str) -> None:
        """GitHub did not take the last one (401)."""

    def trouble(self) -> str:
        """Why there can be no token now; empty where all is well."""


class GivenToken:
    """A personal access token, fine-grained or classic: from the file, which may change, or the environment."""

    def __init__(self, value: str, file: WatchedFile[str] | None) -> None:
        self._value = value
        self._file = file

    async def token(self, session: ClientSession, repository: str) -> str:
        found = self._file.value() if self._file else self._value
        if not found:
            raise NoToken("there is no GitHub token")
        return found

    def refused(self, repository: str) -> None:
        """Only whoever made it can make another one."""

    def trouble(self) -> str:
        return f"the file of the GitHub token: {self._file.trouble}" if self._file and not self._file.value() else ""


@dataclass(frozen=True, slots=True)
class _Lease:
    token: str
    until: float


class AppTokens:
    """Installation tokens of a GitHub App, one a repository, with ``contents: write`` and nothing else."""

    def __init__(self, app_id: str, key: WatchedFile[str], api_url: str, clock: Callable[[], float]) -> None:
        self._app_id = app_id
        self._key = key
        self._api_url = api_url
        self._clock = clock
        self._leases: dict[str, _Lease] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def token(self, session: ClientSession, repository: str) -> str:
        async with self._locks.setdefault(repository, asyncio.Lock()):
            lease = self._leases.get(repository)
            if lease is None or lease.until - _EARLY <= self._clock():
                lease = await self._lease(session, repository)
                self._leases[repository] = lease
            return lease.token

    def refused(self, repository: str) -> None:
        self._leases.pop(repository, None)

    def trouble(self) -> str:
        return "" if self._key.value() else f"the private key of the GitHub App: {self._key.trouble}"

    def signed(self) -> str:
        """The App's own token, valid for nine minutes, from a minute ago since clocks differ."""
        import jwt

        key = self._key.value()
        if not key:
            raise NoToken("there is no private key of the GitHub App")
        now = int(self._clock())
        try:
            return jwt.encode({"iat": now - 60, "exp": now + 540, "iss": self._app_id}, key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise NoToken("the private key of the GitHub App cannot be used") from error

    async def _lease(self, session: ClientSession, repository: str) -> _Lease:
        headers = {"authorization": f"Bearer {self.signed()}"}
        found = await self._ask(session, "GET", f"/repos/{repository}/installation", headers, None)
        asked = {"repositories": [repository.partition("/")[2]], "permissions": {"contents": "write"}}
        path = f"/app/installations/{int(found['id'])}/access_tokens"
        made = await self._ask(session, "POST", path, headers, asked)
        return _Lease(str(made["token"]), datetime.fromisoformat(str(made["expires_at"])).timestamp())

    async def _ask(
        self, session: ClientSession, verb: str, path: str, headers: dict[str, str], body: dict[str, Any] | None
    ) -> dict[str, Any]:
        async with session.request(verb, self._api_url + path, headers=headers, json=body) as answer:
            if answer.status not in (200, 201):
                raise NoToken(f"GitHub gave the App no token: {answer.status}", answer.status)
            try:
                found: dict[str, Any] = await answer.json(content_type=None)
                wanted = ("id",) if verb == "GET" else ("token", "expires_at")
                if not isinstance(found, dict) or any(name not in found for name in wanted):
                    raise ValueError
            except ValueError as error:
                raise NoToken("GitHub's answer about the App makes no sense") from error
            return found


def tokens_of(settings: Settings, clock: Callable[[], float]) -> Tokens:
    """As the settings say: an App before a file before the environment."""
    if settings.app_key_file is not None:
        return AppTokens(settings.app_id, WatchedFile(settings.app_key_file, read_key), settings.api_url, clock)
    file = WatchedFile(settings.token_file, read_token) if settings.token_file else None
    return GivenToken(settings.token, file)
