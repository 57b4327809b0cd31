"""The state of one run of modelwatch: its time, environment and sessions, and what it has already read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from .clients.environment import environment
from .clients.redaction import Redactor
from .clients.retry import CircuitBreaker, Clock, RetryPolicy, run_within, timeout_scale
from .clients.wandb import WandbDownError, WandbSessions
from .errors import SourceError, UserError, unforeseen
from .model.monitored_model import Config, Model
from .model.release import Registry
from .timeutil import MINUTE

if TYPE_CHECKING:
    from .release.registry import RegistryReader
    from .sources.pull import Progress
    from .targets.sessions import TargetSessions

SECOND_LOOK = 2 * MINUTE
"""After so long (seconds) an evaluation that acts reads models whose server was down once more: not every failure is an
outage."""
REGISTRY_SECONDS = 60.0
"""For one registry; and so much more than usual may all of them cost a run, whose pages wait for them."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """The context of one run: made once by the command and passed to every stage."""

    config: Config
    now: float
    env: Mapping[str, str]
    redactor: Redactor
    """Removes the configured secrets from everything that is read or sent."""
    open_sessions: Callable[[], TargetSessions]
    wandb: WandbSessions
    run_url: str = ""
    """The workflow run that is evaluating; empty on a terminal."""
    progress: Progress | None = None
    second_look: float | None = None
    """After so many seconds models whose server was down are read once more; ``None``: they are not."""
    _registry_breaker: CircuitBreaker = field(default_factory=lambda: CircuitBreaker(REGISTRY_SECONDS), repr=False)
    _readers: dict[str, RegistryReader] = field(default_factory=dict, repr=False)
    _errors: dict[str, UserError] = field(default_factory=dict, repr=False)

    @property
    def sessions(self) -> TargetSessions:
        """The sessions with GitHub and PagerDuty: the same every time."""
        return self.open_sessions()

    def only(self, model: Model) -> RunContext:
        """The same run for one model."""
        return replace(self, config=replace(self.config, models=(model,)))

    def read_registry(self, model: Model, *, producers: bool = True) -> Registry:
        """Versions and moves, read once; ``producers``: with the W&B run that logged each version. Raises UserError,
        for a server that does not answer, or has cost its time, without waiting for it again."""
        server = f"server {model.wandb_url(self.env)}"  # no name of a model has a space
        if error := self._errors.get(model.name) or self._errors.get(server):
            raise error
        try:
            if reason := self._registry_breaker.refusal(server):
                raise SourceError(f"versions and moves are not listed: {reason}.", where=model.where)
            seconds = REGISTRY_SECONDS * timeout_scale(self.env)
            with self._registry_breaker.measure():
                return run_within(seconds, lambda: self._read_registry(model, producers=producers))
        except TimeoutError as error:
            self._errors[server] = WandbDownError("W&B takes too long to list versions and moves.", where=model.where)
            raise self._errors[server] from error
        except UserError as error:
            self._errors[model.name] = error
            if isinstance(error, SourceError) and error.is_shared:
                self._errors[server] = error
            raise
        except Exception as error:
            self._errors[model.name] = failure = SourceError(
                unforeseen("reading the registry", error), where=model.where
            )
            raise failure from error

    def _read_registry(self, model: Model, *, producers: bool) -> Registry:
        from .release.registry import RegistryReader, open_access

        if model.name not in self._readers:
            access = open_access(model, self.env, RetryPolicy().scale(self.env))
            self._readers[model.name] = RegistryReader(access)
        reader = self._readers[model.name]
        return self.redactor.redact(reader.registry if producers else reader.releases)


def make_context(
    config: Config,
    now: float,
    env: Mapping[str, str] | None = None,
    run_url: str = "",
    progress: Progress | None = None,
) -> RunContext:
    """Make the context; sends nothing yet. ``env`` is by default that of this process."""
    variables = environment() if env is None else env
    redactor, clock = Redactor(secret.reveal() for secret in config.secrets), Clock()

    @cache
    def open_sessions() -> TargetSessions:
        from .targets.sessions import TargetSessions

        return TargetSessions(config, variables, redactor, clock)

    models = tuple(model.with_whole_history(now) for model in config.models)
    return RunContext(
        replace(config, models=models),
        now,
        variables,
        redactor,
        open_sessions,
        WandbSessions(variables),
        run_url,
        progress,
        _registry_breaker=CircuitBreaker(REGISTRY_SECONDS * timeout_scale(variables)),
    )
