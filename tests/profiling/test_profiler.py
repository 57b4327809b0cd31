"""Profiles add up, however the rows are split and whatever counts them."""

from __future__ import annotations

import os
import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.errors import SourceError
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.profiling import profiler
from modelwatch.profiling.log_files import FilesLog
from modelwatch.profiling.plan_inference import infer_and_profile, infer_plan, infer_plan_from_sample
from modelwatch.profiling.profile_plan import ProfilePlan, plan_from_reference
from modelwatch.profiling.profiler import profile_batches, profile_partition
from modelwatch.profiling.query_log import QueryLog
from modelwatch.profiling.readers import open_log
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.codec import to_bytes
from modelwatch.stats.profile.numeric import NumericProfile
from modelwatch.stats.profile.table import Profile, ProfileKey, merge_profiles

from .logs import DAY, SPEC, START, log, write

TABLE = log()
BATCH = TABLE.combine_chunks().to_batches()[0]
NAMES = [name for name in TABLE.column_names if name not in ("id", "time", "version")]
PLAN = infer_plan_from_sample(BATCH, NAMES, SPEC)
WHOLE = profile_partition(BATCH, PLAN)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, TABLE.num_rows), max_size=6), st.randoms())
def test_partitions_add_up_to_the_whole_in_any_order(cuts: list[int], random: object) -> None:
    ends = [0, *sorted(cuts), TABLE.num_rows]
    parts = [profile_partition(BATCH.slice(a, b - a), PLAN) for a, b in pairwise(ends)]
    random.shuffle(parts)  # type: ignore[attr-defined]
    assert to_bytes(merge_profiles(parts)) == to_bytes(WHOLE)


def test_cells_are_windows_versions_and_segments() -> None:
    whole = [cell for cell in WHOLE.cells if not cell.segment]
    assert sorted(whole) == [ProfileKey(START, "v1"), ProfileKey(START + DAY, "v1"), ProfileKey(START + DAY, "v2")]
    assert [WHOLE.cells[cell].rows for cell in sorted(whole)] == [1000, 500, 500]
    assert {cell.segment for cell in WHOLE.cells} == {(), (("region", "eu"),), (("region", "na"),)}
    for cell in whole:
        parts = [WHOLE.cells[ProfileKey(cell.window, cell.version, (("region", name),))] for name in ("eu", "na")]
        assert sum(part.rows for part in parts) == WHOLE.cells[cell].rows
        assert max(part.newest for part in parts) == WHOLE.cells[cell].newest
        assert min(part.oldest for part in parts) == WHOLE.cells[cell].oldest
        assert not any(part.columns for part in parts)


@pytest.mark.parametrize("columns", [1, 2, 3, 100])
def test_a_wide_log_is_read_group_by_group(columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiler, "GROUP_COLUMNS", columns)
    log = open_log(str(write(TABLE, tmp_path / "log.parquet")))
    assert to_bytes(profiler.profile_log(log, PLAN)) == to_bytes(WHOLE)


def test_rows_in_any_order_have_the_same_profile() -> None:
    shuffled = BATCH.take(pa.array(np.random.default_rng(4).permutation(BATCH.num_rows)))
    assert to_bytes(profile_partition(shuffled, PLAN)) == to_bytes(WHOLE)


def test_the_counts_are_those_of_the_rows() -> None:
    table = WHOLE.whole()
    ages = TABLE["age"].to_numpy()
    age = table.columns["age"]
    assert isinstance(age, NumericProfile)
    assert (age.n, age.low, age.high) == (2000, ages.min(), ages.max())
    plan = table.columns["plan"]
    assert isinstance(plan, CategoricalProfile)
    assert plan.counts["free"] == TABLE["plan"].to_pylist().count("free")
    assert table.formats["signed"].counts == {"9-9-9": 2000}
    assert table.pairs is not None
    both = list(zip(TABLE["prediction"].to_pylist(), TABLE["label"].to_pylist(), strict=True))
    assert table.pairs.counts["yes\x1fno"] == both.count(("yes", "no"))
    assert table.scores["yes"].n == TABLE["label"].to_pylist().count("yes")
    assert table.ids is not None
    assert table.ids.duplicates == 0


def test_a_column_that_went_away_is_missing_in_every_row() -> None:
    table = profile_partition(BATCH.drop_columns(["age", "plan"]), PLAN).whole()
    assert [table.columns[name].missing for name in ("age", "plan")] == [2000, 2000]


def test_rows_without_a_time_are_counted_apart() -> None:
    changed = log(4, time=pa.array([START, None, START, None])).to_batches()[0]
    profile = profile_partition(changed, PLAN)
    assert (profile.rows, profile.undated) == (2, 2)


def test_errors_of_a_regression_are_profiled() -> None:
    truth = np.random.default_rng(2).normal(100, 10, 2000)
    table = log(prediction=truth + 5, label=truth)
    batch = table.combine_chunks().to_batches()[0]
    profile = profile_partition(batch, infer_plan_from_sample(batch, NAMES, SPEC)).whole()
    assert profile.sums["errors"].mean("error") == pytest.approx(5, abs=1e-12)
    assert profile.pairs is None


def test_values_of_a_segment_beyond_the_most_frequent_are_one_segment() -> None:
    names = ["eu", "na", *(f"r{number}" for number in range(60))]
    changed = log(620, region=pa.array((names * 10)[:620]))
    batch = changed.combine_chunks().to_batches()[0]
    plan = infer_plan_from_sample(batch, NAMES, SPEC)
    found = {cell.segment[0][1] for cell in profile_partition(batch, plan).cells if cell.segment}
    assert len(found) == 51
    assert "(other)" in found


def test_a_plan_travels_and_a_profile_implies_it() -> None:
    again: ProfilePlan = pickle.loads(pickle.dumps(PLAN))  # noqa: S301
    assert to_bytes(profile_partition(BATCH, again)) == to_bytes(WHOLE)
    implied = plan_from_reference(WHOLE.whole(), SPEC)
    assert to_bytes(Profile({ProfileKey(): profile_partition(BATCH, implied).whole()})) == to_bytes(
        Profile({ProfileKey(): WHOLE.whole()})
    )


@pytest.mark.parametrize("name", ["log.parquet", "log.csv"])
def test_files_give_the_same_profile_whatever_their_kind(name: str, tmp_path: Path) -> None:
    write(TABLE.slice(0, 900), tmp_path / "logs" / f"a-{name}")
    write(TABLE.slice(900), tmp_path / "logs" / f"b-{name}")
    (tmp_path / "logs" / "notes.txt").write_text("no table")
    log = open_log(str(tmp_path / "logs"))
    assert log.names() == tuple(TABLE.column_names)
    read = profile_batches(log.batches(PLAN.needed_columns), PLAN)
    assert read.rows == 2000
    assert {cell: table.rows for cell, table in read.cells.items()} == {
        cell: table.rows for cell, table in WHOLE.cells.items()
    }
    ours, theirs = read.whole().columns["age"], WHOLE.whole().columns["age"]
    assert isinstance(ours, NumericProfile)
    assert isinstance(theirs, NumericProfile)
    assert np.array_equal(ours.counts, theirs.counts)
    glob = open_log(str(tmp_path / "logs" / f"a-*{Path(name).suffix}"))
    assert sum(batch.num_rows for batch in glob.batches(["age"])) == 900


def test_a_query_gives_the_same_profile(tmp_path: Path) -> None:
    path = write(TABLE, tmp_path / "log.parquet")
    read = profile_batches(QueryLog(f"SELECT * FROM '{path}';").batches(PLAN.needed_columns), PLAN)  # noqa: S608
    assert to_bytes(read) == to_bytes(WHOLE)


def test_a_reference_is_captured_from_a_sample_and_counted_whole(tmp_path: Path) -> None:
    path = write(log(5000), tmp_path / "training.csv")
    plan, profile = infer_and_profile(
        open_log(str(path)), MeasureSpec(files="x", label="label", features=("age", "plan"))
    )
    table = profile.whole()
    assert (table.rows, sorted(table.columns)) == (5000, ["age", "label", "plan"])
    assert plan.column("age") is not None
    assert isinstance(table.columns["age"], NumericProfile)
    assert isinstance(table.columns["plan"], CategoricalProfile)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 broken")
    for place, told in (
        ("none.csv", "no such file"),
        ("*.csv", "no Parquet or CSV"),
        ("notes.txt", "neither"),
        ("bad.parquet", "not a readable"),
    ):
        with pytest.raises(SourceError, match=told):
            infer_plan(open_log(str(tmp_path / place)), SPEC)
    path = write(TABLE, tmp_path / "log.parquet")
    with pytest.raises(SourceError, match=r"no column 'agee'\. Did you mean `age`"):
        infer_plan(FilesLog([str(path)]), MeasureSpec(files="x", features=("agee",)))
    with pytest.raises(SourceError, match="DuckDB cannot read this"):
        QueryLog("SELEKT 1").names()
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(SourceError, match="no regular file"):
        open_log(str(tmp_path / "pipe.csv"))


def test_no_extension_of_duckdb_is_installed_unless_it_is_named() -> None:
    with pytest.raises(SourceError, match="requires the extension httpfs") as error:
        open_log("https://127.0.0.1:1/log.parquet").names()
    assert error.value.hint == "Name it: `measure: {extensions: [httpfs]}`."
