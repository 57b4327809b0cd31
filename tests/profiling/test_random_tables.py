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
from modelwatch.model.monitored_model import GateSpec, Model
from modelwatch.model.prediction_log import MeasureSpec, OutcomesSpec
from modelwatch.profiling.measure import MeasureResult, measure
from modelwatch.profiling.readers import open_log
from modelwatch.profiling.reference_store import capture_reference
from modelwatch.profiling.row_explanation import Periods, explain_rows
from modelwatch.release.pairing import read_comparison
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.numeric import NumericProfile
from modelwatch.stats.profile.table import TableProfile

from ..sources.builders import pull, rule, table_model
from .random_tables import COLUMNS, DAY, START, RandomTable, json_lines, random_tables, written_rows

TABLES = int(os.environ.get("FUZZ_TABLES", "180"))
MANY = settings(max_examples=TABLES // 6)
"""Random tables, for each of six tests; `make fuzz` tries 10,000 in all."""
FEW = settings(max_examples=TABLES // 36)
"""DuckDB opens each file many times."""
NOW = float(START + 3 * DAY)
Row = dict[str, Any]
Result = TypeVar("Result")


def measured(folder: Path, table: RandomTable, **fields: Any) -> MeasureResult:
    return measure(Model("churn", (), measure=spec_of(folder, table, **fields)), NOW, {}, RetryPolicy(), folder)


def spec_of(folder: Path, table: RandomTable, **fields: Any) -> MeasureSpec:
    roles = {name: name for name in ("id", "time", "version", "prediction", "label")}
    return MeasureSpec(
        segments=("region",), min_rows=1, positive=table.positive, features=("x", "kind"),
        **{"files": str(folder), **roles, **fields},
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


@MANY
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
    assert all(row.scalars["quality/unreadable_files"] == len(table.broken) for row in found.rows)
    check_windows(found, dated)
    check_broken(found.notes, table)
    if dated:
        check_columns(found.profile.whole(), dated)


def check_windows(found: MeasureResult, dated: list[Row]) -> None:
    windows = {(row.window, row.version): dict(row.scalars) for row in found.rows}
    expected: dict[tuple[float, str], list[Row]] = {}
    for row in dated:
        expected.setdefault((float(row["time"] // DAY * DAY), row["version"] or ""), []).append(row)
    assert windows.keys() == expected.keys()
    for cell, rows in expected.items():
        check_rows(windows[cell], rows)


@FEW
@given(st.data())
def test_json_lines_are_read_through_duckdb(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("log")
    table = data.draw(json_lines(folder))
    _, error = attempt(lambda: measured(folder, table))
    assert f"`query: \"FROM '{folder}/*.jsonl'\"`" in error
    dated = [row for row in table.rows if row["time"] is not None]
    found, error = attempt(lambda: measured(folder, table, files="", query=f"FROM '{folder}/*.jsonl'"))
    if found is None:
        check_refusal(error, table, dated)
        return
    check_windows(found, dated)


@MANY
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


@MANY
@given(st.data())
def test_labels_of_a_second_table_are_joined(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("log")
    table = data.draw(random_tables(folder / "log", [name for name in COLUMNS if name != "label"]))
    labels = [
        {"id": row["id"], "label": chosen, "known": START + 4 * DAY * later + turn}
        for row in table.rows
        for turn, chosen in enumerate(data.draw(st.lists(st.sampled_from([0, 1]), max_size=2)))
        for later in [data.draw(st.sampled_from([0, 0, 0, 1]))]
    ]
    shuffled = data.draw(st.permutations(labels))
    for number, part in enumerate((shuffled[: len(labels) // 2], shuffled[len(labels) // 2 :])):
        data.draw(written_rows(folder / "labels", f"{number}", part, table.positive, ("id", "label", "known")))
    for row in table.rows:
        known = [label for label in labels if label["id"] == row["id"] and label["known"] <= NOW]
        row["label"] = max(known, key=lambda label: label["known"])["label"] if known else None
    outcomes = OutcomesSpec(str(folder / "labels"), "id", "label", "known")
    found, error = attempt(lambda: measured(folder / "log", table, outcomes=outcomes, label="label", maturity=0.0))
    dated = [row for row in table.rows if row["time"] is not None]
    if found is None:
        check_refusal(error, table, dated)
        return
    check_windows(found, dated)


@MANY
@given(st.data())
def test_an_explanation_is_of_the_rows_of_both_periods(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("log")
    table = data.draw(random_tables(folder))
    dated = [row for row in table.rows if row["time"] is not None]
    model, periods = Model("churn", (), measure=spec_of(folder, table)), Periods(START, START + DAY, START + 2 * DAY)
    found, error = attempt(lambda: explain_rows(model, periods, {}, RetryPolicy(), folder))
    known = [row for row in dated if row["label"] is not None and row["prediction"] is not None]
    before, after = ([row for row in known if (row["time"] >= START + DAY) == late] for late in (False, True))
    if found is None:
        if "period has no row with a label" in error:
            assert not (before and after)
        else:
            check_refusal(error, table, dated)
        return
    assert found.row_counts == (len(before), len(after))
    for share, rows in ((found.before, before), (found.after, after)):
        assert share == pytest.approx(sum(row["label"] == row["prediction"] for row in rows) / len(rows))
    check_broken(found.notes, table)


@MANY
@given(st.data())
def test_the_gate_pairs_the_same_rows(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("log")
    champion = data.draw(random_tables(folder / "champion"))
    columns = ("id", "label", "prediction", "region")
    rows = [
        row | {"prediction": data.draw(st.sampled_from([row["prediction"], 0, 1, None]))}
        for row in data.draw(st.permutations(champion.rows))
        if data.draw(st.integers(0, 9))
    ]
    candidate = data.draw(written_rows(folder / "candidate", "0", rows, champion.positive, columns))
    spec = spec_of(folder, champion)
    ours_log, theirs_log = (open_log(str(folder / name)) for name in ("champion", "candidate"))
    gate = GateSpec(metric="accuracy", segments=("region",))
    found, error = attempt(lambda: read_comparison("holdout", ours_log, theirs_log, spec, gate))
    if found is None:
        assert champion.broken or "neither table has" in error or "has no column" in error, error
        return
    theirs = {row["id"]: row for row in candidate}
    pairs = [(row, theirs[row["id"]]) for row in champion.rows if row["id"] in theirs]
    known = [
        (row["label"] if row["label"] is not None else other["label"], row["prediction"], other["prediction"])
        for row, other in pairs
    ]
    whole = [cells for cells in known if None not in cells]
    assert found.pairs.n == len(whole)
    if whole:
        ours, candidates = found.pairs.champion, found.pairs.candidate
        assert found.pairs.label is not None
        assert ours is not None
        assert candidates is not None
        assert (ours == found.pairs.label).sum() == sum(label == one for label, one, _ in whole)
        assert (candidates == found.pairs.label).sum() == sum(label == other for label, _, other in whole)


@MANY
@given(st.data())
def test_a_table_of_metrics_is_read_as_it_is_meant(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("metrics")
    table = data.draw(random_tables(folder, ("time", "version", "x")))
    found = pull(table_model(str(folder), rule("x"), version="version"), NOW, env={})
    dated = [row for row in table.rows if row["time"] is not None]
    if found.error:
        assert "no row has a time" in found.error, found.error
        assert table.rows
        assert not dated
        return
    check_broken(found.notes, table)
    expected = {row["time"]: (row["x"], row["version"] or "") for row in dated if row["x"] is not None}
    times = Counter(row["time"] for row in dated)
    read: dict[int, tuple[float, str]] = {}
    for series in found.series:
        read |= {
            round(time): (value, series.versions[place] if place >= 0 else "")
            for time, value, place in zip(series.times, series.values, series.version_of, strict=True)
        }
    once = {time for time in expected if times[time] == 1}
    assert {time: read.get(time) for time in once} == {time: expected[time] for time in once}
    assert read.keys() == expected.keys()
