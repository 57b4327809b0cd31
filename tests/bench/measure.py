"""How the figures are taken: whole processes, several times, the best of each side; peak memory from the kernel."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: ``ratio`` of what was measured to its reference, and the bar that it must not pass."""

    figure: str
    measured: str
    reference: str
    ratio: float
    bar: float

    @property
    def holds(self) -> bool:
        return self.ratio <= self.bar


@dataclass(frozen=True, slots=True)
class Spent:
    """Wall seconds, peak resident MiB and processor seconds of one process."""

    seconds: float
    mebibytes: float
    processor: float = 0.0


def process(arguments: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Spent:
    """One process, from start to end, that may store compiled modules, as an installer does. Raises where it fails."""
    variables = {name: value for name, value in (env or os.environ).items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    child = subprocess.Popen(arguments, env=variables, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr is not None
    told = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{arguments} ended with {child.returncode}:\n{told.decode()}")
    return Spent(seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime)


def python(code: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Spent:
    """A Python process that executes ``code``."""
    return process([sys.executable, "-c", code], env, cwd)


def best(times: int, *sides: object) -> list[Spent]:
    """The fastest of ``times`` rounds of each side, taken in turn so that a noisy minute touches all of them."""
    found: list[list[Spent]] = [[] for _ in sides]
    for _ in range(times):
        for taken, side in zip(found, sides, strict=True):
            assert callable(side)
            taken.append(side())
    return [min(taken, key=lambda spent: spent.seconds) for taken in found]


def peak() -> float:
    """Peak resident MiB of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def busy() -> str:
    """How much else this machine does, where that makes seconds mean little; else the empty string."""
    cores = os.cpu_count() or 1
    load = os.getloadavg()[0]
    return f"busy machine: load {load:.1f} on {cores} cores; seconds are too high" if load > 1.5 * cores else ""
