"""Each metric that is requested, or usual, and cannot be given has one note with the reason and what to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import MeasureSpec, RankingSpec
from modelwatch.profiling.measure import MeasureResult, measure

ROWS = 400
RNG = np.random.default_rng(3)
SCORES = RNG.uniform(0.01, 0.99, ROWS)
LABELS = (RNG.uniform(size=ROWS) < SCORES).astype(int)
KINDS = RNG.choice(["a", "b", "c"], ROWS)


def measured(folder: Path, columns: dict[str, Any], **fields: Any) -> MeasureResult:
    usual = {
        "id": [str(row) for row in range(ROWS)],
        "time": ["2026-11-20T12:00:00Z"] * ROWS,
        "label": LABELS,
        "prediction": (SCORES > 0.5).astype(int),
    }
    pq.write_table(pa.table(usual | columns), folder / "log.parquet")
    roles = {"id": "id", "time": "time", "label": "label", "prediction": "prediction"}
    spec = MeasureSpec(str(folder / "log.parquet"), **{**roles, **fields})
    return measure(Model("churn", (), measure=spec), 1.8e9, {}, RetryPolicy(), folder)


def reasons(result: MeasureResult) -> list[str]:
    return [note for note in result.notes if note.startswith("there is no ")]


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        (lambda: [f"{score:.1%}" for score in SCORES], "%'"),
        (lambda: pa.array([[1 - score, score] for score in SCORES]), "'["),
        (lambda: pa.array([{"no": 1 - score, "yes": score} for score in SCORES]), "..."),
    ],
)
@pytest.mark.parametrize("metrics", [(), ("accuracy", "auc")])
def test_a_score_that_is_no_number(
    cells: Callable[[], Any], shown: str, metrics: tuple[str, ...], tmp_path: Path
) -> None:
    result = measured(tmp_path, {"score": cells()}, score="score", metrics=metrics)
    (note,) = reasons(result)
    assert note.startswith(
        f"there is no auc{'' if metrics else ' and no log_loss'}: 'score' holds no numbers, such as "
    )
    assert shown in note
    assert note.endswith("Log one number a row, such as 0.532.")
    assert "eval/auc" not in result.rows[0].scalars


@pytest.mark.parametrize(("scores", "ends"), [(100 * SCORES, "from 1."), (np.log(SCORES / (1 - SCORES)), "from -")])
def test_a_score_that_is_no_probability(scores: Any, ends: str, tmp_path: Path) -> None:
    result = measured(tmp_path, {"score": scores}, score="score", metrics=("auc", "log_loss", "brier"))
    (note,) = reasons(result)
    assert note.startswith(f"there is no log_loss and no brier: 'score' goes {ends}")
    assert "1 / (1 + exp(-x))" in note
    assert {"eval/auc"} <= {*result.rows[0].scalars}
    (note,) = reasons(measured(tmp_path, {"score": scores}, score="score"))
    assert note.startswith("there is no log_loss: ")


def test_labels_that_are_numbers(tmp_path: Path) -> None:
    result = measured(tmp_path, {"label": SCORES.round(2)}, metrics=("accuracy",))
    (note,) = reasons(result)
    assert note.startswith("there is no accuracy: the labels are numbers that take many values")
    assert not any(key.startswith("eval/") for key in result.rows[0].scalars)


@pytest.mark.parametrize(
    ("metric", "fields", "reason"),
    [
        ("mae", {}, "the labels are classes. If they are numbers, write `task: numbers`."),
        ("auc", {}, "name the column of the scores under `score`."),
        ("accuracy", {"prediction": ""}, "name the column of the predictions under `prediction`."),
        ("ndcg", {}, "name the column of the query under `ranking: {query: ...}`."),
        ("accuracy_by_value", {}, "name the column of the rows' values under `value`."),
        ("f1_macro", {}, "it is an average over more than two classes. Request `f1`."),
        ("auc_macro", {"score": "score"}, "the labels are two classes. Request `auc`."),
    ],
)
def test_a_metric_that_needs_something_else(metric: str, fields: dict[str, Any], reason: str, tmp_path: Path) -> None:
    assert reasons(measured(tmp_path, {"score": SCORES}, metrics=(metric,), **fields)) == [
        f"there is no {metric}: {reason}"
    ]


@pytest.mark.parametrize(("label", "metric"), [(LABELS, "accuracy"), (SCORES.round(3), "mae")])
def test_labels_that_nothing_is_compared_with(label: Any, metric: str, tmp_path: Path) -> None:
    assert reasons(measured(tmp_path, {"label": label}, prediction="")) == [
        f"there is no {metric}: name the column of the predictions under `prediction`."
    ]


def test_an_average_over_classes_needs_the_scores_of_all(tmp_path: Path) -> None:
    columns = {"label": KINDS, "prediction": KINDS, "p_a": SCORES, "p_b": 1 - SCORES}
    some = measured(tmp_path, columns, scores=(("a", "p_a"),), metrics=("auc_macro", "class_auc"))
    assert reasons(some) == [
        "there is no auc_macro: no scores of 'b', 'c'. Name a column for each class under `scores`."
    ]
    assert "eval/auc_macro" not in some.rows[0].scalars
    assert "eval/class=a/auc" in some.rows[0].scalars
    all_scores = (("a", "p_a"), ("b", "p_b"), ("c", "p_b"))
    whole = measured(tmp_path, columns, scores=all_scores, metrics=("auc_macro",))
    assert reasons(whole) == []
    assert "eval/auc_macro" in whole.rows[0].scalars


def test_a_log_that_gives_what_is_requested_has_no_note(tmp_path: Path) -> None:
    names = ("accuracy", "f1", "auc", "pr_auc", "log_loss", "brier", "confusion")
    for metrics in ((), names):
        assert reasons(measured(tmp_path, {"score": SCORES}, score="score", metrics=metrics)) == []
    table = {"query": [f"q{row % 40}" for row in range(ROWS)], "score": SCORES}
    ranking = measured(tmp_path, table, score="score", prediction="", ranking=RankingSpec("query", 5))
    assert reasons(ranking) == []


def test_classes_in_two_spellings(tmp_path: Path) -> None:
    words = np.array(["no", "yes"])[LABELS]
    label = np.where(np.arange(ROWS) % 2, LABELS.astype(str), words)
    columns = {"label": label, "prediction": label, "score": SCORES}
    notes = measured(tmp_path, columns, score="score").notes
    assert (
        "the labels are spelled in two ways, '0', '1' and 'no', 'yes', and count as 4 classes. If some files spell "
        "them differently than others, write them alike."
    ) in notes
    assert not any("cannot rank" in note for note in notes)


def test_bins_without_a_reference_are_those_of_the_log(tmp_path: Path) -> None:
    tiny = SCORES**8 * 1e-4
    tiny[0] = 1.0
    notes = measured(tmp_path, {"score": tiny}, score="score").notes
    assert not any("the reference's bins" in note for note in notes)
