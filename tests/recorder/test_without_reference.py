"""What a recorder's profiles say where no reference tells which categories there are."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from modelwatch.profiling.quality import column_quality
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.table import TableProfile

from .recorders import START, recorded_profile, recorded_rows, recorder


def quality(column: CategoricalProfile, reference: CategoricalProfile | None = None) -> dict[str, float]:
    known = None if reference is None else TableProfile(columns={"plan": reference})
    return dict(column_quality("plan", TableProfile(columns={"plan": column}), known))


def test_no_category_is_new(tmp_path: Path) -> None:
    with recorder(tmp_path / "spool", folder=tmp_path / "out") as made:
        made.record_batch({"plan": ["pro", "free", None], "region": ["eu"] * 3}, time=START)
    column = recorded_profile(tmp_path / "out").whole().columns["plan"]
    assert isinstance(column, CategoricalProfile)
    assert "new_rate" not in quality(column)
    assert quality(column, CategoricalProfile.of({"pro": 9, "free": 9}, frozenset({"pro"})))["new_rate"] == 2 / 3
    assert quality(CategoricalProfile.of({"pro": 1, "x": 1}, frozenset({"pro"})))["new_rate"] == 0.5


def test_times_and_versions_are_read_as_cells_are(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    with recorder(tmp_path / "spool", folder=tmp_path / "out") as made:
        for time in (START, moment, pd.Timestamp(moment), pd.Timestamp(moment).to_datetime64(), moment.isoformat()):
            assert made.record({}, time=time, version=float("nan")) is not None  # type: ignore[arg-type]
        for version in (pd.NA, pd.NaT, b"v1"):
            assert made.record({}, time=moment, version=version) is not None
        assert made.record({}, time="at noon") is None  # type: ignore[arg-type]
    rows = recorded_rows(tmp_path / "out")
    assert {(row["time"], row["version"]) for row in rows} == {(START, "v1")}
    assert len(rows) == 8


def test_of_two_columns_of_one_name_the_first_is_recorded(tmp_path: Path) -> None:
    with recorder(tmp_path / "spool", folder=tmp_path / "out") as made:
        for _ in range(2):
            assert made.record_batch(pd.DataFrame([[1.0, 2.0]], columns=["a", "a"])) == 1
        assert made.stats().columns_dropped == 2
    assert [row["a"] for row in recorded_rows(tmp_path / "out")] == [1.0, 1.0]
