"""Cells of any length: what is done with them is bounded, and files and queries give the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelwatch.profiling import query_log
from modelwatch.profiling.arrow_columns import MAX_CELL_BYTES, decode_dictionary, shorten_texts
from modelwatch.profiling.parquet_files import BATCH_ROWS
from modelwatch.profiling.query_log import QueryLog
from modelwatch.profiling.readers import open_log

LONG = ["x" * 200_000, "x" * 199_999 + "y", "語" * 70_000, "x" * MAX_CELL_BYTES, "short", "", None, "é" + "x" * 4096]


def texts(batch: Any) -> list[str | None]:
    found: list[str | None] = decode_dictionary(batch.column(0)).to_pylist()
    return found


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_a_long_text_is_its_beginning_and_a_digest(kind: Any) -> None:
    column = pa.array(LONG)
    column = column.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else column.cast(kind)
    short = shorten_texts(pa.record_batch({"t": column}))
    found = texts(short)
    assert found[3:7] == LONG[3:7]
    assert len({*found}) == len(LONG), "different texts stay different"
    assert all(len(text.encode()) <= MAX_CELL_BYTES for text in found if text)
    assert [text[:1000] for text in found if text] == [text[:1000] for text in LONG if text]
    assert shorten_texts(short) is short


def test_a_query_shortens_texts_as_a_file_does(tmp_path: Path) -> None:
    pq.write_table(pa.table({"t": LONG}), tmp_path / "log.parquet")
    (of_file,) = open_log(str(tmp_path / "log.parquet")).batches(["t"])
    (of_query,) = QueryLog(f"SELECT * FROM '{tmp_path / 'log.parquet'}'").batches(["t"])  # noqa: S608
    assert texts(of_query) == texts(of_file) == texts(shorten_texts(pa.record_batch({"t": pa.array(LONG)})))


def test_a_text_that_a_query_repeats_does_not_fill_the_memory() -> None:
    """DuckDB holds equal texts once, and would hand over 40,000 copies of a megabyte."""
    log = QueryLog("SELECT repeat('x', 1000000) AS t, i AS id FROM range(40000) x(i)")
    batches = list(log.batches(["t", "id"]))
    assert [batch.num_rows for batch in batches] == [BATCH_ROWS, 40_000 - BATCH_ROWS]
    assert max(batch.nbytes for batch in batches) < 50_000_000


@pytest.mark.parametrize(
    "cell", ["repeat('x', 10000)::BLOB", "range(10000)", "[repeat('x', 10000)]", "{'a': repeat('x', 10000)}"]
)
def test_long_cells_that_are_no_texts_come_in_small_batches(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_log, "MAX_TEXT_BYTES", 1_000_000)
    batches = list(QueryLog(f"SELECT {cell} AS t FROM range(1000)").batches(["t"]))  # noqa: S608
    assert sum(batch.num_rows for batch in batches) == 1000
    assert max(batch.nbytes for batch in batches) <= 1_100_000


def test_names_of_columns_are_no_sql() -> None:
    (batch,) = QueryLog("""SELECT 'a' AS "x\"\"; DROP TABLE y --", [1] AS "l\"\"" """).batches(
        ['x"; DROP TABLE y --', 'l"']
    )
    assert (batch.num_rows, batch.num_columns) == (1, 2)
