"""Reads a model's history outside an evaluation: to capture baselines, list healthy versions and judge the canary."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .alerts.version_health import judge_versions
from .context import RunContext
from .errors import SourceError, SourceNameError, UserError
from .evaluate import canary
from .evaluate.baseline_capture import capture_model
from .evaluate.evaluator import evaluate_model
from .model.monitored_model import Model
from .model.release import CanaryVerdict
from .model.rule import BaselineEntry
from .model.series import PulledSeries
from .model.version_health import VersionHealth
from .pipeline import pull
from .sources.pull import pull_period
from .timeutil import DAY

DEFAULT_PERIOD = 28 * DAY
"""The history (seconds) that a baseline is captured from by default: four weeks."""


LONG_HISTORY = 180 * DAY
"""How far back (seconds) a healthy version is searched for, where newer history has none."""


@dataclass(frozen=True, slots=True)
class BaselinePeriod:
    """The part of the history that a baseline is captured from; an empty field does not restrict it."""

    since: float | None = None
    until: float | None = None
    wandb_run: str = ""
    version: str = ""
    version_aliases: tuple[str, ...] = ()
    """Instead of ``version``: all names that the series can use for it."""


def capture_baseline(context: RunContext, model: Model, period: BaselinePeriod) -> tuple[BaselineEntry, ...]:
    """Capture reference values of every series in the model's rules from one period of its history."""
    until = period.until if period.until is not None else context.now
    since = period.since if period.since is not None else 0.0 if period.wandb_run else until - DEFAULT_PERIOD
    pulled = context.redactor.redact(
        pull_period(model, since, until, context.wandb, wandb_run=period.wandb_run, now=context.now)
    )
    _require_success(pulled)
    names = {name for series in pulled.series for name in series.versions if name}
    version = period.version or _resolve_version(model, period, names)
    return capture_model(model, pulled, since, until, version=version, now=context.now)


def _resolve_version(model: Model, period: BaselinePeriod, versions: set[str]) -> str:
    """The name of the version in the series; empty where they name no version."""
    version = next((name for name in period.version_aliases if name in versions), "")
    if period.version_aliases and versions and not version:
        names = ", ".join(sorted(versions)[:10])
        raise UserError(
            f"no series in this period has version {period.version_aliases[0]}; versions: {names}.", where=model.name
        )
    return version


def judge_canary(context: RunContext, model: Model) -> CanaryVerdict | None:
    """Compare the serving canary with the champion in the same hours; ``None`` where there is no canary."""
    return context.redactor.redact(canary.judge_canary(model, _pull_one(context, model), context.now))


def version_health(context: RunContext, model: Model) -> tuple[VersionHealth, ...]:
    """The records of versions that served, newest first; by their names in the history of metrics. Where no version but
    the newest was healthy, older history is read, too. Raises SourceError."""
    health = _judge_history(context, model)
    if any(record.healthy for record in health[1:]) or model.history >= LONG_HISTORY:
        return health
    return _judge_history(context, replace(model, history=LONG_HISTORY))


def _judge_history(context: RunContext, model: Model) -> tuple[VersionHealth, ...]:
    pulled = _pull_one(context, model)
    tracks = evaluate_model(model, pulled, context.now).tracks
    return context.redactor.redact(judge_versions(pulled.deployments, tracks, pulled.starts, pulled.rolled_back))


def _pull_one(context: RunContext, model: Model) -> PulledSeries:
    pulled = pull(context.only(model))[model.name]
    _require_success(pulled)
    return pulled


def _require_success(pulled: PulledSeries) -> None:
    if pulled.error:
        kind = SourceNameError if pulled.scope.is_name else SourceError
        raise kind(pulled.error, where=pulled.model)
