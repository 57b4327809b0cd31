"""Profiles in W&B: one W&B run a model, version and UTC day; the newest write of a window wins."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from ..clients.retry import RetryPolicy
from ..clients.wandb import find_runs, open_api, translate_wandb_error
from ..clients.wandb_artifacts import PROFILES, download_artifact
from ..clients.wandb_runs import RunAddress, open_run
from ..errors import SourceError, UserError
from ..model.label_maturity import MATURITY_KEY, YOUNG
from ..model.monitored_model import Model, WandbSpec
from ..model.prediction_log import (
    LONGEST_WAIT,
    MEASURED_TIME,
    PROFILE_ARTIFACT_TYPE,
    PROFILE_FILE,
    measured_run_id,
    measured_run_prefix,
    profile_artifact,
)
from ..stats.profile.codec import to_bytes
from ..stats.profile.numeric import ProfileMismatchError
from ..stats.profile.table import Profile, merge_profiles
from ..timeutil import DAY, parse_iso_or_none
from .reference_store import read_profile
from .wandb_rows import MetricRow


def publish(
    model: Model,
    profile: Profile,
    rows: Sequence[MetricRow],
    env: Mapping[str, str],
    retry: RetryPolicy,
    partition: str = "",
    other_partitions: Mapping[str, Profile] | None = None,
) -> list[str]:
    """Write rows and profiles to W&B. Returns the paths of the W&B runs. Raises SourceError.

    ``partition``: the name of the part of the rows that ``profile`` covers; ``other_partitions``: the other parts.
    """
    spec = require_wandb_project(model)
    partitions = {partition: profile, **(other_partitions or {})}
    paths = []
    for (day, version), rows_of_day in groupby(sorted(rows, key=_day_and_version), key=_day_and_version):
        address = run_address(model.name, spec, day, version)
        with open_run(address, version_config(spec, version), env.get("WANDB_API_KEY", ""), retry) as run:
            for row in rows_of_day:
                run.log({MEASURED_TIME: row.time, **row.scalars}, row.histograms)
            metadata = {"model": model.name, "version": version, "day": f"{datetime.fromtimestamp(day, UTC):%Y%m%d}"}
            of_day = {name: day_profile(part, day, version) for name, part in partitions.items()}
            files = {
                partition_file_name(name): to_bytes(part, {"model": model.name})
                for name, part in of_day.items()
                if part.cells
            }
            run.log_artifact(profile_artifact(address.id), PROFILE_ARTIFACT_TYPE, files, metadata)
        paths.append(address.path)
    return paths


def require_wandb_project(model: Model) -> WandbSpec:
    """The W&B project that the model's metrics are written to. Raises UserError if there is none."""
    spec = model.wandb
    if spec is None or spec.offline or not spec.project:
        hint = "Give `wandb: {entity, project}`, or measure with --out."
        raise UserError("the model has no W&B project to write to.", hint=hint, where=model.where or model.name)
    return spec


@dataclass(frozen=True, slots=True)
class EarlierMeasurements:
    """What W&B has of a model."""

    days: frozenset[float] = frozenset()
    """The UTC days (their beginning) with measurements."""
    mature_until: float = math.inf
    """Windows that end later (seconds, UTC) were not mature when they were measured; infinite where all were."""


def find_earlier_measurements(model: Model, env: Mapping[str, str], retry: RetryPolicy) -> EarlierMeasurements:
    """What W&B has of a model. Raises SourceError."""
    spec = require_wandb_project(model)
    api = open_api(spec.base_url, env.get("WANDB_API_KEY", ""), retry, spec.entity)
    prefix = measured_run_prefix(model.name)
    filters = {"name": {"$regex": f"^{re.escape(prefix)}"}}
    try:
        runs = find_runs(api, f"{spec.entity}/{spec.project}", filters, lambda _: False)
    except SourceError as error:
        if "no such project" in error.message:  # The first measurement creates it.
            return EarlierMeasurements()
        raise
    dates = (str(run.id)[len(prefix) :][:8] for run in runs)
    days = (parse_iso_or_none(date) for date in dates if re.fullmatch("[0-9]{8}", date))
    waits = [found for run in runs if (found := _newest_wait(run.summary)) is not None]
    newest, wait = max(waits, default=(math.inf, 0.0))
    return EarlierMeasurements(frozenset(day for day in days if day is not None), newest - wait if wait else math.inf)


def _newest_wait(summary: Any) -> tuple[float, float] | None:
    """Of a W&B run, the end of its newest window and how long windows waited for their labels (seconds): as long as can
    be where that was not known."""
    time, days = summary.get(MEASURED_TIME), summary.get(MATURITY_KEY)
    if days is None and summary.get(f"{YOUNG}/coverage") is not None:
        days = LONGEST_WAIT / DAY
    numbers = [value for value in (time, days) if isinstance(value, (int, float)) and math.isfinite(value)]
    return (float(numbers[0]), float(numbers[1]) * DAY) if len(numbers) == 2 else None


def partition_file_name(partition: str) -> str:
    """The file of one partition within the artifact of its day."""
    return f"part-{partition}.npz" if partition else PROFILE_FILE


def run_address(model: str, spec: WandbSpec, day: float, version: str) -> RunAddress:
    """The W&B run of a model, version and day; always the same for the same three."""
    id = measured_run_id(model, day, version)
    return RunAddress(spec.entity, spec.project, id, spec.base_url, spec.tags, spec.job_type, spec.group)


def day_profile(profile: Profile, day: float, version: str) -> Profile:
    """The part of a profile that belongs to one version and day."""
    cells = {
        cell: table
        for cell, table in profile.cells.items()
        if cell.version == version and cell.window // DAY * DAY == day
    }
    return Profile(cells)


def _day_and_version(row: MetricRow) -> tuple[float, str]:
    return row.window // DAY * DAY, row.version


def version_config(spec: WandbSpec, version: str) -> dict[str, Any]:
    """The model version under the key where the W&B source looks for it."""
    if not version:
        return {}
    config: Any = version
    for part in reversed((spec.version or "version").split(".")):
        config = {part: config}
    return dict(config)


def sum_profiles(profiles: Iterable[Profile]) -> Profile:
    """The sum of profiles. Raises UserError if they were counted by different plans."""
    try:
        return merge_profiles(profiles)
    except ProfileMismatchError as error:
        hint = "Measure all parts with the same `measure: {reference: ...}`."
        raise UserError(f"these profiles do not add up: {error}", hint=hint) from error


def fetch_other_partitions(
    model: Model, own: Profile, partition: str, env: Mapping[str, str], retry: RetryPolicy, scratch: Path
) -> dict[str, Profile]:
    """By name the other partitions that W&B has of the same days and versions. Raises SourceError.

    Partitions replace a day that was measured as a whole before.
    """
    spec = require_wandb_project(model)
    api = open_api(spec.base_url, env.get("WANDB_API_KEY", ""), retry, spec.entity)
    profiles: dict[str, list[Profile]] = {}
    runs = sorted({(cell.window // DAY * DAY, cell.version) for cell in own.cells})
    for number, (day, version) in enumerate(runs):
        name = f"{spec.entity}/{spec.project}/{profile_artifact(measured_run_id(model.name, day, version))}:latest"
        folder = scratch / "parts" / str(number)
        try:
            if not api.artifact_exists(name, type=PROFILE_ARTIFACT_TYPE):
                continue
            download_artifact(api, api.artifact(name, type=PROFILE_ARTIFACT_TYPE), PROFILES, folder, retry)
        except Exception as error:
            raise translate_wandb_error(error, name) from error
        for path in sorted(folder.glob("*.npz")):
            if path.name not in (PROFILE_FILE, partition_file_name(partition)):
                profiles.setdefault(path.stem.removeprefix("part-"), []).append(read_profile(path)[0])
    return {name: sum_profiles(parts) for name, parts in profiles.items()}
