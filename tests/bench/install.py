"""What the actions install where nothing is cached, how large it is, and what a cache hit costs instead."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .measure import Row, process

INSTALL = Path(__file__).resolve().parents[2] / "actions/_lib/install.sh"
COLD_SECONDS = 12.0
MAX_MEGABYTES = 400.0
HITS = 3
ENVIRONMENTS = {"monitor": "", "measure-predictions": "profiling"}
"""One action of each environment, and the extra that it needs."""


def rows() -> Iterator[Row]:
    """Of `monitor` held to its bars; of the larger environment a cache hit alone, since its size is the libraries'."""
    for action, extra in ENVIRONMENTS.items():
        with tempfile.TemporaryDirectory() as name:
            yield from _install(action, extra, Path(name))


def _install(action: str, extra: str, folder: Path) -> Iterator[Row]:
    env = dict(os.environ) | {"UV_CACHE_DIR": str(folder / "uv"), "PIP_CACHE_DIR": str(folder / "pip")}
    environment = folder / "environment"
    python = str(Path(sys.base_prefix) / "bin" / "python3")
    cold = process(["bash", str(INSTALL), python, str(environment), extra], env)
    megabytes = _size(environment) / 1e6
    archive = folder / "environment.tar"
    process(["tar", "--create", "--file", str(archive), "--directory", str(environment), "."])
    hit = min(_extract(archive, folder / "hit") for _ in range(HITS))
    if action == "monitor":
        seconds, bar = cold.seconds, COLD_SECONDS
        yield Row(f"installing {action}, cold", f"{seconds:.1f} s", f"{bar:.0f} s", seconds / bar, 1.0)
        yield Row("  its size", f"{megabytes:.0f} MB", f"{MAX_MEGABYTES:.0f} MB", megabytes / MAX_MEGABYTES, 1.0)
    yield Row(
        f"  {action} from the cache",
        f"{hit:.1f} s",
        f"cold, {cold.processor:.1f} s of processor time, {megabytes:.0f} MB",
        hit / cold.processor,
        0.25,
    )


def _extract(archive: Path, target: Path) -> float:
    """Seconds of processor time: both sides write as many bytes, so a slow disk would measure itself."""
    target.mkdir()
    seconds = process(["tar", "--extract", "--file", str(archive), "--directory", str(target)]).processor
    shutil.rmtree(target)
    return seconds


def _size(folder: Path) -> int:
    """Bytes on disk."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))
