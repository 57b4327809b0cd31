"""The source that reads W&B through its API: which runs, which keys, and from which step on.

W&B filters history by step only, and we want a time. Steps and times are anchored at both ends; what lies between is
interpolated, looked at and corrected. A guess that is too late costs a second read of the part before it, one that is
far too early costs a page; neither loses a row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..clients.wandb import (
    PER_PAGE,
    RunHistory,
    WandbDownError,
    WandbProjectError,
    find_runs,
    list_projects,
)
from ..errors import SourceError, SourceNameError
from ..model.keys import KeyPattern
from ..model.monitored_model import Model, WandbSpec
from ..model.prediction_log import MEASURED_TIME
from .base import ReadContext, SourceResult
from .cell_parsing import lookup_path, parse_number, parse_time, version_text
from .requirements import CLOCK_SKEW, RUN_ID_HINT, KeyResolver, ReadRequest
from .series_builder import SeriesBuilder
from .wandb_names import RunLabels, config_keys, missing_project, missing_time, missing_version, unmatched_runs

if TYPE_CHECKING:
    import wandb

PAGE_ROWS = 1000
"""Rows per call, on average."""
LARGEST_PAGE = 2**31 - 1
"""Page sizes are GraphQL integers."""
MAX_LOOKS = 8
"""After this many corrections everything is read."""
MAX_LABELLED = 100
"""The newest W&B runs whose labels are looked at where none matches."""
MAX_LINKS = 3
"""The newest W&B runs that are linked."""
CELLS_PER_CALL = 20_000
"""One more call is worth about as much as this many cells of history that nobody wants."""

HistoryRow = dict[str, Any]
ReadHistory = Callable[[int, int], Iterator[HistoryRow]]
"""``read(min_step, page_size)``: rows from a step on, page by page."""


class StepAnchor(NamedTuple):
    """A step and the time at which it was logged."""

    step: int
    time: float


@dataclass(frozen=True, slots=True)
class HistoryExtent:
    """How far the history of one W&B run extends, by the list of runs."""

    last_step: int
    rows: int
    begin: float
    """When the W&B run was created (seconds, UTC)."""
    end: float
    """When its newest row was logged, as far as is known."""

    @property
    def page_size(self) -> int:
        """Steps per call: steps may be far apart (some count seconds), and every call is a wait."""
        spread = -(-(self.last_step + 1) * PAGE_ROWS // max(self.rows, 1))
        return min(max(spread, PAGE_ROWS), LARGEST_PAGE)


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One entry of the list of W&B runs."""

    run: Any
    heartbeat: float
    """When it was last heard of (seconds, UTC)."""
    version: str
    extent: HistoryExtent
    keys: tuple[str, ...]
    """Names of the keys in its history; empty where unknown."""


def read_runs(model: Model, request: ReadRequest, context: ReadContext) -> SourceResult | None:
    """The W&B runs of ``entity/project`` that match; their histories are read side by side."""
    spec = model.wandb
    if not spec or spec.offline:
        return None
    api = context.sessions.session(spec.base_url, spec.entity)
    try:
        return _read_histories(api, spec, request, context)
    except WandbDownError as error:
        context.sessions.record_failure(spec.base_url, error)
        raise
    except WandbProjectError as error:
        missing = missing_project(spec, list_projects(context.sessions, spec.base_url, spec.entity))
        raise WandbProjectError(missing.text, hint=missing.hint) from error


def _read_histories(api: wandb.Api, spec: WandbSpec, request: ReadRequest, context: ReadContext) -> SourceResult:
    builder = SeriesBuilder(request, spec.time, spec.version)
    runs = _list_runs(api, spec, request, context)
    resolver = KeyResolver(request.patterns)
    readable = [run for run in runs if _worth_reading(run, resolver, exactly=request.is_extra)]
    for run in runs:
        builder.note_version(run.version, run.extent.begin)
    links: list[tuple[float, str, str]] = []
    read = partial(_read_history, spec, request, context)
    # After the first failure no further history is read.
    for run, rows in zip(readable, context.executor.map(read, readable), strict=True):
        if sum(builder.add_row(row, run.version) for row in rows):
            links.append((run.extent.end, run.run.name or run.run.id, run.run.url))
    links.sort(key=lambda link: link[0], reverse=True)
    newest_links = tuple((name, url) for _, name, url in links[:MAX_LINKS])
    builder.logged_keys = {key for run in runs for key in run.keys if not key.startswith("_")}
    notes = (*_no_match_notes(api, runs, readable, spec, request), *_missing_key_notes(runs, builder, spec))
    return SourceResult(builder, notes, newest_links)


def _list_runs(api: wandb.Api, spec: WandbSpec, request: ReadRequest, context: ReadContext) -> list[RunInfo]:
    """The W&B runs alive at ``request.since`` or later, oldest first, so that the newer run wins."""
    path = f"{spec.entity}/{spec.project}"
    filters = {"name": request.wandb_run} if request.wandb_run else run_filters(spec)
    since = request.since - CLOCK_SKEW

    def ended_before(run: Any) -> bool:
        context.check_time()
        heartbeat = parse_time(getattr(run, "heartbeat_at", None))
        return heartbeat is not None and heartbeat < since

    # A new W&B run can hold old points: it was logged offline and synced later, or filled in.
    runs = [run_info(run, spec.version) for run in find_runs(api, path, filters, ended_before)]
    context.sessions.count_calls(len(runs) // PER_PAGE + 1)
    alive = [run for run in runs if run.heartbeat >= since]
    if request.wandb_run and not alive:
        message = f"there is no W&B run {request.wandb_run!r} in this period."
        raise SourceNameError(message, hint=RUN_ID_HINT, where=path)
    return sorted(alive, key=lambda run: run.extent.begin)


def _read_history(spec: WandbSpec, request: ReadRequest, context: ReadContext, run: RunInfo) -> list[HistoryRow]:
    rows: list[HistoryRow] = []
    for keys in plan_reads(run.keys, run.extent.rows, request.patterns, spec):
        context.check_time()
        history = RunHistory(run.run, run.extent.last_step, context.sessions.retry, keys, context.sessions.count_calls)
        read = partial(_rows_in_time, history.rows, context)
        rows += _deduplicate_steps(read_rows_since(read, run.extent, request.since - CLOCK_SKEW))
    return rows


def _rows_in_time(read: ReadHistory, context: ReadContext, min_step: int, page_size: int) -> Iterator[HistoryRow]:
    for number, row in enumerate(read(min_step, page_size)):
        if number % PAGE_ROWS == 0:
            context.check_time()
        yield row


def run_filters(spec: WandbSpec) -> dict[str, Any]:
    """The filters that W&B itself applies, in its MongoDB-like language; every tag must be there."""
    parts: list[dict[str, Any]] = [{"tags": {"$in": [tag]}} for tag in spec.tags]
    if spec.job_type:
        parts.append({"jobType": spec.job_type})
    if spec.group:
        parts.append({"group": spec.group})
    if spec.filters:
        parts.append(json.loads(spec.filters))
    if len(parts) <= 1:
        return parts[0] if parts else {}
    return {"$and": parts}


def plan_reads(
    logged_keys: Sequence[str], rows: int, patterns: Sequence[KeyPattern], spec: WandbSpec
) -> list[list[str] | None]:
    """How to read a history: ``None`` for whole rows, or one read per key.

    Several keys in one read would give only rows that have all of them (or, of rows W&B has exported, any), so keys are
    read one at a time; that pays where the run logs far more than is wanted.
    """
    resolver = KeyResolver(patterns)
    wanted = [key for key in logged_keys if resolver.resolve(key) is not None]
    spared = (len(logged_keys) - len(wanted)) * rows
    nested = any("/" not in key and "." in key for key in wanted)
    if not wanted or nested or spec.version in logged_keys or spared < 2 * CELLS_PER_CALL * len(wanted):
        return [None]
    time = MEASURED_TIME if MEASURED_TIME in logged_keys else spec.time
    beside = [key for key in (time, "_step", "_timestamp") if key]
    return [list(dict.fromkeys([key, *beside])) for key in wanted]


def run_info(run: Any, version_key: str) -> RunInfo:
    history_keys = getattr(run, "history_keys", None) or {}
    created = parse_time(getattr(run, "created_at", None)) or 0.0
    heartbeat = parse_time(getattr(run, "heartbeat_at", None))
    newest = parse_number(run.summary_metrics.get("_timestamp"))
    last_step = int(history_keys.get("lastStep", -1))
    # A heartbeat can be missing, and the newest row can be newer than it: the latest of them counts.
    last_alive = max(value for value in (heartbeat, newest, created) if value is not None)
    rows = int(getattr(run, "history_line_count", None) or 0) or last_step + 1
    return RunInfo(
        run=run,
        heartbeat=last_alive,
        version=version_text(lookup_path(run.config, version_key)) if version_key else "",
        extent=HistoryExtent(last_step, rows, created, newest if newest is not None else last_alive),
        keys=tuple(history_keys.get("keys") or ()),
    )


def _worth_reading(run: RunInfo, resolver: KeyResolver, *, exactly: bool) -> bool:
    """Whether a W&B run's history can hold anything that is wanted. ``exactly``: by the names of its keys, as far as
    they have several parts; else a key is also wanted that begins as one does."""

    def may_hold(key: str) -> bool:
        is_leaf = exactly and ("/" in key or "." in key)
        return resolver.resolve(key) is not None if is_leaf else resolver.may_contain(key)

    return run.extent.last_step >= 0 and (not run.keys or any(map(may_hold, run.keys)))


def _deduplicate_steps(rows: Iterable[HistoryRow]) -> Iterable[HistoryRow]:
    """Each step once, as it came last: W&B may give rows twice while it exports them."""
    return {row.get("_step", place): row for place, row in enumerate(rows)}.values()


def _no_match_notes(
    api: wandb.Api, runs: Sequence[RunInfo], readable: Sequence[RunInfo], spec: WandbSpec, request: ReadRequest
) -> Iterator[str]:
    where = f"{spec.entity}/{spec.project}"
    if not runs:
        try:
            every = find_runs(api, where, {}, stop_after(MAX_LABELLED))
        except SourceError:
            every = []  # the model is read all the same
        labels = [RunLabels.of(run, parse_time(getattr(run, "heartbeat_at", None)) or 0.0) for run in every]
        yield str(unmatched_runs(where, spec, labels, request.since))
    elif not readable:
        yield f"none of the {len(runs)} W&B runs of {where} that match logs any of the rules' keys"


def stop_after(count: int) -> Callable[[Any], bool]:
    """For ``find_runs``: the newest ``count`` runs only."""
    left = iter(range(count))
    return lambda _: next(left, None) is None


def _missing_key_notes(runs: Sequence[RunInfo], builder: SeriesBuilder, spec: WandbSpec) -> Iterator[str]:
    """Keys of ``wandb:`` that no run has: without a version nothing is compared with an earlier one, without a time no
    row counts."""
    logged = builder.logged_keys
    if not builder.has_points and (missing := missing_time(spec, logged)):
        yield str(missing)
    if runs and not builder.has_versions and not any(run.version for run in runs):
        known = {*logged, *(key for run in runs for key in config_keys(run.run.config))}
        if missing := missing_version(spec, known):
            yield str(missing)


def read_rows_since(read: ReadHistory, extent: HistoryExtent, since: float) -> list[HistoryRow]:
    """At least every row that was logged at ``since`` or later, by ascending step; older ones as the pages fall."""
    page = extent.page_size
    if extent.begin >= since or extent.rows <= 2 * PAGE_ROWS:
        return list(read(0, page))
    low, high = StepAnchor(0, extent.begin), StepAnchor(extent.last_step + 1, max(extent.end, since))
    stop, later = extent.last_step + 1, list[HistoryRow]()
    margin = page // 2
    for look in range(MAX_LOOKS):
        start = 0 if look == MAX_LOOKS - 1 else max(_interpolate_step(low, high, since) - margin, low.step)
        rows = read(start, page)
        first = next(rows, None)
        here = _row_anchor(first) if first is not None else None
        if first is not None and here is None:
            return list(read(0, page))  # Rows without a time: nothing to interpolate.
        if first is None or here is None or here.step >= stop:
            high = StepAnchor(start, high.time)  # No rows between here and those already read.
            margin *= 2
        elif here.time >= since and start > 0:
            later = [first, *_rows_before(rows, stop), *later]
            stop = here.step
            high, margin = here, margin * 2
        elif start and _interpolate_step(here, high, since) - here.step > 2 * page and look < MAX_LOOKS - 2:
            low = here
            continue
        else:
            return [first, *_rows_before(rows, stop), *later]
        if start == 0:
            return later
    return later


def _interpolate_step(low: StepAnchor, high: StepAnchor, time: float) -> int:
    """The step at ``time`` on the straight line between two anchors."""
    if high.time <= low.time or high.step <= low.step:
        return low.step
    share = min(max((time - low.time) / (high.time - low.time), 0.0), 1.0)
    return low.step + int(share * (high.step - low.step))


def _row_anchor(row: HistoryRow) -> StepAnchor | None:
    step, time = parse_number(row.get("_step")), parse_number(row.get("_timestamp"))
    return None if step is None or time is None else StepAnchor(int(step), time)


def _rows_before(rows: Iterator[HistoryRow], stop: int) -> Iterator[HistoryRow]:
    for row in rows:
        step = parse_number(row.get("_step"))
        if step is not None and step >= stop:
            return
        yield row
