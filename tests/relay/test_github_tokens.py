"""A GitHub App's tokens: made, kept, renewed, and refused."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import jwt
import jwt.types
import pytest
from aiohttp import ClientSession
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from modelwatch.relay.github_dispatch import AppTokenProvider, TokenUnavailableError, make_token_provider
from modelwatch.relay.reloading_file import ReloadingFile, parse_private_key
from modelwatch.relay.settings import RelaySettings
from modelwatch.testing.standins.http import Request, Response, Server

from .world import REPOSITORY

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
).decode()
NOW = 1_795_000_000.0
UNTIMED: jwt.types.Options = {"verify_exp": False, "verify_iat": False}


@dataclass
class Apps:
    """What GitHub answers to a GitHub App."""

    name: str = "apps"
    status: int = 201
    claims: list[dict[str, object]] = field(default_factory=list)
    asked: list[dict[str, object]] = field(default_factory=list)

    def handle(self, request: Request) -> Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.claims.append(jwt.decode(token, KEY.public_key(), algorithms=["RS256"], options=UNTIMED))
        if request.path == f"/repos/{REPOSITORY}/installation":
            return Response.of({"id": 42})
        assert re.fullmatch("/app/installations/42/access_tokens", request.path)
        self.asked.append(json.loads(request.body))
        ends = datetime.fromtimestamp(NOW + 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Response.of({"token": f"ghs_{len(self.asked)}", "expires_at": ends}, self.status)


def ask(tmp_path: Path, url: str, moments: list[float], refused_after: int = -1) -> list[str]:
    (tmp_path / "key.pem").write_text(PEM)
    clock = iter(moments * 20)
    now = [next(clock)]
    tokens = AppTokenProvider("7", ReloadingFile(tmp_path / "key.pem", parse_private_key), url, lambda: now[0])

    async def run() -> list[str]:
        found = []
        async with ClientSession() as session:
            for number, moment in enumerate(moments):
                now[0] = moment
                found.append(await tokens.token(session, REPOSITORY))
                if number == refused_after:
                    tokens.invalidate(REPOSITORY)
        return found

    return asyncio.run(run())


def test_a_token_serves_until_shortly_before_its_end(tmp_path: Path) -> None:
    with Server(Apps()) as server:
        found = ask(tmp_path, server.url, [NOW, NOW + 3000, NOW + 3301])
        assert found == ["ghs_1", "ghs_1", "ghs_2"]
        assert server.standin.asked[0] == {"repositories": ["churn-model"], "permissions": {"contents": "write"}}
        claims = server.standin.claims[0]
        assert claims["iss"] == "7"
        assert int(str(claims["exp"])) - int(str(claims["iat"])) <= 600


def test_a_token_that_github_refuses_is_made_anew(tmp_path: Path) -> None:
    with Server(Apps()) as server:
        assert ask(tmp_path, server.url, [NOW, NOW], refused_after=0) == ["ghs_1", "ghs_2"]


def test_an_app_that_gets_no_token_says_so(tmp_path: Path) -> None:
    with Server(Apps(status=403)) as server, pytest.raises(TokenUnavailableError, match="403"):
        ask(tmp_path, server.url, [NOW])


class OddApps(Apps):
    """Answers the installation, or the token, with ``odd``."""

    def __init__(self, path: str, odd: bytes) -> None:
        super().__init__()
        self.path, self.odd = path, odd

    def handle(self, request: Request) -> Response:
        return Response(200, self.odd) if request.path.endswith(self.path) else super().handle(request)


@pytest.mark.parametrize("path", ["/installation", "/access_tokens"])
@pytest.mark.parametrize(
    "odd",
    [
        b"<html>",
        b"\xff",
        b"null",
        b"[" * 100_000,
        b" " * 1_048_577,
        b'{"id": "x", "token": null, "expires_at": 5}',
        b'{"id": -1, "token": "ghs_1\\r\\nx: y", "expires_at": "2030-01-01T00:00:00Z"}',
        b'{"id": [1], "token": "ghs_1", "expires_at": "soon"}',
    ],
    ids=range(8),
)
def test_an_odd_answer_about_the_app_is_no_bug(tmp_path: Path, path: str, odd: bytes) -> None:
    """Without a token the webhook comes again; no part of an answer becomes a header or an address."""
    with Server(OddApps(path, odd)) as server, pytest.raises(TokenUnavailableError, match="malformed"):
        ask(tmp_path, server.url, [NOW])


def test_many_at_once_ask_for_one_token(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(PEM)

    async def run(url: str) -> set[str]:
        tokens = AppTokenProvider("7", ReloadingFile(tmp_path / "key.pem", parse_private_key), url, lambda: NOW)
        async with ClientSession() as session:
            return set(await asyncio.gather(*(tokens.token(session, REPOSITORY) for _ in range(20))))

    with Server(Apps()) as server:
        assert asyncio.run(run(server.url)) == {"ghs_1"}
        assert len(server.standin.asked) == 1


def test_a_key_that_is_none_is_told_and_not_shown(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    settings = RelaySettings({}, tmp_path, "http://127.0.0.1", app_id="7", app_key_file=key)
    tokens = make_token_provider(settings, lambda: NOW)
    assert "No such file" in tokens.problem()
    key.write_text("-----BEGIN RSA PRIVATE KEY-----\nnonsense\n-----END RSA PRIVATE KEY-----\n")
    assert tokens.problem() == ""
    assert isinstance(tokens, AppTokenProvider)
    with pytest.raises(TokenUnavailableError, match="cannot be used"):
        tokens.app_jwt()
