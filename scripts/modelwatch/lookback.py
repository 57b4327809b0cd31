"""What history says beside an evaluation: baselines, versions that were healthy, how the canary does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .errors import SourceError, UserError
from .model.rule import DAY
from .pipeline import pull, redactor_of

if TYPE_CHECKING:
    from .model.release import CanaryVerdict
    from .model.rule import BaselineEntry
    from .model.series import Pull
    from .model.watched import Config, Model

DEFAULT_PERIOD = 28 * DAY
"""How much history a baseline is captured from where nobody says: four whole weeks."""


@dataclass(frozen=True, slots=True)
class Period:
    """What a baseline is captured from: a time span, a W&B run, a version; whatever is not given does not restrict."""

    since: float | None = None
    until: float | None = None
    wandb_run: str = ""
    version: str = ""
    called: tuple[str, ...] = ()
    """Instead: whatever the version may be called in the series."""


def capture_baseline(config: Config, model: Model, period: Period, now: float) -> tuple[BaselineEntry, ...]:
    """Reference values of every series that the model's rules name, from one period of its history."""
    from .evaluate.capture import capture_all
    from .sources.pull import pull_period

    until = period.until if period.until is not None else now
    since = period.since if period.since is not None else 0.0 if period.wandb_run else until - DEFAULT_PERIOD
    found = redactor_of(config).within(pull_period(model, since, until, wandb_run=period.wandb_run))
    if found.error:
        raise SourceError(found.error, where=model.name)
    version = period.version or _called(model, period, {name for one in found.series for name in one.versions if name})
    return capture_all(model, found, since, until, version=version, now=now)


def _called(model: Model, period: Period, there: set[str]) -> str:
    """What the series call the version that is meant; nothing where they name none at all."""
    found = next((name for name in period.called if name in there), "")
    if period.called and there and not found:
        names = ", ".join(sorted(there)[:10])
        raise UserError(
            f"nothing in this period is of version {period.called[0]}; there is: {names}.", where=model.name
        )
    return found


def judge_canary(config: Config, model: Model, now: float) -> CanaryVerdict | None:
    """The canary that serves now, against the champion in the same hours; ``None`` where there is none."""
    from .evaluate.canary import judge_canary as judge_trial

    found = _alone(config, model, now)
    return redactor_of(config).within(judge_trial(model, found, now))


def healthy_versions(config: Config, model: Model, now: float) -> tuple[str, ...]:
    """Versions that some rule decided about while they served, and none found a breach of error or worse in, newest
    first; as the history of metrics calls them. Raises SourceError."""
    from .alerts.evidence import failed_versions, previous
    from .evaluate.tracks import evaluate_model

    found = _alone(config, model, now)
    tracks = evaluate_model(model, found, now).tracks
    return previous("", found, tracks, failed_versions(tracks))


def _alone(config: Config, model: Model, now: float) -> Pull:
    found = pull(replace(config, models=(model,)), now)[model.name]
    if found.error:
        raise SourceError(found.error, where=model.name)
    return found
