"""Join labels from a second table to a log by id, bucket by bucket: memory holds one bucket, however large the tables.

Both tables are split on disk into the same number of buckets by a hash of the id; then each bucket of the log gets its
labels. Ids are compared by the 64-bit hash of their text, so that 7 in one table equals "7" in the other.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.prediction_log import MeasureSpec, OutcomesSpec
from .arrow_columns import (
    CLASS_MISSING_WORDS,
    MISSING_WORDS,
    column_or_nulls,
    decode_dictionary,
    factorize,
    hash_by_row,
    is_text_type,
    to_arrow,
    to_mask,
    to_numpy,
    to_text,
)
from .log_files import FilesLog
from .parquet_files import BATCH_ROWS
from .readers import PredictionLog, open_log, require_columns
from .time_columns import LocalTimeLog, times_by_row

MIN_BUCKETS = 16
MAX_BUCKET_ROWS = 500_000
"""Rows of a bucket, if the tables state how many they have."""
_HASH_COLUMN = "modelwatch hash of the id"
_EMPTY = frozenset(("",))


def join_outcomes(log: PredictionLog, spec: MeasureSpec, now: float = math.inf) -> PredictionLog:
    """The log with the labels of ``outcomes``, if the model names any. Labels that became known after ``now`` are
    null."""
    if spec.timezone:
        log = LocalTimeLog(log, (spec.time, spec.label_time), spec.timezone)
    if spec.outcomes is not None:
        outcomes = open_log(spec.outcomes.files, spec.extensions)
        if spec.timezone:
            outcomes = LocalTimeLog(outcomes, (spec.outcomes.label_time,), spec.timezone)
        log = JoinedLog(log, outcomes, spec.id, spec.outcomes, now)
    elif spec.label_time and {spec.label, spec.label_time} <= set(log.names()):
        log = KnownLabelLog(log, spec.label, spec.label_time, now)
    return without_missing_labels(log, spec)


def without_missing_labels(log: PredictionLog, spec: MeasureSpec) -> PredictionLog:
    """The log with a null for each label that is a word for an empty cell."""
    return WrittenLabelLog(log, spec.label, spec.prediction) if spec.label in log.names() else log


class KnownLabelLog:
    """A log whose labels are null where they became known after ``now``."""

    def __init__(self, log: PredictionLog, label: str, label_time: str, now: float) -> None:
        self._log, self._label, self._label_time, self._now = log, label, label_time, now
        self.where, self.names, self.rows = log.where, log.names, log.rows

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        if self._label not in columns:
            yield from self._log.batches(columns)
            return
        for batch in self._log.batches(list(dict.fromkeys([*columns, self._label_time]))):
            place = batch.schema.get_field_index(self._label)
            later = times_by_row(batch.column(self._label_time)) > self._now
            if later.any():
                known = batch.column(place).take(to_arrow(np.arange(batch.num_rows), missing=later))
                batch = batch.set_column(place, self._label, known)
            yield batch if self._label_time in columns else batch.drop_columns([self._label_time])


class WrittenLabelLog:
    """A log whose labels are null where a word says that there is none yet. A word that is predicted is a class."""

    def __init__(self, log: PredictionLog, label: str, prediction: str) -> None:
        self._log, self._label, self._prediction = log, label, prediction
        self._missing: frozenset[str] | None = None
        """The words that stand for no label; ``None``: none of them was seen yet."""
        self.where, self.names, self.rows = log.where, log.names, log.rows

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        for batch in self._log.batches(columns):
            place = batch.schema.get_field_index(self._label)
            if place < 0 or not is_text_type(batch.schema.types[place]):
                yield batch
                continue
            codes, texts = factorize(batch.column(place), missing_words=_EMPTY)
            words = {text.strip() for text in texts} & MISSING_WORDS
            if words and self._missing is None:
                self._missing = MISSING_WORDS - (self._predicted_words() - CLASS_MISSING_WORDS)
            absent = np.isin(codes, [code for code, text in enumerate(texts) if text.strip() in (self._missing or ())])
            if absent.any():
                known = batch.column(place).take(to_arrow(np.arange(batch.num_rows), missing=absent))
                batch = batch.set_column(place, self._label, known)
            yield batch

    def _predicted_words(self) -> set[str]:
        words: set[str] = set()
        if self._prediction in self._log.names():
            for batch in self._log.batches([self._prediction]):
                column = column_or_nulls(batch, self._prediction)
                if is_text_type(column.type):
                    words |= {text.strip() for text in factorize(column, missing_words=_EMPTY)[1]}
        return words


class JoinedLog:
    """A log with the outcomes' label as an additional column; null if it is not known (yet)."""

    def __init__(
        self, log: PredictionLog, outcomes: PredictionLog, id: str, spec: OutcomesSpec, now: float = math.inf
    ) -> None:
        self._log, self._outcomes, self._id, self._spec, self._now = log, outcomes, id, spec, now
        self.where, self.rows = log.where, log.rows
        self._buckets = max(MIN_BUCKETS, -(-max(log.rows() or 0, outcomes.rows() or 0) // MAX_BUCKET_ROWS))
        require_columns(log, [id])
        require_columns(outcomes, [name for name in (spec.id, spec.label, spec.label_time) if name])

    def names(self) -> tuple[str, ...]:
        return (*self._log.names(), self._spec.label)

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        if self._spec.label not in columns:
            yield from self._log.batches(columns)
            return
        spec = self._spec
        own = [name for name in dict.fromkeys([*columns, self._id]) if name != spec.label]
        with tempfile.TemporaryDirectory(prefix="modelwatch-join-") as name:
            folder = Path(name)
            outcomes = _alike(self._outcomes, [name for name in (spec.id, spec.label, spec.label_time) if name])
            kinds = _split_by_hash(outcomes, spec.id, folder / "outcomes", self._buckets)
            _split_by_hash(_alike(self._log, own), self._id, folder / "log", self._buckets)
            for bucket in range(self._buckets):
                yield from _join_bucket(folder, bucket, spec, kinds.get(spec.label), self._now)


def _alike(log: PredictionLog, columns: Sequence[str]) -> Iterator[Any]:
    """The batches of a log in one schema, whatever the schemas of its files."""
    import pyarrow as pa

    types = log.types(columns) if isinstance(log, FilesLog) else {}
    for batch in log.batches(columns):
        if not types:
            yield batch
            continue
        plain = {name: decode_dictionary(column_or_nulls(batch, name)) for name in types}
        cells = [_cast_cells(plain[name], kind) for name, kind in types.items()]
        yield pa.RecordBatch.from_arrays(cells, list(types))


def _cast_cells(cells: Any, kind: Any) -> Any:
    import pyarrow as pa

    if cells.type == kind:
        return cells
    if pa.types.is_null(cells.type):
        return pa.nulls(len(cells), kind)
    return to_text(cells) if kind == pa.string() and not is_text_type(cells.type) else cells.cast(kind)


def _split_by_hash(batches: Iterator[Any], id: str, path: Path, count: int) -> dict[str, Any]:
    """Write each row to the file of its bucket; rows without an id go to bucket 0, with a null as their hash.

    Returns the columns' types.
    """
    import pyarrow as pa

    files: dict[int, Any] = {}
    schema: Any = None
    try:
        for batch in batches:
            decoded = pa.RecordBatch.from_arrays(
                [decode_dictionary(column) for column in batch.columns], batch.schema.names
            )
            hashes, valid = hash_by_row(decoded.column(id))
            hashed = decoded.append_column(_HASH_COLUMN, to_arrow(hashes, missing=~valid))
            schema = schema or hashed.schema
            hashed = hashed.cast(schema)
            buckets = np.mod(hashes, count)
            for bucket in np.unique(buckets).tolist():
                if bucket not in files:
                    files[bucket] = pa.ipc.new_file(f"{path}-{bucket}", schema)
                files[bucket].write_batch(hashed.take(to_arrow(np.flatnonzero(buckets == bucket))))
    finally:
        for file in files.values():
            file.close()
    return {} if schema is None else {field.name: field.type for field in schema}


def _join_bucket(folder: Path, bucket: int, spec: OutcomesSpec, kind: Any, now: float) -> Iterator[Any]:
    """The rows of one bucket of the log with their labels; ``kind``: the label's Arrow type."""
    import pyarrow as pa

    if not (folder / f"log-{bucket}").exists():
        return
    known, labels = _latest_labels(folder / f"outcomes-{bucket}", spec, kind, now)
    with pa.ipc.open_file(str(folder / f"log-{bucket}")) as file:
        for batch in _merge_batches(file):
            column = batch.column(_HASH_COLUMN)
            hashes = to_numpy(column.fill_null(0))
            positions = np.minimum(np.searchsorted(known, hashes), max(len(known) - 1, 0))
            missing = to_mask(column.is_null()) | (known[positions] != hashes if len(known) else np.True_)
            label = labels.take(to_arrow(positions, missing=missing))
            yield batch.drop_columns([_HASH_COLUMN]).append_column(spec.label, label)


def _merge_batches(file: Any) -> Iterator[Any]:
    """The batches of an Arrow file, merged to ``BATCH_ROWS`` rows: a batch of the log was cut into one for each bucket,
    and counting batches of a few hundred rows takes many times longer."""
    import pyarrow as pa

    parts: list[Any] = []
    rows = 0
    for number in range(file.num_record_batches):
        parts.append(file.get_batch(number))
        rows += parts[-1].num_rows
        if rows >= BATCH_ROWS or number == file.num_record_batches - 1:
            yield pa.Table.from_batches(parts).combine_chunks().to_batches()[0]
            parts, rows = [], 0


def _latest_labels(path: Path, spec: OutcomesSpec, kind: Any, now: float) -> tuple[NDArray[np.uint64], Any]:
    """Hashes, ascending and unique, and the label of each: the latest one that was known at ``now``, of equally late
    ones the one read last."""
    import pyarrow as pa

    if not path.exists():
        return np.zeros(0, dtype=np.uint64), pa.nulls(1, kind)
    with pa.ipc.open_file(str(path)) as file:
        table = file.read_all().combine_chunks()
    table = table.filter(table[_HASH_COLUMN].is_valid())
    if not table.num_rows:
        return np.zeros(0, dtype=np.uint64), pa.nulls(1, kind)
    hashes = to_numpy(table[_HASH_COLUMN].combine_chunks())
    times = np.zeros(len(hashes))
    if spec.label_time:
        times = np.nan_to_num(times_by_row(table[spec.label_time].combine_chunks()), nan=-np.inf)
    order = np.lexsort((np.arange(len(hashes)), times, hashes))
    order = order[times[order] <= now]
    if not len(order):
        return np.zeros(0, dtype=np.uint64), pa.nulls(1, kind)
    last = order[np.append(hashes[order][1:] != hashes[order][:-1], True)]
    return hashes[last], table[spec.label].combine_chunks().take(to_arrow(last))
