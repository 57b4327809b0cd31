"""Measure a model's prediction log: read the selected windows, profile them, and derive the rows that W&B gets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import overload

from ..clients.retry import RetryPolicy
from ..errors import SourceError
from ..model.monitored_model import Model
from ..model.prediction_log import MeasureSpec, OperationsSpec
from ..stats.labels.coverage import WeightedEstimate
from ..stats.performance.estimate import Estimate
from ..stats.profile.categorical import CategoricalProfile
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import Profile, ProfileKey, TableProfile
from ..timeutil import HOUR, format_utc
from .annotations import annotation_scalars_by_cell, read_annotations
from .arrow_columns import release_unused_memory, shown_cells
from .class_names import mixed_spellings
from .engines.engine import Engine
from .estimates import EstimateResult, estimate_windows
from .experiments import Reading, experiment_scalars, unread_experiment_notes
from .label_changes import change_scalars
from .label_join import LabelChanges, label_changes, label_notes
from .label_noise import noise_scalars
from .label_task import (
    class_notes,
    confidence_score_note,
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
from .time_columns import local_time_hint, unreadable_times
from .version_agreement import measure_agreement
from .wandb_profiles import fetch_other_partitions, sum_profiles
from .wandb_rows import MetricRow, count_unreadable_files, finished_windows, last_cells, merge_scalars, metric_rows
from .weighted_performance import selection_notes, weighted_scalars
from .window_selection import FilteredLog, OlderWindows, WindowSelection

MAX_COLUMNS_SHOWN = 10
NO_ROWS = "nothing is estimated: that takes the rows of the log, not profiles."
_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,3}(\.?\d{3})*,\d+")


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
    reference = read_reference(fetch_reference(spec.reference, model, env))[0] if spec.reference else None
    if profiles:
        read = _LogContent(spec, sum_profiles(read_profile(path)[0] for path in profiles))
    elif spec.recorder:
        read = _read_recorders(model, spec, selection, env, retry, scratch, reference)
    else:
        read = _read_log(model, spec, selection, now, env, retry, scratch, reference, engine)
    spec, notes = read.spec, read.notes
    whole = read.profile.whole()
    _check_times(read.profile, spec, read.log)
    _check_classes(whole, spec, read.log.where if read.log else "")
    require_positive(known_classes(whole), spec, read.log.where if read.log else "")
    others: Mapping[str, Profile] = {}
    if selection.partition:
        others = fetch_other_partitions(model, read.profile, selection.partition, env, retry, scratch)
    total = sum_profiles([read.profile, *others.values()])
    whole_total = total.whole() if others else whole
    read.drop_row_metrics({cell for part in others.values() for cell in part.cells})
    _add_outcome_scalars(read, total, now, engine)
    published = without_partial_averages(spec, whole_total)
    notes.extend(_content_notes(total, whole_total, spec, published, read.estimates))
    finished = finished_windows(total, spec, now)
    timing = LabelTiming.of((total, read.older), spec, now)
    notes.extend(timing.notes())
    notes.extend(_selection_notes(read, finished, timing))
    read.add_scalars(timing.set_young_apart(read.noisy))
    if read.log is None or selection.partition:
        notes.extend(unread_experiment_notes(model))
    else:
        experimental, experiment_notes = experiment_scalars(
            last_cells(total), spec.window, now, Reading(model, env, retry, scratch)
        )
        read.add_scalars(experimental)
        notes.extend(experiment_notes)
    estimated = _estimate(read, finished, timing, alone=not others)
    notes.extend(estimated.notes)
    rows = LazyRows(
        len(finished), lambda: estimated.add_to(_metric_rows(read, total, published, reference, now, timing))
    )
    notes.extend(_row_notes(read.profile, whole, total, len(rows), spec, now))
    return MeasureResult(read.profile, rows, tuple(notes), describe_task(whole_total, spec), others)


@dataclass(slots=True)
class _LogContent:
    """What was read of a log, and computed from its rows where profiles do not hold it. Mappings are by version and
    window."""

    spec: MeasureSpec
    profile: Profile
    notes: list[str] = field(default_factory=list)
    source: PredictionLog | None = None
    """The whole log; ``None`` where only profiles were read."""
    log: FilteredLog | None = None
    """The same without windows that are not measured."""
    plan: ProfilePlan | None = None
    """With which the log was read."""
    unreadable: int | None = None
    """Files of the log that were left out."""
    estimates: Mapping[ProfileKey, Sequence[Estimate]] = field(default_factory=dict)
    scalars: Mapping[ProfileKey, Mapping[str, float]] = field(default_factory=dict)
    noisy: Mapping[ProfileKey, Mapping[str, float]] = field(default_factory=dict)
    """Of suspicious labels."""
    weighted: Mapping[ProfileKey, Sequence[WeightedEstimate]] = field(default_factory=dict)
    older: Profile = field(default_factory=Profile)
    """The delays of windows that are not measured."""
    changes: LabelChanges | None = None
    recorded: RecordedProfile | None = None

    def drop_row_metrics(self, shared: Set[ProfileKey]) -> None:
        """Leave out windows that other partitions have, too: metrics that need rows are known for this one only."""
        self.estimates = {cell: estimates for cell, estimates in self.estimates.items() if cell not in shared}
        self.scalars = {cell: scalars for cell, scalars in self.scalars.items() if cell not in shared}
        self.noisy = {cell: scalars for cell, scalars in self.noisy.items() if cell not in shared}
        self.weighted = {cell: estimates for cell, estimates in self.weighted.items() if cell not in shared}

    def add_scalars(self, more: Mapping[ProfileKey, Mapping[str, float]]) -> None:
        self.scalars = merge_scalars(self.scalars, more)


def _read_recorders(
    model: Model,
    spec: MeasureSpec,
    selection: WindowSelection,
    env: Mapping[str, str],
    retry: RetryPolicy,
    scratch: Path,
    reference: TableProfile | None,
) -> _LogContent:
    includes_day = partial(selection.includes_day, length=spec.window)
    recorded = read_recorded_profile(model, spec, includes_day, env, retry, scratch, reference)
    spec_of_recorders = replace(spec, operations=spec.operations or OperationsSpec("latency", "error"))
    profile = selection.filter_profile(recorded.profile, spec.window)
    return _LogContent(spec_of_recorders, profile, list(recorded.notes), recorded=recorded)


def _read_log(
    model: Model,
    spec: MeasureSpec,
    selection: WindowSelection,
    now: float,
    env: Mapping[str, str],
    retry: RetryPolicy,
    scratch: Path,
    reference: TableProfile | None,
    engine: Engine | None,
) -> _LogContent:
    """Profile the log, and compute from its rows what needs them."""
    notes: list[str] = []
    skipped: dict[str, SourceError] = {}
    source = open_model_log(spec, model, env, retry, scratch, now, skipped, reference, engine)
    log = FilteredLog(source, selection, spec)
    plan = replace(_make_plan(spec, reference, log, notes), now=now)
    profile = profile_log(log, plan)
    release_unused_memory()
    whole = profile.whole()
    plan = replace(plan, spec=without_partial_averages(spec, whole))
    read = _LogContent(spec, profile, notes, source, log, plan)
    read.estimates = row_metrics(log, plan, profile)
    read.scalars = measure_agreement(log, plan, profile)
    if spec.label_noise:
        read.noisy, noise_notes = noise_scalars(log, plan, profile)
        notes.extend(noise_notes)
    if spec.weighted and spec.label:
        weights, read.weighted = weighted_scalars(log, plan, profile)
        read.add_scalars(weights)
    if plan.counts_delays and not selection.is_everything:
        read.older = profile_log(FilteredLog(source, OlderWindows(selection, now), spec), delay_plan(plan))
    notes.extend(f"left out: {problem}" for problem in skipped.values())
    notes.extend(_omission_notes(profile, whole, plan))
    notes.extend(text_number_notes(whole))
    notes.extend(_repeated_id_note(profile, spec))
    notes.extend(label_notes(source))
    read.changes = label_changes(source)
    read.unreadable = None if spec.query else len(skipped)
    return read


def _add_outcome_scalars(read: _LogContent, total: Profile, now: float, engine: Engine | None) -> None:
    """Add the metrics of labels that changed, and of annotators."""
    read.add_scalars(change_scalars(read.changes, read.spec, total))
    if read.spec.annotations is not None:
        annotations = read_annotations(read.spec, now, engine)
        annotated, notes = annotation_scalars_by_cell(annotations, read.spec, total)
        read.add_scalars(annotated)
        read.notes.extend(notes)


def _content_notes(
    total: Profile,
    whole: TableProfile,
    spec: MeasureSpec,
    published: MeasureSpec,
    estimates: Mapping[ProfileKey, Sequence[Estimate]],
) -> Iterator[str]:
    """What classes, scores and labels are, and which metrics they do not allow."""
    yield from (*task_notes(whole, spec), *reversed_score_note(whole, spec), *confidence_score_note(whole, spec))
    yield from class_notes(*_class_counts(whole, spec))
    yield from misfit_note(total, spec, estimates)
    yield from missing_metric_notes(whole, spec, known_metrics(whole, published, estimates))
    yield from output_notes(whole, spec)


def _selection_notes(read: _LogContent, finished: Sequence[ProfileKey], timing: LabelTiming) -> Iterator[str]:
    """Where labels of mature windows are selective."""
    window = read.spec.window
    mature = [cell for cell in finished if cell in read.weighted and timing.is_mature(cell.window + window)]
    return selection_notes(
        {cell: read.weighted[cell] for cell in mature}, {cell: read.scalars[cell] for cell in mature}
    )


def _row_notes(
    profile: Profile, whole: TableProfile, total: Profile, rows: int, spec: MeasureSpec, now: float
) -> Iterator[str]:
    """Rows that are in no finished window: too new, of the future, or without a time."""
    unfinished = sum(not cell.segment for cell in total.cells) - rows
    if unfinished:
        windows = "1 window is" if unfinished == 1 else f"{unfinished} windows are"
        yield f"{windows} not over yet; measure again later."
    yield from _future_note(whole.newest, spec, now)
    if profile.undated:
        undated = "1 row without a time counts"
        if profile.undated > 1:
            undated = f"{profile.undated} rows without a time count"
        yield f"{undated} in no window."


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


def _estimate(read: _LogContent, windows: Sequence[ProfileKey], timing: LabelTiming, *, alone: bool) -> EstimateResult:
    """What is estimated of ``windows``. ``alone``: whether the rows of the log are all rows."""
    if read.spec.estimates is None:
        return EstimateResult()
    if read.source is None or read.plan is None:
        return EstimateResult(notes=(NO_ROWS,))
    if not alone:
        return EstimateResult(notes=("nothing is estimated: other partitions hold rows of the same days.",))
    plan = read.plan
    if not plan.classes and plan.typical_label is None:
        # The windows to measure have no labels yet; those before them have.
        plan = infer_plan(read.source, plan.spec)
    return estimate_windows(read.source, plan, windows, timing)


def _metric_rows(
    read: _LogContent,
    total: Profile,
    published: MeasureSpec,
    reference: TableProfile | None,
    now: float,
    timing: LabelTiming,
) -> tuple[MetricRow, ...]:
    rows = tuple(metric_rows(total, published, reference, now, read.estimates, read.scalars, timing))
    rows = rows if read.recorded is None else read.recorded.add_losses(rows)
    return rows if read.unreadable is None else count_unreadable_files(rows, read.unreadable)


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
