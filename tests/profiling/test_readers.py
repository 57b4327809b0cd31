"""Reading prediction logs."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelwatch.errors import SourceError
from modelwatch.profiling import readers
from modelwatch.profiling.arrow_columns import decode_dictionary, factorize
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
    monkeypatch.setattr(readers, "MAX_TEXT_BYTES", 1_000_000)
    path = tmp_path / "log.parquet"
    texts = ["x" * 100_000 if place % 2 else f"short {place}" for place in range(1000)]
    pq.write_table(pa.table({"prompt": texts}), path, store_schema=False, compression="zstd")
    assert path.stat().st_size < 100_000
    batches = list(open_log(str(path)).batches(["prompt"]))
    assert sum(batch.num_rows for batch in batches) == 1000
    assert max(batch.num_rows for batch in batches) == 10


def test_texts_that_would_fill_the_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_CHUNK_BYTES", 1_000_000)
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"prompt": [f"{place}" * 10_000 for place in range(100)]}), path, use_dictionary=False)
    with pytest.raises(SourceError, match="the texts of column 'prompt' have more than"):
        list(open_log(str(path)).batches(["prompt"]))


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
