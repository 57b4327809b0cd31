"""The relay's settings: services, repositories and events from a TOML file, places of secrets from the environment."""

from __future__ import annotations

import re
import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..clients.environment import ca_file, proxy_url
from ..clients.github import github_api_url, github_token
from ..clients.http import is_secure_url
from ..clients.retry import read_scale
from ..errors import ConfigError, UserError, did_you_mean
from ..timeutil import HOUR
from .pagerduty_webhook import WORKFLOW_STARTED

CONFIG = "MODELWATCH_RELAY_CONFIG"
SECRETS_FILE = "PAGERDUTY_WEBHOOK_SECRETS_FILE"
TOKEN_FILE = "GITHUB_TOKEN_FILE"  # noqa: S105 - the name of a variable
APP_ID = "GITHUB_APP_ID"
APP_KEY_FILE = "GITHUB_APP_KEY_FILE"

DEFAULT_EVENTS = ("incident.triggered", "incident.acknowledged", "incident.resolved", WORKFLOW_STARTED)
VERBS = ("retrain", "rollback", "degrade")
MAX_BODY = 256 * 1024

_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_EVENT = re.compile(r"[a-z_]+(\.[a-z_]+)+")
_SERVICE = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. The longest webhook, ``body + forward``, stays below PagerDuty's limit of 5 s."""

    head: float = 5.0
    """From the connection, or a request's first byte, to the end of its headers."""
    body: float = 1.0
    forward: float = 3.5
    forged_delay: float = 1.0
    """Average delay of the answer to a bad signature, up to 2.5 times as long in a flood, give or take a half."""
    drain: int = 10
    """How long a stop waits for accepted webhooks."""


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """The relay's settings. The only secret in them is a token that the environment itself contains."""

    services: Mapping[str, str]
    """PagerDuty service id -> ``owner/name`` of the repository that receives its events."""
    secrets_file: Path
    api_url: str
    events: frozenset[str] = frozenset(DEFAULT_EVENTS)
    verbs: Mapping[str, str] = field(default_factory=dict)
    """Id or exact name of an incident workflow -> verb."""
    max_age: float = 48 * HOUR
    dedup_size: int = 20_000
    """How many ids of events are remembered."""
    max_in_flight: int = 1_000
    """Webhooks that are forwarded at once; more are answered with 503, and PagerDuty retries."""
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    app_id: str = ""
    app_key_file: Path | None = None
    timeouts: Timeouts = Timeouts()
    ca_file: str = ""
    """Certificates of a private authority; empty for those of the system."""
    proxy: str = ""
    """Between us and GitHub; empty for none."""
    wait_scale: float = 1.0
    """Multiplies every wait that GitHub requests (``MODELWATCH_WAIT_SCALE``)."""


_DEFAULTS: dict[str, Any] = {entry.name: entry.default for entry in fields(RelaySettings)}


def read_settings(env: Mapping[str, str], path: Path | None = None) -> RelaySettings:
    """Read ``env`` and the file at ``path``, else the one that ``env`` names. Raises ConfigError with every problem."""
    path = path or (Path(env[CONFIG]) if env.get(CONFIG) else None)
    if path is None:
        raise UserError("there is no configuration of the relay", hint="Name a TOML file.", where=CONFIG)
    reader = _SettingsReader(_load_toml(path), str(path))
    if not env.get(SECRETS_FILE):
        hint = "Set it to a file with one secret a line, as PagerDuty showed it."
        reader.add_problem("no file of webhook secrets is named", hint, SECRETS_FILE)
    key_file = env.get(APP_KEY_FILE, "")
    if bool(env.get(APP_ID)) != bool(key_file):
        reader.add_problem(f"a GitHub App needs both {APP_ID} and {APP_KEY_FILE}", where=APP_ID)
    api_url = github_api_url(env)
    if not is_secure_url(api_url):
        hint = "It looks like https://<host>/api/v3."
        reader.add_problem("the address of GitHub's API is not https", hint, "GITHUB_API_URL")
    token = github_token(env)
    if not (key_file or env.get(TOKEN_FILE) or token):
        hint = f"Set {TOKEN_FILE} (read again when it changes), GITHUB_TOKEN, or {APP_ID} and {APP_KEY_FILE}."
        reader.add_problem("there is no GitHub token", hint, TOKEN_FILE)
    try:
        make_tls_context(ca_file(env))
    except OSError as error:
        hint = "REQUESTS_CA_BUNDLE or SSL_CERT_FILE names it."
        reader.add_problem(f"certificates cannot be read: {error.strerror or error}", hint, ca_file(env))
    forged_ms = reader.integer("forged_wait_ms", int(Timeouts().forged_delay * 1000), 0, 1_000)
    settings = RelaySettings(
        services=reader.services(),
        secrets_file=Path(env.get(SECRETS_FILE, "")),
        api_url=api_url,
        events=reader.events(),
        verbs=reader.verbs(),
        max_age=reader.integer("max_age_hours", int(_DEFAULTS["max_age"] // HOUR), 1, 48) * HOUR,
        dedup_size=reader.integer("memory", _DEFAULTS["dedup_size"], 1, 1_000_000),
        max_in_flight=reader.integer("most_at_once", _DEFAULTS["max_in_flight"], 1, 100_000),
        timeouts=Timeouts(forged_delay=forged_ms / 1000),
        token=token,
        token_file=Path(env[TOKEN_FILE]) if env.get(TOKEN_FILE) else None,
        app_id=env.get(APP_ID, ""),
        app_key_file=Path(key_file) if key_file else None,
        ca_file=ca_file(env),
        proxy=proxy_url(api_url, env),
        wait_scale=read_scale(env),
    )
    reader.reject_unknown()
    if reader.problems:
        raise ConfigError(tuple(reader.problems))
    return settings


def make_tls_context(authorities: str) -> ssl.SSLContext:
    """Verifies servers by the certificates in a file or folder; by those of the system where it is empty. Raises
    OSError where they cannot be read."""
    folder = bool(authorities) and Path(authorities).is_dir()
    if folder:
        return ssl.create_default_context(capath=authorities)
    return ssl.create_default_context(cafile=authorities or None)


def _load_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"it cannot be read: {error.strerror}", where=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise UserError(f"it is not TOML: {error}", where=str(path)) from error


@dataclass(slots=True)
class _SettingsReader:
    """Reads the document and collects every problem."""

    document: dict[str, Any]
    path: str
    problems: list[UserError] = field(default_factory=list)
    known: set[str] = field(default_factory=set)

    def add_problem(self, message: str, hint: str = "", where: str = "") -> None:
        self.problems.append(UserError(message, hint=hint, where=where or self.path))

    def _table(self, name: str) -> dict[str, str]:
        self.known.add(name)
        table = self.document.get(name, {})
        if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
            self.add_problem(f"`{name}` is not a table of texts")
            return {}
        return table

    def services(self) -> dict[str, str]:
        table = self._table("services")
        if not table:
            self.add_problem(
                "no service is allowed", 'Write `[services]` with lines such as `PF9KMXH = "acme/churn-model"`.'
            )
        for service, repository in table.items():
            if not _SERVICE.fullmatch(service):
                self.add_problem(
                    f"{service!r} is not the id of a PagerDuty service", "It ends the address of its page."
                )
            if not _REPOSITORY.fullmatch(repository) or ".." in repository:
                self.add_problem(f"{repository!r} is not a repository", "Write it as `owner/name`.")
        return table

    def verbs(self) -> dict[str, str]:
        table = self._table("verbs")
        for workflow, verb in table.items():
            if verb not in VERBS:
                self.add_problem(
                    f"`verbs`: {workflow!r} has the unknown verb {verb!r}", f"A verb is one of {', '.join(VERBS)}."
                )
        return table

    def events(self) -> frozenset[str]:
        self.known.add("events")
        events = self.document.get("events", list(DEFAULT_EVENTS))
        valid = isinstance(events, list) and all(isinstance(name, str) and _EVENT.fullmatch(name) for name in events)
        if not valid or not events:
            self.add_problem("`events` is not a list of event types", "They look like `incident.triggered`.")
            return frozenset()
        return frozenset(events)

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        self.known.add(name)
        value = self.document.get(name, default)
        if type(value) is not int or not least <= value <= most:
            self.add_problem(f"`{name}` is not a whole number from {least:,} to {most:,}")
            return default
        return value

    def reject_unknown(self) -> None:
        for name in self.document.keys() - self.known:
            self.add_problem(f"there is no setting `{name}`", did_you_mean(name, self.known, ""))
