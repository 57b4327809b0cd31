"""Pulled points as a table."""

from __future__ import annotations

from array import array
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest

from modelwatch.errors import UserError
from modelwatch.model.series import PulledSeries, Series
from modelwatch.series_table import COLUMNS, check_table_path, encode_table, to_frame

WHOLE = Series(
    "eval/accuracy",
    (),
    array("d", [1_790_000_000.0, 1_790_003_600.5]),
    array("d", [0.9, float("nan")]),
    None,
    (),
    array("i", [-1, -1]),
)
SEGMENT = Series(
    "eval/accuracy",
    (("region", "eu"),),
    array("d", [1_790_000_000.0, 1_790_003_600.0]),
    array("d", [0.8, 0.7]),
    array("d", [200.0, 0.0]),
    ("=v1",),
    array("i", [0, -1]),
)
PULLS = (PulledSeries("churn", (WHOLE, SEGMENT)), PulledSeries("fraud", (), error="HTTP 503"))


def test_each_point_is_a_row() -> None:
    frame = to_frame(PULLS)
    assert tuple(frame.columns) == COLUMNS
    assert frame["segment"].tolist() == ["", "", "region=eu", "region=eu"]
    assert frame["time"].tolist()[1] == pd.Timestamp("2026-09-21T15:13:20.5Z")
    assert frame["value"].tolist()[::2] == [0.9, 0.8]
    assert frame["weight"].isna().tolist() == [True, True, False, False]
    assert frame["version"].tolist() == ["", "", "=v1", ""]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_both_formats_come_back(suffix: str) -> None:
    content = BytesIO(encode_table(PULLS, suffix))
    frame = pd.read_csv(content, parse_dates=["time"]) if suffix == ".csv" else pd.read_parquet(content)
    assert frame["value"].dropna().tolist() == [0.9, 0.8, 0.7]
    assert frame["time"].iloc[0] == pd.Timestamp(1_790_000_000, unit="s", tz="UTC")
    assert frame["version"].iloc[2] == ("'=v1" if suffix == ".csv" else "=v1")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_without_points_has_its_columns(suffix: str) -> None:
    content = BytesIO(encode_table(PULLS[1:], suffix))
    frame = pd.read_csv(content) if suffix == ".csv" else pd.read_parquet(content)
    assert tuple(frame.columns) == COLUMNS
    assert frame.empty


def test_another_suffix_is_refused() -> None:
    with pytest.raises(UserError, match=r"written as \.csv or \.parquet"):
        check_table_path(Path("points.xlsx"))
