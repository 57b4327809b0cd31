"""Reading prediction logs."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

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
