"""What a spool sends to W&B: the profile of each day as an artifact of a W&B run of its own, with counts of rows sent
and lost; where it sees all of the traffic, also the rows that ``modelwatch measure`` would log."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from itertools import groupby
from typing import Any

from ..clients.retry import RetryPolicy
from ..clients.wandb_runs import RunAddress, open_run
from ..model.monitored_model import Model, WandbSpec
from ..model.prediction_log import (
    MEASURED_TIME,
    PROFILE_FILE,
    RECORDED_ARTIFACT_TYPE,
    measured_run_id,
    recorded_run_id,
)
from ..profiling.reference_store import fetch_reference, read_reference
from ..profiling.wandb_profiles import publish, sum_profiles, version_config
from ..profiling.wandb_rows import MetricRow, metric_rows
from ..stats.profile.table import Profile
from ..timeutil import DAY
from .day_profiles import DayProfile
from .settings import RecorderSettings


def send_to_wandb(
    settings: RecorderSettings,
    model: Model,
    days: Sequence[DayProfile],
    sent: MutableMapping[str, Any],
    removed: frozenset[float],
    now: float,
    env: Mapping[str, str],
    retry: RetryPolicy,
    paths: list[str],
) -> None:
    """Send the days that W&B lacks. Raises SourceError and UserError; what was sent by then is noted.

    ``sent``: by day the last batch that W&B has, updated; ``removed``: days of which the spool has late rows only;
    ``paths`` gets the W&B runs that were written.
    """
    assert model.wandb is not None  # noqa: S101
    for day in days:
        if sent.get(day.name) != day.batch and not (settings.is_offline and day.day + DAY > now):
            paths.append(_send_day(settings, model.wandb, day, now, env, retry))
            sent[day.name] = day.batch
    if settings.metrics:
        whole = [day for day in days if day.day not in removed]
        _send_metrics(settings, model, whole, sent, now, env, retry, paths)


def _send_day(
    settings: RecorderSettings,
    wandb: WandbSpec,
    day: DayProfile,
    now: float,
    env: Mapping[str, str],
    retry: RetryPolicy,
) -> str:
    id = recorded_run_id(settings.model, day.day, day.part)
    offline = wandb.offline
    address = RunAddress(wandb.entity, wandb.project, id, wandb.base_url, wandb.tags, "recorder", settings.model)
    counts = {"recorder/rows": float(day.profile.rows + day.profile.undated)}
    counts["recorder/lost"] = float(sum(day.lost.values()))
    counts |= {f"recorder/lost/{reason}": float(rows) for reason, rows in day.lost.items()}
    with open_run(address, {}, env.get("WANDB_API_KEY", ""), retry, offline) as run:
        run.log({"recorder/time": now, **counts}, {})
        metadata = {"model": settings.model, "day": day.name[:8], "part": day.part, "batch": day.batch}
        run.log_artifact(id, RECORDED_ARTIFACT_TYPE, {PROFILE_FILE: day.to_bytes()}, metadata)
    return offline or address.path


def _send_metrics(
    settings: RecorderSettings,
    model: Model,
    days: Sequence[DayProfile],
    sent: MutableMapping[str, Any],
    now: float,
    env: Mapping[str, str],
    retry: RetryPolicy,
    paths: list[str],
) -> None:
    """Log each window that is over, again if it has got more rows since."""
    spec = model.measure
    assert spec is not None  # noqa: S101
    logged: dict[str, int] = sent.setdefault("windows", {})
    reference = read_reference(fetch_reference(spec.reference, model, env))[0] if spec.reference else None
    profile = sum_profiles(day.profile for day in days)
    tables = {f"{key.window:.0f} {key.version}": table for key, table in profile.cells.items() if not key.segment}
    rows = [
        row
        for row in metric_rows(profile, spec, reference, now)
        if logged.get(f"{row.window:.0f} {row.version}") != tables[f"{row.window:.0f} {row.version}"].rows
    ]
    if not rows:
        return
    if settings.is_offline:
        _log_offline(settings, model, rows, retry, paths)
    else:
        paths += publish(
            model, _days_of(profile, rows), _rows_of_days(profile, rows, model, reference, now), env, retry
        )
    logged |= {name: tables[name].rows for name in (f"{row.window:.0f} {row.version}" for row in rows)}
    for name in [name for name in logged if name not in tables]:
        del logged[name]


def _rows_of_days(
    profile: Profile, rows: Sequence[MetricRow], model: Model, reference: Any, now: float
) -> list[MetricRow]:
    """All windows of the days of ``rows``: the artifact of a day is written as a whole."""
    assert model.measure is not None  # noqa: S101
    due = {(row.window // DAY, row.version) for row in rows}
    every = metric_rows(profile, model.measure, reference, now)
    return [row for row in every if (row.window // DAY, row.version) in due]


def _days_of(profile: Profile, rows: Sequence[MetricRow]) -> Profile:
    due = {row.window // DAY for row in rows}
    return Profile({key: table for key, table in profile.cells.items() if key.window // DAY in due})


def _log_offline(
    settings: RecorderSettings,
    model: Model,
    rows: Sequence[MetricRow],
    retry: RetryPolicy,
    paths: list[str],
) -> None:
    """Into one offline W&B run a day and version."""
    wandb = model.wandb
    assert wandb is not None  # noqa: S101

    def day_and_version(row: MetricRow) -> tuple[float, str]:
        return row.window // DAY * DAY, row.version

    for (day, version), of_day in groupby(sorted(rows, key=day_and_version), key=day_and_version):
        id = measured_run_id(model.name, day, version)
        address = RunAddress(wandb.entity, wandb.project, id, wandb.base_url, wandb.tags, "recorder", settings.model)
        config = version_config(wandb, version)
        with open_run(address, config, "", retry, wandb.offline) as run:
            for row in of_day:
                run.log({MEASURED_TIME: row.time, **row.scalars}, row.histograms)
        paths.append(wandb.offline)
