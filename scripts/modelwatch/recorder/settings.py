"""The settings of a recorder, which the process that sends reads, too: plain values, and no secret."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UserError

ROLES = ("id", "time", "version", "score", "prediction", "latency", "error", "cost")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_PROJECT = re.compile(r"[^\s/:*?]+/[^\s/:*?]+")
MIN_MEMORY_MB, MIN_DISK_MB = 1.0, 1.0


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """``measure`` and ``wandb``: as in ``MeasureSpec`` and ``WandbSpec``, by the names of their fields."""

    model: str
    columns: Mapping[str, str]
    """By role (``ROLES``) the name of its column."""
    measure: Mapping[str, Any]
    wandb: Mapping[str, Any]
    folder: str = ""
    spool: str = ""
    is_offline: bool = False
    """Write offline runs of W&B, into ``wandb["offline"]``."""
    metrics: bool = False
    sample_rate: float = 1.0
    keep_errors: bool = True
    keep_confidence_below: float = 0.0
    mask: tuple[str, ...] = ()
    hash: tuple[str, ...] = ()
    flush_seconds: float = 2.0
    flush_rows: int = 1000
    send_seconds: float = 300.0
    memory_mb: float = 24.0
    disk_mb: float = 512.0
    scores: Mapping[str, str] = field(default_factory=dict)
    """By class the column of its score."""

    def __post_init__(self) -> None:
        where = "Recorder"
        if not _NAME.fullmatch(self.model):
            hint = "Letters, digits, `_`, `.` and `-`; at most 100."
            raise UserError(f"{self.model!r} is no name of a model.", hint=hint, where=where)
        if not (self.folder or self.wandb):
            hint = "Give `folder`, `wandb` (entity/project) or `offline`."
            raise UserError("the recorder has no destination.", hint=hint, where=where)
        for name, low, high in (
            *(("sample_rate", 0.0, 1.0), ("keep_confidence_below", 0.0, 1.0), ("flush_seconds", 0.01, 3600.0)),
            *(("flush_rows", 1, 10_000_000), ("send_seconds", 0.1, 86_400.0)),
            *(("memory_mb", MIN_MEMORY_MB, 65_536.0), ("disk_mb", MIN_DISK_MB, 1e9)),
        ):
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not math.isfinite(value) or not low <= value <= high:
                raise UserError(f"`{name}` is {value!r}, and not between {low:g} and {high:g}.", where=where)
        names = [name for name in self.columns.values() if name]
        if len(set(names)) < len(names):
            raise UserError(f"two parts of a row have one column: {', '.join(sorted(names))}.", where=where)
        for name in (*self.mask, *self.hash):
            if name in (self.columns["time"], self.columns["latency"]):
                raise UserError(f"{name!r} is a number, which can be neither masked nor hashed.", where=where)

    @property
    def spool_folder(self) -> Path:
        return Path(self.spool)

    @property
    def memory_bytes(self) -> int:
        return int(self.memory_mb * (1 << 20))

    @property
    def disk_bytes(self) -> int:
        return int(self.disk_mb * (1 << 20))

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True).encode()

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RecorderSettings:
        """Raises UserError, TypeError for what ``to_json`` did not write."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
        }
        return cls(**fields)


def default_spool(model: str) -> str:
    """A folder of this user's and this model's on the local disk."""
    import tempfile  # takes longer to load than the rest of this package

    user = os.getuid() if hasattr(os, "getuid") else "user"
    return str(Path(tempfile.gettempdir()) / f"modelwatch-recorder-{user}" / model)


def texts(names: str | Iterable[str]) -> tuple[str, ...]:
    """One name, or several."""
    return (names,) if isinstance(names, str) else tuple(names)


def wandb_fields(project: str, offline: str, base_url: str, tags: Iterable[str]) -> dict[str, Any]:
    """The fields of ``WandbSpec``; none without a project and a folder for offline runs. Raises UserError."""
    if not project and not offline:
        return {}
    if project and not _PROJECT.fullmatch(project):
        raise UserError(f"{project!r} is no W&B project.", hint="Write entity/project.", where="Recorder")
    entity, _, name = (project or "offline/offline").partition("/")
    return {"entity": entity, "project": name, "base_url": base_url, "tags": list(tags), "offline": offline}
