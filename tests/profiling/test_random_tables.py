"""Whatever table is read, in any type, word and format: the right number, a note or one clear paragraph."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.clients.retry import RetryPolicy
from modelwatch.errors import UserError
from modelwatch.model.keys import key_of
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.profiling.measure import MeasureResult, measure
from modelwatch.profiling.readers import open_log
from modelwatch.profiling.reference_store import capture_reference
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.numeric import NumericProfile
from modelwatch.stats.profile.table import TableProfile

from .random_tables import DAY, START, RandomTable, random_tables

TABLES = int(os.environ.get("FUZZ_TABLES", "100"))
"""Random tables; `make fuzz` tries 10,000."""
FEWER = settings(max_examples=TABLES // 3)
NOW = float(START + 3 * DAY)
Row = dict[str, Any]
Result = TypeVar("Result")


def measured(folder: Path, table: RandomTable, **fields: Any) -> MeasureResult:
    return measure(Model("churn", (), measure=spec_of(folder, table, **fields)), NOW, {}, RetryPolicy(), folder)


def spec_of(folder: Path, table: RandomTable, **fields: Any) -> MeasureSpec:
    roles = {name: name for name in ("id", "time", "version", "prediction", "label")}
    return MeasureSpec(
        str(folder), segments=("region",), min_rows=1, positive=table.positive, features=("x", "kind"),
        **{**roles, **fields},
    )  # fmt: skip


def attempt(action: Callable[[], Result]) -> tuple[Result | None, str]:
    """What the action returns, or its error as one paragraph."""
    try:
        return action(), ""
    except UserError as error:
        text = str(error)
    assert 20 < len(text) < 2000
    assert "\n" not in text
    return None, text


def check_rows(found: dict[str, float], rows: list[Row]) -> None:
    """What is published of one window and version, against a plain count."""
    assert found["quality/rows"] == len(rows)
    by_region = Counter(row["region"] or "(missing)" for row in rows)
    for region, count in by_region.items():
        assert found[key_of("quality/rows", (("region", region),))] == count
    for labels, part in [((), rows), *(((("region", name),), rows_of(rows, name)) for name in by_region)]:
        known = [row for row in part if row["label"] is not None and row["prediction"] is not None]
        key = key_of("eval/accuracy", labels)
        if known:
            assert found[key_of("eval/n", labels)] == len(known)
            right = sum(row["label"] == row["prediction"] for row in known)
            assert found[key] == pytest.approx(right / len(known), abs=1e-12)
        else:
            assert key not in found


def rows_of(rows: list[Row], region: str) -> list[Row]:
    return [row for row in rows if (row["region"] or "(missing)") == region]


def check_columns(table: TableProfile, rows: list[Row]) -> None:
    """The profile of the inputs, against a plain count."""
    numbers = [row["x"] for row in rows if row["x"] is not None]
    column = table.columns["x"]
    if numbers:
        assert isinstance(column, NumericProfile)
        assert (column.n, column.missing, column.other_types) == (len(numbers), len(rows) - len(numbers), 0)
        assert (column.low, column.high) == (min(numbers), max(numbers))
    names = Counter(row["kind"] for row in rows)
    column = table.columns["kind"]
    if set(names) - {None}:
        assert isinstance(column, CategoricalProfile)
        assert column.missing == names.pop(None, 0)
        assert column.named_counts == names


def check_refusal(error: str, table: RandomTable, dated: list[Row]) -> None:
    """That there was a reason to publish nothing."""
    if "no row has a time" in error:
        assert table.rows
        assert not dated
        return
    assert "no prediction is ever a label" in error
    predicted, labels = ({row[name] for row in dated} - {None} for name in ("prediction", "label"))
    assert not predicted & labels


def check_broken(notes: tuple[str, ...], table: RandomTable) -> None:
    for name in table.broken:
        assert any(note.startswith("left out: ") and name in note for note in notes), name


@settings(max_examples=TABLES)
@given(st.data())
def test_measure_counts_what_the_rows_mean(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("log")
    table = data.draw(random_tables(folder))
    dated = [row for row in table.rows if row["time"] is not None]
    found, error = attempt(lambda: measured(folder, table))
    if found is None:
        check_refusal(error, table, dated)
        return
    assert found.profile.undated == len(table.rows) - len(dated)
    assert found.profile.rows == len(dated)
    windows = {(row.window, row.version): dict(row.scalars) for row in found.rows}
    expected: dict[tuple[float, str], list[Row]] = {}
    for row in dated:
        expected.setdefault((float(row["time"] // DAY * DAY), row["version"] or ""), []).append(row)
    assert windows.keys() == expected.keys()
    for cell, rows in expected.items():
        check_rows(windows[cell], rows)
        assert windows[cell]["quality/unreadable_files"] == len(table.broken)
    check_broken(found.notes, table)
    if dated:
        check_columns(found.profile.whole(), dated)


@FEWER
@given(st.data())
def test_a_capture_counts_what_the_rows_mean(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("log")
    table = data.draw(random_tables(folder))
    captured, error = attempt(lambda: capture_reference(open_log(str(folder)), spec_of(folder, table)))
    if captured is None:
        assert table.broken or not table.rows, error
        return
    profile = captured[0].whole()
    assert not table.broken
    assert profile.rows == len(table.rows)
    check_columns(profile, table.rows)
