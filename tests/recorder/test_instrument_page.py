"""The page "Instrument your service": each example runs, and ``modelwatch measure`` reads what it recorded."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

from modelwatch.cli import group
from modelwatch.errors import ConfigError
from modelwatch.recorder import Recorder

from .recorders import DAY, START, recorded_rows, recorder, run_script

PAGE = (Path(__file__).resolve().parents[2] / ".github/INSTRUMENT-YOUR-SERVICE.md").read_text("utf-8")
FENCES = [(token.info, token.content) for token in MarkdownIt().parse(PAGE) if token.type == "fence"]
FUNCTION, ROWS, FASTAPI, FLASK = (text for kind, text in FENCES if kind == "python")
(MEASURE,) = (text for kind, text in FENCES if kind == "yaml")
ASK_FASTAPI = """
from starlette.testclient import TestClient
client = TestClient(app, raise_server_exceptions=False)
assert client.post("/predict", json={"age": 41}).status_code == 200
assert client.post("/predict", content=b"{").status_code == 422
assert client.get("/other").status_code == 404
"""
ASK_FLASK = """
client = app.test_client()
with client.post("/predict", json={"age": 41}) as answer:
    assert answer.status_code == 200
app.view_functions["predict"] = lambda: 1 / 0
with client.post("/predict") as answer:
    assert answer.status_code == 500
"""


def run(folder: Path, script: str) -> list[dict[str, Any]]:
    """Run an example in a folder; the rows that it recorded."""
    spool = f"import os, tempfile; os.chdir({str(folder)!r}); tempfile.tempdir = {str(folder)!r}\n"
    run_script(spool + script)
    return recorded_rows(folder / "recorded")


def write_config(folder: Path, section: str) -> None:
    text = f"version: 1\nmodels:\n  - name: churn\n    wandb: {{entity: acme, project: churn}}\n{section}    rules:\n"
    rule = "      - {name: missing, kind: data-quality, metric: quality/rows, tiers: {warning: {below: 1}}}\n"
    (folder / "modelwatch.yml").write_text(text + rule)


def measure(folder: Path, *options: str) -> Any:
    arguments = ["measure", "--config", str(folder / "modelwatch.yml"), "--no-publish", "--format", "json", *options]
    found = CliRunner().invoke(group, arguments)
    assert found.exit_code == 0, found.output
    (model,) = json.loads(found.stdout)["models"]
    return model


def test_a_function(tmp_path: Path) -> None:
    (row,) = run(tmp_path, FUNCTION)
    assert (row["age"], row["plan"], row["prediction"], row["score"]) == (41, "pro", "yes", 0.75)
    assert (row["version"], row["error"]) == ("v7", None)
    assert row["latency"] > 0


def test_rows_and_columns_are_measured(tmp_path: Path) -> None:
    assert len(run(tmp_path, ROWS)) == 101
    write_config(tmp_path, MEASURE)
    assert measure(tmp_path)["rows"] == 101


def test_a_reference_for_both(tmp_path: Path) -> None:
    """As the page says: in the recorder of an example, and in the section."""
    assert "`measure: {reference: baselines/churn.npz}`" in PAGE
    pq.write_table(
        pa.table({"age": [30.0, 40.0, 50.0] * 50, "region": ["eu", "na", "eu"] * 50}), tmp_path / "t.parquet"
    )
    (tmp_path / "baselines").mkdir()
    write_config(tmp_path, MEASURE)
    arguments = ["baseline", "capture", "--model", "churn", "--from-table", str(tmp_path / "t.parquet")]
    options = ["--out", str(tmp_path / "baselines/churn.npz"), "--config", str(tmp_path / "modelwatch.yml")]
    found = CliRunner().invoke(group, [*arguments, *options])
    assert found.exit_code == 0, found.output
    example = ROWS.replace('serving_version="v7")', 'serving_version="v7", reference="baselines/churn.npz")')
    assert len(run(tmp_path, example)) == 101
    write_config(tmp_path, f"{MEASURE}      reference: baselines/churn.npz\n")
    assert measure(tmp_path, "--now", str(time.time() + 2 * DAY))["rows"] == 101


def test_fastapi(tmp_path: Path) -> None:
    (row,) = run(tmp_path, FASTAPI + ASK_FASTAPI)
    assert (row["age"], row["error"]) == (41, None)
    assert row["latency"] > 0


def test_flask(tmp_path: Path) -> None:
    rows = run(tmp_path, FLASK + ASK_FLASK)
    assert [(row["age"], row["error"]) for row in rows] == [(41, None), (None, "HTTP 500")]


def test_rows_with_outcomes_give_performance(tmp_path: Path) -> None:
    made = recorder(tmp_path / "spool", folder=tmp_path / "recorded")
    for number in range(100):
        made.record({"age": 40.0}, "yes" if number % 2 else "no", id=f"r{number}", time=START + number)
    assert made.close(60.0)
    labels = {"id": [f"r{number}" for number in range(100)], "churned": ["yes", "no", "no", "no"] * 25}
    pq.write_table(pa.table(labels), tmp_path / "labels.parquet")
    roles = "id: id, time: time, version: version, prediction: prediction"
    outcomes = "outcomes: {files: labels.parquet, id: id, label: churned}"
    write_config(tmp_path, f"    measure: {{files: recorded/sample, {roles}, {outcomes}}}\n")
    found = measure(tmp_path, "--now", str(START + 2 * DAY), "--out", str(tmp_path / "profiles"))
    assert (found["rows"], found["windows"]) == (100, 1)
    assert "classes" in found["task"]


@pytest.mark.parametrize("source", ["recorder: recorded", "files: recorded/sample", "recorder: wandb"])
def test_a_recorder_by_the_configuration(tmp_path: Path, source: str) -> None:
    """Columns have the names that the configuration gives them; folder and W&B project are its own."""
    roles = "id: request, time: at, version: release, score: p, prediction: answer, segments: [region], window: 1h"
    operations = "operations: {latency: seconds, error: failure, cost: euros}"
    write_config(tmp_path, f"    measure: {{{source}, {roles}, {operations}}}\n")
    made = Recorder.from_config(tmp_path / "modelwatch.yml", "churn", spool=tmp_path / "spool", serving_version="v7")
    settings = made.settings
    assert (bool(settings.folder), bool(settings.wandb)) == ("wandb" not in source, "wandb" in source)
    if settings.wandb:
        assert (settings.wandb["entity"], settings.wandb["project"]) == ("acme", "churn")
        return
    made.record({"age": 1.0}, "yes", 0.5, id="a", time=START, latency=0.1, error="Timeout", extra={"euros": 0.01})
    assert made.close(60.0)
    (row,) = recorded_rows(tmp_path / "recorded")
    expected = {"request": "a", "at": START, "release": "v7", "p": 0.5, "answer": "yes", "seconds": 0.1}
    assert {**row, **expected} == row
    assert (row["failure"], row["euros"], row["age"]) == ("Timeout", 0.01, 1.0)
    assert measure(tmp_path, "--now", str(START + DAY))["windows"] == 1


def test_the_folder_and_labels_do_not_go_together(tmp_path: Path) -> None:
    write_config(tmp_path, "    measure: {recorder: recorded, time: time, label: churned}\n")
    found = CliRunner().invoke(group, ["config", "check", "--config", str(tmp_path / "modelwatch.yml")])
    assert isinstance(found.exception, ConfigError)
    assert "files: FOLDER/sample" in str(found.exception)
