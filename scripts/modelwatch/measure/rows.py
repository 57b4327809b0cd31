"""Profiles -> the rows of a W&B history: scalars under their keys, histograms over fixed edges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..model.keys import escape_label, key_of
from ..model.measured import MeasureSpec
from ..stats.profile.categorical import CategoricalProfile
from ..stats.profile.histogram import histogram_of
from ..stats.profile.table import Cell, Profile, TableProfile
from . import performance, quality

TIME = "measured/time"
"""The key of the end of the window: what ``wandb: {time: ...}`` names for a model that is measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Counts between ``edges`` (one more than counts)."""

    counts: Any
    edges: Any


@dataclass(frozen=True, slots=True)
class Row:
    """What is logged for one version and window. ``time``: seconds (UTC), its end."""

    time: float
    version: str
    window: float
    scalars: Mapping[str, float]
    histograms: Mapping[str, Histogram]


def rows_of(profile: Profile, spec: MeasureSpec, reference: TableProfile | None, now: float) -> Iterator[Row]:
    """A row for each version in each window that is over by ``now``, by time.

    Where several versions served in one window, the one whose rows reach furthest has the window's end, and each other
    one the time of its newest row: no two rows share a time, and measuring again gives the same times.
    """
    whole = [cell for cell in profile.cells if not cell.segment and cell.window + spec.window <= now]
    times = _times(whole, profile, spec.window)
    for cell in sorted(whole, key=lambda cell: (times[cell], cell.version)):
        table = profile.cells[cell]
        segments = {
            other.segment: part
            for other, part in profile.cells.items()
            if other.segment and (other.window, other.version) == (cell.window, cell.version)
        }
        scalars = {key: value for key, value in _scalars(table, segments, reference, times[cell]) if np.isfinite(value)}
        yield Row(times[cell], cell.version, cell.window, scalars, _histograms(table, spec, reference))


def _times(cells: list[Cell], profile: Profile, window: float) -> dict[Cell, float]:
    found: dict[Cell, float] = {}
    taken: set[float] = set()
    for cell in sorted(cells, key=lambda cell: (cell.window, profile.cells[cell].newest, cell.version), reverse=True):
        newest = float(np.floor(profile.cells[cell].newest))
        time = cell.window + window if cell.window + window not in taken else newest
        while time in taken:
            time -= 1.0
        taken.add(time)
        found[cell] = time
    return found


def _scalars(
    table: TableProfile, segments: Mapping[Any, TableProfile], reference: TableProfile | None, end: float
) -> Iterator[tuple[str, float]]:
    for name, value in quality.of_table(table, end).items():
        yield f"quality/{name}", value
    for column, scalars in quality.of_columns(table, reference).items():
        for name, value in scalars.items():
            yield key_of(f"quality/{name}", (("feature", column),)), value
    for segment, part in {(): table, **segments}.items():
        for name, value in performance.of_table(part).items():
            yield key_of(f"eval/{name}", segment), value
        if segment:
            yield key_of("quality/rows", segment), float(part.rows)


def _histograms(table: TableProfile, spec: MeasureSpec, reference: TableProfile | None) -> dict[str, Histogram]:
    """Of a categorical column under ``<column>/categories``; its bins are those of ``stats.profile.histogram``."""
    groups = dict.fromkeys(filter(None, (spec.score, spec.prediction)), "predictions") | {spec.label: "labels"}
    known = reference.columns if reference else {}
    found = {}
    for name, column in table.columns.items():
        histogram = histogram_of(column, known.get(name))
        if histogram is not None:
            last = "/categories" if isinstance(column, CategoricalProfile) else ""
            edges, counts = histogram
            found[f"{groups.get(name, 'features')}/{escape_label(name)}{last}"] = Histogram(counts, edges)
    return found
