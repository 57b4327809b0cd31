"""Records of ``.wandb`` files, through ``wandb leet inspect PATH --json``: the client's public reader of its own files.

Starting the client takes longer than reading most files, so one process reads many; the command itself takes one path.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..clients.environment import environment
from ..errors import SourceError

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
