"""The relay's configuration: everything that is wrong, at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.errors import ConfigError, UserError
from modelwatch.relay.settings import DEFAULT_EVENTS, RelaySettings, Timeouts, read_settings

from .world import CONFIG, REPOSITORY, SERVICE

ENV = {"PAGERDUTY_WEBHOOK_SECRETS_FILE": "/run/secrets/pagerduty", "GITHUB_TOKEN": "ghp_" + "x" * 36}


def read(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> RelaySettings:
    path = tmp_path / "relay.toml"
    path.write_text(text)
    return read_settings(ENV if env is None else env, path)


def test_the_defaults(tmp_path: Path) -> None:
    found = read(tmp_path, CONFIG)
    assert found.services == {SERVICE: REPOSITORY}
    assert found.events == set(DEFAULT_EVENTS)
    assert found.max_age == 48 * 3600
    assert found.api_url == "https://api.github.com"
    assert "ghp_" not in repr(found)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_keep_it_from_starting(tmp_path: Path, content: str | None) -> None:
    """Each webhook would fail, for 48 hours, and then be lost."""
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(ConfigError, match=r"ca\.pem: certificates cannot be read"):
        read(tmp_path, CONFIG, ENV | {"SSL_CERT_FILE": str(tmp_path / "ca.pem")})
    assert read(tmp_path, CONFIG, ENV | {"REQUESTS_CA_BUNDLE": str(tmp_path)}).ca_file, "a folder is fine"


def test_what_one_webhook_may_cost_stays_below_what_pagerduty_waits() -> None:
    times = Timeouts()
    assert times.body + max(times.forward, times.forged_delay * 2.5 * 1.5) < 5.0


def test_the_environment_may_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "relay.toml").write_text(CONFIG)
    assert read_settings(ENV | {"MODELWATCH_RELAY_CONFIG": str(tmp_path / "relay.toml")}).services
    with pytest.raises(UserError, match="no configuration of the relay"):
        read_settings(ENV)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = """
event = ["incident.triggered"]
events = ["Incident Triggered"]
max_age_hours = 72
[services]
"P F" = "churn-model"
[verbs]
Retrain = "train"
"""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, {})
    told = str(caught.value)
    for part in (
        "PAGERDUTY_WEBHOOK_SECRETS_FILE", "there is no GitHub token", "'P F' is not the id", "'churn-model' is not a",
        "'train'", "`events` is not a list", "`max_age_hours`", "Did you mean `events`?",
    ):  # fmt: skip
        assert part in told


@pytest.mark.parametrize("text", ["", "[services]", "services = 1", "[services]\nPX = 1"])
def test_without_a_service_nothing_starts(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="no service is allowed"):
        read(tmp_path, text)


def test_a_file_that_is_no_toml_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not TOML"):
        read(tmp_path, "services")
    with pytest.raises(UserError, match="No such file"):
        read_settings(ENV, tmp_path / "none.toml")


def test_an_app_needs_its_key_and_its_id(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs both"):
        read(tmp_path, CONFIG, ENV | {"GITHUB_APP_ID": "7"})


@pytest.mark.parametrize(
    ("given", "seconds"), [("", 1.0), ("forged_wait_ms = 0\n", 0.0), ("forged_wait_ms = 250\n", 0.25)]
)
def test_a_host_may_spare_forgers_the_wait(tmp_path: Path, given: str, seconds: float) -> None:
    assert read(tmp_path, given + CONFIG).timeouts.forged_delay == seconds
