"""CSV and Parquet."""

from __future__ import annotations

import gzip
import lzma
import math
import os
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import TableSpec
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
        f"time,eval/accuracy\n{NOW - 3 * HOUR},0.9\n{NOW - 2 * HOUR},n/a\nsoon,0.8\n{NOW - HOUR},NaN\n",
    )
    found = read(path)
    series = series_of(found)
    assert list(series.times) == [NOW - 3 * HOUR, NOW - HOUR]
    assert math.isnan(series.values[1])
    assert f"{path}:3: 'n/a' in column 'eval/accuracy' is not a number" in found.notes
    assert f"{path}:4: no time in column 'time'" in found.notes


def test_many_bad_cells_are_counted(tmp_path: Path) -> None:
    path = csv(tmp_path, "time,eval/accuracy\n" + f"{NOW - HOUR},bad\n" * 20)
    notes = [note for note in read(path).notes if str(path) in note]
    assert len(notes) == 6
    assert notes[-1] == f"{path}: 15 more bad cells"


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
    assert found.notes == ("no points under eval/accuracy; did you mean eval/acc?",)


@pytest.mark.parametrize("name", ["m.parquet", "m.csv"])
def test_a_file_that_is_no_table_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe\x00nonsense")
    assert "this is not a readable" in read(tmp_path / name).error


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    assert "this is not a readable CSV file" in read(csv(tmp_path, "")).error


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    assert read(tmp_path / "none.csv").error.startswith(f"{tmp_path}/none.csv: there is no such file.")


def test_a_pipe_is_refused_without_being_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.csv")
    found = pull(table_model(str(tmp_path / "metrics.csv")), NOW)
    assert "this is no regular file" in found.error


@pytest.mark.parametrize(("name", "pack"), [("m.csv.gz", gzip.open), ("m.csv.GZ", gzip.open), ("m.csv.xz", lzma.open)])
def test_a_small_file_that_unpacks_to_more_than_fits_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, pack: Any
) -> None:
    monkeypatch.setattr(table_source, "MAX_BYTES", 4_000_000)
    with pack(tmp_path / name, "wb") as file:
        file.write(b"time,eval/accuracy\n" + b"0" * 8_000_000)
    assert "more than 4,000,000 bytes" in pull(table_model(str(tmp_path / name)), NOW).error


def test_an_archive_is_no_table_whatever_it_unpacks_to(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.csv", "time,eval/accuracy\n" + "1790000000,0.9\n" * 1_000_000)
    assert "this is not a readable CSV file" in pull(table_model(str(tmp_path / "m.csv.zip")), NOW).error


@pytest.mark.parametrize("end", ["\n", "\r"])
def test_more_cells_than_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    monkeypatch.setattr(table_source, "MAX_CELLS", 1_000_000)
    rows = ["2026-01-01"] * 600_000
    pq.write_table(pa.table({"time": rows, "eval/accuracy": rows, "note": rows}), tmp_path / "m.parquet")
    assert os.path.getsize(tmp_path / "m.parquet") < 10_000
    assert "more than 1,000,000 cells" in pull(table_model(str(tmp_path / "m.parquet")), NOW).error
    csv(tmp_path, f"time,eval/accuracy{end}" + f"1,1{end}" * 600_000)
    assert "more than 1,000,000 cells" in pull(table_model(str(tmp_path / "m.csv")), NOW).error


def test_columns_without_end_are_refused_before_they_are_parsed(tmp_path: Path) -> None:
    path = csv(tmp_path, "time,eval/accuracy" + ",x" * 1_000_000 + "\n")
    assert "its first line has more than 1,048,576 bytes" in pull(table_model(str(path)), NOW).error


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
    cells = table_source._TableFile(str(path), TableSpec(str(path), version="version")).rows(lambda name: name)
    kept = {id(version) for _, _, version, _ in cells}
    assert len(kept) == 1


def test_a_long_cell_is_not_quoted_as_a_whole(tmp_path: Path) -> None:
    found = read(csv(tmp_path, "time,eval/accuracy\n2026-01-01," + "x" * 1_000_000 + "\n"))
    assert "is not a number" in found.notes[0]
    assert len(found.notes[0]) < 500
