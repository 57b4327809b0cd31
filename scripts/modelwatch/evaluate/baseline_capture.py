"""A baseline entry from a period of a series' history: the pure part of ``baseline capture``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import UserError
from ..model.baseline_origin import describe_origin
from ..model.drift import drift_spec
from ..model.monitored_model import Model
from ..model.rule import Aggregate, BaselineEntry, Interval
from ..model.series import Deployment, Histograms, Labels, PulledSeries, Series, format_labels
from ..timeutil import format_utc
from .aggregation import Aggregator
from .arrays import first_or_none
from .deployments import version_timeline
from .drift.rebinning import merge_histograms
from .points import clean_points
from .windows import row_ranges, window_quantiles

PERCENTILES = (5, 25, 50, 75, 95, 99)


def capture_series(
    series: Series,
    since: float,
    until: float,
    *,
    version: str,
    source: str,
    now: float,
    interval: Interval,
    aggregate: Aggregate = Aggregate.MEAN,
) -> BaselineEntry:
    """The reference statistic of the points from ``since`` to ``until``, both included (seconds, UTC).

    ``version``: only its points and those of unknown version; empty: all of them. Value and interval are formed as a
    window's are; ``sd`` and the percentiles are those of the points, whatever they weigh. A ``sum`` or a ``ratio``
    has no meaning over a period of another length than the window, or without its denominator: for those the value is
    the mean. Raises ``UserError`` where no finite point is left.
    """
    service = version_timeline([Deployment(version, -np.inf)] if version else [])
    points = clean_points(series, service, now)
    how = Aggregate.MEAN if aggregate in (Aggregate.SUM, Aggregate.RATIO) else aggregate
    measure = Aggregator(points, None, how, interval)
    floor, end = np.array([since]), np.array([until])
    start = np.array([-np.inf])
    stat = measure.aggregate(start, end, floor)
    spans = row_ranges(points.times, start, end, floor)
    count = int(stat.points[0])
    if count == 0:
        raise UserError(
            f"no finite points to capture in this period{f' of version {version}' if version else ''}",
            hint="Choose a longer period, or check the key with `modelwatch pull`.",
            where=f"{series.name} {format_labels(series.labels)}".strip(),
        )
    return BaselineEntry(
        name=series.name,
        labels=series.labels,
        value=float(stat.value[0]),
        n=first_or_none(stat.n),
        low=first_or_none(stat.low),
        high=first_or_none(stat.high),
        sd=first_or_none(measure.standard_deviation(start, end, floor)),
        percentiles=tuple(
            (f"p{place}", float(window_quantiles(points.values, spans, place / 100)[0][0])) for place in PERCENTILES
        ),
        points=count,
        version=version or _only_version(series, since, until),
        source=source,
        captured=now,
    )


def _only_version(series: Series, since: float, until: float) -> str:
    """The version that served throughout the period; empty where there were several, or it is unknown."""
    codes = {code for time, code in zip(series.times, series.version_of) if since <= time <= until}
    code = codes.pop() if len(codes) == 1 else -1
    return series.versions[code] if code >= 0 else ""


def capture_model(
    model: Model, pull: PulledSeries, since: float, until: float, *, version: str, now: float
) -> tuple[BaselineEntry, ...]:
    """One entry for every series, and every feature's histogram, that a rule of ``model`` judges.

    Raises ``UserError`` where there is none.
    """
    entries: dict[tuple[str, Labels], BaselineEntry] = {}
    origin = _describe_source(model, since, until)
    for rule in model.rules:
        for series in pull.series:
            key = (series.name, series.labels)
            if series.name != rule.metric.name or key in entries or len(series) == 0:
                continue
            entries[key] = capture_series(
                series,
                since,
                until,
                version=version,
                source=origin,
                now=now,
                interval=rule.interval,
                aggregate=rule.aggregate,
            )
        spec = drift_spec(rule.metric)
        if spec is None:
            continue
        for feature in pull.histograms:
            if not any(pattern.name == feature.name and pattern.allows(feature.labels) for pattern in spec.patterns):
                continue
            categorical = spec.is_categorical(feature.name)
            entry = _capture_histogram(feature, categorical, since, until, version=version, source=origin, now=now)
            if entry is not None:
                entries.setdefault((entry.name, entry.labels), entry)
    if not entries:
        period = f"from {format_utc(since)} to" if since else "up to"
        notes = "".join(f" {note[:1].upper()}{note[1:]}{'' if note.endswith('?') else '.'}" for note in pull.notes[:3])
        raise UserError(
            f"no metric of {model.name!r} has points {period} {format_utc(until)}.{notes}",
            hint="Choose a longer period, or check the keys with `modelwatch pull`.",
        )
    return tuple(replace(entry, model=model.name) for entry in entries.values())


def _capture_histogram(
    feature: Histograms, categorical: bool, since: float, until: float, *, version: str, source: str, now: float
) -> BaselineEntry | None:
    """The histograms of a feature from ``since`` to ``until`` as one: the reference of drift rules.

    ``value`` is the mean, every value at the middle of its bin; of categories how many there are. ``None`` where the
    period holds none (of ``version``, or of unknown version).
    """
    own = {-1, *(code for code, name in enumerate(feature.versions) if name == version)}
    rows = [
        row
        for row, time in enumerate(feature.times)
        if since <= time <= until and (not version or feature.version_of[row] in own) and sum(feature.counts[row]) > 0
    ]
    if not rows:
        return None
    edges, counts = merge_histograms(feature, rows, categorical)
    middles = (edges[1:] + edges[:-1]) / 2
    total = float(counts.sum())
    value = float((counts > 0).sum()) if categorical else float((middles * (counts / total)).sum())
    return BaselineEntry(
        name=feature.name,
        labels=feature.labels,
        value=value,
        n=total,
        points=len(rows),
        version=version,
        source=source,
        captured=now,
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
    )


def _describe_source(model: Model, since: float, until: float) -> str:
    return f"{origin_of(model)}, {format_utc(since)} to {format_utc(until)}"


def origin_of(model: Model) -> str:
    """See ``describe_origin``."""
    if model.wandb is None or model.table is not None:
        return describe_origin("", "", model.table.path if model.table else "")
    return describe_origin(model.wandb.entity, model.wandb.project, model.wandb.offline)
