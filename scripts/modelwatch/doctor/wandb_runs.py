"""The W&B runs that a model reads: the project, the tag, the newest point, and the keys of version and time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..clients.wandb import WandbDownError, WandbProjectError, WandbSessions, find_runs, list_projects
from ..errors import SourceError, UserError
from ..model.monitored_model import Model, WandbSpec
from ..model.series import PulledSeries
from ..sources.wandb_api import run_filters, run_info, stop_after
from ..sources.wandb_names import (
    RunLabels,
    config_keys,
    missing_project,
    missing_time,
    missing_version,
    unmatched_runs,
)
from ..timeutil import DAY, HOUR, MINUTE, format_utc
from .placeholders import EXAMPLE_HINT, is_example
from .setup_check import SetupCheck, report_error, report_ok, report_problem, report_warning

MAX_RUNS = 100
"""The newest W&B runs that are looked at."""
SUBJECT = "W&B"


@dataclass(frozen=True, slots=True)
class LoggedRuns:
    """The newest W&B runs of a project."""

    count: int
    """Of those that match the configuration."""
    is_more: bool
    """Whether there are more than were looked at."""
    labels: tuple[RunLabels, ...]
    """Of every run of the project, whether it matches or not."""
    keys: frozenset[str]
    """Logged by runs that match."""
    config: frozenset[str]
    """Keys in the configs of runs that match."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    """The last value of each key, of runs that match."""

    @property
    def tags(self) -> frozenset[str]:
        return frozenset(tag for run in self.labels for tag in run.tags)


def read_runs(spec: WandbSpec, sessions: WandbSessions) -> LoggedRuns | SourceError:
    """The runs, or why they cannot be read. A server that is down is soon not asked any more."""
    path, filters = f"{spec.entity}/{spec.project}", run_filters(spec)
    try:
        api = sessions.session(spec.base_url, spec.entity)
        every = find_runs(api, path, {}, stop_after(MAX_RUNS))
        matching = find_runs(api, path, filters, stop_after(MAX_RUNS)) if filters else every
    except WandbDownError as error:
        sessions.record_failure(spec.base_url, error)
        return error
    except SourceError as error:
        return error
    return LoggedRuns(
        len(matching),
        len(matching) >= MAX_RUNS,
        tuple(RunLabels.of(run, 0.0) for run in every),
        frozenset(key for run in matching for key in run_info(run, spec.version).keys if not key.startswith("_")),
        frozenset(key for run in matching for key in config_keys(run.config)),
        {key: value for run in reversed(matching) for key, value in run.summary_metrics.items()},
    )


def report_source_error(model: Model, error: UserError, sessions: WandbSessions) -> SetupCheck:
    """The check that ended with ``error``; for a project that does not exist with the likely name."""
    if isinstance(error, WandbProjectError) and model.wandb is not None:
        spec = model.wandb
        names = list_projects(sessions, spec.base_url, spec.entity)
        missing = missing_project(spec, names)
        hint = EXAMPLE_HINT if is_example(spec.entity) and not names else missing.hint
        return report_problem(SUBJECT, missing.text, hint, model=model.name)
    return report_error(SUBJECT, error, model=model.name)


def check_runs(model: Model, spec: WandbSpec, runs: LoggedRuns) -> SetupCheck | None:
    """What is wrong with the choice of runs; ``None`` where some match."""
    if runs.count:
        return None
    missing = unmatched_runs(f"{spec.entity}/{spec.project}", spec, runs.labels)
    return report_problem(SUBJECT, missing.text, missing.hint, model=model.name)


def check_keys(model: Model, spec: WandbSpec, runs: LoggedRuns, pulled: PulledSeries) -> Iterator[SetupCheck]:
    """The key of the time, without which no row counts, and that of the version."""
    if missing := missing_time(spec, runs.keys):
        yield report_problem(SUBJECT, missing.text, missing.hint, model=model.name)
    elif not spec.version:
        if model.workflow("rollback") or model.release:
            text = "no `version` is configured, so no healthy version is known to go back to."
            yield report_warning(SUBJECT, text, "Give `wandb: {version: KEY}`.", model=model.name)
    elif not pulled.deployments:
        if missing := missing_version(spec, runs.config | runs.keys):
            yield report_problem(SUBJECT, missing.text, missing.hint, model=model.name)
    else:
        newest = pulled.deployments[-1]
        yield report_ok(
            SUBJECT, f"{spec.version}: {newest.version} serves since {format_utc(newest.since)}", model=model.name
        )


def check_newest_point(model: Model, where: str, pulled: PulledSeries, now: float) -> SetupCheck | None:
    """How old the newest point is; ``None`` where there is none. ``where``: what was read."""
    newest = max((series.times[-1] for series in pulled.series if len(series)), default=-math.inf)
    newest = max(newest, max((found.times[-1] for found in pulled.histograms if len(found)), default=-math.inf))
    if newest == -math.inf:
        return None
    expected = max((rule.lag + rule.every + rule.window for rule in model.rules), default=DAY)
    text = f"{where}, the newest point is {_age(now - newest)} old"
    if now - newest <= expected:
        return report_ok("source", text, model=model.name)
    hint = "Does the job that logs it still run? Nothing newer is judged."
    return report_warning("source", f"{text}.", hint, model=model.name)


def _age(seconds: float) -> str:
    for unit, name in ((2 * DAY, "days"), (2 * HOUR, "h")):
        if seconds >= unit:
            return f"{seconds / (unit / 2):.0f} {name}"
    return f"{max(seconds, 0.0) / MINUTE:.0f} min"


def runs_title(spec: WandbSpec, runs: LoggedRuns) -> str:
    """``acme/churn-prod: 3 runs with the tag production``."""
    count = f"{'at least ' if runs.is_more else ''}{runs.count} run{'' if runs.count == 1 else 's'}"
    tags = f" with the tag {' and '.join(spec.tags)}" if spec.tags else ""
    return f"{spec.entity}/{spec.project}: {count}{tags}"


def server_of(model: Model, env: Mapping[str, str]) -> str:
    """The W&B server of a model; empty where it reads none."""
    if model.wandb is None or model.wandb.offline:
        return ""
    return model.wandb_url(env) or "api.wandb.ai"
