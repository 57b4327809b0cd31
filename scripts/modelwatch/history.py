"""Reads a model's history outside an evaluation: to capture baselines, list healthy versions and judge the canary."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .alerts.version_health import judge_versions
from .context import RunContext
from .errors import SourceError, SourceNameError, UserError
from .evaluate import canary
from .evaluate.baseline_capture import capture_model
from .evaluate.evaluator import evaluate_model
from .model.alert import group_key
from .model.monitored_model import Model
from .model.release import CanaryVerdict
from .model.rule import BaselineEntry
from .model.series import Deployment, PulledSeries
from .model.target import Target
from .model.version_health import VersionHealth
from .pipeline import observe, pull
from .sources.pull import pull_period
from .timeutil import DAY, format_utc

DEFAULT_PERIOD = 28 * DAY
"""The history (seconds) that a baseline is captured from by default: four weeks."""


MAX_VERSIONS = 5
"""Versions that a doubt about a baseline names."""
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


@dataclass(frozen=True, slots=True)
class CapturedBaseline:
    """Reference values, and what makes them doubtful."""

    entries: tuple[BaselineEntry, ...]
    doubts: tuple[str, ...] = ()


def capture_baseline(context: RunContext, model: Model, period: BaselinePeriod) -> CapturedBaseline:
    """Capture reference values of every series in the model's rules from one period of its history."""
    since, until = period_bounds(period, context.now)
    pulled = context.redactor.redact(
        pull_period(model, since, until, context.wandb, wandb_run=period.wandb_run, now=context.now)
    )
    _require_success(pulled)
    names = {name for series in pulled.series for name in series.versions if name}
    version = period.version or _resolve_version(model, period, names)
    entries = capture_model(model, pulled, since, until, version=version, now=context.now)
    mixed = () if version else served_versions(pulled, since, until)
    doubts = [f"the period holds {len(mixed)} versions, {_version_list(mixed)}; take one of them with --version."]
    return CapturedBaseline(entries, tuple(doubts if len(mixed) > 1 else ()))


def read_period(context: RunContext, model: Model, since: float, until: float) -> PulledSeries:
    """The series of ``model`` from ``since`` to ``until`` (seconds, UTC). Raises SourceError."""
    pulled = context.redactor.redact(pull_period(model, since, until, context.wandb, now=context.now))
    _require_success(pulled)
    return pulled


def period_bounds(period: BaselinePeriod, now: float) -> tuple[float, float]:
    """Begin and end (seconds, UTC)."""
    until = period.until if period.until is not None else now
    return period.since if period.since is not None else 0.0 if period.wandb_run else until - DEFAULT_PERIOD, until


def served_versions(pulled: PulledSeries, since: float, until: float) -> tuple[Deployment, ...]:
    """The versions with a point from ``since`` to ``until`` (seconds, UTC), each with its first one there."""
    first: dict[str, float] = {}
    for series in pulled.series:
        for time, place in zip(series.times, series.version_of):
            if place >= 0 and since <= time <= until:
                name = series.versions[place]
                first[name] = min(time, first.get(name, time))
    return tuple(Deployment(name, first[name]) for name in sorted(first, key=first.__getitem__))


def _version_list(served: tuple[Deployment, ...]) -> str:
    shown = ", ".join(f"{one.version} (since {format_utc(one.since)})" for one in served[:MAX_VERSIONS])
    return shown + (f" and {len(served) - MAX_VERSIONS} more" if len(served) > MAX_VERSIONS else "")


def incidents_within(context: RunContext, model: Model, since: float, until: float) -> tuple[str, ...]:
    """A text for each issue about a rule of ``model`` that was open between ``since`` and ``until`` (seconds, UTC), and
    for issues that cannot be read."""
    if not model.github.repository:
        return ()
    observed = observe(context.only(model))[model.name]
    if error := observed.error_for(Target.ISSUE):
        return (f"whether an incident lies in the period is not known, since issues cannot be read: {error}",)
    rules = {group_key(model.name, rule.name): rule.name for rule in model.rules}
    texts = []
    for issue in sorted(observed.issues, key=lambda issue: issue.number):
        register = issue.register
        if register is None or not issue.trusted or issue.group not in rules:
            continue
        ended = register.closed or issue.closed_at if issue.state == "closed" else None
        if register.start < until and (ended is None or ended > since):
            lasted = f"to {format_utc(ended)}" if ended is not None else "on, and is still open"
            what = f"issue #{issue.number} ({rules[issue.group]}, {register.peak})"
            when = f"{format_utc(register.start)} {lasted}"
            texts.append(f"the period holds an incident: {what} from {when}. {issue.url}")
    return tuple(texts)


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
