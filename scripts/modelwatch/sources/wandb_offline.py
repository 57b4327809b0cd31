"""The source that reads offline W&B run directories, through ``wandb leet inspect PATH --json``: the client's public
reader of its own files.

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
from ..errors import SourceError, SourceNameError
from ..model.monitored_model import Model, WandbSpec
from .base import ReadContext, SourceResult
from .cell_parsing import lookup_path, version_text
from .requirements import RUN_ID_HINT, ReadRequest
from .series_builder import SeriesBuilder
from .wandb_names import (
    RunLabels,
    config_keys,
    missing_offline_project,
    missing_time,
    missing_version,
    unmatched_runs,
)

SECONDS_PER_FILE = 120.0
"""The most that one file can take on average (100,000 rows take about ten seconds)."""
PROCESSES = 2
MAGIC = b":W&B"
"""The first bytes of a ``.wandb`` file."""
MAX_NOTES = 5
"""Files that notes name."""

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


def read_offline_runs(model: Model, request: ReadRequest, _context: ReadContext) -> SourceResult | None:
    """The W&B runs at ``wandb: {offline}``: a run directory, a directory of them (``wandb/``), or a glob of either."""
    spec, run_id = model.wandb, request.wandb_run
    if not spec or not spec.offline:
        return None
    builder = SeriesBuilder(request, spec.time, spec.version)
    # A file that was last written to before ``since`` holds no row that is wanted.
    paths = [path for path in find_wandb_files(spec.offline) if path.stat().st_mtime >= request.since]
    files = read_wandb_files(paths)
    unreadable = [records for records in files if isinstance(records, SourceError)]
    if unreadable and len(unreadable) == len(files):
        raise unreadable[0]
    read = [(path, records) for path, records in zip(paths, files, strict=True) if isinstance(records, list)]
    runs = [_OfflineRun(spec, path).read(records) for path, records in read]
    matches = [run for run in runs if run.matches(run_id)]
    if run_id and not matches:
        raise SourceNameError(f"there is no W&B run {run_id!r}.", hint=RUN_ID_HINT, where=spec.offline)
    for run in matches:
        for row, version in run.rows:
            builder.add_row(row, version)
    notes = [f"{run.path}: the file ends early; {len(run.rows):,} rows were read" for run in matches if run.truncated]
    begun = [run for run in runs if run.is_begun]
    if begun and not matches:
        own = [run for run in begun if run.is_of_project]
        projects = {str(run.run.get("project") or "") for run in begun}
        missing = unmatched_runs(spec.offline, spec, [run.labels for run in own]) if own else None
        notes.append(str(missing or missing_offline_project(spec, projects)))
    builder.logged_keys = {key for run in matches for row, _ in run.rows for key in row if not key.startswith("_")}
    if not builder.has_points and (missing := missing_time(spec, builder.logged_keys)):
        notes.append(str(missing))
    if matches and not builder.has_versions:
        known = {*builder.logged_keys, *(key for run in matches for key in config_keys(run.config))}
        if missing := missing_version(spec, known):
            notes.append(str(missing))
    return SourceResult(builder, (*notes, *_left_out_notes(runs, unreadable)))


def _left_out_notes(runs: Sequence[_OfflineRun], unreadable: Sequence[SourceError]) -> Iterator[str]:
    """The files that cannot be read, and the runs whose client has written nothing yet."""
    yield from (f"left out: {error}" for error in unreadable[:MAX_NOTES])
    if len(unreadable) > MAX_NOTES:
        yield f"left out: {len(unreadable) - MAX_NOTES} more files that cannot be read"
    if waiting := sum(not run.is_begun for run in runs):
        yield f"{waiting} offline W&B run{' has' if waiting == 1 else 's have'} written nothing yet"


def find_wandb_files(pattern: str) -> list[Path]:
    """The ``.wandb`` files at ``pattern``, oldest W&B run first; raises SourceError where there is not even the
    directory of a run, in which the client has written no file yet."""
    files: set[Path] = set()
    has_directory = False
    for place in sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]:
        path = Path(place)
        if path.suffix == ".wandb" and path.is_file():
            files.add(path.resolve())
        has_directory |= path.is_dir() and path.name.startswith("offline-run-")
        has_directory |= any(True for inner in ("offline-run-*", "wandb/offline-run-*") for _ in path.glob(inner))
        for inner in ("*.wandb", "offline-run-*/*.wandb", "wandb/offline-run-*/*.wandb"):
            files.update(log.resolve() for log in path.glob(inner))  # ``latest-run`` is a link to one of the others.
    if not files and not has_directory:
        raise SourceError(
            "there is no offline W&B run here.",
            hint="`wandb: {offline}` names a run directory (offline-run-...), or the directory that holds them.",
            where=pattern,
        )
    return sorted(files, key=lambda path: (path.parent.name, path.name))


def read_wandb_files(paths: Sequence[Path]) -> list[list[dict[str, Any]] | SourceError]:
    """The records of every file, in order; for one that is not a ``.wandb`` file why it cannot be read."""
    shares = [paths[start::PROCESSES] for start in range(min(PROCESSES, len(paths)))]
    with ThreadPoolExecutor(PROCESSES) as pool:
        read = dict(pair for share in pool.map(_inspect_files, shares) for pair in share)
    return [read[path] for path in paths]


def _inspect_files(paths: Sequence[Path]) -> list[tuple[Path, list[dict[str, Any]] | SourceError]]:
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


def _file_records(path: Path, output_path: Path, process_errors: bytes) -> list[dict[str, Any]] | SourceError:
    output, errors = (_read_bytes(output_path.with_suffix(suffix)) for suffix in (".out", ".err"))
    if output:
        return list(_parse_records(output))
    if _is_wandb_file(path):
        return []
    return SourceError(f"the W&B client cannot read this file: {_last_line(errors or process_errors)}", where=str(path))


def _is_wandb_file(path: Path) -> bool:
    """Whether the file begins as the client begins each: its first records stay in memory while little is logged."""
    with path.open("rb") as file:
        return MAGIC.startswith(file.read(len(MAGIC)))


def _read_bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _parse_records(output: bytes) -> Iterator[dict[str, Any]]:
    """A line that is cut off ends the records."""
    for line in output.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return
        if isinstance(record, dict):
            yield record


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it gives no reason"


@dataclass(slots=True)
class _OfflineRun:
    """One offline W&B run while its records are read."""

    spec: WandbSpec
    path: Path
    run: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    rows: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    """History, each row with the model version that the config named when it was logged."""
    is_begun: bool = False
    """Whether the file holds the run's own record."""
    truncated: bool = True

    def read(self, records: Iterable[dict[str, Any]]) -> Self:
        version = ""
        for record in records:
            match record.get("type"):
                case "run":
                    self.run, self.is_begun = record.get("run") or {}, True
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
        """Whether this is the run with that id; without an id, whether the configuration selects it."""
        if not self.is_begun:
            return False
        if run_id:
            return bool(self.run.get("run_id") == run_id)
        spec, run = self.spec, self.run
        return (
            self.is_of_project
            and (not spec.job_type or run.get("job_type", spec.job_type) == spec.job_type)
            and (not spec.group or run.get("run_group") == spec.group)
            and set(spec.tags) <= set(run.get("tags") or ())
        )

    @property
    def is_of_project(self) -> bool:
        names = ((self.spec.entity, "entity"), (self.spec.project, "project"))
        return all(not value or self.run.get(name, value) == value for value, name in names)

    @property
    def labels(self) -> RunLabels:
        tags = frozenset(str(tag) for tag in self.run.get("tags") or ())
        return RunLabels(tags, str(self.run.get("job_type") or ""), str(self.run.get("run_group") or ""), 0.0)

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
