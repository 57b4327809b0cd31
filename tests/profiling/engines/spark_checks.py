"""Spark on this machine against one process; ``test_clusters.py`` runs this where Spark is installed."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from modelwatch.errors import SourceError, UserError
from modelwatch.profiling.engines import spark as spark_engine
from modelwatch.profiling.engines.engine import Engine, open_engine
from modelwatch.profiling.engines.spark import profile_frame
from modelwatch.profiling.profile_plan import plan_from_reference
from modelwatch.profiling.profiler import profile_log
from modelwatch.profiling.readers import open_log
from modelwatch.profiling.reference_store import read_reference
from modelwatch.stats.profile.codec import to_bytes

from ..logs import log, write
from .measured import WITH_SEGMENTS, assert_same, measured, ranked, write_log


@pytest.fixture(scope="module")
def engine() -> Engine:
    return open_engine("spark", os.environ)


@pytest.fixture(scope="module")
def session(engine: Engine) -> SparkSession:
    active = SparkSession.getActiveSession()
    assert active is not None, "the engine made one"
    return active


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_profiles_rows_and_notes_are_those_of_one_process(suffix: str, engine: Engine, tmp_path: Path) -> None:
    spec = write_log(tmp_path, suffix=suffix)
    assert_same(measured(spec, tmp_path), measured(spec, tmp_path, engine))


def test_many_partitions_are_merged_on_executors_first(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_engine, "MAX_COLLECTED", 2)
    spec = replace(write_log(tmp_path, files=9), query="SELECT /*+ REPARTITION(9) */ * FROM predictions", files="")
    SparkSession.active().read.parquet(f"{tmp_path}/log").createOrReplaceTempView("predictions")
    whole = measured(replace(spec, query="", files=f"{tmp_path}/log"), tmp_path)
    assert to_bytes(measured(spec, tmp_path, engine).profile) == to_bytes(whole.profile)


def test_a_plan_without_a_reference_and_metrics_that_need_rows(engine: Engine, tmp_path: Path) -> None:
    spec = ranked(replace(write_log(tmp_path), reference=""))
    assert_same(measured(spec, tmp_path), measured(spec, tmp_path, engine))


def test_outcomes_that_only_the_cluster_can_read(engine: Engine, tmp_path: Path) -> None:
    spec = write_log(tmp_path)
    assert spec.outcomes is not None
    through_spark = replace(spec, outcomes=replace(spec.outcomes, files=f"File://{spec.outcomes.files}"))
    found = spark_engine._CLUSTER_ONLY.match("s3a://bucket/labels") and spark_engine._CLUSTER_ONLY.match("dbfs:/labels")
    assert found
    assert not spark_engine._CLUSTER_ONLY.match("labels/*.parquet")
    assert isinstance(engine, spark_engine.SparkEngine)
    rows = engine.open_files(spec.outcomes.files, through_spark).batches(["request", "label"])
    assert sum(batch.num_rows for batch in rows) == 3000


def test_times_of_every_kind_that_parquet_has(engine: Engine, tmp_path: Path) -> None:
    spec = write_log(tmp_path)
    table = log(900).drop_columns(["label"])
    seconds = table["time"].to_numpy()
    for kind in (
        pa.timestamp("us", "UTC"),
        pa.timestamp("us"),
        pa.timestamp("ms", "Europe/Berlin"),
        pa.int64(),
    ):
        scale = {"us": 1e6, "ms": 1e3}.get(getattr(kind, "unit", ""), 1.0)
        times = pa.array((seconds * scale).astype("int64")).cast(kind)
        for path in (tmp_path / "log").iterdir():
            path.unlink()
        write(table.set_column(1, "time", times), tmp_path / "log" / "part.parquet")
        assert_same(measured(spec, tmp_path), measured(spec, tmp_path, engine))


def test_nanoseconds_are_refused_with_what_to_write(engine: Engine, tmp_path: Path) -> None:
    spec = write_log(tmp_path)
    table = log(900)
    times = pa.array((table["time"].to_numpy() * 1e9).astype("int64")).cast(pa.timestamp("ns"))
    for path in (tmp_path / "log").iterdir():
        path.unlink()
    write(table.set_column(1, "time", times), tmp_path / "log" / "part.parquet")
    with pytest.raises(SourceError, match=r"coerce_timestamps='us'"):
        measured(spec, tmp_path, engine)


def test_files_with_different_columns(engine: Engine, tmp_path: Path) -> None:
    spec = write_log(tmp_path)
    path = sorted((tmp_path / "log").iterdir())[0]
    pq.write_table(pq.read_table(path).drop_columns(["income"]), path)
    assert_same(measured(spec, tmp_path), measured(spec, tmp_path, engine))


def test_a_data_frame_of_a_notebook(session: SparkSession, tmp_path: Path) -> None:
    write_log(tmp_path)
    write(log(900), tmp_path / "labelled.parquet")
    plan = plan_from_reference(read_reference(str(tmp_path / "reference.npz"))[0], WITH_SEGMENTS)
    frame = session.read.parquet(f"{tmp_path}/labelled.parquet").repartition(3)
    one_process = profile_log(open_log(f"{tmp_path}/labelled.parquet"), plan)
    assert to_bytes(profile_frame(frame, plan)) == to_bytes(one_process)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"files": "nowhere/*.parquet"}, SourceError, "nowhere.*PATH_NOT_FOUND"),
        ({"files": "", "query": "SELECT * FROM nothing"}, SourceError, "(?i)nothing.*cannot be found"),
        ({"files": "", "query": "SELEKT"}, SourceError, "PARSE_SYNTAX_ERROR"),
        ({"files": "logs/**/*.parquet"}, UserError, r"no pattern `\*\*`"),
        ({"files": "", "artifact": "acme/churn/log:latest"}, UserError, "Spark does not read W&B artifacts"),
        ({"files": "", "query": "SELECT 1 AS x"}, SourceError, "the table has no column"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_paragraph(
    changed: dict[str, str], error: type[UserError], message: str, engine: Engine, tmp_path: Path
) -> None:
    spec = replace(write_log(tmp_path), **changed)  # type: ignore[arg-type]
    with pytest.raises(error, match=message) as raised:
        measured(spec, tmp_path, engine)
    assert "\n" not in str(raised.value)
    assert "Traceback" not in str(raised.value)


def test_what_fails_on_a_worker_is_said_in_a_paragraph(engine: Engine, tmp_path: Path) -> None:
    spec = replace(write_log(tmp_path), files="", query="SELECT *, raise_error('broken cell') AS age FROM rows")
    frame = SparkSession.active().read.parquet(f"{tmp_path}/log").drop("age")
    frame.createOrReplaceTempView("rows")
    with pytest.raises(SourceError, match=r"broken cell") as raised:
        measured(spec, tmp_path, engine)
    assert "\n" not in str(raised.value)


def test_broken_files_and_folders_of_csv_are_said(engine: Engine, tmp_path: Path) -> None:
    spec = write_log(tmp_path)
    path = sorted((tmp_path / "log").iterdir())[1]
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(SourceError, match=r"part-1\.parquet is not a Parquet file.*Repair or remove it"):
        measured(spec, tmp_path, engine)
    with pytest.raises(SourceError, match=r"name such files: `files: logs/\*\.csv`"):
        measured(replace(write_log(tmp_path / "csv", suffix=".csv"), files=f"{tmp_path}/csv/log"), tmp_path, engine)


def test_delta_tables_are_not_read_as_files(engine: Engine, tmp_path: Path) -> None:
    spec = write_log(tmp_path)
    entry = json.dumps({"commitInfo": {}})
    (tmp_path / "log" / "_delta_log").mkdir()
    (tmp_path / "log" / "_delta_log" / "00000000000000000000.json").write_text(entry)
    with pytest.raises(UserError, match="this is a Delta table"):
        measured(replace(spec, files=str(tmp_path / "log")), tmp_path, engine)


def test_csv_files_whose_columns_differ_in_order_are_refused(engine: Engine, tmp_path: Path) -> None:
    spec = write_log(tmp_path, suffix=".csv")
    path = sorted((tmp_path / "log").iterdir())[0]
    header, *lines = path.read_text().splitlines()
    names = header.split(",")
    swapped = ",".join([names[1], names[0], *names[2:]])
    path.write_text("\n".join([swapped, *lines]) + "\n")
    with pytest.raises(SourceError, match=r"(?s)CSV header does not conform.*measure them one by one"):
        measured(spec, tmp_path, engine)


def test_cells_of_text_are_those_of_our_own_reader(engine: Engine, tmp_path: Path) -> None:
    spec = write_log(tmp_path, suffix=".csv")
    for name in (tmp_path / "log").iterdir():
        name.unlink()
    rows: list[Any] = ['a "quoted" cell', "two\nlines", "semi;colon", "", "  spaces  ", "\\N", "null", "x" * 5000]
    table = log(len(rows)).drop_columns(["label"])
    write(table.set_column(table.column_names.index("plan"), "plan", pa.array(rows)), tmp_path / "log" / "a.csv")
    assert_same(measured(spec, tmp_path), measured(spec, tmp_path, engine))
