"""The rows of the serving job that a drill plays: what they hold, and logging them with the real W&B client."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ..clients.retry import RetryPolicy
from ..clients.wandb_runs import RunAddress, open_run
from ..model.monitored_model import Model
from .drilled_rule import MAX_HEALTHY_ROWS, ROWS, Levels, Timeline

WANDB_TAG = "modelwatch-drill"
"""Of every W&B run of a drill: by it leftovers are found."""
ROW_KEY = "drill/row"
"""Counts the rows, to see whether all of them arrived."""
EARLIER_VERSION, GOOD_VERSION, BAD_VERSION = "drill-earlier", "drill-good", "drill-bad"
BINS = tuple(float(edge) for edge in range(11))
HEALTHY_COUNTS = tuple(ROWS * share / 100 for share in (4, 8, 12, 14, 12, 14, 12, 10, 8, 6))
DRIFTED_COUNTS = tuple(ROWS * share / 100 for share in (1, 1, 2, 3, 5, 8, 12, 18, 24, 26))


@dataclass(frozen=True, slots=True)
class Row:
    """One row: values by W&B key, and histograms as counts and edges. ``time``: event time (seconds, UTC)."""

    time: float
    values: Mapping[str, float]
    histograms: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


def make_rows(levels: Sequence[Levels], times: Sequence[float], *, degraded: bool) -> list[Row]:
    """A row for each time; the same for the same time."""
    rows = []
    for time in times:
        values: dict[str, float] = {}
        histograms: dict[str, tuple[Any, Any]] = {}
        random = Random(f"{time:.0f}")  # noqa: S311 - not for secrets
        for one in levels:
            if one.is_histogram:
                histograms[one.key] = _histogram(random, degraded=degraded)
                continue
            value = random.gauss(one.degraded if degraded else one.healthy, one.spread)
            values[one.key] = value * ROWS if one.is_total else value
            if one.count_key:
                values[one.count_key] = ROWS
        rows.append(Row(time, values, histograms))
    return rows


def _histogram(random: Random, *, degraded: bool) -> tuple[Any, Any]:
    import numpy as np

    counts = [round(random.gauss(one, math.sqrt(one))) for one in (DRIFTED_COUNTS if degraded else HEALTHY_COUNTS)]
    return np.array(counts), np.array(BINS)


def healthy_times(timeline: Timeline) -> list[float]:
    """Before the degradation: far apart where the history is long, and near at its end."""
    span = timeline.degraded - timeline.start
    apart = timeline.step * max(1, math.ceil(span / timeline.step / MAX_HEALTHY_ROWS))
    return list(_times(timeline.start, timeline.degraded, apart))


def _times(after: float, until: float, step: float) -> Iterator[float]:
    count = round((until - after) / step)
    return (until - (count - 1 - index) * step for index in range(count))


def phase_times(after: float, until: float, step: float) -> list[float]:
    """Every ``step`` after ``after``, up to ``until``."""
    return list(_times(after, until, step))


@dataclass(slots=True)
class RowLogger:
    """Logs rows into the drill's W&B runs, one for each version."""

    model: Model
    stamp: str
    """Of this drill; part of the ids of its W&B runs."""
    key: str = field(repr=False)
    retry: RetryPolicy
    url: str
    counts: dict[str, int] = field(default_factory=dict)
    """Rows that were logged, by the id of the W&B run."""

    def log(self, rows: Sequence[Row], version: str) -> None:
        """Raises SourceError."""
        spec = self.model.wandb
        if spec is None or not rows:
            return
        name = f"drill-{self.stamp}-{version}"
        tags = tuple(dict.fromkeys((*spec.tags, WANDB_TAG)))
        address = RunAddress(spec.entity, spec.project, name, self.url, tags, spec.job_type, spec.group)
        with open_run(address, _version_config(spec.version, version), self.key, self.retry) as run:
            for row in rows:
                count = self.counts.get(name, 0)
                clock = {spec.time: row.time} if spec.time else {}
                run.log({**row.values, **clock, "_timestamp": row.time, ROW_KEY: count}, row.histograms)
                self.counts[name] = count + 1


def _version_config(path: str, version: str) -> dict[str, Any]:
    """The config of a W&B run with its version at ``path``, whose dots reach into mappings."""
    if not path:
        return {}
    *outer, last = path.split(".")
    config: dict[str, Any] = {last: version}
    for name in reversed(outer):
        config = {name: config}
    return config
