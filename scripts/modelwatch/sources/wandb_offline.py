"""Records of ``.wandb`` files, through ``wandb leet inspect PATH --json``: the client's public reader of its own files.

Starting the client takes longer than reading most files, so one process reads many; the command itself takes one path.
"""

from __future__ import annotations

import glob
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ..clients.environment import environment
from ..errors import SourceError
from ..model.monitored_model import WandbSpec
from .cell_parsing import lookup_path, version_text
from .requirements import ReadRequest
from .series_builder import SeriesBuilder

SECONDS_PER_FILE = 120.0
"""Seconds that one file may take on average (100,000 rows take about ten)."""
PROCESSES = 2

_INSPECT_SCRIPT = """
import os, sys
from wandb.cli.cli import cli

for place, path in enumerate(sys.argv[2:]):
    for stream, name in ((1, "out"), (2, "err")):
        file = os.open(os.path.join(sys.argv[1], f"{place}.{name}"), os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(file, stream)
        os.close(file)
    try:
        cli(["leet", "inspect", path, "--json"], standalone_mode=False)
    except SystemExit:
        pass
"""
"""Standard output and errors of each file's reading go to files of their own; an empty output is a failure."""


def read_wandb_files(paths: Sequence[Path]) -> list[list[dict[str, Any]]]:
    """The records of every file, in order; raises SourceError for one that is no ``.wandb`` file at all."""
    shares = [paths[start::PROCESSES] for start in range(min(PROCESSES, len(paths)))]
    with ThreadPoolExecutor(PROCESSES) as pool:
        read = dict(pair for share in pool.map(_inspect_files, shares) for pair in share)
    return [read[path] for path in paths]


def _inspect_files(paths: Sequence[Path]) -> list[tuple[Path, list[dict[str, Any]]]]:
    with tempfile.TemporaryDirectory(prefix="modelwatch-leet-") as folder:
        command = [sys.executable, "-c", _INSPECT_SCRIPT, folder, *map(str, paths)]
        quiet = {**environment(), "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=SECONDS_PER_FILE * len(paths), env=quiet, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise SourceError("the W&B client takes too long to read these files.", where=str(paths[0])) from error
        return [(path, _file_records(path, Path(folder, str(place)), done.stderr)) for place, path in enumerate(paths)]


def _file_records(path: Path, output_path: Path, process_errors: bytes) -> list[dict[str, Any]]:
    output, errors = (_read_bytes(output_path.with_suffix(suffix)) for suffix in (".out", ".err"))
    if not output:
        raise SourceError(
            f"the W&B client cannot read this file: {_last_line(errors or process_errors)}", where=str(path)
        )
    return list(_parse_records(output))


def _read_bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _parse_records(output: bytes) -> Iterator[dict[str, Any]]:
    """A line that is cut off ends the records."""
    for line in output.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            return
        if isinstance(record, dict):
            yield record


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it says nothing"


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
