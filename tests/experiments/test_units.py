"""Which units count, with which values: cases that were computed by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelwatch.errors import Exit, SourceError, UserError
from modelwatch.model.experiment import (
    BusinessOutcomesSpec,
    ExperimentMetric,
    ExperimentResult,
    ExperimentSpec,
    MetricForm,
    MissingOutcome,
    RepeatedOutcome,
)
from modelwatch.timeutil import DAY

from .tables import OUTCOMES, SPEC, START, Table, analyse, first, model, simple_log

NOW = START + 30 * DAY
UNITS = replace(SPEC, unit="customer", follow_up=7 * DAY)


def log(rows: list[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Rows (id, day, arm, customer)."""
    columns = list(map(list, zip(*rows, strict=True)))
    return {
        "id": columns[0],
        "at": [START + day * DAY for day in columns[1]],
        "arm": columns[2],
        "customer": columns[3],
    }


def outcomes(rows: list[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Rows (id, day, revenue)."""
    columns = list(map(list, zip(*rows, strict=True)))
    known = [None if day is None else START + day * DAY for day in columns[1]]
    return {"id": columns[0], "known": known, "revenue": columns[2]}


ROWS = [
    (1, 0, "control", "a"),
    (2, 3, "control", "a"),
    (3, 9, "control", "a"),
    (4, 1, "new", "b"),
    (5, 2, "control", "c"),
]
PAID = [(1, 0.5, 10.0), (2, 3.5, 5.0), (3, 9.5, 100.0), (4, 1.5, 7.0), (4, 1.7, 9.0), (5, 3, 1.0)]


def run(
    folder: Path,
    spec: ExperimentSpec = UNITS,
    rows: list[tuple[Any, ...]] = ROWS,
    paid: list[tuple[Any, ...]] = PAID,
    table: BusinessOutcomesSpec = OUTCOMES,
    now: float = NOW,
) -> ExperimentResult:
    return analyse(model(folder, log(rows), outcomes(paid), table=table, lag=7 * DAY), spec, now, folder)


def values(result: ExperimentResult) -> tuple[float | None, float | None]:
    return first(result).control, first(result).treatment


def test_a_unit_is_worth_what_it_brought_in_the_time_it_was_followed(tmp_path: Path) -> None:
    """Customer a: 10 + 5, and not the 100 of day 9; c: 1. Of b the later of two outcomes."""
    found = run(tmp_path)
    assert values(found) == (8.0, 9.0)
    assert [(arm.name, arm.entered, arm.analysed) for arm in found.arms] == [("control", 2, 2), ("new", 1, 1)]
    assert any("another one, and the later one counts" in note for note in found.notes)


def test_a_correction_after_the_follow_up_changes_nothing(tmp_path: Path) -> None:
    """That of b on day 20 comes too late; that of c on day 8 is in time, and one that is empty changes nothing."""
    found = run(tmp_path, paid=[*PAID, (4, 20, 500.0), (5, 8, 2.0), (5, 8.5, None)])
    assert values(found) == (8.5, 9.0)


def test_a_correction_counts_from_the_day_on_which_it_was_known(tmp_path: Path) -> None:
    """Those who look on day 8.2, when b was followed for seven days, do not know what came on day 8.5."""
    paid = [(4, 1.5, 7.0), (4, 7.5, 9.0), (4, 8.5, 50.0), (1, 8.3, 3.0)]
    found = run(tmp_path, paid=paid, now=START + 8.2 * DAY)
    assert values(found) == (None, 9.0)


def test_outcomes_that_add_up(tmp_path: Path) -> None:
    found = run(tmp_path, table=replace(OUTCOMES, repeated=RepeatedOutcome.ADD))
    assert values(found) == (8.0, 16.0)
    assert found.notes == ()


def test_a_unit_that_was_not_followed_long_enough_does_not_count(tmp_path: Path) -> None:
    """On day 8.5, c (since day 2) is followed for 6.5 days."""
    found = run(tmp_path, now=START + 8.5 * DAY)
    assert values(found) == (15.0, 9.0)
    assert [(arm.entered, arm.followed) for arm in found.arms] == [(2, 1), (1, 1)]


def test_no_outcome_is_unknown_or_zero(tmp_path: Path) -> None:
    paid = [row for row in PAID if row[0] != 5]
    unknown = run(tmp_path / "unknown", paid=paid)
    zero = run(tmp_path / "zero", paid=paid, table=replace(OUTCOMES, missing=MissingOutcome.ZERO))
    assert values(unknown) == (15.0, 9.0)
    assert unknown.arms[0].analysed == 1
    assert values(zero) == (7.5, 9.0)
    assert zero.arms[0].analysed == 2


def test_a_row_without_a_number_is_unknown_where_no_row_is_nothing(tmp_path: Path) -> None:
    """An export with decimal commas is no fall in revenue: customer a, of whom one value cannot be read, has none."""
    paid = [(1, 0.5, "12,5"), (2, 3.5, "5"), (4, 1.5, "9"), (5, 3, "1")]
    found = run(tmp_path, paid=paid, table=replace(OUTCOMES, missing=MissingOutcome.ZERO))
    assert values(found) == (1.0, 9.0)
    assert [arm.analysed for arm in found.arms] == [1, 1]


@pytest.mark.parametrize(
    ("metric", "missing", "expected"),
    [
        (ExperimentMetric("m", "revenue", MetricForm.SHARE), "unknown", (1.0, 1.0)),
        (ExperimentMetric("m", "revenue", MetricForm.SHARE), "zero", (2 / 3, 1.0)),
        (ExperimentMetric("m", "revenue", MetricForm.MEAN), "unknown", (16 / 3, 9.0)),
        (ExperimentMetric("m", "revenue", MetricForm.MEAN), "zero", (4.0, 9.0)),
        (ExperimentMetric("m", "revenue", cap=8.0), "unknown", (4.5, 8.0)),
    ],
)
def test_forms_of_metrics(
    tmp_path: Path, metric: ExperimentMetric, missing: str, expected: tuple[float, float]
) -> None:
    """Customer d has a prediction without an outcome."""
    rows = [*ROWS, (6, 2, "control", "d")]
    spec = replace(UNITS, metrics=(metric,))
    found = run(tmp_path, spec, rows, table=replace(OUTCOMES, missing=MissingOutcome(missing)))
    assert values(found) == pytest.approx(expected)


def test_a_ratio_of_two_columns(tmp_path: Path) -> None:
    """(10 + 5 + 1) / (2 + 2 + 4), and 9 / 3; a null on either side is no pair."""
    paid = {**outcomes(PAID), "orders": [2, 2, 50, 3, 3, 4]}
    spec = replace(UNITS, metrics=(ExperimentMetric("m", "revenue", per="orders"),))
    found = analyse(model(tmp_path, log(ROWS), paid, lag=7 * DAY), spec, NOW, tmp_path)
    assert values(found) == (2.0, 3.0)


def test_values_in_the_log_need_no_outcomes(tmp_path: Path) -> None:
    table: Table = {
        "id": [1, 2, 3],
        "at": [START] * 3,
        "arm": ["control", "control", "new"],
        "revenue": [1.0, 2.0, 5.0],
    }
    found = analyse(model(tmp_path, table), SPEC, NOW, tmp_path)
    assert values(found) == (1.5, 5.0)


def test_a_unit_in_two_arms_counts_in_none(tmp_path: Path) -> None:
    rows = [*ROWS, (6, 2, "control", "b"), (7, 3, "new", "e")]
    found = run(tmp_path, rows=rows, paid=[*PAID, (7, 3, 4.0)])
    assert found.mixed_units == 1
    assert values(found) == (8.0, 4.0)


def test_rows_in_no_arm_before_the_start_and_after_the_end_do_not_count(tmp_path: Path) -> None:
    rows = [*ROWS, (6, -1, "new", "d"), (7, 2, None, "e"), (8, 12, "new", "f")]
    paid = [*PAID, (6, 0, 50.0), (7, 3, 50.0), (8, 12, 50.0)]
    found = run(tmp_path, replace(UNITS, until=START + 10 * DAY), rows, paid)
    assert sum(arm.entered for arm in found.arms) == 3
    assert values(found) == (8.0, 9.0)


def test_rows_after_the_end_still_count_for_units_that_entered_before(tmp_path: Path) -> None:
    """Customer a's second prediction is on day 3, after the end on day 2.5."""
    assert values(run(tmp_path, replace(UNITS, until=START + 2.5 * DAY))) == (8.0, 9.0)


def test_outcomes_without_sense_are_left_out_and_reported(tmp_path: Path) -> None:
    paid = [(1, 0.5, float("inf")), (2, 3.5, 5.0), (4, 0.5, 7.0), (5, None, 3.0), (5, 2.5, float("nan"))]
    found = run(tmp_path, paid=paid)
    assert values(found) == (5.0, None)
    notes = "\n".join(found.notes)
    assert "1 cell is infinite in 'revenue' of the outcomes: taken as missing." in notes
    assert "1 outcome is left out: known before the prediction." in notes
    assert "1 outcome is left out: 'known' holds no time there." in notes


def test_a_repeated_id_in_the_log_counts_once(tmp_path: Path) -> None:
    found = run(tmp_path, rows=[*ROWS, (1, 5, "new", "z")])
    assert values(found) == (8.0, 9.0)
    assert "1 row is left out: an earlier row of the log has the same 'id'." in found.notes


def test_text_in_a_column_of_numbers_is_reported(tmp_path: Path) -> None:
    paid = {"id": [1, 4, 5], "known": [START + 2 * DAY] * 3, "revenue": ["10", "seven", "3"]}
    found = analyse(model(tmp_path, log(ROWS), paid, lag=7 * DAY), UNITS, NOW, tmp_path)
    assert values(found) == (6.5, None)
    assert "1 cell is no number in 'revenue' of the outcomes: taken as missing." in found.notes


def test_equal_values_have_no_interval_and_say_so(tmp_path: Path) -> None:
    found = analyse(model(tmp_path, simple_log(revenue=np.full(1000, 3.0))), SPEC, NOW, tmp_path)
    assert first(found).low is None
    assert "revenue: every unit has the same value, 3." in found.notes


def test_nobody_has_come_yet(tmp_path: Path) -> None:
    found = run(tmp_path, replace(UNITS, start=START + 20 * DAY))
    assert [arm.entered for arm in found.arms] == [0, 0]
    assert first(found).difference is None


def test_arms_that_are_numbers_are_compared_as_text(tmp_path: Path) -> None:
    table = simple_log()
    table["arm"] = (table["arm"] == "new").astype(np.int64)
    spec = replace(SPEC, arms=(("0", 1.0), ("1", 1.0)), control="0")
    assert analyse(model(tmp_path, table), spec, NOW, tmp_path).arms[1].entered > 400


def fails(folder: Path, spec: ExperimentSpec, log: Table, outcomes: Table | None = None, now: float = NOW) -> str:
    with pytest.raises(UserError) as caught:
        analyse(model(folder, log, outcomes, lag=0), spec, now, folder)
    assert caught.value.exit_code == Exit.USAGE
    return str(caught.value)


def test_an_arm_that_is_not_configured(tmp_path: Path) -> None:
    table = simple_log()
    table["arm"][:7] = "newer"
    message = fails(tmp_path, replace(SPEC, arms=(("control", 1.0), ("newest", 1.0))), table)
    assert "the arm 'new' of " in message or "the arm 'newer' of " in message
    assert "rows is not one of the experiment's: control, newest." in message


def test_one_arm_only(tmp_path: Path) -> None:
    message = fails(tmp_path, SPEC, simple_log(arm=np.full(1000, "control")))
    assert "no unit is in the arm 'new' of the experiment 'checkout', of 1,000 in all." in message


def test_an_experiment_that_begins_later(tmp_path: Path) -> None:
    message = fails(tmp_path, SPEC, simple_log(), now=START - DAY)
    assert "the experiment 'checkout' begins at 2026-10-01 00:00 UTC, later than now." in message


def test_a_column_that_no_table_has(tmp_path: Path) -> None:
    message = fails(tmp_path, replace(SPEC, metrics=(ExperimentMetric("r", "revenu"),)), simple_log())
    assert "the log does not have a column 'revenu'" in message
    assert "revenue" in message
    bare = {name: column for name, column in simple_log().items() if name != "revenue"}
    paid = {"id": [1], "known": [START + DAY], "amount": [1.0]}
    assert "neither the log nor the outcomes have a column 'revenue'" in fails(tmp_path / "b", SPEC, bare, paid)


def test_outcomes_of_other_ids(tmp_path: Path) -> None:
    bare = {name: column for name, column in simple_log().items() if name != "revenue"}
    paid = {"id": ["x-1", "x-2"], "known": [START + DAY] * 2, "revenue": [1.0, 2.0]}
    message = fails(tmp_path, SPEC, bare, paid)
    assert "none of the 2 outcome ids is in the log: its ids are such as '0'" in message
    assert "those of the outcomes such as 'x-1'" in message


def test_times_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no row has a time that can be read in column 'at'"):
        analyse(model(tmp_path, simple_log(at=["yesterday"] * 1000)), SPEC, NOW, tmp_path)


def test_outcomes_from_a_query(tmp_path: Path) -> None:
    """SQL through DuckDB: two files in one result."""
    run(tmp_path)  # writes the files
    query = f"FROM '{tmp_path}/outcomes/*.parquet' SELECT id, known, 2 * revenue AS revenue WHERE id < 5"
    table = BusinessOutcomesSpec("id", query=query, time="known")
    found = analyse(model(tmp_path, log(ROWS), table=table, lag=7 * DAY), UNITS, NOW, tmp_path)
    assert values(found) == (30.0, 18.0)
