"""Reading prediction logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelwatch.errors import SourceError
from modelwatch.profiling import parquet_files, readers
from modelwatch.profiling.arrow_columns import decode_dictionary, factorize
from modelwatch.profiling.log_files import CATEGORY, NUMBER
from modelwatch.profiling.readers import open_log


def test_texts_that_repeat_come_as_codes_and_ids_as_they_are(tmp_path: Path) -> None:
    """A dictionary of a million different ids costs more than the ids."""
    columns = {"id": [f"row-{place}" for place in range(5000)], "region": ["eu", "us"] * 2500, "gone": [None] * 5000}
    pq.write_table(pa.table(columns, pa.schema([(name, pa.string()) for name in columns])), tmp_path / "log.parquet")
    batches = list(open_log(str(tmp_path / "log.parquet")).batches(list(columns)))
    kinds = {name: batches[0].schema.field(name).type for name in columns}
    assert kinds["id"] == pa.string()
    assert pa.types.is_dictionary(kinds["region"])
    assert [cell for batch in batches for cell in decode_dictionary(batch.column("id")).to_pylist()] == columns["id"]
    codes, names = factorize(batches[0].column("region"))
    assert [names[code] for code in codes[:4]] == ["eu", "us", "eu", "us"]
    assert all(batch.column("gone").null_count == batch.num_rows for batch in batches)


def test_a_file_without_rows_has_its_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": pa.array([], pa.string())}), tmp_path / "log.parquet")
    log = open_log(str(tmp_path / "log.parquet"))
    assert log.names() == ("id",)
    assert sum(batch.num_rows for batch in log.batches(["id"])) == 0


def test_a_long_text_that_repeats_comes_in_small_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file can hold a text of a megabyte a million times."""
    monkeypatch.setattr(parquet_files, "MAX_TEXT_BYTES", 1_000_000)
    path = tmp_path / "log.parquet"
    texts = ["x" * 100_000 if place % 2 else f"short {place}" for place in range(1000)]
    pq.write_table(pa.table({"prompt": texts}), path, store_schema=False, compression="zstd")
    assert path.stat().st_size < 100_000
    batches = list(open_log(str(path)).batches(["prompt"]))
    assert sum(batch.num_rows for batch in batches) == 1000
    assert max(batch.num_rows for batch in batches) == 10


def test_texts_that_would_fill_the_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_files, "MAX_CHUNK_BYTES", 1_000_000)
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"prompt": [f"{place}" * 10_000 for place in range(100)]}), path, use_dictionary=False)
    with pytest.raises(SourceError, match="the texts of column 'prompt' have more than"):
        list(open_log(str(path)).batches(["prompt"]))


NESTED = {
    "texts in lists": (pa.list_(pa.string()), ["x" * 50_000, "y"]),
    "lists in lists": (pa.list_(pa.list_(pa.string())), [["x" * 50_000] * 2]),
    "numbers": (pa.list_(pa.float64()), [0.5] * 3000),
    "maps": (pa.map_(pa.string(), pa.string()), [("k", "x" * 50_000)]),
    "structures": (pa.struct([("a", pa.string()), ("b", pa.list_(pa.int64()))]), {"a": "x" * 50_000, "b": [1]}),
    "bytes": (pa.binary(), b"x" * 50_000),
    "fixed bytes": (pa.binary(50_000), b"x" * 50_000),
}


@pytest.mark.parametrize("name", NESTED)
def test_cells_that_repeat_come_in_small_batches_whatever_they_are(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dictionary holds a cell once; a thousand copies of it would be in memory."""
    monkeypatch.setattr(parquet_files, "MAX_TEXT_BYTES", 1_000_000)
    kind, cell = NESTED[name]
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"a.b": pa.array([cell] * 1000, kind)}), path, compression="zstd")
    assert path.stat().st_size < 200_000
    batches = list(open_log(str(path)).batches(["a.b"]))
    assert sum(batch.num_rows for batch in batches) == 1000
    assert batches[0].column("a.b").to_pylist()[0] == pa.array([cell], kind).to_pylist()[0]
    assert max(batch.num_rows for batch in batches) <= 25


def test_lists_that_would_fill_the_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One row can hold as many copies as it likes, and is never cut; rows that are large in the file, too, are read."""
    monkeypatch.setattr(parquet_files, "MAX_CHUNK_BYTES", 1_000_000)
    bomb, honest = tmp_path / "bomb.parquet", tmp_path / "honest.parquet"
    pq.write_table(pa.table({"tags": [["x" * 100] * 20_000]}), bomb)
    with pytest.raises(SourceError, match="the lists of column 'tags' have more than"):
        list(open_log(str(bomb)).batches(["tags"]))
    vectors = pa.array([[float(row), *[row / 7] * 63] for row in range(3000)], pa.list_(pa.float64()))
    pq.write_table(pa.table({"vector": vectors}), honest, use_dictionary=False)
    assert sum(batch.num_rows for batch in open_log(str(honest)).batches(["vector"])) == 3000


def test_a_row_without_end_is_told(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text('a,b\n1,"' + "x" * (24 << 20))
    with pytest.raises(SourceError, match="a row has more than 8 MB"):
        list(open_log(str(path)).batches(["a", "b"]))


def test_a_table_of_wandb_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text, told in (("[" * 100_000, "not a readable W&B table"), ("x" * 2_000, "larger than 1,000 bytes")):
        path = tmp_path / "t.table.json"
        path.write_text(text)
        monkeypatch.setattr(readers, "MAX_TABLE_BYTES", 1_000_000 if text.startswith("[") else 1_000)
        with pytest.raises(SourceError, match=told):
            readers._convert_table(path)


def test_columns_without_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"c{number}" for number in range(20_001)) + "\n")
    with pytest.raises(SourceError, match="there are 20,001 columns; at most 20,000 are read"):
        open_log(str(path)).names()


CSV_ROWS = 60_000
"""More than a block of the CSV reader holds."""


def csv_cells(place: Path, cells: list[str], kinds: dict[str, str]) -> list[Any]:
    text = "".join(f"{row},{cell},{'x' * 200}\n" for row, cell in enumerate(cells))
    (place / "log.csv").write_text("row,cell,filler\n" + text)
    batches = list(open_log(str(place / "log.csv"), kinds=kinds).batches(["row", "cell"]))
    assert len(batches) > 1
    assert [row for batch in batches for row in batch.column("row").to_pylist()] == list(map(str, range(len(cells))))
    return [cell for batch in batches for cell in batch.column("cell").to_pylist()]


def test_text_that_is_known_to_hold_numbers_is_read_as_numbers(tmp_path: Path) -> None:
    cells = [f"{row / 8}" for row in range(CSV_ROWS)]
    assert csv_cells(tmp_path, ["", *cells[1:]], {"cell": NUMBER}) == [None, *map(float, cells[1:])]
    assert csv_cells(tmp_path, cells, {"cell": CATEGORY, "absent": NUMBER}) == cells
    assert csv_cells(tmp_path, cells, {}) == cells


def test_from_the_first_word_on_it_is_text_and_no_row_is_read_twice(tmp_path: Path) -> None:
    cells = [f"{row / 8}" for row in range(CSV_ROWS)]
    cells[50_000] = "NA"
    found = csv_cells(tmp_path, cells, {"cell": NUMBER})
    assert found[50_000:] == cells[50_000:]
    assert list(map(str, found)) == cells
    assert isinstance(found[0], float)
