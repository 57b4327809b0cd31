"""The rows of a W&B history from profiles: scalars under their keys, histograms over fixed edges."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..model.keys import key_of
from ..model.label_maturity import young_key
from ..model.prediction_log import MeasureSpec
from ..model.series import Labels
from ..stats.arrays import Floats
from ..stats.performance.estimate import Estimate
from ..stats.profile.categorical import CategoricalProfile
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import ColumnProfile, Profile, ProfileKey, TableProfile
from ..stats.profile.wandb_histogram import histogram_edges, to_histogram
from . import embedding_samples, output_metrics, performance, quality
from .label_metrics import label_metrics
from .label_timing import LabelTiming
from .profiler import VALUE_SUM

QUANTILES = {"p05": 0.05, "p50": 0.5, "p95": 0.95}

Histogram = tuple[Any, Any]
"""Counts, and the edges between them (one more than counts)."""


@dataclass(frozen=True, slots=True)
class MetricRow:
    """What is logged for one version and window. ``time``: the window's end, seconds (UTC)."""

    time: float
    version: str
    window: float
    scalars: Mapping[str, float]
    histograms: Mapping[str, Histogram]


def estimate_scalars(key: str, estimate: Estimate, *, bounds: bool = True) -> Iterator[tuple[str, float]]:
    """The estimate under its key, with its count (``..._n``) and the bounds of its interval (``/low``, ``/high``);
    nothing where it is not defined."""
    if math.isnan(estimate.value):
        return
    yield from ((key, estimate.value), (f"{key}_n", estimate.n))
    if bounds and not math.isnan(estimate.low):
        yield from ((f"{key}/low", estimate.low), (f"{key}/high", estimate.high))


def merge_scalars(*parts: Mapping[ProfileKey, Mapping[str, float]]) -> dict[ProfileKey, Mapping[str, float]]:
    """All scalars of each cell."""
    merged: dict[ProfileKey, Mapping[str, float]] = {}
    for part in parts:
        for cell, scalars in part.items():
            merged[cell] = {**merged.get(cell, {}), **scalars}
    return merged


def metric_rows(
    profile: Profile,
    spec: MeasureSpec,
    reference: TableProfile | None,
    now: float,
    extra_estimates: Mapping[ProfileKey, Sequence[Estimate]] | None = None,
    extra_scalars: Mapping[ProfileKey, Mapping[str, float]] | None = None,
    timing: LabelTiming | None = None,
) -> Iterator[MetricRow]:
    """A row for each version in each window that is over by ``now``, by time.

    If several versions served in one window, the one with the latest row gets the window's end, and each other one a
    second less: no two rows share a time, and measuring again, with more rows too, gives the same times.

    ``extra_estimates``: by version, window and segment, further metrics of its rows; ``extra_scalars``: by version and
    window, further keys and values. ``timing``: when labels come; metrics of labels of a window that is not mature are
    under other keys, so that no rule takes them for the whole.
    """
    finished = finished_windows(profile, spec, now)
    timing = timing or LabelTiming(spec, now)
    newest = max((cell.window for cell in finished), default=0.0) + spec.window
    times = _row_times(finished, profile, spec.window)
    versions: dict[float, list[TableProfile]] = {}
    for cell in finished:
        versions.setdefault(cell.window, []).append(profile.cells[cell])
    segments: dict[ProfileKey, dict[Labels, TableProfile]] = {}
    for cell, table in profile.cells.items():
        segments.setdefault(ProfileKey(cell.window, cell.version), {})[cell.segment] = table
    reference_columns = reference.columns if reference else {}
    edges = {
        name: histogram_edges(column)
        for name, column in reference_columns.items()
        if isinstance(column, NumericProfile) and column.n
    }
    for cell in sorted(finished, key=lambda cell: (times[cell], cell.version)):
        table = profile.cells[cell]
        end = cell.window + spec.window
        of_window = quality.window_quality(versions[cell.window], end)
        of_labels = {
            **dict(_performance_scalars(cell, segments[cell], spec, extra_estimates or {})),
            **dict(label_metrics(segments[cell], spec)),
        }
        histograms = _histograms(table, spec, reference_columns, edges)
        more = (extra_scalars or {}).get(cell, {})
        if not timing.is_mature(end):
            more = {young_key(key) if key.startswith("weighted/") else key: value for key, value in more.items()}
            of_labels = {young_key(key): value for key, value in of_labels.items()}
            own = spec.key_of_column(spec.label)
            keys = {own: young_key(own), f"{own}/categories": young_key(f"{own}/categories")}
            histograms = {keys.get(key, key): histogram for key, histogram in histograms.items()}
        items = (
            *_quality_scalars(table, spec, reference, of_window),
            *of_labels.items(),
            *timing.scalars(end, newest).items(),
            *_value_scalars(table, spec),
            *embedding_samples.embedding_drift(table, reference),
            *more.items(),
        )
        scalars = {key: value for key, value in items if math.isfinite(value)}
        yield MetricRow(times[cell], cell.version, cell.window, scalars, histograms)


def finished_windows(profile: Profile, spec: MeasureSpec, now: float) -> list[ProfileKey]:
    """The windows and versions that are over by ``now``."""
    return [cell for cell in profile.cells if not cell.segment and cell.window + spec.window <= now]


def last_cells(profile: Profile) -> dict[float, ProfileKey]:
    """By window the version that served last in it: what is of the window, and of no version, is logged there."""
    order = sorted(
        (cell for cell in profile.cells if not cell.segment),
        key=lambda cell: (profile.cells[cell].newest, cell.version),
    )
    return {cell.window: cell for cell in order}


def count_unreadable_files(rows: Sequence[MetricRow], count: int) -> tuple[MetricRow, ...]:
    """The rows, each of which says how many files could not be read when it was measured."""
    key = "quality/unreadable_files"
    return tuple(replace(row, scalars={**row.scalars, key: float(count)}) for row in rows)


def _row_times(cells: list[ProfileKey], profile: Profile, window: float) -> dict[ProfileKey, float]:
    times: dict[ProfileKey, float] = {}
    used: set[float] = set()
    for cell in sorted(cells, key=lambda cell: (cell.window, profile.cells[cell].newest, cell.version), reverse=True):
        time = cell.window + window
        while time in used:
            time -= 1.0
        used.add(time)
        times[cell] = time
    return times


def _quality_scalars(
    table: TableProfile, spec: MeasureSpec, reference: TableProfile | None, of_window: Mapping[str, float]
) -> Iterator[tuple[str, float]]:
    """The label's quality is under ``label=``: labels come late, which is not a defect of the inputs."""
    for name, value in {**quality.table_quality(table), **of_window}.items():
        yield f"quality/{name}", value
    for column, scalars in (
        *((name, quality.column_quality(name, table, reference)) for name in table.columns),
        *embedding_samples.sample_quality(table, reference),
    ):
        label = "label" if column == spec.label else "feature"
        for name, value in scalars.items():
            yield key_of(f"quality/{name}", ((label, column),)), value


def _performance_scalars(
    whole: ProfileKey,
    segments: Mapping[Labels, TableProfile],
    spec: MeasureSpec,
    extra_estimates: Mapping[ProfileKey, Sequence[Estimate]],
) -> Iterator[tuple[str, float]]:
    for segment, table in segments.items():
        extra = extra_estimates.get(ProfileKey(whole.window, whole.version, segment), ())
        yield from performance.performance_metrics(table, segment, spec, extra)
        yield from output_metrics.output_scalars(table, segment, spec)
        if len(segment) == 1:
            yield key_of("quality/rows", segment), float(table.rows)


def _value_scalars(table: TableProfile, spec: MeasureSpec) -> Iterator[tuple[str, float]]:
    """Quantiles of numeric columns, to within a bin; the exact sum of the value column; nothing for labels."""
    for name, column in table.columns.items():
        if isinstance(column, NumericProfile) and column.n and name not in (spec.label, spec.value):
            key = spec.key_of_column(name)
            for quantile, value in zip(QUANTILES, column.quantiles([*QUANTILES.values()]), strict=True):
                yield f"{key}/{quantile}", value
    values = table.sums.get(VALUE_SUM)
    if values is not None and values.n:
        yield from (("value/mean", values.mean(VALUE_SUM)), ("value/sum", values.mean(VALUE_SUM) * values.n))
        yield "value/n", float(values.n)


def _histograms(
    table: TableProfile, spec: MeasureSpec, reference: Mapping[str, ColumnProfile], edges: Mapping[str, Floats]
) -> dict[str, Histogram]:
    """By key; those of a categorical column are under ``<column>/categories``. ``reference``: its columns, and the
    ``edges`` of their histograms."""
    histograms = {}
    for name, column in table.columns.items():
        cleaned = quality.without_unknown_formats(column, table.formats.get(name)) if reference else column
        histogram = to_histogram(cleaned, reference.get(name), edges.get(name))
        if histogram is not None:
            suffix = "/categories" if isinstance(column, CategoricalProfile) else ""
            ends, counts = histogram
            histograms[f"{spec.key_of_column(name)}{suffix}"] = (counts, ends)
    return histograms
