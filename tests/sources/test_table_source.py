"""CSV and Parquet."""

from __future__ import annotations

import gzip
import os
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelwatch.model.keys import KeyPattern
from modelwatch.model.series import Deployment, PulledSeries
from modelwatch.sources import table_source
from modelwatch.timeutil import DAY, HOUR

from .builders import NOW, points, pull, rule, series_of, table_model, versions


def read(path: Path | str, *rules: Any, **table: str) -> PulledSeries:
    return pull(table_model(str(path), *rules, **table), NOW, env={})


def csv(folder: Path, text: str, name: str = "m.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_csv_with_segments_counts_and_versions(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "time,version,eval/accuracy,eval/n,eval/region=eu/accuracy,eval/region=eu/n,other\n"
        "2026-05-28T18:26:40Z,7,0.9,100,0.8,40,x\n"
        "2026-05-28T19:26:40Z,8,0.7,200,,,y\n",
    )
    found = read(path, rule(weight="eval/n", segments=(KeyPattern("eval/region=*/accuracy"),)), version="version")
    whole = series_of(found)
    assert points(whole) == {NOW - 2 * HOUR: 0.9, NOW - HOUR: 0.7}
    assert list(whole.weights or ()) == [100.0, 200.0]
    assert versions(whole) == ["7", "8"]
    assert points(series_of(found, region="eu")) == {NOW - 2 * HOUR: 0.8}
    assert found.deployments == (Deployment("7", NOW - 2 * HOUR), Deployment("8", NOW - HOUR))
    assert found.notes == ()


@pytest.mark.parametrize("unit", [1, 1000])
def test_times_as_numbers(tmp_path: Path, unit: int) -> None:
    path = csv(tmp_path, f"at,eval/accuracy\n{int(NOW - HOUR) * unit},0.5\n")
    assert points(series_of(read(path, time="at"))) == {NOW - HOUR: 0.5}


def test_parquet_with_real_times_and_missing_cells(tmp_path: Path) -> None:
    times = pd.to_datetime([NOW - 3 * HOUR, NOW - 2 * HOUR, NOW - HOUR], unit="s", utc=True)
    frame = pd.DataFrame({"time": times, "eval/accuracy": [0.5, None, 0.7], "v": ["a", None, "b"]})
    frame.to_parquet(tmp_path / "m.parquet")
    found = read(tmp_path / "m.parquet", version="v")
    assert points(series_of(found)) == {NOW - 3 * HOUR: 0.5, NOW - HOUR: 0.7}
    assert versions(series_of(found)) == ["a", "b"]


def test_times_without_a_zone_are_utc(tmp_path: Path) -> None:
    times = pd.to_datetime([NOW - HOUR], unit="s")
    pd.DataFrame({"time": times, "eval/accuracy": [0.5]}).to_parquet(tmp_path / "m.parquet")
    assert points(series_of(read(tmp_path / "m.parquet"))) == {NOW - HOUR: 0.5}


def test_decimals_and_a_time_that_pandas_wrote_as_its_index(tmp_path: Path) -> None:
    times = pd.Index(pd.to_datetime([NOW - HOUR], unit="s"), name="time")
    pd.DataFrame({"eval/accuracy": [Decimal("0.50")]}, index=times).to_parquet(tmp_path / "m.parquet")
    assert points(series_of(read(tmp_path / "m.parquet"))) == {NOW - HOUR: 0.5}


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_a_csv_with_another_separator(tmp_path: Path, separator: str) -> None:
    path = csv(tmp_path, f"time,eval/accuracy,note\n{NOW - HOUR},0.5,a\n".replace(",", separator))
    assert points(series_of(read(path))) == {NOW - HOUR: 0.5}


def test_a_compressed_csv(tmp_path: Path) -> None:
    path = tmp_path / "m.csv.gz"
    path.write_bytes(gzip.compress(f"time,eval/accuracy\n{NOW - HOUR},0.5\n".encode()))
    assert points(series_of(read(path))) == {NOW - HOUR: 0.5}


def test_of_many_files_the_later_one_wins(tmp_path: Path) -> None:
    csv(tmp_path, f"time,eval/accuracy\n{NOW - HOUR},0.5\n{NOW - 2 * HOUR},0.4\n", "a.csv")
    csv(tmp_path, f"time,eval/accuracy\n{NOW - HOUR},0.6\n", "b.csv")
    assert points(series_of(read(tmp_path / "*.csv"))) == {NOW - 2 * HOUR: 0.4, NOW - HOUR: 0.6}


def test_of_two_rows_for_one_time_the_later_one_wins(tmp_path: Path) -> None:
    path = csv(tmp_path, f"time,eval/accuracy\n{NOW - HOUR},0.5\n{NOW - HOUR},0.6\n")
    assert points(series_of(read(path))) == {NOW - HOUR: 0.6}


def test_bad_cells_are_told_with_file_and_row_and_the_others_are_kept(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        f"time,eval/accuracy\n{NOW - 3 * HOUR},0.9\n{NOW - 2 * HOUR},bad\nsoon,0.8\n{NOW - HOUR},0.7\n",
    )
    found = read(path)
    assert points(series_of(found)) == {NOW - 3 * HOUR: 0.9, NOW - HOUR: 0.7}
    assert f"{path}: no number in 1 cell of column 'eval/accuracy'; the first is 'bad' in row 2" in found.notes
    assert f"{path}: no time in 1 cell of column 'time'; the first is 'soon' in row 3" in found.notes


@pytest.mark.parametrize("word", ["", "NaN", "n/a", "NULL", "None", "<NA>", "#N/A"])
def test_words_for_an_empty_cell_are_no_values(tmp_path: Path, word: str) -> None:
    found = read(csv(tmp_path, f"time,eval/accuracy\n{NOW - 2 * HOUR},0.9\n{NOW - HOUR},{word}\n"))
    assert points(series_of(found)) == {NOW - 2 * HOUR: 0.9}
    assert not [note for note in found.notes if "no number" in note]


def test_many_bad_cells_are_counted(tmp_path: Path) -> None:
    path = csv(tmp_path, "time,eval/accuracy\n" + f"{NOW - HOUR},bad\n" * 20)
    notes = [note for note in read(path).notes if str(path) in note]
    assert notes == [f"{path}: no number in 20 cells of column 'eval/accuracy'; the first is 'bad' in row 1"]


MOMENT = datetime.fromtimestamp(NOW - NOW % DAY - 20 * HOUR, UTC)


@pytest.mark.parametrize(
    "cells",
    [
        [f"{MOMENT:%Y-%m-%d %H:%M:%S} UTC"],
        [f"{MOMENT:%Y/%m/%d %H:%M:%S} +0000"],
        [MOMENT.isoformat()],
        [int(f"{MOMENT:%Y%m%d%H%M%S}")],
        [f"{MOMENT:%Y%m%d%H%M}"],
        [MOMENT.timestamp() / DAY + 25_569],
        [int(MOMENT.timestamp() * 1e6)],
        [Decimal(int(MOMENT.timestamp()))],
        [MOMENT],
    ],
)
def test_times_are_read_as_measure_reads_them(tmp_path: Path, cells: list[Any]) -> None:
    pq.write_table(pa.table({"time": cells, "eval/accuracy": [0.5]}), tmp_path / "m.parquet")
    assert list(points(series_of(read(tmp_path / "m.parquet")))) == [pytest.approx(MOMENT.timestamp(), abs=1e-3)]


def test_times_are_local_where_the_table_says_so(tmp_path: Path) -> None:
    local = MOMENT.astimezone(ZoneInfo("Asia/Tokyo")).replace(tzinfo=None)
    path = csv(tmp_path, f"time,eval/accuracy\n{local},0.5\n")
    assert points(series_of(read(path, timezone="Asia/Tokyo"))) == {MOMENT.timestamp(): 0.5}


def test_local_times_that_are_taken_for_utc_are_in_the_future(tmp_path: Path) -> None:
    local = datetime.fromtimestamp(NOW, ZoneInfo("Asia/Tokyo")).replace(tzinfo=None)
    found = read(csv(tmp_path, f"time,eval/accuracy\n{local},0.5\n"))
    assert any("in the future. If times are local, name their zone: `table: {timezone" in note for note in found.notes)


def test_a_table_without_any_readable_time_is_an_error_with_three_cells(tmp_path: Path) -> None:
    found = read(csv(tmp_path, "time,eval/accuracy\nsoon,0.5\nlater,0.5\n,0.5\nnever,0.5\n"))
    assert "no row has a time that can be read in column 'time', such as 'soon', 'later', an empty cell." in found.error
    assert "20261120, days as Excel counts them" in found.error


def test_a_folder_with_partitions_capital_suffixes_and_what_is_no_part_of_it(tmp_path: Path) -> None:
    for folder, name, hour in (("version=7", "A.CSV", 3), ("version=8", "b.csv", 2), ("_temporary", "c.csv", 1)):
        (tmp_path / folder).mkdir()
        csv(tmp_path / folder, f"time,eval/accuracy\n{NOW - hour * HOUR},0.{hour}\n", name)
    for place in (tmp_path, tmp_path / "*/*.[cC][sS][vV]"):
        series = series_of(read(place, version="version"))
        assert points(series) == {NOW - 3 * HOUR: 0.3, NOW - 2 * HOUR: 0.2}
        assert versions(series) == ["7", "8"]


def test_a_broken_file_among_good_ones_is_left_out_and_told(tmp_path: Path) -> None:
    csv(tmp_path, f"time,eval/accuracy\n{NOW - HOUR},0.5\n", "a.csv")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 broken")
    found = read(tmp_path)
    assert points(series_of(found)) == {NOW - HOUR: 0.5}
    assert found.notes[0].startswith(f"left out: {tmp_path}/b.parquet: this is not a readable Parquet file")


def test_files_that_differ(tmp_path: Path) -> None:
    """Null first, then text numbers, then decimals, and a file without a column."""
    for name, cells in (
        ("a", pa.nulls(1)),
        ("b", pa.array(["0.5"])),
        ("c", pa.array([Decimal("0.6")])),
        ("d", pa.array([1])),
    ):
        hour = "abcd".index(name) + 1
        pq.write_table(pa.table({"time": [NOW - hour * HOUR], "eval/accuracy": cells}), tmp_path / f"{name}.parquet")
    pq.write_table(pa.table({"time": [NOW], "other": [1]}), tmp_path / "e.parquet")
    assert points(series_of(read(tmp_path))) == {NOW - 2 * HOUR: 0.5, NOW - 3 * HOUR: 0.6, NOW - 4 * HOUR: 1.0}


@pytest.mark.parametrize("name", ["m.csv", "m.parquet"])
def test_two_columns_of_one_name_are_an_error_that_names_file_and_column(tmp_path: Path, name: str) -> None:
    table = pa.table([[NOW - HOUR], [0.5], [0.6]], names=["time", "eval/accuracy", "eval/accuracy"])
    if name.endswith("csv"):
        csv(tmp_path, f"time,eval/accuracy,eval/accuracy\n{NOW},0.5,0.6\n", name)
    else:
        pq.write_table(table, tmp_path / name)
    assert read(tmp_path / name).error.startswith(f"{tmp_path / name}: two columns are named 'eval/accuracy'.")


def test_rows_before_the_history_are_left_out(tmp_path: Path) -> None:
    path = csv(tmp_path, f"time,eval/accuracy\n{NOW - 40 * DAY},0.5\n{NOW - HOUR},0.6\n")
    assert points(series_of(read(path))) == {NOW - HOUR: 0.6}


def test_a_column_that_is_missing_is_told(tmp_path: Path) -> None:
    path = csv(tmp_path, "tme,eval/accuracy\n1,2\n")
    assert read(path).error == f"{path}: the table has no column 'time'. Did you mean `tme`?"
    assert "no column 'release'" in read(path, time="tme", version="release").error


def test_a_key_that_is_missing_is_no_data(tmp_path: Path) -> None:
    found = read(csv(tmp_path, f"time,eval/acc\n{NOW - HOUR},0.6\n"))
    assert (found.error, found.series) == ("", ())
    assert found.notes == ("no points under eval/accuracy. Did you mean `eval/acc`?",)


@pytest.mark.parametrize(
    ("name", "error"), [("m.parquet", "this is not a readable"), ("m.csv", "this CSV file is in UTF-16")]
)
def test_a_file_that_is_no_table_is_an_error(tmp_path: Path, name: str, error: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe\x00nonsense")
    assert error in read(tmp_path / name).error


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    assert "this is not a readable CSV file" in read(csv(tmp_path, "")).error


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    assert read(tmp_path / "none.csv").error.startswith(f"{tmp_path}/none.csv: there is no such file or folder.")


def test_a_pipe_is_refused_without_being_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.csv")
    found = pull(table_model(str(tmp_path / "metrics.csv")), NOW)
    assert "this is no regular file" in found.error


@pytest.mark.parametrize("name", ["m.csv.gz", "m.csv.GZ"])
def test_a_small_file_that_unpacks_to_more_than_fits_is_refused(tmp_path: Path, name: str) -> None:
    with gzip.open(tmp_path / name, "wb") as file:
        file.write(b"time,eval/accuracy\n" + b"0" * 20_000_000)
    assert "a row has more than 8 MB" in pull(table_model(str(tmp_path / name)), NOW).error


def test_an_archive_is_no_table_whatever_it_unpacks_to(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.csv", "time,eval/accuracy\n" + "1790000000,0.9\n" * 1_000_000)
    assert "this is neither a Parquet" in pull(table_model(str(tmp_path / "m.csv.zip")), NOW).error


@pytest.mark.parametrize("end", ["\n", "\r"])
def test_more_cells_than_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    monkeypatch.setattr(table_source, "MAX_CELLS", 1_000_000)
    rows = ["2026-01-01"] * 600_000
    pq.write_table(pa.table({"time": rows, "eval/accuracy": rows, "note": rows}), tmp_path / "m.parquet")
    assert os.path.getsize(tmp_path / "m.parquet") < 10_000
    assert "more than 1,000,000 cells" in pull(table_model(str(tmp_path / "m.parquet")), NOW).error
    csv(tmp_path, f"time,eval/accuracy{end}" + f"1,1{end}" * 600_000)
    assert "more than 1,000,000 cells" in pull(table_model(str(tmp_path / "m.csv")), NOW).error


def test_columns_without_end_are_refused(tmp_path: Path) -> None:
    path = csv(tmp_path, "time,eval/accuracy" + ",x" * 1_000_000 + "\n")
    assert "there are 1,000,002 columns; at most 20,000 are read" in pull(table_model(str(path)), NOW).error


def test_a_text_that_repeats_is_kept_once(tmp_path: Path) -> None:
    """In a few kilobytes a file can hold a long text a million times."""
    path, text, count = tmp_path / "metrics.parquet", "v" * 10_000, 50_000
    columns = {
        "time": pa.array(range(1_790_000_000, 1_790_000_000 + count)),
        "version": pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([text])),
        "eval/accuracy": pa.array([0.9] * count),
    }
    pq.write_table(pa.table(columns), path, store_schema=False, compression="zstd")
    assert os.path.getsize(path) < 1_000_000
    series = series_of(pull(table_model(str(path), version="version"), 1_790_000_000.0 + count))
    assert len(series.versions) == 1
    assert len(series.versions[0]) < 1_100, "the beginning and a digest"


def test_a_long_cell_is_not_quoted_as_a_whole(tmp_path: Path) -> None:
    found = read(csv(tmp_path, "time,eval/accuracy\n2026-01-01," + "x" * 1_000_000 + "\n"))
    assert "no number in 1 cell" in found.notes[0]
    assert len(found.notes[0]) < 500
