"""Which windows are measured: a stretch of time, or what W&B does not have yet and what late labels may change."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..clients.retry import RetryPolicy
from ..errors import UserError
from ..model.monitored_model import Model
from ..model.prediction_log import MeasureSpec
from ..stats.performance.estimate import Estimate
from ..stats.profile.table import Profile, ProfileKey, TableProfile
from ..timeutil import DAY
from .arrow_columns import times_by_row
from .label_join import JoinedLog
from .performance import labelled_rows, row_metrics
from .plan_inference import infer_plan
from .profile_plan import ProfilePlan, plan_from_reference
from .profiler import VALUE_SUM, profile_batches
from .readers import PredictionLog, QueryLog, fetch_artifact, open_log, require_columns
from .reference_store import fetch_reference, read_reference
from .wandb_profiles import fetch_other_partitions, sum_profile_files, sum_profiles
from .wandb_rows import MetricRow, metric_rows


@dataclass(frozen=True, slots=True)
class WindowSelection:
    """Everything, where nothing is given. Times in seconds (UTC)."""

    since: float = -math.inf
    """The window in which this lies is the first."""
    until: float = math.inf
    """The window in which this lies is left out, and all after it."""
    measured_days: frozenset[float] = frozenset()
    """Days (their beginning) of which W&B has measurements: left out, unless younger than ``late``."""
    remeasure_after: float = -math.inf
    partition: str = ""
    """The log is only this part of the rows; what other parts were is added to it."""

    def includes(self, windows: NDArray[np.float64], length: float) -> NDArray[np.bool_]:
        """Of windows by their beginnings; rows without a time are always taken, to be counted."""
        day = np.floor(windows / DAY) * DAY
        fresh = ~np.isin(day, list(self.measured_days)) | (windows + length > self.remeasure_after)
        return np.isnan(windows) | (fresh & (windows + length > self.since) & (windows + length <= self.until))


class FilteredLog:
    """A log without the rows of windows that are not measured."""

    def __init__(self, log: PredictionLog, selection: WindowSelection, spec: MeasureSpec) -> None:
        self._log, self._selection, self._spec = log, selection, spec
        self.where = log.where

    def names(self) -> tuple[str, ...]:
        return self._log.names()

    def rows(self) -> int | None:
        """Of the whole log: no fewer than these."""
        return self._log.rows()

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        if self._selection == WindowSelection(partition=self._selection.partition):
            return self._log.batches(columns)
        return self._filter(self._log.batches(list(dict.fromkeys([*columns, self._spec.time]))))

    def _filter(self, batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa

        length = self._spec.window
        for batch in batches:
            if self._spec.time not in batch.schema.names:
                yield batch
                continue
            starts = np.floor(times_by_row(batch.column(self._spec.time)) / length) * length
            wanted = self._selection.includes(starts, length)
            if wanted.all():
                yield batch
            elif wanted.any():
                yield batch.filter(pa.array(wanted))


@dataclass(frozen=True, slots=True)
class MeasureResult:
    """``rows``: one a version and window that is over; ``notes``: what a reader should know."""

    profile: Profile
    """Of the log that was read."""
    rows: tuple[MetricRow, ...]
    notes: tuple[str, ...]
    other_partitions: Mapping[str, Profile] = field(default_factory=dict)
    """By name the other partitions of the same days; ``rows`` are of all of them together."""


def measure(
    model: Model,
    now: float,
    env: Mapping[str, str],
    retry: RetryPolicy,
    scratch: Path,
    selection: WindowSelection | None = None,
    profiles: Sequence[Path] = (),
) -> MeasureResult:
    """Reads the model's log once, once more without a reference, and once more for metrics that need rows;
    ``scratch`` takes what has to be downloaded.

    ``profiles``: files that ``--out`` wrote elsewhere, of distinct rows, to be added up instead. Raises UserError for a
    model without ``measure:``, SourceError for what cannot be read.
    """
    selection = selection or WindowSelection()
    spec = require_measure_spec(model)
    notes: list[str] = []
    reference = None
    if spec.reference:
        reference, _ = read_reference(fetch_reference(spec.reference, model, env, retry))
    more: Mapping[ProfileKey, Sequence[Estimate]] = {}
    if profiles:
        profile = sum_profile_files(profiles)
    else:
        log = FilteredLog(open_model_log(spec, model, env, retry, scratch), selection, spec)
        plan = _make_plan(spec, reference, log, notes)
        profile = profile_batches(log.batches(plan.needed_columns), plan)
        more = row_metrics(log, plan, profile)
        notes.extend(_omission_notes(profile, plan))
    others = (
        fetch_other_partitions(model, profile, selection.partition, env, retry, scratch) if selection.partition else {}
    )
    both = sum_profiles([profile, *others.values()])
    # What needs rows is known of this part of them only.
    split = {cell for part in others.values() for cell in part.cells}
    rows = tuple(
        metric_rows(both, spec, reference, now, {cell: found for cell, found in more.items() if cell not in split})
    )
    left = sum(not cell.segment for cell in both.cells) - len(rows)
    if left:
        notes.append(f"{left} windows are not over yet and are left for later.")
    if profile.undated:
        notes.append(f"{profile.undated} rows have no time and are in no window.")
    return MeasureResult(profile, rows, tuple(notes), others)


def _make_plan(spec: MeasureSpec, reference: TableProfile | None, log: PredictionLog, notes: list[str]) -> ProfilePlan:
    if reference is not None:
        require_columns(log, [name for name in (spec.id, spec.time, spec.version) if name])
        return plan_from_reference(reference, spec)
    notes.append("no reference: bins were chosen from this log alone, and those of another log may differ.")
    return infer_plan(log, spec)


def _omission_notes(profile: Profile, plan: ProfilePlan) -> Iterator[str]:
    """What is asked for, and is not published."""
    spec = plan.spec
    for crossing in plan.crossings:
        if crossing.omitted:
            told = f"{len(crossing.values)} crossings are told apart and {crossing.omitted} rarer ones are not."
            yield f"{crossing.columns[0]} by {crossing.columns[1]}: {told}"
    small = {
        cell.segment for cell, table in profile.cells.items() if cell.segment and labelled_rows(table) < spec.min_rows
    }
    if small and spec.label:
        yield f"{len(small)} segments have windows with fewer than {spec.min_rows} labels, which are not published."
    worth = (table.sums[VALUE_SUM].n for table in profile.cells.values() if VALUE_SUM in table.sums)
    if spec.value and profile.rows and not any(worth):
        yield f"{spec.value!r} holds no numbers, so nothing is known of what rows are worth."
    if spec.score and not spec.scores and len(plan.classes) > 2:
        yield f"one score says nothing of {len(plan.classes)} classes: name a column for each under `scores`."


def require_measure_spec(model: Model) -> MeasureSpec:
    """Raises UserError where the model names no log, or no time in it."""
    if model.measure is None:
        hint = "Give `measure: {files: ..., time: ...}`."
        raise UserError(f"the model {model.name!r} names no prediction log.", hint=hint, where=model.where)
    if not model.measure.time:
        hint = "Give `measure: {time: ...}`, the column of the time."
        raise UserError(f"the log of {model.name!r} has no time.", hint=hint, where=model.where)
    return model.measure


def open_model_log(
    spec: MeasureSpec, model: Model, env: Mapping[str, str], retry: RetryPolicy, scratch: Path
) -> PredictionLog:
    """The log with its outcomes."""
    if spec.query:
        log: PredictionLog = QueryLog(spec.query)
    elif spec.artifact:
        base_url = model.wandb.base_url if model.wandb else ""
        log = open_log(fetch_artifact(spec.artifact, base_url, env.get("WANDB_API_KEY", ""), retry, scratch))
    else:
        log = open_log(spec.files)
    if spec.outcomes is None:
        return log
    return JoinedLog(log, open_log(spec.outcomes.files), spec.id, spec.outcomes)
