"""The settings of the watchdog, and what its conditions read with. Lengths of time are in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..clients.github import GitHubClient, github_api_url, github_breaker, github_retry_policy, github_token
from ..clients.redaction import Redactor
from ..timeutil import DAY, HOUR


@dataclass(frozen=True, slots=True)
class WatchdogSettings:
    """What is checked. An empty value leaves its condition out, except that of ``workflow`` and ``repository``."""

    repository: str
    """``owner/name``: where modelwatch's workflows run."""
    workflow: str = "modelwatch.yml"
    """The file of the workflow that evaluates."""
    every: float = HOUR
    """How often it runs."""
    interval: float = HOUR
    """How often the watchdog runs."""
    any_event: bool = False
    """Count the runs that were dispatched by hand or from outside, too, though they can be dry runs."""
    projects: tuple[str, ...] = ()
    """``entity/project`` at W&B."""
    tags: tuple[str, ...] = ()
    """Only W&B runs that have one of these."""
    max_data_age: float = 6 * HOUR
    dashboard: str = ""
    """The URL of the published site."""
    max_dashboard_age: float = 3 * HOUR
    drill: str = ""
    """The file of the workflow that rehearses."""
    max_drill_age: float = 35 * DAY
    tokens: tuple[str, ...] = ("GITHUB_TOKEN",)
    """Variables that hold a token of GitHub."""
    token_notice: float = 14 * DAY
    """A token that expires sooner is reported."""
    max_rate: float = 0.8
    """The share of an hourly limit that may be used."""
    actions: str = ""
    """The repository whose actions the workflows use, as ``owner/name``."""
    outdated_after: float = 30 * DAY
    """A release that is not used is reported after this time."""
    left_out: frozenset[str] = frozenset()
    """Names of conditions that are not checked."""


@dataclass(frozen=True, slots=True)
class Access:
    """What conditions read with. ``env`` holds the tokens and the addresses of the services."""

    settings: WatchdogSettings
    env: Mapping[str, str]
    now: float
    """Seconds, UTC."""
    github: GitHubClient


def open_access(settings: WatchdogSettings, env: Mapping[str, str], now: float, redactor: Redactor) -> Access:
    """Sends nothing yet."""
    return Access(settings, env, now, open_github(env, github_token(env), redactor))


def open_github(env: Mapping[str, str], token: str, redactor: Redactor | None = None) -> GitHubClient:
    """A client of its own for ``token``; sends nothing yet."""
    return GitHubClient(github_api_url(env), token, github_retry_policy(env), github_breaker(env), redactor)
