"""Profiles -> the rows of a W&B history: scalars under their keys, histograms over fixed edges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..model.keys import key_of
from ..model.prediction_log import MeasureSpec
from ..stats.performance.estimate import Estimate
from ..stats.profile.categorical import CategoricalProfile
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import Profile, ProfileKey, Segment, TableProfile
from ..stats.profile.wandb_histogram import to_histogram
from . import embedding_samples, performance, quality
from .profiler import VALUE_SUM

QUANTILES = {"p05": 0.05, "p50": 0.5, "p95": 0.95}


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Counts between ``edges`` (one more than counts)."""

    counts: Any
    edges: Any


@dataclass(frozen=True, slots=True)
class MetricRow:
    """What is logged for one version and window. ``time``: seconds (UTC), its end."""

    time: float
    version: str
    window: float
    scalars: Mapping[str, float]
    histograms: Mapping[str, Histogram]


def metric_rows(
    profile: Profile,
    spec: MeasureSpec,
    reference: TableProfile | None,
    now: float,
    extra_estimates: Mapping[ProfileKey, Sequence[Estimate]] | None = None,
) -> Iterator[MetricRow]:
    """A row for each version in each window that is over by ``now``, by time; ``more``: further metrics of a whole.

    Where several versions served in one window, the one whose rows reach furthest has the window's end, and each other
    one a second less: no two rows share a time, and measuring again, with more rows too, gives the same times.
    """
    whole = [cell for cell in profile.cells if not cell.segment and cell.window + spec.window <= now]
    times = _row_times(whole, profile, spec.window)
    windows: dict[float, list[TableProfile]] = {}
    for cell in whole:
        windows.setdefault(cell.window, []).append(profile.cells[cell])
    parts: dict[ProfileKey, dict[Segment, TableProfile]] = {}
    for cell, part in profile.cells.items():
        parts.setdefault(ProfileKey(cell.window, cell.version), {})[cell.segment] = part
    for cell in sorted(whole, key=lambda cell: (times[cell], cell.version)):
        table = profile.cells[cell]
        together = quality.window_quality(windows[cell.window], cell.window + spec.window)
        found = [
            *_quality_scalars(table, spec, reference, together),
            *_performance_scalars(parts[cell], spec, (extra_estimates or {}).get(cell, ())),
            *_value_scalars(table, spec),
            *embedding_samples.embedding_drift(table, reference),
        ]
        scalars = {key: value for key, value in found if np.isfinite(value)}
        yield MetricRow(times[cell], cell.version, cell.window, scalars, _histograms(table, spec, reference))


def _row_times(cells: list[ProfileKey], profile: Profile, window: float) -> dict[ProfileKey, float]:
    found: dict[ProfileKey, float] = {}
    taken: set[float] = set()
    for cell in sorted(cells, key=lambda cell: (cell.window, profile.cells[cell].newest, cell.version), reverse=True):
        time = cell.window + window
        while time in taken:
            time -= 1.0
        taken.add(time)
        found[cell] = time
    return found


def _quality_scalars(
    table: TableProfile, spec: MeasureSpec, reference: TableProfile | None, together: Mapping[str, float]
) -> Iterator[tuple[str, float]]:
    """The label's under ``label=``: it comes late, which is no trouble of the inputs."""
    for name, value in {**quality.table_quality(table), **together}.items():
        yield f"quality/{name}", value
    for column, scalars in (
        *quality.quality_by_column(table, reference).items(),
        *embedding_samples.sample_quality(table, reference),
    ):
        label = "label" if column == spec.label else "feature"
        for name, value in scalars.items():
            yield key_of(f"quality/{name}", ((label, column),)), value


def _performance_scalars(
    parts: Mapping[Segment, TableProfile], spec: MeasureSpec, extra_estimates: Sequence[Estimate]
) -> Iterator[tuple[str, float]]:
    for segment, part in parts.items():
        yield from performance.performance_metrics(part, segment, spec, () if segment else extra_estimates)
        if len(segment) == 1:
            yield key_of("quality/rows", segment), float(part.rows)


def _value_scalars(table: TableProfile, spec: MeasureSpec) -> Iterator[tuple[str, float]]:
    """Quantiles of numbers, to within a bin, but for labels and what rows are worth, whose sum is exact."""
    for name, column in table.columns.items():
        if isinstance(column, NumericProfile) and column.n and name not in (spec.label, spec.value):
            for quantile, share in QUANTILES.items():
                yield f"{spec.key_of_column(name)}/{quantile}", column.quantile(share)
    worth = table.sums.get(VALUE_SUM)
    if worth is not None and worth.n:
        yield from (("value/mean", worth.mean(VALUE_SUM)), ("value/sum", worth.mean(VALUE_SUM) * worth.n))
        yield "value/n", float(worth.n)


def _histograms(table: TableProfile, spec: MeasureSpec, reference: TableProfile | None) -> dict[str, Histogram]:
    """Of a categorical column under ``<column>/categories``; its bins are those of ``stats.profile.histogram``."""
    known = reference.columns if reference else {}
    found = {}
    for name, column in table.columns.items():
        shown = quality.without_unknown_formats(column, table.formats.get(name)) if reference else column
        histogram = to_histogram(shown, known.get(name))
        if histogram is not None:
            last = "/categories" if isinstance(column, CategoricalProfile) else ""
            edges, counts = histogram
            found[f"{spec.key_of_column(name)}{last}"] = Histogram(counts, edges)
    return found
