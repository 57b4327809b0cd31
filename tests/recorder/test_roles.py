"""Features that have the names of other parts of a row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from .recorders import START, recorded_rows, recorder


def recorded(folder: Path, *rows: tuple[dict[str, Any], dict[str, Any]], **settings: Any) -> list[dict[str, Any]]:
    with recorder(folder / "spool", folder=folder / "out", **settings) as made:
        for features, arguments in rows:
            assert made.record(features, **arguments) is not None
    return recorded_rows(folder / "out")


def test_a_column_counts_where_no_argument_is_given(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    row = {"id": "mine", "time": START, "version": "v9", "prediction": "yes", "score": 0.75, "latency": 0.1}
    texts = {"id": 7, "time": "2026-11-20T01:00:00", "latency": "0.2", "error": "Timeout"}
    first, second = recorded(tmp_path, (row, {}), (texts, {}))
    assert {**first, **row} == first
    assert (second["id"], second["time"], second["version"]) == ("7", START + 3600, "v1")
    assert (second["latency"], second["error"]) == (0.2, "Timeout")
    assert "column" not in caplog.text


def test_an_argument_counts_and_that_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    features = {"score": 650, "time": "morning", "age": 1.0}
    first, second = recorded(tmp_path, *[(features, {"score": 0.5, "id": name}) for name in "ab"])
    assert (first["score"], first["age"], first["id"], second["id"]) == (0.5, 1.0, "a", "b")
    assert caplog.text.count("the column 'score' is not recorded") == 1
    assert caplog.text.count("the column 'time' is not recorded") == 1
    assert "`score=`" in caplog.text


def test_roles_have_the_names_that_they_were_given(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    row = {"score": 650, "request": "r1"}
    (found,) = recorded(tmp_path, (row, {"score": 0.5}), score="probability", id="request")
    assert (found["score"], found["probability"], found["request"]) == (650, 0.5, "r1")
    assert "column" not in caplog.text


@pytest.mark.parametrize("id", ["", None, float("nan"), pd.NA, np.float64("nan"), object()])
def test_what_is_no_id_gets_one(tmp_path: Path, id: Any) -> None:
    first, second, third = recorded(tmp_path, ({}, {"id": id}), ({}, {"id": id}), ({"id": id}, {}))
    assert len({first["id"], second["id"], third["id"]} - {None, "", "nan", "unreadable"}) == 3


def test_what_a_batch_can_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with recorder(tmp_path / "spool", folder=tmp_path / "out") as made:
        frame = pd.DataFrame({"age": [1.0, 2.0], "id": ["a", "b"], "at": [pd.Timestamp("2026-01-01"), pd.NaT]})
        assert made.record_batch(frame) == 2
        assert made.record_batch(pd.Series([1.0])) == 0
        assert made.record_batch({"age": [1.0, 2.0], "plan": ["x"]}) == 0
    rows = recorded_rows(tmp_path / "out")
    assert [(row["id"], row["age"]) for row in rows] == [("a", 1.0), ("b", 2.0)]
    assert rows[0]["at"].startswith("2026-01-01")
    assert rows[1]["at"] is None
    assert "a column has 1 rows, and not 2" in caplog.text
