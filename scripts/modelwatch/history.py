"""What history says beside an evaluation: baselines, versions that were healthy, how the canary does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .errors import SourceError, UserError
from .pipeline import make_redactor, pull
from .timeutil import DAY

if TYPE_CHECKING:
    from .model.monitored_model import Config, Model
    from .model.release import CanaryVerdict
    from .model.rule import BaselineEntry
    from .model.series import PulledSeries

DEFAULT_PERIOD = 28 * DAY
"""How much history a baseline is captured from where nobody says: four whole weeks."""


@dataclass(frozen=True, slots=True)
class BaselinePeriod:
    """What a baseline is captured from: a time span, a W&B run, a version; whatever is not given does not restrict."""

    since: float | None = None
    until: float | None = None
    wandb_run: str = ""
    version: str = ""
    version_aliases: tuple[str, ...] = ()
    """Instead: whatever the version may be called in the series."""


def capture_baseline(config: Config, model: Model, period: BaselinePeriod, now: float) -> tuple[BaselineEntry, ...]:
    """Reference values of every series that the model's rules name, from one period of its history."""
    from .evaluate.baseline_capture import capture_model
    from .sources.pull import pull_period

    until = period.until if period.until is not None else now
    since = period.since if period.since is not None else 0.0 if period.wandb_run else until - DEFAULT_PERIOD
    found = make_redactor(config).redact(pull_period(model, since, until, wandb_run=period.wandb_run))
    if found.error:
        raise SourceError(found.error, where=model.name)
    version = period.version or _resolve_version(
        model, period, {name for one in found.series for name in one.versions if name}
    )
    return capture_model(model, found, since, until, version=version, now=now)


def _resolve_version(model: Model, period: BaselinePeriod, versions: set[str]) -> str:
    """What the series call the version that is meant; nothing where they name none at all."""
    found = next((name for name in period.version_aliases if name in versions), "")
    if period.version_aliases and versions and not found:
        names = ", ".join(sorted(versions)[:10])
        raise UserError(
            f"nothing in this period is of version {period.version_aliases[0]}; there is: {names}.", where=model.name
        )
    return found


def judge_canary(config: Config, model: Model, now: float) -> CanaryVerdict | None:
    """The canary that serves now, against the champion in the same hours; ``None`` where there is none."""
    from .evaluate.canary import judge_canary as judge_trial

    found = _pull_one(config, model, now)
    return make_redactor(config).redact(judge_trial(model, found, now))


def healthy_versions(config: Config, model: Model, now: float) -> tuple[str, ...]:
    """Versions that some rule decided about while they served, and none found a breach of error or worse in, newest
    first; as the history of metrics calls them. Raises SourceError."""
    from .alerts.evidence import failed_versions, previous_healthy_versions
    from .evaluate.evaluator import evaluate_model

    found = _pull_one(config, model, now)
    tracks = evaluate_model(model, found, now).tracks
    return previous_healthy_versions("", found, tracks, failed_versions(tracks))


def _pull_one(config: Config, model: Model, now: float) -> PulledSeries:
    found = pull(replace(config, models=(model,)), now)[model.name]
    if found.error:
        raise SourceError(found.error, where=model.name)
    return found
