"""Predictions and what they brought, in columns: the log, and a table of outcomes joined to it by id.

Both are read in batches, and the columns that are used are held in memory: some 50 bytes a row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..clients.retry import RetryPolicy
from ..errors import SourceNameError, did_you_mean
from ..model.experiment import BusinessOutcomesSpec, RepeatedOutcome
from ..model.monitored_model import Model
from ..model.prediction_log import MeasureSpec
from ..stats.arrays import Bools, Floats, Ints
from ..stats.profile.delays import FIRST_EDGE
from .arrow_columns import column_or_nulls, hash_by_row, shown_cells
from .column_buffers import (
    Codes,
    ColumnBuffers,
    ColumnNames,
    Keys,
    concatenate,
    concatenate_keys,
)
from .label_join import MIN_JOINED_SHARE, count_words
from .model_log import open_model_log, require_measure_spec
from .query_log import QueryLog
from .readers import PredictionLog, fetch_artifact, open_log, require_columns
from .time_columns import LocalTimeLog, times_by_row, unreadable_times

OUTCOMES_QUERY = "business: {outcomes: {query}}"


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """What is known of predictions, one event a place."""

    predictions: Ints
    """The row that each belongs to."""
    times: Floats
    """When it was known, seconds (UTC); NaN: with its prediction."""
    numbers: Mapping[str, Floats]
    """What each adds to the value of its prediction; NaN: nothing that is known."""


@dataclass(frozen=True, slots=True, eq=False)
class BusinessRows:
    """Predictions by row, in the order of the log, and events of the log and of the outcomes."""

    times: Floats
    """Seconds (UTC)."""
    texts: Mapping[str, Codes]
    keys: Mapping[str, Keys]
    log: Events
    """One a row."""
    outcomes: Events | None
    has_outcome: Bools
    """By row; all, where there is no table of outcomes."""
    where: str
    notes: tuple[str, ...] = ()

    def events_with(self, column: str) -> Events:
        """Those that have a column of numbers."""
        return self.log if self.outcomes is None or column in self.log.numbers else self.outcomes


def read_business_rows(
    model: Model,
    names: ColumnNames,
    now: float,
    env: Mapping[str, str],
    retry: RetryPolicy,
    scratch: Path,
    since: float = -math.inf,
) -> BusinessRows:
    """The predictions from ``since`` until ``now``, and what was known of them at ``now``. A column that both tables
    have is that of the log. Raises UserError for a model without a log, SourceError for what cannot be read."""
    spec = require_measure_spec(model)
    plain = replace(spec, outcomes=None, label="", label_time="")
    log = open_model_log(plain, model, env, retry, scratch / "log", now)
    table = model.business.outcomes if model.business else None
    outcomes = None if table is None else _open_outcomes(table, spec, model, env, retry, scratch / "outcomes")
    require_columns(log, [spec.time, *([spec.id] if table is not None else [])])
    _require_known_columns(names, log, outcomes)
    reading = _LogReading(log, spec, names.only(frozenset(log.names())))
    rows = reading.read(since, now)
    if table is None or outcomes is None:
        return rows
    own = names.only(frozenset(outcomes.names())).without(frozenset(log.names()))
    return _OutcomesReading(outcomes, table, own, rows, reading.index()).join(now)


def _open_outcomes(
    table: BusinessOutcomesSpec,
    spec: MeasureSpec,
    model: Model,
    env: Mapping[str, str],
    retry: RetryPolicy,
    scratch: Path,
) -> PredictionLog:
    if table.query:
        log: PredictionLog = QueryLog(table.query, spec.extensions, OUTCOMES_QUERY)
    else:
        files = fetch_artifact(table.artifact, model, env, retry, scratch) if table.artifact else table.files
        log = open_log(files, spec.extensions)
    require_columns(log, [name for name in (table.id, table.time) if name])
    return LocalTimeLog(log, (table.time,), spec.timezone) if spec.timezone and table.time else log


def _require_known_columns(names: ColumnNames, log: PredictionLog, outcomes: PredictionLog | None) -> None:
    known = list(dict.fromkeys((*log.names(), *(outcomes.names() if outcomes is not None else ()))))
    for name in sorted(names.all):
        if name not in known:
            tables = "the log does not have" if outcomes is None else "neither the log nor the outcomes have"
            hint = did_you_mean(name, known) or f"Columns: {', '.join(known[:20])}."
            raise SourceNameError(f"{tables} a column {name!r}.", hint=hint, where=log.where)


@dataclass(frozen=True, slots=True, eq=False)
class IdIndex:
    """The rows of the log by the hash of their id, ascending."""

    hashes: Any
    rows: Ints
    example: str
    """One of the ids."""

    def find(self, hashes: Any, valid: Bools) -> tuple[Ints, Bools]:
        """By id the row, and whether there is one; without, any row."""
        if not len(self.hashes):
            return np.zeros(len(hashes), dtype=np.int64), np.zeros(len(hashes), dtype=np.bool_)
        order = np.argsort(hashes)  # searching in order touches memory in order: twice as fast
        places = np.empty(len(hashes), dtype=np.int64)
        places[order] = np.searchsorted(self.hashes, hashes[order])
        places = np.minimum(places, len(self.hashes) - 1)
        return self.rows[places], valid & (self.hashes[places] == hashes)


def _corrections(predictions: Ints, values: Floats) -> Floats:
    """By event how much it changes the value of its prediction, so that the sum of those until any time is the latest
    value until then. Events are in the order of predictions and times; NaN changes nothing."""
    known = np.flatnonzero(~np.isnan(values))
    before = np.zeros(len(known))
    same = predictions[known][1:] == predictions[known][:-1]
    before[1:][same] = values[known][:-1][same]
    changes = np.full(len(values), np.nan)
    changes[known] = values[known] - before
    return changes


class _LogReading:
    """Reads the columns of the log; of rows with one id the earliest one counts."""

    def __init__(self, log: PredictionLog, spec: MeasureSpec, names: ColumnNames) -> None:
        self._log, self._spec = log, spec
        self._buffers = ColumnBuffers(names)
        self._ids: list[Keys] = []
        self._index: IdIndex | None = None
        self._example = ""

    def read(self, since: float, now: float) -> BusinessRows:
        spec, names = self._spec, self._buffers.names
        times: list[Floats] = []
        total, undated = 0, 0
        cells: list[str | None] = []
        for batch in self._log.batches(list(dict.fromkeys((spec.time, *filter(None, (spec.id,)), *sorted(names.all))))):
            at = times_by_row(column_or_nulls(batch, spec.time))
            cells = cells or shown_cells(column_or_nulls(batch, spec.time)[:3])
            total, undated = total + batch.num_rows, undated + int(np.isnan(at).sum())
            keep = (at >= since) & (at <= now)
            times.append(at[keep])
            self._buffers.add(batch, keep)
            self._add_ids(batch, keep)
        if total and undated == total:
            raise unreadable_times(spec.time, cells, self._log.where)
        return self._rows(concatenate(times, np.float64), undated)

    def index(self) -> IdIndex:
        """The ids of what was read."""
        assert self._index is not None  # noqa: S101
        return self._index

    def _add_ids(self, batch: Any, keep: Bools) -> None:
        column = column_or_nulls(batch, self._spec.id)
        hashes, valid = hash_by_row(column)
        self._ids.append(Keys(hashes[keep], valid[keep]))
        self._example = self._example or next((cell for cell in shown_cells(column[:100]) if cell), "")

    def _rows(self, times: Floats, undated: int) -> BusinessRows:
        ids = concatenate_keys(self._ids)
        order = np.lexsort((times, ids.hashes))
        order = order[ids.is_known[order]]
        again = np.zeros(len(times), dtype=np.bool_)
        again[order[1:][ids.hashes[order[1:]] == ids.hashes[order[:-1]]]] = True
        kept = np.flatnonzero(~again)
        order = order[~again[order]]
        places = np.cumsum(~again) - 1
        self._index = IdIndex(ids.hashes[order], places[order], self._example)
        notes = [*self._buffers.notes("the log")]
        if again.any():
            repeated = count_words(int(again.sum()), "row")
            notes.append(f"{repeated} left out: an earlier row of the log has the same {self._spec.id!r}.")
        if undated:
            notes.append(f"{count_words(undated, 'row')} left out: {self._spec.time!r} holds no time there.")
        columns = self._buffers.columns().take(kept)
        times = times[kept]
        events = Events(np.arange(len(kept)), times, columns.numbers)
        everything = np.ones(len(kept), dtype=np.bool_)
        return BusinessRows(times, columns.texts, columns.keys, events, None, everything, self._log.where, tuple(notes))


@dataclass(slots=True)
class _Counts:
    rows: int = 0
    joined: int = 0
    untimed: int = 0
    early: int = 0
    example: str = ""


@dataclass(slots=True)
class _OutcomesReading:
    """Joins the outcomes that were known at a time to the rows of the log."""

    log: PredictionLog
    table: BusinessOutcomesSpec
    names: ColumnNames
    rows: BusinessRows
    index: IdIndex
    _counts: _Counts = field(default_factory=_Counts)

    def join(self, now: float) -> BusinessRows:
        table, buffers = self.table, ColumnBuffers(self.names)
        predictions: list[Ints] = []
        times: list[Floats] = []
        for batch in self.log.batches(
            list(dict.fromkeys(filter(None, (table.id, table.time, *sorted(self.names.all)))))
        ):
            of_batch, at, keep = self._match(batch, now)
            predictions.append(of_batch[keep])
            times.append(at[keep])
            buffers.add(batch, keep)
        self._require_match()
        found = concatenate(predictions, np.int64)
        return self._add(found, concatenate(times, np.float64), buffers)

    def _match(self, batch: Any, now: float) -> tuple[Ints, Floats, Bools]:
        """By row its prediction, when it was known, and whether it counts."""
        column, counts = column_or_nulls(batch, self.table.id), self._counts
        hashes, valid = hash_by_row(column)
        counts.example = counts.example or next((cell for cell in shown_cells(column[:100]) if cell), "")
        predictions, matched = self.index.find(hashes, valid)
        counts.rows += int(valid.sum())
        counts.joined += int(matched.sum())
        if not self.table.time or not len(self.rows.times):
            return predictions, np.full(len(hashes), np.nan), matched
        at = times_by_row(column_or_nulls(batch, self.table.time))
        is_early = matched & (at < self.rows.times[predictions] - FIRST_EDGE)
        counts.untimed += int(np.count_nonzero(matched & np.isnan(at)))
        counts.early += int(np.count_nonzero(is_early))
        return predictions, np.maximum(at, self.rows.times[predictions]), matched & ~is_early & (at <= now)

    def _require_match(self) -> None:
        """Raises SourceNameError where no id at all meets."""
        counts = self._counts
        if counts.rows and len(self.rows.times) and not counts.joined:
            message = (
                f"none of the {counts.rows:,} outcome ids is in the log: its ids are such as {self.index.example!r}, "
                f"those of the outcomes such as {counts.example!r}."
            )
            hint = "Name the columns that hold the same ids: `measure: {id}` and `business: {outcomes: {id}}`."
            raise SourceNameError(message, hint=hint, where=self.log.where)

    def _add(self, predictions: Ints, times: Floats, buffers: ColumnBuffers) -> BusinessRows:
        rows = self.rows
        order = np.lexsort((np.nan_to_num(times), predictions))
        is_last = np.append(predictions[order[1:]] != predictions[order[:-1]], np.ones(min(len(order), 1), np.bool_))
        last = order[is_last.astype(np.bool_)]
        by_row = np.full(len(rows.times), -1, dtype=np.int64)
        by_row[predictions[last]] = last
        columns = buffers.columns()
        spread = columns.take(by_row)
        return replace(
            rows,
            texts={**rows.texts, **spread.texts},
            keys={**rows.keys, **spread.keys},
            outcomes=self._events(predictions[order], times[order], columns.take(order).numbers),
            has_outcome=by_row >= 0,
            notes=(*rows.notes, *self._notes(len(order) - len(last)), *buffers.notes("the outcomes")),
        )

    def _events(self, predictions: Ints, times: Floats, numbers: Mapping[str, Floats]) -> Events:
        if self.table.repeated is RepeatedOutcome.LAST:
            numbers = {name: _corrections(predictions, values) for name, values in numbers.items()}
        return Events(predictions, times, numbers)

    def _notes(self, repeated: int) -> Iterator[str]:
        counts = self._counts
        if counts.joined < MIN_JOINED_SHARE * min(counts.rows, len(self.rows.times)):
            yield f"only {counts.joined:,} of {counts.rows:,} outcomes belong to a prediction of the log."
        if counts.early:
            yield f"{count_words(counts.early, 'outcome')} left out: known before the prediction."
        if counts.untimed:
            yield f"{count_words(counts.untimed, 'outcome')} left out: {self.table.time!r} holds no time there."
        if repeated and self.table.repeated is RepeatedOutcome.LAST:
            which = "the later one counts" if self.table.time else "the one that is read last counts"
            yield (
                f"{count_words(repeated, 'outcome')} of predictions that have another one, and {which}. "
                "`outcomes: {repeated: add}` adds them up."
            )
