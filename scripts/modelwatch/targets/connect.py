"""The targets of one configuration: sessions opened when they are first needed, and everything observed at once."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from ..clients.environment import environment
from ..clients.github import GitHub, Health, api_url_from, github_patience, token_from
from ..clients.pagerduty import ChangeEvents, Events, Incidents, events_url_from, pagerduty_patience
from ..clients.pagerduty import api_url_from as rest_url_from
from ..clients.redact import Redactor
from ..model.alert import Judgement
from ..model.plan import ModelObservation
from ..model.secret import Secret
from ..model.watched import Config, GitHubSpec, Model, PagerDutySpec

WORKERS = 8
"""Repositories observed side by side; requests to one repository go one after another."""


class TargetSessions:
    """Sessions for the models of ``config``."""

    def __init__(self, config: Config, env: Mapping[str, str]) -> None:
        self.config = config
        self._env = env
        self._githubs: dict[tuple[str, str], GitHub] = {}
        self._health: dict[str, Health] = {}
        self._events: dict[tuple[str, str], Events] = {}
        self._redactor = Redactor(secret.reveal() for secret in config.secrets)

    def github_spec(self, model: str, repository: str = "") -> GitHubSpec:
        """As configured; for a model that the configuration does not know any more, what is left of it."""
        found = self.config.model(model)
        return found.github if found else GitHubSpec(repository=repository)

    def github(self, spec: GitHubSpec, repository: str) -> GitHub:
        """The session for one repository; made, but not used yet, it costs nothing."""
        key = (api_url_from(self._env, spec.api_url), repository.lower())
        if key not in self._githubs:
            health = self._health.setdefault(key[0], Health())
            patience = github_patience(self._env)
            self._githubs[key] = GitHub(key[0], token_from(self._env), patience, health, self._redactor)
        return self._githubs[key]

    def events(self, model: str) -> Events:
        """Raises UserError where the model has no routing key."""
        spec = self._pagerduty(model)
        key = (_reveal(spec.routing_key), events_url_from(self._env, spec.events_url))
        if key not in self._events:
            self._events[key] = Events(*key, pagerduty_patience(self._env))
        return self._events[key]

    def change_events(self, model: str) -> ChangeEvents:
        """Raises UserError where the model has no routing key."""
        spec = self._pagerduty(model)
        url = events_url_from(self._env, spec.events_url)
        return ChangeEvents(_reveal(spec.routing_key), url, pagerduty_patience(self._env))

    def incidents(self, model: Model) -> Incidents | None:
        """``None`` where the model has no REST token."""
        token = _reveal(model.pagerduty.token)
        url = rest_url_from(self._env, model.pagerduty.api_url)
        return Incidents(token, url, pagerduty_patience(self._env)) if token else None

    def _pagerduty(self, model: str) -> PagerDutySpec:
        found = self.config.model(model)
        return found.pagerduty if found else PagerDutySpec()

    def observe(self, judgement: Judgement | None = None, now: float | None = None) -> dict[str, ModelObservation]:
        """What is there for each model; what cannot be observed is a Trouble of the models concerned, never an error.

        With a ``judgement`` workflow runs and incidents are looked for only where it, or a register, asks for them;
        without one, everywhere.
        """
        from .observe import observe_repository

        moment = judgement.at if now is None and judgement else now
        models: dict[tuple[str, str], list[Model]] = {}
        for model in self.config.models:
            key = (api_url_from(self._env, model.github.api_url), model.github.repository.lower())
            models.setdefault(key, []).append(model)
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            parts = pool.map(lambda together: observe_repository(self, together, judgement, moment), models.values())
            found = {name: observed for part in parts for name, observed in part.items()}
        return {model.name: found[model.name] for model in self.config.models}


def open_sessions(config: Config, env: Mapping[str, str] | None = None) -> TargetSessions:
    """Nothing is sent yet. ``env`` holds GITHUB_TOKEN (or GH_TOKEN), and may hold GITHUB_API_URL,
    PAGERDUTY_EVENTS_URL, PAGERDUTY_API_URL and MODELWATCH_WAIT_SCALE; by default this process's own."""
    return TargetSessions(config, environment() if env is None else env)


def _reveal(secret: Secret | None) -> str:
    return secret.reveal() if secret else ""
