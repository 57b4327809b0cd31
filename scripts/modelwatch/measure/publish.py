"""What was measured, to W&B: one W&B run a model, version and UTC day; the newest write of a window wins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from ..clients.patience import Patience
from ..clients.wandb_writing import RunAddress, writing
from ..errors import SourceError
from ..model.rule import DAY
from ..model.watched import Model, WandbSpec
from ..stats.profile.codec import to_bytes
from ..stats.profile.table import Profile
from .rows import TIME, Row

FILE = "profile.npz"
KIND = "profile"


def publish(model: Model, profile: Profile, rows: list[Row], env: Mapping[str, str], patience: Patience) -> list[str]:
    """The paths of the W&B runs written to. Raises SourceError."""
    spec = model.wandb
    if spec is None or spec.offline or not spec.project:
        hint = "Give `wandb: {entity, project}`, or measure with --out."
        raise SourceError("the model has no W&B project to write to.", hint=hint, where=model.where or model.name)
    paths = []
    for (day, version), of_day in groupby(sorted(rows, key=_home), key=_home):
        address = address_of(model.name, spec, day, version)
        with writing(address, _config(spec, version), env.get("WANDB_API_KEY", ""), patience) as run:
            for row in of_day:
                histograms = {key: (one.counts, one.edges) for key, one in row.histograms.items()}
                run.log({TIME: row.time, **row.scalars}, histograms)
            content = to_bytes(part_of(profile, day, version), {"model": model.name})
            about = {"model": model.name, "version": version, "day": _date(day)}
            run.keep(f"profile-{_safe(address.id)}", KIND, content, FILE, about)
        paths.append(address.path)
    return paths


def address_of(model: str, spec: WandbSpec, day: float, version: str) -> RunAddress:
    """The same for the same model, version and day, whoever asks."""
    id = "-".join(filter(None, ("measured", _safe(model), _date(day), _safe(version))))
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


def _date(day: float) -> str:
    return datetime.fromtimestamp(day, UTC).strftime("%Y%m%d")


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:50]
