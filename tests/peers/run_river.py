"""Runs in River's environment: its drift detectors on the streams of a folder, each as sensitive as it may be."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from river import drift

Make = Callable[[float], Any]
STEPS = 9
"""Bisections of a parameter."""
DETECTORS: dict[str, tuple[Make, float, float, int]] = {
    "ADWIN": (lambda s: drift.ADWIN(delta=math.exp(-s)), 1e-3, 100.0, 1),
    "HDDM_A": (lambda s: drift.binary.HDDMA(drift_confidence=math.exp(-s), warning_confidence=1.0), 1e-6, 100.0, 1),
    "HDDM_W": (lambda s: drift.binary.HDDMW(drift_confidence=math.exp(-s), warning_confidence=1.0), 1e-6, 100.0, 1),
    "DDM": (lambda s: drift.binary.DDM(warm_start=30, warning_threshold=0.0, drift_threshold=s), 0.01, 30.0, 1),
    "Page-Hinkley": (lambda s: drift.PageHinkley(mode="up", threshold=s), 0.005, 50.0, 1),
    "KSWIN": (lambda s: drift.KSWIN(alpha=math.exp(-s), seed=1), 3.0, 60.0, 4),
}
"""How each is made from one number, its least and its most; of how many streams one is enough to calibrate it.
All else is left at its default. A larger number means fewer alarms."""


def alarms(make: Make, strictness: float, errors: Iterable[float], first: int) -> list[int]:
    """The hours at or after ``first`` at which a detector reports a change for the worse."""
    detector: Any = make(strictness)
    hours = []
    for hour, error in enumerate(errors):
        detector.update(error)
        if detector.drift_detected and hour >= first:
            hours.append(hour)
    return hours


def count(make: Make, strictness: float, streams: Sequence[list[float]], first: int, limit: int) -> int:
    """How many alarms there are on all streams; counting ends above ``limit``."""
    total = 0
    for errors in streams:
        total += len(alarms(make, strictness, errors, first))
        if total > limit:
            break
    return total


def calibrate(make: Make, least: float, most: float, streams: Sequence[list[float]], first: int, allowed: int) -> float:
    """The least strict parameter with at most so many alarms."""
    if count(make, least, streams, first, allowed) <= allowed:
        return least
    low, high = math.log(least), math.log(most)
    for _ in range(STEPS):
        middle = (low + high) / 2
        if count(make, math.exp(middle), streams, first, allowed) <= allowed:
            high = middle
        else:
            low = middle
    return math.exp(high)


def first_alarm(make: Make, strictness: float, streams: Sequence[list[float]], first: int) -> int | None:
    """Hours from ``first`` until any of the streams alarms; None where none does."""
    found: int | None = None
    for errors in streams:
        ending = errors if found is None else errors[: first + found]
        hours = alarms(make, strictness, ending, first)
        if hours:
            found = hours[0] - first + 1
    return found


def main(folder: Path, first: int, allowed: int, names: Sequence[str]) -> None:
    healthy = 1 - np.load(folder / "healthy.npy")
    changed = {path.stem: 1 - np.load(path) for path in sorted((folder / "changed").glob("*.npy"))}
    answer = {}
    for name in names:
        make, least, most, part = DETECTORS[name]
        streams = healthy.tolist()[::part]
        strictness = calibrate(make, least, most, streams, first, allowed // part)
        delays = {
            cell: [first_alarm(make, strictness, trial, first) for trial in trials[::part].tolist()]
            for cell, trials in changed.items()
        }
        answer[name] = {"strictness": strictness, "delays": delays}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:] or list(DETECTORS))
