"""Columns that the configuration names and a log lacks: told in one sentence, with the name that was meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.errors import Exit, SourceError
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.profiling.measure import measure
from modelwatch.profiling.readers import open_log
from modelwatch.profiling.reference_store import capture_reference, reference_notes, write_reference

ROWS = [f"{row},2026-11-0{1 + row % 3}T10:00:00Z,v1,{row % 2},{row % 2},{row % 7}" for row in range(90)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["id,time,version,prediction,label,age", *ROWS]) + "\n")
    return path


def notes_of(log: Path, **fields: Any) -> tuple[str, ...]:
    spec = MeasureSpec(str(log), **{"id": "id", "time": "time", "version": "version", "label": "label"} | fields)
    return measure(Model("churn", (), measure=spec), 1.8e9, {}, RetryPolicy(), log.parent).notes


def test_a_label_that_is_misspelled_does_not_become_a_feature_in_silence(log: Path) -> None:
    expected = (
        "there is no column 'lable', which `measure: {label}` names. Did you mean `label`? It counts as a feature now."
    )
    assert expected in notes_of(log, label="lable")
    assert not any("label" in note for note in notes_of(log))


def test_a_log_whose_labels_come_later_is_measured(log: Path) -> None:
    assert "there is no column 'churned', which `measure: {label}` names." in notes_of(log, label="churned")


@pytest.mark.parametrize("role", ["id", "time", "version", "prediction", "score", "value"])
@pytest.mark.parametrize("with_reference", [False, True])
def test_any_other_column_that_is_missing_is_an_error(log: Path, role: str, with_reference: bool) -> None:
    fields = {}
    if with_reference:
        spec = MeasureSpec(str(log), id="id", time="time", version="version", prediction="prediction", label="label")
        path = log.parent / "reference.npz"
        write_reference(path, capture_reference(open_log(str(log)), spec)[0], {})
        fields = {"reference": str(path)}
    with pytest.raises(SourceError, match=r"has no column 'agee'\. Did you mean `age`") as caught:
        notes_of(log, **{role: "agee"}, **fields)
    assert caught.value.exit_code is Exit.USAGE


def test_the_columns_of_a_training_set(log: Path) -> None:
    spec = MeasureSpec(str(log), id="idd", time="seen_at", score="p", prediction="predicton", label="lable")
    found = list(reference_notes(open_log(str(log)), spec))
    assert [note.partition("names. ")[2] for note in found] == [
        "Did you mean `label`? It counts as a feature now.",
        "Did you mean `id`? It counts as a feature now.",
        "Did you mean `prediction`? It counts as a feature now.",
    ]
