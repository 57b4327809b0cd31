"""Labels that are probably wrong, from a log to the W&B keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.model.monitored_model import Model
from modelwatch.profiling.measure import MeasureResult, measure

from .logs import DAY, SPEC, START, log, write

SHARE = "labels/suspicious_share"


def confident(rows: int = 2000, wrong_after: float = 1.1, words: tuple[str, str] = ("no", "yes")) -> pa.Table:
    """A model that is almost always right; from a share of the rows on a fifth of the labels are turned."""
    random = np.random.default_rng(3)
    truth = random.random(rows) < 0.4
    score = np.clip(np.where(truth, 0.9, 0.1) + random.normal(0, 0.05, rows), 0, 1)
    turned = (random.random(rows) < 0.2) & (np.arange(rows) > wrong_after * rows)
    label = np.array(words)[(truth ^ turned).astype(int)]
    prediction = np.array(words)[(score > 0.5).astype(int)]
    return log(rows, version=["v1"] * rows, score=score, prediction=prediction, label=label)


def measured(folder: Path, table: pa.Table, **changed: Any) -> MeasureResult:
    files = str(write(table, folder / "log.parquet"))
    spec = replace(SPEC, files=files, label_noise=True, **changed)
    return measure(Model("churn", (), measure=spec), START + 3 * DAY, {}, RetryPolicy(), folder)


@pytest.mark.parametrize("words", [("no", "yes"), ("1", "0"), ("zzz", "aaa")])
def test_wrong_labels_are_counted(words: tuple[str, str], tmp_path: Path) -> None:
    """Also where the positive class comes first in the alphabet."""
    before, after = measured(tmp_path, confident(wrong_after=0.5, words=words), positive=words[1]).rows
    assert before.scalars[SHARE] == 0.0
    assert 0.0 < before.scalars[f"{SHARE}/high"] < 0.01
    assert before.scalars[f"{SHARE}_n"] == 1000
    assert after.scalars[SHARE] == pytest.approx(0.2, abs=0.03)
    assert after.scalars[f"{SHARE}/low"] < after.scalars[SHARE] < after.scalars[f"{SHARE}/high"]
    assert after.scalars["eval/accuracy"] == pytest.approx(0.8, abs=0.03)
    assert 900 < after.scalars[f"{SHARE}_n"] <= 1000


def test_several_classes(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    truth = random.integers(0, 3, 1500)
    scores = np.where(np.arange(3) == truth[:, None], 0.8, 0.1)
    given = np.where(random.random(1500) < 0.1, (truth + 1) % 3, truth)
    names = np.array(["c", "a", "b"])
    columns: dict[str, Any] = {f"p_{name}": scores[:, place] for place, name in enumerate(names)}
    table = log(1500, version=["v1"] * 1500, prediction=names[truth], label=names[given], **columns)
    scored = tuple((name, f"p_{name}") for name in "abc")
    for row in measured(tmp_path, table, score="", scores=scored).rows:
        assert row.scalars[SHARE] == pytest.approx(0.1, abs=0.03)
    result = measured(tmp_path, table, score="", scores=scored[:2])
    assert f"there is no {SHARE}: scores have to be known of every class." in result.notes


@pytest.mark.parametrize(
    ("changed", "columns", "note"),
    [
        ({}, {"score": np.linspace(-3, 3, 2000)}, "scores below 0 or above 1 are no probabilities."),
        ({"task": "numbers"}, {"label": np.arange(2000.0), "prediction": np.arange(2000.0)}, "not a few classes."),
        ({}, {"label": ["yes"] * 2000}, "every label is one class."),
        ({"score": ""}, {}, "name the column of the scores"),
    ],
)
def test_where_labels_cannot_be_doubted_a_note_says_why(
    changed: dict[str, Any], columns: dict[str, Any], note: str, tmp_path: Path
) -> None:
    table = confident()
    for name, cells in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(cells))
    result = measured(tmp_path, table, **changed)
    assert any(text.startswith(f"there is no {SHARE}: ") and note in text for text in result.notes)
    assert not any(SHARE in row.scalars for row in result.rows)


def test_few_labels_and_none_at_all(tmp_path: Path) -> None:
    assert not any(SHARE in row.scalars for row in measured(tmp_path, confident(50)).rows)
    table = confident(200)
    bare = table.set_column(table.column_names.index("label"), "label", pa.nulls(200, pa.string()))
    result = measured(tmp_path, bare)
    assert not any(SHARE in row.scalars for row in result.rows)
    assert f"there is no {SHARE}: no row has a label." in result.notes


def test_no_accuracy_is_computed_from_suspicious_labels(tmp_path: Path) -> None:
    """Right labels of overlapping classes: a quarter of the predictions is wrong, and none of the labels."""
    for row in measured(tmp_path, log(4000)).rows:
        assert row.scalars["eval/accuracy"] == pytest.approx(0.75, abs=0.04)
        assert row.scalars[SHARE] > 0.1
        assert row.scalars[f"{SHARE}_n"] < 0.8 * row.scalars["eval/n"]
        others = {key for key in row.scalars if "accuracy" in key and not key.startswith("eval/")}
        assert not {key for key in others if "noise" in key or key.startswith("labels/")}
