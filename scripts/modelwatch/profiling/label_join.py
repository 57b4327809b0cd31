"""Labels that stand in a second table, joined by id in parts: memory holds one part, whatever the tables' sizes.

Both tables are cut by a hash of the id into the same number of parts on disk; then part by part the outcomes are laid
beside the predictions. Ids are compared by the 64-bit hash of
their text, so that 7 in one table is "7" in the other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.prediction_log import OutcomesSpec
from .arrow_columns import decode_dictionary, hash_ids, is_text_type, times_by_row, to_arrow, to_mask, to_numpy
from .readers import PredictionLog, require_columns

MIN_BUCKETS = 16
MAX_BUCKET_ROWS = 500_000
"""Rows of a part, where the tables tell how many they have."""
_HASH_COLUMN = "modelwatch hash of the id"


class JoinedLog:
    """A log with the outcomes' label as one more column; null where nothing is known (yet)."""

    def __init__(self, log: PredictionLog, outcomes: PredictionLog, id: str, spec: OutcomesSpec) -> None:
        self._log, self._outcomes, self._id, self._spec = log, outcomes, id, spec
        self.where = log.where
        self._parts = max(MIN_BUCKETS, -(-max(log.rows() or 0, outcomes.rows() or 0) // MAX_BUCKET_ROWS))
        require_columns(log, [id])
        require_columns(outcomes, [name for name in (spec.id, spec.label, spec.label_time) if name])

    def names(self) -> tuple[str, ...]:
        return (*self._log.names(), self._spec.label)

    def rows(self) -> int | None:
        return self._log.rows()

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        if self._spec.label not in columns:
            yield from self._log.batches(columns)
            return
        spec = self._spec
        own = [name for name in dict.fromkeys([*columns, self._id]) if name != spec.label]
        with tempfile.TemporaryDirectory(prefix="modelwatch-join-") as name:
            folder = Path(name)
            theirs = [name for name in (spec.id, spec.label, spec.label_time) if name]
            kind = _split_by_hash(self._outcomes.batches(theirs), spec.id, folder / "outcomes", self._parts).get(
                spec.label
            )
            _split_by_hash(self._log.batches(own), self._id, folder / "log", self._parts)
            for part in range(self._parts):
                yield from _join_bucket(folder, part, spec, kind)


def _split_by_hash(batches: Iterator[Any], id: str, to: Path, count: int) -> dict[str, Any]:
    """Rows to the file of their part, those without an id to part 0 with a hash that is null; the columns' types."""
    import pyarrow as pa

    files: dict[int, Any] = {}
    schema: Any = None
    try:
        for batch in batches:
            decoded = pa.RecordBatch.from_arrays(
                [decode_dictionary(column) for column in batch.columns], batch.schema.names
            )
            numbered = decoded.append_column(_HASH_COLUMN, _hash_or_zero(decoded.column(id)))
            schema = schema or numbered.schema
            numbered = numbered.cast(schema)
            parts = np.mod(to_numpy(numbered.column(_HASH_COLUMN).fill_null(0)), count)
            for part in np.unique(parts).tolist():
                if part not in files:
                    files[part] = pa.ipc.new_file(f"{to}-{part}", schema)
                files[part].write_batch(numbered.take(to_arrow(np.flatnonzero(parts == part))))
    finally:
        for file in files.values():
            file.close()
    return {} if schema is None else {field.name: field.type for field in schema}


def _hash_or_zero(ids: Any) -> Any:
    import pyarrow as pa

    if not is_text_type(ids.type):
        ids = ids.cast(pa.string())
    there = to_mask(ids.is_valid())
    found = np.zeros(len(ids), dtype=np.uint64)
    found[there] = hash_ids(ids)[0]
    return to_arrow(found, missing=~there)


def _join_bucket(folder: Path, part: int, spec: OutcomesSpec, kind: Any) -> Iterator[Any]:
    import pyarrow as pa

    if not (folder / f"log-{part}").exists():
        return
    known, labels = _latest_labels(folder / f"outcomes-{part}", spec, kind)
    with pa.ipc.open_file(str(folder / f"log-{part}")) as file:
        for number in range(file.num_record_batches):
            batch = file.get_batch(number)
            found = batch.column(_HASH_COLUMN)
            hashed = to_numpy(found.fill_null(0))
            place = np.searchsorted(known, hashed)
            place = np.minimum(place, max(len(known) - 1, 0))
            misses = to_mask(found.is_null()) | (known[place] != hashed if len(known) else np.True_)
            label = labels.take(to_arrow(place, missing=misses))
            yield batch.drop_columns([_HASH_COLUMN]).append_column(spec.label, label)


def _latest_labels(path: Path, spec: OutcomesSpec, kind: Any) -> tuple[NDArray[np.uint64], Any]:
    """Hashes, ascending and unique, and the label of each: the one known last, of equals the one read last."""
    import pyarrow as pa

    if not path.exists():
        return np.zeros(0, dtype=np.uint64), pa.nulls(1, kind)
    with pa.ipc.open_file(str(path)) as file:
        table = file.read_all().combine_chunks()
    table = table.filter(table[_HASH_COLUMN].is_valid())
    if not table.num_rows:
        return np.zeros(0, dtype=np.uint64), pa.nulls(1, kind)
    numbers = to_numpy(table[_HASH_COLUMN].combine_chunks())
    when = np.zeros(len(numbers))
    if spec.label_time:
        when = np.nan_to_num(times_by_row(table[spec.label_time].combine_chunks()), nan=-np.inf)
    order = np.lexsort((np.arange(len(numbers)), when, numbers))
    last = order[np.append(numbers[order][1:] != numbers[order][:-1], True)]
    return numbers[last], table[spec.label].combine_chunks().take(to_arrow(last))
