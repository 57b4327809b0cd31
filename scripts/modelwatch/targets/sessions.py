"""The sessions of one configuration with GitHub and PagerDuty, each opened when it is first needed."""

from __future__ import annotations

from collections.abc import Mapping

from ..clients.github import GitHubClient, github_api_url, github_breaker, github_retry_policy, github_token
from ..clients.http import monitor_retry_policy
from ..clients.pagerduty import (
    EventsApi,
    IncidentsApi,
    events_breaker,
    incidents_breaker,
    incidents_retry_policy,
    pagerduty_api_url,
    pagerduty_events_url,
    pagerduty_retry_policy,
)
from ..clients.redaction import Redactor
from ..clients.retry import CircuitBreaker, Clock, RetryPolicy, timeout_scale
from ..errors import UserError
from ..model.monitored_model import Config, GitHubSpec, Model, PagerDutySpec
from ..model.secret import Secret
from .register.client import ClosedIssues, IssueClient

MESSAGES_SECONDS = 30.0
"""By which messages may delay a run. The one that is being sent then takes its own time more."""


class TargetSessions:
    """Sessions for the models of ``config``. ``env`` holds GITHUB_TOKEN (or GH_TOKEN), and can hold GITHUB_API_URL,
    PAGERDUTY_EVENTS_URL, PAGERDUTY_API_URL and MODELWATCH_WAIT_SCALE."""

    def __init__(
        self,
        config: Config,
        env: Mapping[str, str],
        redactor: Redactor | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.config = config
        self.clock = clock or Clock()
        self._env = env
        self._githubs: dict[tuple[str, str], GitHubClient] = {}
        self._closed: dict[tuple[str, str], ClosedIssues] = {}
        self._breakers: dict[str, CircuitBreaker] = {}
        self._events: dict[tuple[str, str], EventsApi] = {}
        self._events_breakers: dict[str, CircuitBreaker] = {}
        self._incidents_breakers: dict[str, CircuitBreaker] = {}
        self.messages_breaker = CircuitBreaker(MESSAGES_SECONDS * timeout_scale(self._env))
        self.redactor = redactor or Redactor(secret.reveal() for secret in config.secrets)

    @property
    def is_slow(self) -> bool:
        """Whether GitHub has cost much time already."""
        return any(breaker.is_slow for breaker in self._breakers.values())

    def timeout(self, seconds: float) -> float:
        """``seconds``, scaled as the environment says."""
        return seconds * timeout_scale(self._env)

    def monitor_retry(self) -> RetryPolicy:
        """The bounds of a call to the monitor that expects heartbeats."""
        return monitor_retry_policy(self._env)

    def github_spec(self, model: str, repository: str = "") -> GitHubSpec:
        """The configured one; for a model that is no longer in the configuration, one with its repository alone."""
        spec = self.config.model(model)
        return spec.github if spec else GitHubSpec(repository=repository)

    def repository_key(self, spec: GitHubSpec, repository: str = "") -> tuple[str, str]:
        """Equal for the same repository of the same server."""
        return github_api_url(self._env, spec.api_url), (repository or spec.repository).lower()

    def github(self, spec: GitHubSpec, repository: str) -> GitHubClient:
        """The session for one repository; sends nothing yet."""
        key = self.repository_key(spec, repository)
        if key not in self._githubs:
            breaker = self._breakers.setdefault(key[0], github_breaker(self._env))
            retry = github_retry_policy(self._env)
            self._githubs[key] = GitHubClient(key[0], github_token(self._env), retry, breaker, self.redactor)
        return self._githubs[key]

    def issue_client(self, spec: GitHubSpec, repository: str = "") -> IssueClient:
        """The issues of the configured repository, else of ``repository``. Raises UserError where both are empty."""
        name = spec.repository or repository
        if not name:
            raise UserError("no repository is configured", hint="Set `github.repository` to `owner/name`.")
        return IssueClient(self.github(spec, name), name)

    def closed_issues(self, spec: GitHubSpec, since: float) -> ClosedIssues:
        """The closed issues of a repository that changed after ``since``, read once. Raises UserError."""
        key = self.repository_key(spec)
        if key not in self._closed:
            self._closed[key] = self.issue_client(spec).list_closed(since)
        return self._closed[key]

    def events(self, model: str) -> EventsApi:
        """Raises UserError where the model has no routing key."""
        configured = self.config.model(model)
        spec = configured.pagerduty if configured else PagerDutySpec()
        if spec.missing_key_reason:
            raise UserError(spec.missing_key_reason)
        key = (_reveal(spec.routing_key), pagerduty_events_url(self._env, spec.events_url))
        if key not in self._events:
            breaker = self._events_breakers.setdefault(key[1], events_breaker(self._env))
            self._events[key] = EventsApi(*key, pagerduty_retry_policy(self._env), breaker)
        return self._events[key]

    def incidents(self, model: Model) -> IncidentsApi | None:
        """``None`` where the model has no REST token."""
        token = _reveal(model.pagerduty.token)
        url = pagerduty_api_url(self._env, model.pagerduty.api_url)
        breaker = self._incidents_breakers.setdefault(url, incidents_breaker(self._env))
        return IncidentsApi(token, url, incidents_retry_policy(self._env), breaker) if token else None


def _reveal(secret: Secret | None) -> str:
    return secret.reveal() if secret else ""
