"""Measure a model's prediction log: read the selected windows, profile them, and derive the rows that W&B gets."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar, overload

import numpy as np
from numpy.typing import NDArray

from ..clients.retry import RetryPolicy
from ..errors import SourceError
from ..model.monitored_model import Model
from ..model.prediction_log import MeasureSpec, OperationsSpec
from ..stats.labels.coverage import WeightedEstimate
from ..stats.labels.delay import HISTORY
from ..stats.performance.estimate import Estimate
from ..stats.profile.categorical import CategoricalProfile
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import Profile, ProfileKey, TableProfile
from ..timeutil import DAY, HOUR, format_utc
from .annotations import annotation_scalars_by_cell, read_annotations
from .arrow_columns import release_unused_memory, shown_cells
from .class_names import mixed_spellings
from .engines.engine import Engine
from .estimates import EstimateResult, estimate_windows
from .experiments import Reading, experiment_scalars
from .label_changes import change_scalars
from .label_join import LabelChanges, label_changes, label_notes
from .label_noise import noise_scalars
from .label_task import (
    class_notes,
    describe_task,
    require_common_class,
    require_positive,
    reversed_score_note,
    task_notes,
)
from .label_timing import LabelTiming, delay_plan
from .metric_notes import missing_metric_notes, without_partial_averages
from .model_log import open_model_log, require_measure_spec
from .output_metrics import output_notes
from .performance import known_classes, known_metrics, labelled_rows, misfit_note, row_metrics
from .plan_inference import infer_plan
from .profile_plan import ProfilePlan, plan_from_reference
from .profiler import VALUE_SUM, profile_log
from .readers import PredictionLog, absent_role_notes, require_columns
from .recorded_profiles import RecordedProfile, read_recorded_profile
from .reference_store import fetch_reference, read_profile, read_reference
from .time_columns import local_time_hint, times_by_row, unreadable_times
from .version_agreement import measure_agreement
from .wandb_profiles import fetch_other_partitions, sum_profiles
from .wandb_rows import MetricRow, count_unreadable_files, finished_windows, last_cells, merge_scalars, metric_rows
from .weighted_performance import selection_notes, weighted_scalars

MAX_COLUMNS_SHOWN = 10
NO_ROWS = "nothing is estimated: that takes the rows of the log, not profiles."
_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,3}(\.?\d{3})*,\d+")


@dataclass(frozen=True, slots=True)
class WindowSelection:
    """The windows to measure: by default all. Times in seconds (UTC)."""

    since: float = -math.inf
    """The first window is the one that contains this."""
    until: float = math.inf
    """The window that contains this, and all later ones, are left out."""
    measured_days: frozenset[float] = frozenset()
    """Days (their beginning) that W&B has already: left out, except windows that end after ``remeasure_after``."""
    remeasure_after: float = -math.inf
    partition: str = ""
    """The log is only this part of the rows; the other parts, measured before, are added to it."""

    @property
    def is_everything(self) -> bool:
        """Whether no window is left out."""
        return self == WindowSelection(partition=self.partition)

    def includes(self, windows: NDArray[np.float64], length: float) -> NDArray[np.bool_]:
        """By window, given its beginning, whether it is measured. Rows without time always are, to be counted."""
        days = np.floor(windows / DAY) * DAY
        ends = windows + length
        due = ~np.isin(days, list(self.measured_days)) | (ends > self.remeasure_after)
        return np.isnan(windows) | (due & (ends > self.since) & (ends <= self.until))

    def includes_day(self, day: float, length: float) -> bool:
        """Whether any window of a UTC day (its beginning) is measured."""
        return bool(self.includes(np.arange(day, day + DAY, length), length).any())

    def filter_profile(self, profile: Profile, length: float) -> Profile:
        """The windows that are measured."""
        keys = list(profile.cells)
        selected = self.includes(np.array([key.window for key in keys], dtype=np.float64), length)
        cells = {key: profile.cells[key] for key, is_selected in zip(keys, selected, strict=True) if is_selected}
        return Profile(cells, profile.undated)


@dataclass(frozen=True, slots=True)
class OlderWindows:
    """The windows that are not measured, and whose labels say how long labels take."""

    selection: WindowSelection
    now: float
    is_everything: ClassVar[bool] = False

    def includes(self, windows: NDArray[np.float64], length: float) -> NDArray[np.bool_]:
        """As of a selection."""
        is_recent = (windows > self.now - HISTORY) & (windows + length <= self.now)
        return np.asarray(is_recent & ~self.selection.includes(windows, length))


class FilteredLog:
    """A log without the rows of windows that are not selected; ``rows`` counts those of the whole log."""

    def __init__(self, log: PredictionLog, selection: WindowSelection | OlderWindows, spec: MeasureSpec) -> None:
        self._log, self._selection, self._spec = log, selection, spec
        self.where, self.names, self.rows = log.where, log.names, log.rows

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        if self._selection.is_everything:
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
            selected = self._selection.includes(starts, length)
            if selected.all():
                yield batch
            elif selected.any():
                yield batch.filter(pa.array(selected))


@dataclass(frozen=True, slots=True)
class MeasureResult:
    """What was measured, and notes for the user."""

    profile: Profile
    """Of the log that was read."""
    rows: Sequence[MetricRow]
    """One a version and finished window; computed when they are read first."""
    notes: tuple[str, ...]
    task: str = ""
    """What the labels are, as text; empty without labels."""
    other_partitions: Mapping[str, Profile] = field(default_factory=dict)
    """By name the other partitions of the same days; ``rows`` include them."""


def measure(
    model: Model,
    now: float,
    env: Mapping[str, str],
    retry: RetryPolicy,
    scratch: Path,
    selection: WindowSelection | None = None,
    profiles: Sequence[Path] = (),
    engine: Engine | None = None,
) -> MeasureResult:
    """Measure a model. Reads its log once, once more without a reference, and once more for metrics that need rows;
    downloads go to ``scratch``.

    ``profiles``: files that ``--out`` wrote elsewhere, of distinct rows, to add up instead of reading the log.
    ``engine``: what reads and counts the rows, by default this process. Raises
    UserError for a model without ``measure:``, SourceError for what cannot be read.
    """
    selection = selection or WindowSelection()
    spec = require_measure_spec(model)
    notes: list[str] = []
    reference = None
    if spec.reference:
        reference, _ = read_reference(fetch_reference(spec.reference, model, env))
    extra: Mapping[ProfileKey, Sequence[Estimate]] = {}
    extra_scalars: Mapping[ProfileKey, Mapping[str, float]] = {}
    noisy: Mapping[ProfileKey, Mapping[str, float]] = {}
    changes: LabelChanges | None = None
    older = Profile()
    weighted: Mapping[ProfileKey, Sequence[WeightedEstimate]] = {}
    log: FilteredLog | None = None
    skipped: dict[str, SourceError] = {}
    recorded: RecordedProfile | None = None
    if profiles:
        profile = sum_profiles(read_profile(path)[0] for path in profiles)
        whole = profile.whole()
    elif spec.recorder:
        includes_day = partial(selection.includes_day, length=spec.window)
        recorded = read_recorded_profile(model, spec, includes_day, env, retry, scratch, reference)
        profile = selection.filter_profile(recorded.profile, spec.window)
        whole = profile.whole()
        notes.extend(recorded.notes)
        spec = replace(spec, operations=spec.operations or OperationsSpec("latency", "error"))
    else:
        source = open_model_log(spec, model, env, retry, scratch, now, skipped, reference, engine)
        log = FilteredLog(source, selection, spec)
        plan = replace(_make_plan(spec, reference, log, notes), now=now)
        profile = profile_log(log, plan)
        release_unused_memory()
        whole = profile.whole()
        plan = replace(plan, spec=without_partial_averages(spec, whole))
        extra = row_metrics(log, plan, profile)
        extra_scalars = measure_agreement(log, plan, profile)
        if spec.label_noise:
            noisy, noise_notes = noise_scalars(log, plan, profile)
            notes.extend(noise_notes)
        if spec.weighted and spec.label:
            weights, weighted = weighted_scalars(log, plan, profile)
            extra_scalars = merge_scalars(extra_scalars, weights)
        if plan.counts_delays and not selection.is_everything:
            older = profile_log(FilteredLog(source, OlderWindows(selection, now), spec), delay_plan(plan))
        notes.extend(f"left out: {problem}" for problem in skipped.values())
        notes.extend(_omission_notes(profile, whole, plan))
        notes.extend(text_number_notes(whole))
        notes.extend(_repeated_id_note(profile, spec))
        notes.extend(label_notes(source))
        changes = label_changes(source)
    where = log.where if log else ""
    _check_times(profile, spec, log)
    _check_classes(whole, spec, where)
    require_positive(known_classes(whole), spec, where)
    others: Mapping[str, Profile] = {}
    if selection.partition:
        others = fetch_other_partitions(model, profile, selection.partition, env, retry, scratch)
    total = sum_profiles([profile, *others.values()])
    whole_total = total.whole() if others else whole
    # Metrics that need rows are known for this partition only.
    shared = {cell for part in others.values() for cell in part.cells}
    extra = {cell: estimates for cell, estimates in extra.items() if cell not in shared}
    extra_scalars = {cell: scalars for cell, scalars in extra_scalars.items() if cell not in shared}
    noisy = {cell: scalars for cell, scalars in noisy.items() if cell not in shared}
    weighted = {cell: estimates for cell, estimates in weighted.items() if cell not in shared}
    extra_scalars = merge_scalars(extra_scalars, change_scalars(changes, spec, total))
    if spec.annotations is not None:
        annotated, annotation_notes = annotation_scalars_by_cell(read_annotations(spec, now, engine), spec, total)
        extra_scalars = merge_scalars(extra_scalars, annotated)
        notes.extend(annotation_notes)
    notes.extend((*task_notes(whole_total, spec), *reversed_score_note(whole_total, spec)))
    notes.extend(class_notes(*_class_counts(whole_total, spec)))
    notes.extend(misfit_note(total, spec, extra))
    published = without_partial_averages(spec, whole_total)
    notes.extend(missing_metric_notes(whole_total, spec, known_metrics(whole_total, published, extra)))
    notes.extend(output_notes(whole_total, spec))
    unreadable = len(skipped) if log and not spec.query else None
    finished = finished_windows(total, spec, now)
    timing = LabelTiming.of((total, older), spec, now)
    notes.extend(timing.notes())
    mature = [cell for cell in finished if cell in weighted and timing.is_mature(cell.window + spec.window)]
    notes.extend(
        selection_notes({cell: weighted[cell] for cell in mature}, {cell: extra_scalars[cell] for cell in mature})
    )
    extra_scalars = merge_scalars(extra_scalars, timing.set_young_apart(noisy))
    if log is not None:
        reading = Reading(model, env, retry, scratch)
        experimental, experiment_notes = experiment_scalars(last_cells(total), spec.window, now, reading)
        extra_scalars = merge_scalars(extra_scalars, experimental)
        notes.extend(experiment_notes)
    estimated = EstimateResult()
    if spec.estimates is not None:
        estimated = (
            _estimate(source, plan, finished, timing, alone=not others) if log else EstimateResult(notes=(NO_ROWS,))
        )
        notes.extend(estimated.notes)
    rows = LazyRows(
        len(finished),
        lambda: estimated.add_to(
            _metric_rows(total, published, reference, now, extra, extra_scalars, unreadable, recorded, timing)
        ),
    )
    unfinished = sum(not cell.segment for cell in total.cells) - len(rows)
    if unfinished:
        windows = "1 window is" if unfinished == 1 else f"{unfinished} windows are"
        notes.append(f"{windows} not over yet; measure again later.")
    notes.extend(_future_note(whole.newest, spec, now))
    if profile.undated:
        undated = "1 row without a time counts"
        if profile.undated > 1:
            undated = f"{profile.undated} rows without a time count"
        notes.append(f"{undated} in no window.")
    return MeasureResult(profile, rows, tuple(notes), describe_task(whole_total, spec), others)


class LazyRows(Sequence[MetricRow]):
    """Rows that nobody may want, such as where profiles are only written to a file; how many is known."""

    def __init__(self, count: int, compute: Callable[[], Sequence[MetricRow]]) -> None:
        self._count, self._compute = count, cache(compute)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> MetricRow: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[MetricRow]: ...
    def __getitem__(self, place: int | slice) -> MetricRow | Sequence[MetricRow]:
        return self._compute()[place]


def _estimate(
    source: PredictionLog, plan: ProfilePlan, windows: Sequence[ProfileKey], timing: LabelTiming, *, alone: bool
) -> EstimateResult:
    """What is estimated of ``windows``; ``source``: the whole log. ``alone``: whether its rows are all rows."""
    if not alone:
        return EstimateResult(notes=("nothing is estimated: other partitions hold rows of the same days.",))
    if not plan.classes and plan.typical_label is None:
        # The windows to measure have no labels yet; those before them have.
        plan = infer_plan(source, plan.spec)
    return estimate_windows(source, plan, windows, timing)


def _metric_rows(
    profile: Profile,
    spec: MeasureSpec,
    reference: TableProfile | None,
    now: float,
    extra: Mapping[ProfileKey, Sequence[Estimate]],
    more: Mapping[ProfileKey, Mapping[str, float]],
    unreadable: int | None,
    recorded: RecordedProfile | None,
    timing: LabelTiming,
) -> tuple[MetricRow, ...]:
    rows = tuple(metric_rows(profile, spec, reference, now, extra, more, timing))
    rows = rows if recorded is None else recorded.add_losses(rows)
    return rows if unreadable is None else count_unreadable_files(rows, unreadable)


def _make_plan(spec: MeasureSpec, reference: TableProfile | None, log: PredictionLog, notes: list[str]) -> ProfilePlan:
    notes.extend(absent_role_notes(log.names(), spec, ("label", "label_time"), known=True))
    require_columns(log, [*spec.operation_columns, *(spec.calibration.by if spec.calibration else ())])
    if reference is not None:
        require_columns(log, [*sorted(spec.role_columns - {spec.label, spec.label_time}), *spec.segments])
        return plan_from_reference(reference, spec)
    notes.append("no reference: bins were chosen from this log alone; another log can get different ones.")
    plan = infer_plan(log, spec)
    notes.extend(omitted_column_notes(dict(plan.omitted)))
    return plan


def omitted_column_notes(omitted: Mapping[str, str]) -> Iterator[str]:
    """The columns that are no inputs, with the reason."""
    for reason in sorted({*omitted.values()}):
        names = [repr(name) for name in omitted if omitted[name] == reason]
        shown = ", ".join(names[:MAX_COLUMNS_SHOWN]) + (", ..." if len(names) > MAX_COLUMNS_SHOWN else "")
        yield f"no input, since {reason}: {shown}. Name it under `features` to watch it."


def _is_share(table: TableProfile, column: str) -> bool:
    """Whether every number in the column is 0 or 1."""
    numbers = table.columns.get(column)
    if not isinstance(numbers, NumericProfile) or not numbers.n:
        return False
    return all(numbers.quantile(share) in (0.0, 1.0) for share in (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0))


def _check_times(profile: Profile, spec: MeasureSpec, log: PredictionLog | None) -> None:
    """Raises SourceError for a log in which no row at all has a time."""
    if profile.undated and not profile.rows:
        batch = next(log.batches([spec.time]), None) if log else None
        cells = [] if batch is None or spec.time not in batch.schema.names else shown_cells(batch.column(spec.time)[:3])
        raise unreadable_times(spec.time, cells, log.where if log else "")


def _future_note(newest: float, spec: MeasureSpec, now: float) -> Iterator[str]:
    if newest > now + HOUR / 2:
        hint = "" if spec.timezone else local_time_hint(newest, now, "measure")
        yield f"the newest row is of {format_utc(newest)}, in the future. {hint}".rstrip()


def _check_classes(table: TableProfile, spec: MeasureSpec, where: str) -> None:
    """Raises SourceNameError where no prediction is ever a label: ``true`` in one column and ``1`` in the other."""
    predicted, labels = _class_counts(table, spec)
    if labels and labelled_rows(table) >= spec.min_rows:
        require_common_class(predicted, labels, spec, where)


def _class_counts(table: TableProfile, spec: MeasureSpec) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """How many predictions and labels each class is; nothing where one of the columns holds no classes."""
    predicted, labelled = (table.columns.get(name) for name in (spec.prediction, spec.label))
    if not isinstance(predicted, CategoricalProfile) or not isinstance(labelled, CategoricalProfile):
        return {}, {}
    return predicted.named_counts, labelled.named_counts


def _repeated_id_note(profile: Profile, spec: MeasureSpec) -> Iterator[str]:
    """Rows that are there twice: exact up to ``MAX_IDS`` ids of a version and window, beyond it estimated."""
    samples = [table.ids for cell, table in profile.cells.items() if not cell.segment and table.ids is not None]
    count = round(sum(sample.duplicates for sample in samples))
    if count:
        about = "about " if any(len(sample.hashes) == sample.bound for sample in samples) else ""
        rows = "row repeats" if count == 1 else "rows repeat"
        other = f"the {spec.id!r} of another row of the same window and version"
        yield f"{about}{count:,} {rows} {other}, and every row counts."


def text_number_notes(table: TableProfile) -> Iterator[str]:
    """Columns of texts that are numbers for people only."""
    for name, column in sorted(table.columns.items()):
        texts = list(column.named_counts) if isinstance(column, CategoricalProfile) else []
        commas = [text for text in texts if _DECIMAL_COMMA.fullmatch(text)]
        if len(commas) > len(texts) / 2:
            yield f"{name!r} is read as text: write numbers such as {commas[0]!r} with a decimal point."


def _omission_notes(profile: Profile, whole: TableProfile, plan: ProfilePlan) -> Iterator[str]:
    """What the configuration requests and is not published."""
    spec = plan.spec
    for crossing in plan.crossings:
        if crossing.omitted:
            counts = f"{len(crossing.values)} pairs are reported; {crossing.omitted} rarer ones are not."
            yield f"{crossing.columns[0]} by {crossing.columns[1]}: {counts}"
    segments = (cell.segment for cell, table in profile.cells.items() if labelled_rows(table) < spec.min_rows)
    small = set(filter(None, segments))
    if small and spec.label:
        yield f"{len(small)} segments have windows with fewer than {spec.min_rows} labels, which are not published."
    values = (table.sums[VALUE_SUM].n for table in profile.cells.values() if VALUE_SUM in table.sums)
    if spec.value and profile.rows and not any(values):
        yield f"{spec.value!r} holds no numbers, so there are no metrics by value."
    if plan.typical_label is not None and spec.prediction and _is_share(whole, spec.label):
        yield (
            f"the labels are 0 or 1, and {spec.prediction!r} takes many values: judged as a regression. A probability "
            "belongs under `score`."
        )
    if (
        spec.score
        and not spec.scores
        and not spec.ranking
        and len(plan.classes) > 2
        and not any(mixed_spellings(plan.classes))
    ):
        yield f"one score cannot rank {len(plan.classes)} classes: name a column for each under `scores`."
