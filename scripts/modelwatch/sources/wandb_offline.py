"""Series from offline W&B run directories."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ..errors import SourceError
from ..model.watched import WandbSpec
from .assemble import SeriesBuilder
from .cells import lookup_path, version_text
from .leet import read_wandb_files
from .need import ReadRequest


def read_offline(spec: WandbSpec, request: ReadRequest, run_id: str = "") -> tuple[SeriesBuilder, tuple[str, ...]]:
    """Everything that ``need`` asks for from the directories at ``spec.offline``, and notes; raises SourceError.

    ``spec.offline`` is a run directory, a directory that holds some (``wandb/``), or a glob of either.
    """
    assembler = SeriesBuilder(request, spec.time, spec.version)
    # What was last written to before ``since`` holds nothing that is wanted.
    paths = [path for path in find_wandb_files(spec.offline) if path.stat().st_mtime >= request.since]
    logs = [_OfflineRun(spec, path).read(records) for path, records in zip(paths, read_wandb_files(paths), strict=True)]
    matching = [log for log in logs if log.matches(run_id)]
    if run_id and not matching:
        raise SourceError(f"there is no W&B run {run_id!r}.", where=spec.offline)
    for log in matching:
        for row, version in log.rows:
            assembler.add_row(row, version)
    notes = [f"{log.path}: the file ends early; {len(log.rows)} rows were read" for log in matching if log.truncated]
    if not matching:
        notes.append(f"no offline W&B run in {spec.offline} matches")
    return assembler, tuple(notes)


def find_wandb_files(pattern: str) -> list[Path]:
    """The ``.wandb`` files at ``pattern``, oldest W&B run first; raises SourceError where there is none."""
    found: set[Path] = set()
    for place in sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]:
        path = Path(place)
        if path.suffix == ".wandb":
            found.add(path.resolve())
        for below in ("*.wandb", "offline-run-*/*.wandb", "wandb/offline-run-*/*.wandb"):
            found.update(log.resolve() for log in path.glob(below))  # ``latest-run`` is a link to one of the others.
    if not found:
        raise SourceError(
            "there is no offline W&B run here.",
            hint="`wandb: {offline}` names a run directory (offline-run-...), or the directory that holds them.",
            where=pattern,
        )
    return sorted(found, key=lambda path: (path.parent.name, path.name))


@dataclass(slots=True)
class _OfflineRun:
    """One offline W&B run while its records pass by."""

    spec: WandbSpec
    path: Path
    run: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    rows: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    """History, each row with the model version that the config named when it was logged."""
    truncated: bool = True

    def read(self, records: Iterable[dict[str, Any]]) -> Self:
        version = ""
        for record in records:
            match record.get("type"):
                case "run":
                    self.run = record.get("run") or {}
                    self._configure(self.run.get("config") or {})
                case "config":
                    self._configure(record.get("config") or {})
                case "history":
                    self.rows.append((_history_row(record["history"]), version))
                    continue
                case "exit":
                    self.truncated = False
                case _:
                    continue
            version = version_text(lookup_path(self.config, self.spec.version)) if self.spec.version else ""
        return self

    def matches(self, run_id: str) -> bool:
        """Whether the W&B run is one of those the configuration asks for."""
        if run_id:
            return bool(self.run.get("run_id") == run_id)
        spec, run = self.spec, self.run
        asked = ((spec.entity, "entity"), (spec.project, "project"), (spec.job_type, "job_type"))
        return (
            all(not wanted or run.get(name, wanted) == wanted for wanted, name in asked)
            and (not spec.group or run.get("run_group") == spec.group)
            and set(spec.tags) <= set(run.get("tags") or ())
        )

    def _configure(self, change: dict[str, Any]) -> None:
        self.config.update(change.get("update") or {})
        for key in change.get("remove") or ():
            self.config.pop(key, None)


def _history_row(history: dict[str, Any]) -> dict[str, Any]:
    row = dict(history.get("item") or {})
    for key in [key for key in row if key.endswith("._type")]:
        _unflatten(row, key.removesuffix("_type"))
    step = (history.get("step") or {}).get("num")
    if step is not None:
        row.setdefault("_step", step)
    return row


def _unflatten(row: dict[str, Any], head: str) -> None:
    """The client's reader lays nested cells flat, ``features/age.bins``: those of a histogram are one cell again."""
    cell: dict[str, Any] = {}
    for key in [key for key in row if key.startswith(head)]:
        *outer, last = key[len(head) :].split(".")
        inside = cell
        for part in outer:
            inside = inside.setdefault(part, {})
        inside[last] = row.pop(key)
    row[head[:-1]] = cell
