"""What was measured, to W&B: one W&B run a model, version and UTC day; the newest write of a window wins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from ..clients.retry import RetryPolicy
from ..clients.wandb import find_runs, open_api, translate_wandb_error
from ..clients.wandb_runs import RunAddress, open_run
from ..errors import SourceError, UserError
from ..model.monitored_model import Model, WandbSpec
from ..model.prediction_log import (
    MEASURED_TIME,
    PROFILE_ARTIFACT_TYPE,
    PROFILE_FILE,
    measured_run_id,
    measured_run_prefix,
    profile_artifact,
)
from ..stats.profile.codec import from_bytes, to_bytes
from ..stats.profile.numeric import ProfileMismatchError
from ..stats.profile.table import Profile, merge_profiles
from ..timeutil import DAY
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
    """The paths of the W&B runs written to. Raises SourceError.

    ``partition``: the name of the part of the rows that ``profile`` is about; ``others``: the other parts, by name.
    """
    spec = require_wandb_project(model)
    parts = {partition: profile, **(other_partitions or {})}
    paths = []
    for (day, version), of_day in groupby(sorted(rows, key=_day_and_version), key=_day_and_version):
        address = run_address(model.name, spec, day, version)
        with open_run(address, _run_config(spec, version), env.get("WANDB_API_KEY", ""), retry) as run:
            for row in of_day:
                histograms = {key: (one.counts, one.edges) for key, one in row.histograms.items()}
                run.log({MEASURED_TIME: row.time, **row.scalars}, histograms)
            about = {"model": model.name, "version": version, "day": _format_date(day)}
            cut = {name: day_profile(part, day, version) for name, part in parts.items()}
            files = {
                partition_file_name(name): to_bytes(part, {"model": model.name})
                for name, part in cut.items()
                if part.cells
            }
            run.log_artifact(profile_artifact(address.id), PROFILE_ARTIFACT_TYPE, files, about)
        paths.append(address.path)
    return paths


def require_wandb_project(model: Model) -> WandbSpec:
    """Where the model's metrics are written. Raises UserError."""
    spec = model.wandb
    if spec is None or spec.offline or not spec.project:
        hint = "Give `wandb: {entity, project}`, or measure with --out."
        raise UserError("the model has no W&B project to write to.", hint=hint, where=model.where or model.name)
    return spec


def find_measured_days(model: Model, env: Mapping[str, str], retry: RetryPolicy) -> frozenset[float]:
    """The UTC days (their beginning) of which W&B has measurements of the model. Raises SourceError."""
    spec = require_wandb_project(model)
    api = open_api(spec.base_url, env.get("WANDB_API_KEY", ""), retry, spec.entity)
    prefix = measured_run_prefix(model.name)
    filters = {"name": {"$regex": f"^{re.escape(prefix)}"}}
    try:
        runs = find_runs(api, f"{spec.entity}/{spec.project}", filters, lambda _: False)
    except SourceError as error:
        if "no such project" in error.message:  # The first measurement makes it.
            return frozenset()
        raise
    dates = (str(run.id)[len(prefix) :][:8] for run in runs)
    return frozenset(_parse_date(date) for date in dates if re.fullmatch("[0-9]{8}", date))


def partition_file_name(partition: str) -> str:
    """The file of one partition within the artifact of its day."""
    return f"part-{partition}.npz" if partition else PROFILE_FILE


def run_address(model: str, spec: WandbSpec, day: float, version: str) -> RunAddress:
    """The same for the same model, version and day, whoever asks."""
    id = measured_run_id(model, day, version)
    return RunAddress(spec.entity, spec.project, id, spec.base_url, spec.tags, spec.job_type, spec.group)


def day_profile(profile: Profile, day: float, version: str) -> Profile:
    """The cells of one version and day."""
    cells = {
        cell: table
        for cell, table in profile.cells.items()
        if cell.version == version and cell.window // DAY * DAY == day
    }
    return Profile(cells)


def _day_and_version(row: MetricRow) -> tuple[float, str]:
    return row.window // DAY * DAY, row.version


def _run_config(spec: WandbSpec, version: str) -> dict[str, Any]:
    """The model version where the W&B source looks for it."""
    if not version:
        return {}
    config: Any = version
    for part in reversed((spec.version or "version").split(".")):
        config = {part: config}
    return dict(config)


def _parse_date(date: str) -> float:
    try:
        return datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def _format_date(day: float) -> str:
    return datetime.fromtimestamp(day, UTC).strftime("%Y%m%d")


def sum_profile_files(paths: Iterable[Path]) -> Profile:
    """The sum of profile files. Raises SourceError for one that is none, UserError for those that do not add up."""
    return sum_profiles(_read_profile(path) for path in paths)


def sum_profiles(profiles: Iterable[Profile]) -> Profile:
    """Their sum. Raises UserError where they were counted by different plans."""
    try:
        return merge_profiles(profiles)
    except ProfileMismatchError as error:
        hint = "Measure all parts with the same `measure: {reference: ...}`."
        raise UserError(f"these profiles do not add up: {error}", hint=hint) from error


def fetch_other_partitions(
    model: Model, own: Profile, partition: str, env: Mapping[str, str], retry: RetryPolicy, scratch: Path
) -> dict[str, Profile]:
    """What W&B has of the same days and versions, but for this partition, by the names of the others.

    A day that was measured whole before is replaced by its partitions. Raises SourceError.
    """
    spec = require_wandb_project(model)
    api = open_api(spec.base_url, env.get("WANDB_API_KEY", ""), retry, spec.entity)
    found: dict[str, list[Profile]] = {}
    homes = sorted({(cell.window // DAY * DAY, cell.version) for cell in own.cells})
    for place, (day, version) in enumerate(homes):
        name = f"{spec.entity}/{spec.project}/{profile_artifact(measured_run_id(model.name, day, version))}:latest"
        try:
            if not api.artifact_exists(name, type=PROFILE_ARTIFACT_TYPE):
                continue
            folder = Path(
                api.artifact(name, type=PROFILE_ARTIFACT_TYPE).download(root=str(scratch / "parts" / str(place)))
            )
        except Exception as error:
            raise translate_wandb_error(error, name) from error
        for path in sorted(folder.glob("*.npz")):
            if path.name not in (PROFILE_FILE, partition_file_name(partition)):
                found.setdefault(path.name[len("part-") : -len(".npz")], []).append(_read_profile(path))
    return {name: sum_profiles(profiles) for name, profiles in found.items()}


def _read_profile(path: Path) -> Profile:
    try:
        return from_bytes(path.read_bytes())[0]
    except OSError as error:
        raise SourceError(f"the profile cannot be read: {error.strerror}.", where=str(path)) from error
    except ValueError as error:
        raise SourceError(str(error), where=str(path)) from error
