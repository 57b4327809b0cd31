"""One pass of the rules of a model over its history, and its tracks as an earlier evaluation would have found them."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..evaluate.evaluator import evaluate_model
from ..evaluate.windows import evaluation_grid
from ..model.finding import Track
from ..model.monitored_model import Model
from ..model.rule import Rule
from ..model.series import PulledSeries
from .logged_history import LoggedHistory

CODES = (
    "outcome",
    "severity",
    "clear",
    "improved",
    "cause",
    "points",
    "version",
    "fresh",
    "overdue",
    "implausible",
    "signal",
)
NUMBERS = ("value", "baseline", "low", "high", "n", "baseline_n")
ROUNDING = 1e-9
"""Sums over longer columns round differently by so much, relatively."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one evaluation of some rules of a model finds."""

    at: float
    pull: PulledSeries
    tracks: dict[str, tuple[Track, ...]]
    """By the name of their rule."""
    notes: tuple[str, ...] = ()


def run_pass(history: LoggedHistory, rules: Collection[Rule], now: float) -> Pass:
    """Judge ``rules`` of the history's model as an evaluation at ``now`` (seconds, UTC) would have. Raises whatever
    judging raises."""
    model = history.model.with_whole_history(now)
    pull = history.as_of(now, rules)
    found = evaluate_model(replace(model, rules=tuple(rules)), pull, now)
    tracks: dict[str, list[Track]] = {rule.name: [] for rule in rules}
    for track in found.tracks:
        tracks[track.rule.name].append(track)
    return Pass(now, pull, {name: tuple(own) for name, own in tracks.items()}, found.notes)


def track_rows(track: Track, model: Model, now: float) -> int:
    """How many findings of ``track`` an evaluation at ``now`` would have had; 0 where it would have begun with another
    one. ``model``: as that evaluation has it."""
    grid = evaluation_grid(track.rule, now, model.history)
    same = (grid.start, grid.step) == (track.grid.start, track.grid.step)
    return grid.count if same and grid.count <= track.grid.count else 0


def cut_track(track: Track, rows: int) -> Track:
    """The first findings of ``track``. What it says of its end, such as an estimate, stays."""
    if rows == track.grid.count:
        return track
    columns = {name: getattr(track, name)[:rows] for name in (*CODES, *NUMBERS)}
    return replace(track, grid=replace(track.grid, count=rows), **columns)


def is_cut(found: Sequence[Track], later: Sequence[Track], model: Model, now: float) -> bool:
    """Whether ``later``, cut at ``now``, are what was ``found`` then by one rule."""
    if [track.labels for track in found] != [track.labels for track in later]:
        return False
    for own, whole in zip(found, later, strict=True):
        rows = track_rows(whole, model, now)
        if rows != own.grid.count or own.rule != whole.rule:
            return False
        if not all(_same_codes(getattr(own, name), getattr(whole, name)[:rows]) for name in CODES if name != "version"):
            return False
        if _versions(own) != _versions(cut_track(whole, rows)):
            return False
        if not all(_same_numbers(getattr(own, name), getattr(whole, name)[:rows]) for name in NUMBERS):
            return False
    return True


def _versions(track: Track) -> list[tuple[int, str]]:
    """Which version served from which row on."""
    changes = [0, *(row for row, (before, now) in enumerate(pairwise(track.version), 1) if before != now)]
    return [(row, track.versions[place]) for row in changes if track.grid.count and (place := track.version[row]) >= 0]


def _same_codes(one: array[int], other: array[int]) -> bool:
    return one == other


def _same_numbers(one: array[float], other: array[float]) -> bool:
    return len(one) == len(other) and bool(
        np.allclose(np.asarray(one), np.asarray(other), rtol=ROUNDING, atol=0.0, equal_nan=True)
    )
