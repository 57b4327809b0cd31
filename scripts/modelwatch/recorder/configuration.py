"""The arguments of a recorder from ``modelwatch.yml``: its columns, window and reference are those of the rules."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..clients.environment import environment
from ..config.loader import load_config
from ..errors import UserError, did_you_mean
from ..model.monitored_model import Model
from ..model.prediction_log import RECORDER_WANDB
from ..profiling.recorded_profiles import SAMPLE_FOLDER

UNNAMED = {"id": "id", "time": "time", "version": "version", "score": "score", "prediction": "prediction"}
"""Columns that the log may leave unnamed; the recorder fills them anyway."""


def recorder_arguments(path: Path, name: str) -> dict[str, Any]:
    """Raises ConfigError and UserError. Destinations: the W&B project of the model, and the folder that
    ``measure: {recorder}`` names, or above ``files: FOLDER/sample``."""
    config = load_config(path, environment(), require_secrets=False, require_baselines=False)
    model = config.model(name)
    if model is None:
        hint = did_you_mean(name, [known.name for known in config.models], "")
        raise UserError(f"there is no model {name!r}.", hint=hint, where=str(path))
    if model.measure is None:
        hint = "Give `measure: {recorder: wandb, ...}`, with the names of its columns."
        raise UserError(f"the model {name!r} has no `measure:` section.", hint=hint, where=model.where or str(path))
    operations = asdict(model.measure.operations) if model.measure.operations is not None else {}
    named = {name: column for name, column in operations.items() if column}
    return {"measure": _measure_fields(model), **named, **_destinations(model)}


def _measure_fields(model: Model) -> dict[str, Any]:
    assert model.measure is not None  # noqa: S101
    fields = asdict(model.measure)
    return fields | {name: fields[name] or column for name, column in UNNAMED.items()}


def _destinations(model: Model) -> dict[str, Any]:
    found: dict[str, Any] = {}
    measure = model.measure
    source = measure.recorder if measure is not None else ""
    if source and source != RECORDER_WANDB:
        found["folder"] = source
    elif measure is not None and Path(measure.files).name == SAMPLE_FOLDER:
        found["folder"] = source = str(Path(measure.files).parent)
    wandb = model.wandb
    if wandb is not None and wandb.offline:
        found["offline"] = wandb.offline
    elif wandb is not None and wandb.project and source in ("", RECORDER_WANDB):
        found |= {"wandb": f"{wandb.entity}/{wandb.project}", "base_url": wandb.base_url, "tags": wandb.tags}
    return found
