"""What was measured, to W&B: one W&B run a model, version and UTC day; the newest write of a window wins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from ..clients.patience import RetryPolicy
from ..clients.wandb import find_runs, open_api
from ..clients.wandb_writing import RunAddress, open_run
from ..errors import SourceError, UserError
from ..model.measured import MEASURED_TIME, PROFILE_ARTIFACT_TYPE, PROFILE_FILE
from ..model.rule import DAY
from ..model.watched import Model, WandbSpec
from ..stats.profile.codec import to_bytes
from ..stats.profile.table import Profile
from .rows import Row


def publish(
    model: Model,
    profile: Profile,
    rows: Sequence[Row],
    env: Mapping[str, str],
    patience: RetryPolicy,
    partition: str = "",
    others: Mapping[str, Profile] | None = None,
) -> list[str]:
    """The paths of the W&B runs written to. Raises SourceError.

    ``partition``: the name of the part of the rows that ``profile`` is about; ``others``: the other parts, by name.
    """
    spec = home_of(model)
    parts = {partition: profile, **(others or {})}
    paths = []
    for (day, version), of_day in groupby(sorted(rows, key=_home), key=_home):
        address = address_of(model.name, spec, day, version)
        with open_run(address, _config(spec, version), env.get("WANDB_API_KEY", ""), patience) as run:
            for row in of_day:
                histograms = {key: (one.counts, one.edges) for key, one in row.histograms.items()}
                run.log({MEASURED_TIME: row.time, **row.scalars}, histograms)
            about = {"model": model.name, "version": version, "day": _date(day)}
            cut = {name: part_of(part, day, version) for name, part in parts.items()}
            files = {file_of(name): to_bytes(part, {"model": model.name}) for name, part in cut.items() if part.cells}
            run.log_artifact(artifact_of(address), PROFILE_ARTIFACT_TYPE, files, about)
        paths.append(address.path)
    return paths


def home_of(model: Model) -> WandbSpec:
    """Where the model's metrics are written. Raises UserError."""
    spec = model.wandb
    if spec is None or spec.offline or not spec.project:
        hint = "Give `wandb: {entity, project}`, or measure with --out."
        raise UserError("the model has no W&B project to write to.", hint=hint, where=model.where or model.name)
    return spec


def days_in(model: Model, env: Mapping[str, str], patience: RetryPolicy) -> frozenset[float]:
    """The UTC days (their beginning) of which W&B has measurements of the model. Raises SourceError."""
    spec = home_of(model)
    api = open_api(spec.base_url, env.get("WANDB_API_KEY", ""), patience, spec.entity)
    prefix = _prefix(model.name)
    filters = {"name": {"$regex": f"^{re.escape(prefix)}"}}
    try:
        runs = find_runs(api, f"{spec.entity}/{spec.project}", filters, lambda _: False)
    except SourceError as error:
        if "no such project" in error.message:  # The first measurement makes it.
            return frozenset()
        raise
    dates = (str(run.id)[len(prefix) :][:8] for run in runs)
    return frozenset(_day(date) for date in dates if re.fullmatch("[0-9]{8}", date))


def artifact_of(address: RunAddress) -> str:
    return f"profile-{_safe(address.id)}"


def file_of(partition: str) -> str:
    """The file of one partition within the artifact of its day."""
    return f"part-{partition}.npz" if partition else PROFILE_FILE


def address_of(model: str, spec: WandbSpec, day: float, version: str) -> RunAddress:
    """The same for the same model, version and day, whoever asks."""
    id = "-".join(filter(None, (_prefix(model) + _date(day), _safe(version))))
    return RunAddress(spec.entity, spec.project, id[:120], spec.base_url, spec.tags, spec.job_type, spec.group)


def part_of(profile: Profile, day: float, version: str) -> Profile:
    """The cells of one version and day."""
    cells = {
        cell: table
        for cell, table in profile.cells.items()
        if cell.version == version and cell.window // DAY * DAY == day
    }
    return Profile(cells)


def _home(row: Row) -> tuple[float, str]:
    return row.window // DAY * DAY, row.version


def _config(spec: WandbSpec, version: str) -> dict[str, Any]:
    """The model version where the W&B source looks for it."""
    if not version:
        return {}
    config: Any = version
    for part in reversed((spec.version or "version").split(".")):
        config = {part: config}
    return dict(config)


def _prefix(model: str) -> str:
    return f"measured-{_safe(model)}-"


def _day(date: str) -> float:
    try:
        return datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def _date(day: float) -> str:
    return datetime.fromtimestamp(day, UTC).strftime("%Y%m%d")


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:50]
