"""No token goes out in the clear."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.clients.github import open_github
from modelwatch.clients.http import is_secure_url
from modelwatch.clients.pagerduty import PagerDutySession
from modelwatch.clients.retry import RetryPolicy
from modelwatch.clients.wandb import open_api
from modelwatch.errors import ConfigError, UserError
from modelwatch.relay.settings import read_settings

CLEAR = (
    "http://api.github.com", "http://ghe.example/api/v3", "ftp://127.0.0.1/", "http://127.0.0.1.evil.example/",
    "http://localhost@evil.example/", "https://user:secret@ghe.example/", "http://[::1", "ghe.example", "", "https://",
    "https://ghe.example/ x", "https://ghe.example\n/", "https://ghe.example:port/", "https://ghe.example:99999/",
)  # fmt: skip


@pytest.mark.parametrize(
    "url",
    [
        "https://api.github.com",
        "https://ghe.example:8443/api/v3",
        "http://127.0.0.1:8080",
        "http://[::1]:80/",
        "http://localhost",
    ],
)
def test_tls_and_this_machine_are_private(url: str) -> None:
    assert is_secure_url(url)


@pytest.mark.parametrize("url", CLEAR)
def test_nothing_else_is(url: str) -> None:
    assert not is_secure_url(url)


@pytest.mark.parametrize("url", CLEAR[:5])
def test_no_client_sends_its_token_there(url: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="https"):
        open_github(url, "ghp_token", RetryPolicy())
    with pytest.raises(UserError, match="https"):
        PagerDutySession(object(), url, RetryPolicy())
    with pytest.raises(UserError, match="https"):
        open_api(url, "k" * 40, RetryPolicy())
    (tmp_path / "relay.toml").write_text('[services]\nPABC = "acme/x"\n')
    env = {"GITHUB_API_URL": url, "GITHUB_TOKEN": "ghp_token", "PAGERDUTY_WEBHOOK_SECRETS_FILE": "secrets"}
    with pytest.raises(ConfigError, match="https"):
        read_settings(env, tmp_path / "relay.toml")
