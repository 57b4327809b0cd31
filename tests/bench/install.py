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
MEMORY = Path("/dev/shm")  # noqa: S108  the folder made in it has a name that nobody can guess
"""Where Linux keeps a file system in memory."""
MAX_SECONDS = 12.0
MAX_MEGABYTES = 400.0
HITS = 3
ENVIRONMENTS = {"monitor": "", "measure-predictions": "profiling"}
"""One action of each environment, and the extra that it needs."""


def rows() -> Iterator[Row]:
    """Of `monitor` held to its bars; of the larger environment a cache hit alone, since its size is the libraries'.

    A hit and the installation that it saves write the same bytes, so they are compared in memory: a slow disk would
    be compared with itself.
    """
    with tempfile.TemporaryDirectory() as name:
        environment = Path(name) / "environment"
        seconds = _install("", environment)
        megabytes = _size(environment) / 1e6
    yield Row("installing monitor, cold", f"{seconds:.1f} s", f"{MAX_SECONDS:.0f} s", seconds / MAX_SECONDS, 1.0)
    yield Row("  its size", f"{megabytes:.0f} MB", f"{MAX_MEGABYTES:.0f} MB", megabytes / MAX_MEGABYTES, 1.0)
    for action, extra in ENVIRONMENTS.items():
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
            yield _hit(action, extra, Path(name))


def _hit(action: str, extra: str, folder: Path) -> Row:
    environment, archive = folder / "environment", folder / "environment.tar"
    cold = _install(extra, environment)
    megabytes = _size(environment) / 1e6
    process(["tar", "--create", "--file", str(archive), "--directory", str(environment), "."])
    seconds = min(_extract(archive, folder / "hit") for _ in range(HITS))
    told = f"cold, {cold:.1f} s, {megabytes:.0f} MB; both in memory"
    return Row(f"  {action} from the cache", f"{seconds:.1f} s", told, seconds / cold, 0.25)


def _install(extra: str, environment: Path) -> float:
    """Seconds, with empty caches of uv and pip beside ``environment``."""
    caches = {f"{tool}_CACHE_DIR": str(environment.parent / tool.lower()) for tool in ("UV", "PIP")}
    python = str(Path(sys.base_prefix) / "bin" / "python3")
    return process(["bash", str(INSTALL), python, str(environment), extra], dict(os.environ) | caches).seconds


def _extract(archive: Path, target: Path) -> float:
    target.mkdir()
    seconds = process(["tar", "--extract", "--file", str(archive), "--directory", str(target)]).seconds
    shutil.rmtree(target)
    return seconds


def _size(folder: Path) -> int:
    """Bytes on disk."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))
