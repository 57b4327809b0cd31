"""Versions that predicted the same ids, as shadows and canaries do, compared in the log itself."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.profiling import version_agreement
from modelwatch.profiling.measure import measure

from .logs import DAY, SPEC, START, log, write

ROWS = 1000
ONCE = RetryPolicy(max_attempts=1, timeout=20.0)
COMPARED = replace(SPEC, agreement=True)


def shadowed(flipped: int = 50, shadow: int = 600, **changed: Any) -> pa.Table:
    """One day of v1, of which v2 predicts the first rows, too, and answers otherwise in some."""
    table = log(ROWS, days=1, version=["v1"] * ROWS)
    part = table.slice(0, shadow)
    answers = part["prediction"].to_pylist()
    answers[:flipped] = ["yes" if answer == "no" else "no" for answer in answers[:flipped]]
    columns = {"version": ["v2"] * shadow, "prediction": answers, **changed}
    for name, cells in columns.items():
        part = part.set_column(part.column_names.index(name), name, pa.array(cells))
    return pa.concat_tables([table, part.cast(table.schema)])


def scalars(table: pa.Table, spec: MeasureSpec, place: Path) -> dict[str, dict[str, float]]:
    """By version what the day gets under ``agreement/``."""
    model = Model("churn", (), measure=replace(spec, files=str(write(table, place / "log.parquet"))))
    result = measure(model, START + 2 * DAY, os.environ, ONCE, place)
    return {
        row.version: {key: value for key, value in row.scalars.items() if key.startswith("agreement/")}
        for row in result.rows
    }


def test_the_other_version_agrees_with_the_one_that_has_most_rows(tmp_path: Path) -> None:
    found = scalars(shadowed(), COMPARED, tmp_path)
    assert found["v1"] == {}
    keys = found["v2"]
    assert keys["agreement/champion"] == pytest.approx(550 / 600)
    assert keys["agreement/champion_n"] == 600
    assert keys["agreement/champion/low"] < 550 / 600 < keys["agreement/champion/high"]
    assert keys["agreement/region=eu/champion_n"] + keys["agreement/region=na/champion_n"] == 600
    assert not scalars(shadowed(), SPEC, tmp_path)["v2"], "it is off by default"


def test_repeated_ids_count_once_and_missing_answers_not_at_all(tmp_path: Path) -> None:
    table = shadowed(flipped=0)
    assert scalars(pa.concat_tables([table, table]), COMPARED, tmp_path)["v2"]["agreement/champion_n"] == 600
    answers: list[str | None] = shadowed(flipped=0)["prediction"].to_pylist()[ROWS:]
    answers[:100] = [None] * 100
    found = scalars(shadowed(prediction=answers), COMPARED, tmp_path)["v2"]
    assert (found["agreement/champion"], found["agreement/champion_n"]) == (1.0, 500)


def test_versions_without_a_common_id_are_not_compared(tmp_path: Path) -> None:
    ids = [f"other-{row}" for row in range(600)]
    assert scalars(shadowed(id=ids), COMPARED, tmp_path) == {"v1": {}, "v2": {}}


def test_scores_alone_are_compared_as_numbers(tmp_path: Path) -> None:
    score = np.clip(shadowed()["score"].to_numpy()[:600] + 0.2, 0, 1)
    spec = replace(COMPARED, prediction="")
    assert scalars(shadowed(), spec, tmp_path)["v2"]["agreement/champion"] == 1.0
    assert 0.5 < scalars(shadowed(score=score), spec, tmp_path)["v2"]["agreement/champion"] < 0.95


def test_of_many_rows_the_same_ids_are_drawn_of_each_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version_agreement, "MAX_ROWS", 800)
    found = scalars(shadowed(), COMPARED, tmp_path)["v2"]
    assert 200 < found["agreement/champion_n"] < 400, "half of the ids, and each with both versions"
    assert found["agreement/champion"] == pytest.approx(550 / 600, abs=0.05)
