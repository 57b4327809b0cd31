"""Estimates of windows without labels, and their check once labels are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import EstimatesSpec, MeasureSpec, OutcomesSpec
from modelwatch.profiling import estimate_rows
from modelwatch.profiling.engines.file_partitions import FilesEngine
from modelwatch.profiling.measure import MeasureResult, measure
from modelwatch.profiling.window_selection import WindowSelection

from .engines.test_file_partitions import Inline
from .logs import DAY, START, write

DAYS, ROWS, LATE = 30, 300, 7
ROLES = {name: name for name in ("id", "time", "version", "score", "prediction", "label")}


def serving(days: int = DAYS, rows: int = ROWS, *, drift_day: float = 1e9, labelled_days: float = 1e9) -> pa.Table:
    """From ``drift_day`` on labels do not follow the score; from ``labelled_days`` on there are none."""
    random = np.random.default_rng(3)
    n = days * rows
    day = np.repeat(np.arange(days), rows)
    age, plan = random.normal(0, 1, n), random.choice(["free", "pro"], n)
    truth = 1 / (1 + np.exp(-(1.5 * age + np.where(plan == "pro", 0.7, -0.3))))
    score = 1 / (1 + np.exp(-2.5 * age))  # too sure of itself
    label = random.random(n) < np.where(day >= drift_day, 1 - truth, truth)
    cells = np.where(label, "yes", "no").astype(object)
    cells[day >= labelled_days] = None
    return pa.table(
        {
            "id": [f"row-{row}" for row in range(n)],
            "time": START + day * DAY + np.tile(np.linspace(0, DAY - 1, rows), days),
            "version": ["v1"] * n,
            "age": age,
            "plan": plan,
            "score": score,
            "prediction": np.where(score > 0.5, "yes", "no"),
            "label": pa.array(cells.tolist(), pa.string()),
        }
    )


def measured(place: Path, table: pa.Table, *, day: float = DAYS, **changed: Any) -> MeasureResult:
    """What is measured when so many days are over."""
    selection = changed.pop("selection", None)
    settings: dict[str, Any] = {**ROLES, "late": LATE * DAY, "estimates": EstimatesSpec(), **changed}
    spec = MeasureSpec(str(write(table, place / "log.parquet")), **settings)
    return measure(Model("churn", (), measure=spec), START + day * DAY, {}, RetryPolicy(), place, selection)


def by_day(result: MeasureResult, prefix: str = "estimate") -> dict[int, dict[str, float]]:
    return {
        round((row.window - START) / DAY): {name: value for name, value in row.scalars.items() if prefix in name}
        for row in result.rows
    }


def test_windows_without_labels_are_estimated(tmp_path: Path) -> None:
    labelled = by_day(measured(tmp_path, serving()), "eval/")
    days = by_day(measured(tmp_path, serving(labelled_days=DAYS - LATE)))
    newest = days[DAYS - 1]
    assert newest["estimated/n"] == ROWS
    assert newest["estimated/labels"] == (DAYS - 1 - LATE) * ROWS
    covered = []
    for name in ("accuracy", "f1", "auc", "log_loss"):
        key = f"estimated/{name}"
        assert newest[f"{key}/low"] < newest[key] < newest[f"{key}/high"]
        covered += [
            days[day][f"{key}/low"] <= labelled[day][f"eval/{name}"] <= days[day][f"{key}/high"]
            for day in range(DAYS - LATE, DAYS)
        ]
    assert sum(covered) >= 24  # of 28
    assert not any("estimate_check" in name for name in newest)
    assert "estimate_check/accuracy" in days[DAYS - LATE - 1]


def test_too_few_labels_are_named(tmp_path: Path) -> None:
    result = measured(tmp_path, serving(12))
    days = by_day(result)
    assert [day for day, values in days.items() if values] == [8, 9, 10, 11]
    (note,) = (note for note in result.notes if note.startswith("no estimate"))
    assert "8 windows of version v1: at most 0 labels of the 30 d before" in note
    assert "older than 7 d, when labels are due; it takes 300" in note
    (note,) = (note for note in result.notes if note.startswith("estimated"))
    assert note.startswith("estimated accuracy, f1, auc and log_loss of 4 windows, each from 300 to 1,200 labels")


def test_another_concept_contradicts_the_estimate_of_its_first_day(tmp_path: Path) -> None:
    result = measured(tmp_path, serving(drift_day=18))
    checks = {day: values.get("estimate_check/accuracy") for day, values in by_day(result).items()}
    before = [value for day, value in checks.items() if value is not None and day < 18]
    assert max(before) < 2
    assert (checks[18] or 0) > 3
    (note,) = (note for note in result.notes if "contradict" in note)
    assert "concept drift" in note


def test_labels_that_came_later_change_no_estimate(tmp_path: Path) -> None:
    """Nor does when it is computed."""
    selection = WindowSelection(since=START + 19 * DAY, until=START + 20 * DAY)
    first = by_day(measured(tmp_path, serving(labelled_days=20 - LATE), day=20, selection=selection))[19]
    table = serving()
    cells = table["label"].to_pylist()
    begin = (19 - LATE) * ROWS  # labels that were not due on day 19
    turned = [*cells[:begin], *("no" if cell == "yes" else "yes" for cell in cells[begin:])]
    later = table.set_column(table.column_names.index("label"), "label", pa.array(turned))
    second = by_day(measured(tmp_path, later, selection=selection))[19]
    assert first["estimated/accuracy"] > 0.6
    assert {name: second[name] for name in first} == first
    assert second["estimate_check/accuracy"] > 3


def test_labels_known_too_late_are_not_used(tmp_path: Path) -> None:
    table = serving()
    times = np.asarray(table["time"])
    known = np.where(np.arange(len(times)) % 2, times + 3 * DAY, START + 25 * DAY)
    table = table.append_column("known", pa.array(known))
    selection = WindowSelection(since=START + 20 * DAY)
    days = by_day(measured(tmp_path, table, label_time="known", maturity=LATE * DAY, selection=selection))
    assert days[20]["estimated/labels"] == 13 * ROWS / 2
    assert days[26]["estimated/labels"] == 19 * ROWS


@pytest.mark.parametrize("joined", [False, True])
def test_the_delay_of_labels_says_which_are_due(joined: bool, tmp_path: Path) -> None:
    """Labels take two days here, whatever `late` says."""
    table = serving(16)
    table = table.append_column("known", pa.array(np.asarray(table["time"]) + 1.9 * DAY))
    changed: dict[str, Any] = {"label_time": "known"}
    if joined:
        known = table.select(["id", "label", "known"])
        path = str(write(known, tmp_path / "labels.parquet"))
        changed = {"outcomes": OutcomesSpec(path, "id", "label", "known")}
        table = table.drop_columns(["label", "known"])
    days = by_day(measured(tmp_path, table, day=16, **changed))
    assert days[15]["estimated/labels"] == (15 - 3) * ROWS  # the age of whole days
    assert "estimate_check/accuracy" in days[12]
    assert "estimate_check/accuracy" not in days[15]


def test_a_stated_maturity_counts(tmp_path: Path) -> None:
    days = by_day(measured(tmp_path, serving(16, labelled_days=12), day=16, maturity=4 * DAY))
    assert days[15]["estimated/labels"] == (15 - 4) * ROWS
    assert [day for day, values in days.items() if "estimate_check/accuracy" in values] == [5, 6, 7, 8, 9, 10, 11]


def test_only_the_windows_that_are_asked_for(tmp_path: Path) -> None:
    """Their estimates learn from days that are not measured again."""
    selection = WindowSelection(since=START + 25 * DAY)
    days, all_days = (by_day(measured(tmp_path, serving(), selection=one)) for one in (selection, None))
    assert sorted(days) == [25, 26, 27, 28, 29]
    assert days == {day: all_days[day] for day in days}


def test_where_no_selected_window_has_labels(tmp_path: Path) -> None:
    selection = WindowSelection(since=START + 25 * DAY)
    table = serving(labelled_days=20)
    days = by_day(measured(tmp_path, table, selection=selection))
    assert days[27]["estimated/accuracy"] > 0.6


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    table = serving(20)
    shuffled = table.take(pa.array(np.random.default_rng(1).permutation(table.num_rows)))
    selection = WindowSelection(since=START + 19 * DAY)
    first, second = (by_day(measured(tmp_path, one, day=20, selection=selection)) for one in (table, shuffled))
    assert first[19] == pytest.approx(second[19])


def test_workers_give_the_same_estimates(tmp_path: Path) -> None:
    """Of files that each hold some rows of every window."""
    table = serving(16)
    for part in range(3):
        write(table.take(pa.array(np.arange(part, table.num_rows, 3))), tmp_path / f"log/{part}.parquet")
    settings: dict[str, Any] = {**ROLES, "late": LATE * DAY, "estimates": EstimatesSpec()}
    spec = MeasureSpec(str(tmp_path / "log"), **settings)
    model, since = Model("churn", (), measure=spec), WindowSelection(since=START + 13 * DAY)
    results = [
        by_day(measure(model, START + 16 * DAY, {}, RetryPolicy(), tmp_path, since, engine=engine))
        for engine in (None, FilesEngine(Inline()))
    ]
    assert results[0] == results[1]
    assert results[0][15]["estimated/labels"] == 8 * ROWS


def test_a_version_is_estimated_from_its_own_labels(tmp_path: Path) -> None:
    table = serving()
    versions = ["v1"] * (25 * ROWS) + ["v2"] * (5 * ROWS)
    table = table.set_column(table.column_names.index("version"), "version", pa.array(versions))
    result = measured(tmp_path, table)
    assert by_day(result)[24] != {}
    assert by_day(result)[25] == {}
    assert any("5 windows of version v2: at most 0 labels" in note for note in result.notes)


def test_large_windows_are_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate_rows, "MAX_WINDOW_ROWS", 100)
    monkeypatch.setattr(estimate_rows, "MIN_WINDOW_ROWS", 100)
    table, selection = serving(labelled_days=DAYS - LATE), WindowSelection(since=START + (DAYS - 1) * DAY)
    newest = by_day(measured(tmp_path, table, selection=selection))[DAYS - 1]
    assert newest["estimated/n"] == ROWS
    assert newest["estimated/labels"] == (DAYS - 1 - LATE) * 100
    assert newest["estimated/accuracy/high"] - newest["estimated/accuracy/low"] > 0.05


def test_inputs_that_move_are_weighed(tmp_path: Path) -> None:
    table = serving(40, labelled_days=33)
    plans = np.asarray(table["plan"]).astype(object)
    plans[35 * ROWS :] = "pro"
    moved = table.set_column(table.column_names.index("plan"), "plan", pa.array(plans.tolist()))
    result = measured(tmp_path, moved, day=40, selection=WindowSelection(since=START + 34 * DAY))
    days = by_day(result)
    assert days[39]["estimated/shift_auc"] > 0.65 > 0.55 > days[34]["estimated/shift_auc"]
    (note,) = (note for note in result.notes if note.startswith("estimated "))
    assert "rows differ from those with labels, which are weighed (inputs moved, or not all rows are as likely" in note


def test_rows_unlike_all_labelled_ones_are_not_estimated(tmp_path: Path) -> None:
    table = serving(40, labelled_days=33)
    ages = np.asarray(table["age"]).copy()
    ages[39 * ROWS :] += 50
    moved = table.set_column(table.column_names.index("age"), "age", pa.array(ages))
    result = measured(tmp_path, moved, day=40, selection=WindowSelection(since=START + 39 * DAY))
    assert by_day(result)[39] == {}
    (note,) = (note for note in result.notes if note.startswith("no estimate"))
    assert note.startswith("no estimate for 1 window: rows are too unlike those with labels, most of all in 'age'.")


def test_outcomes_in_a_second_table(tmp_path: Path) -> None:
    table = serving(labelled_days=20)
    known = table.select(["id", "label"]).filter(table["label"].is_valid())
    outcomes = OutcomesSpec(str(write(known, tmp_path / "labels.parquet")), "id", "label")
    selection = WindowSelection(since=START + 28 * DAY)
    direct = by_day(measured(tmp_path, table, selection=selection))
    joined = by_day(measured(tmp_path, table.drop_columns(["label"]), outcomes=outcomes, selection=selection))
    assert joined[29] == direct[29] != {}


def test_several_classes(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    n = DAYS * ROWS
    odds = random.dirichlet([2, 1, 1], n)
    names = np.array(["a", "b", "c"])
    label = names[(random.random((n, 1)) > np.cumsum(odds, axis=1)[:, :-1]).sum(axis=1)]
    table = serving().drop_columns(["score", "prediction", "label"])
    for place, name in enumerate(names):
        table = table.append_column(f"p_{name}", pa.array(odds[:, place]))
    table = table.append_column("prediction", pa.array(names[odds.argmax(axis=1)]))
    table = table.append_column("label", pa.array(label))
    scores = tuple((name, f"p_{name}") for name in ("c", "a", "b"))
    selection = WindowSelection(since=START + 12 * DAY)
    days = by_day(measured(tmp_path, table, score="", scores=scores, selection=selection))
    for name in ("accuracy", "f1_macro", "auc_macro"):
        assert days[29][f"estimated/{name}/low"] < days[29][f"estimated/{name}"] < days[29][f"estimated/{name}/high"]
    distances = [values["estimate_check/accuracy"] for values in days.values() if "estimate_check/accuracy" in values]
    assert len(distances) >= 10
    assert sorted(distances)[-2] < 1.5


def test_numbers(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    n = DAYS * ROWS
    table = serving().drop_columns(["score", "prediction", "label"])
    price = np.asarray(table["age"]) * 3 + 10
    noise = random.normal(0, 1 + np.abs(np.asarray(table["age"])), n)
    table = table.append_column("prediction", pa.array(price)).append_column("label", pa.array(price + noise))
    days = by_day(measured(tmp_path, table, score="", selection=WindowSelection(since=START + 28 * DAY)))
    assert set(days[29]) == {
        *("estimated/mae", "estimated/mae/low", "estimated/mae/high", "estimated/mae_n"),
        *("estimated/rmse", "estimated/rmse/low", "estimated/rmse/high", "estimated/rmse_n"),
        *("estimated/n", "estimated/labels", "estimated/shift_auc"),
    }
    assert days[29]["estimated/mae/low"] < np.abs(noise[-ROWS:]).mean() < days[29]["estimated/mae/high"]
    assert all(ROWS / 4 < days[29][f"estimated/{name}_n"] <= ROWS for name in ("mae", "rmse"))


@pytest.mark.parametrize("concept", [False, True])
def test_one_row_of_a_heavy_tail_is_no_other_concept(concept: bool, tmp_path: Path) -> None:
    """Log-normal errors, of which one row decides the mean of squares of a day."""
    random = np.random.default_rng(6)
    n, days = DAYS * ROWS, 40
    table = serving().drop_columns(["score", "prediction", "label"])
    noise = random.lognormal(0, 1.5, n)
    noise[-ROWS * LATE : -ROWS * (LATE - 1)] *= 2.5 if concept else 1.0
    noise[-ROWS * LATE] = 3 * noise.max()
    table = table.append_column("prediction", pa.array(np.zeros(n))).append_column("label", pa.array(noise))
    result = measured(tmp_path, table, day=days, score="", selection=WindowSelection(since=START + 21 * DAY))
    checks = {
        day: max(values.get("estimate_check/rmse", 0.0), values.get("estimate_check/mae", 0.0))
        for day, values in by_day(result).items()
    }
    assert (checks[DAYS - LATE] > 2) is concept
    assert all(distance < 2 for day, distance in checks.items() if day != DAYS - LATE)
    assert any("contradict the estimate" in note for note in result.notes) is concept


@pytest.mark.parametrize(
    ("changed", "drop", "said"),
    [
        ({"score": ""}, "score", "name the column of the score under `score`"),
        ({"scores": (("yes", "score"), ("maybe", "age")), "score": ""}, "", ""),
    ],
)
def test_a_log_without_scores_says_what_to_write(changed: dict[str, Any], drop: str, said: str, tmp_path: Path) -> None:
    table = serving(12)
    result = measured(tmp_path, table.drop_columns([drop]) if drop else table, day=12, **changed)
    assert [note for note in result.notes if note.startswith("nothing is estimated")] or not said
    assert said in " ".join(result.notes)


def test_scores_and_labels_that_are_missing_or_no_numbers(tmp_path: Path) -> None:
    """Rows without an output count in no estimate, and break none."""
    table = serving(labelled_days=DAYS - LATE)
    scores = np.asarray(table["score"]).copy()
    scores[::3] = np.nan
    table = table.set_column(table.column_names.index("score"), "score", pa.array(scores))
    newest = by_day(measured(tmp_path, table, selection=WindowSelection(since=START + (DAYS - 1) * DAY)))[DAYS - 1]
    assert newest["estimated/n"] == ROWS * 2 / 3


def test_a_window_of_few_rows_is_left_out(tmp_path: Path) -> None:
    table = serving().slice(0, (DAYS - 1) * ROWS + 12)
    selection = WindowSelection(since=START + (DAYS - 1) * DAY)
    result = measured(tmp_path, table, selection=selection)
    assert by_day(result)[DAYS - 1] == {}
    assert any("no estimate for 1 window with fewer than 30 rows" in note for note in result.notes)


def test_numbers_beyond_all_bounds(tmp_path: Path) -> None:
    """Infinite labels and predictions are none; inputs that are infinite or null in every row say nothing."""
    table = serving(16).drop_columns(["score", "prediction", "label"])
    n = table.num_rows
    random = np.random.default_rng(2)
    label, prediction = random.normal(0, 1, n), random.normal(0, 1, n)
    label[::7], prediction[::5] = np.inf, -np.inf
    table = table.append_column("prediction", pa.array(prediction)).append_column("label", pa.array(label))
    table = table.append_column("empty", pa.nulls(n, pa.float64()))
    table = table.append_column("endless", pa.array(np.full(n, np.inf)))
    selection = WindowSelection(since=START + 15 * DAY)
    (values,) = by_day(measured(tmp_path, table, day=16, score="", selection=selection)).values()
    assert values["estimated/n"] == ROWS * 4 / 5
    assert 0 < values["estimated/mae/low"] < values["estimated/mae/high"] < 3


@pytest.mark.parametrize("label", ["yes", "no"])
def test_labels_of_one_class_alone_are_not_enough(label: str, tmp_path: Path) -> None:
    table = serving(12)
    place = table.column_names.index("label")
    result = measured(tmp_path, table.set_column(place, "label", pa.array([label] * table.num_rows)), day=12)
    assert all(values == {} for values in by_day(result).values())
    assert any("nothing is estimated: it takes labels of at least two classes" in note for note in result.notes)


def test_off_by_default(tmp_path: Path) -> None:
    result = measured(tmp_path, serving(12), day=12, estimates=None)
    assert all(values == {} for values in by_day(result).values())
    assert not any("estimate" in note for note in result.notes)


def test_the_metrics_that_are_asked_for(tmp_path: Path) -> None:
    wanted = EstimatesSpec(metrics=("recall", "brier"), min_labels=100)
    selection = WindowSelection(since=START + 29 * DAY)
    newest = by_day(measured(tmp_path, serving(), estimates=wanted, selection=selection))[29]
    assert {name.split("/")[1] for name in newest if name.startswith("estimated/")} == {
        *("recall", "recall_n", "brier", "brier_n", "n", "labels", "shift_auc"),
    }
    assert {name for name in newest if "check" in name} == set()
