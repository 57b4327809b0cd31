"""What annotators said, from a table to the W&B keys and the issue that says that one of them drifts."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from modelwatch import pipeline
from modelwatch.cli import group
from modelwatch.clients.retry import RetryPolicy
from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.errors import Exit, SourceError
from modelwatch.model.alert import AlertState
from modelwatch.model.monitored_model import Model
from modelwatch.model.plan import ModelObservation
from modelwatch.model.prediction_log import AnnotationsSpec, MeasureSpec
from modelwatch.profiling.annotations import read_annotations
from modelwatch.profiling.measure import MeasureResult, measure
from modelwatch.targets.plan import make_plan
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from .logs import DAY, SPEC, START, log, write

ANNOTATORS = ("ada", "bob", "cy", "dan", "eve")
TABLE = AnnotationsSpec("", "item", "who", "said", "at")
NOW = START + 3 * DAY


def read(folder: Path, rows: list[tuple[Any, ...]], **changed: Any) -> Any:
    """What is read of rows (item, who, said, at)."""
    columns = zip(*rows, strict=True) if rows else [[], [], [], []]
    table = pa.table(dict(zip(("item", "who", "said", "at"), map(list, columns), strict=True)))
    path = write(table, folder / "annotations.parquet")
    spec = MeasureSpec(annotations=replace(TABLE, files=str(path), **changed))
    return read_annotations(spec, NOW)


def test_the_latest_judgement_of_an_annotator_counts(tmp_path: Path) -> None:
    rows = [
        ("a", "ada", "yes", START + 5),
        ("a", "ada", "no", START),
        ("a", "bob", "yes", START + DAY),
        ("b", "ada", "no", START + 9),
        ("b", "ada", "yes", NOW + 5),
    ]
    found = read(tmp_path, rows)
    assert sorted(found.names) == ["ada", "bob"]
    assert found.classes == ("no", "yes")
    assert found.windows(DAY) == [START, START + DAY]
    ratings = found.ratings(START + DAY, START + 2 * DAY)
    assert [found.classes[label] for label in ratings.labels] == ["yes", "yes"]
    assert found.notes == ("annotations: 1 rows without id, annotator, label or past time do not count.",)


@pytest.mark.parametrize(
    "row",
    [(None, "ada", "yes", START), ("a", None, "yes", START), ("a", "ada", None, START), ("a", "ada", "yes", None)],
)
def test_rows_that_lack_something_do_not_count(row: tuple[Any, ...], tmp_path: Path) -> None:
    found = read(tmp_path, [("b", "bob", "no", START), row])
    assert len(found.items) == 1
    assert "1 rows without id" in found.notes[0]


def test_no_rows_at_all(tmp_path: Path) -> None:
    found = read(tmp_path, [])
    assert (len(found.items), found.windows(DAY), found.notes) == (0, [], ())


def test_one_class_in_several_spellings(tmp_path: Path) -> None:
    rows = [("a", "ada", "1", START), ("a", "bob", "true", START), ("b", "ada", "false", START)]
    assert read(tmp_path, rows).classes == ("false", "true")


def test_an_order_of_words_and_of_numbers(tmp_path: Path) -> None:
    words = [("a", "ada", "good", START), ("a", "bob", "bad", START)]
    found = read(tmp_path, words, scale="ordinal", order=("bad", "fair", "good"))
    assert found.classes == ("bad", "fair", "good")
    assert found.labels.tolist() == [2, 0]
    numbers = [("a", "ada", "10", START), ("a", "bob", "9", START), ("a", "cy", "2.5", START)]
    assert read(tmp_path, numbers, scale="ordinal").classes == ("2.5", "9", "10")
    assert read(tmp_path, numbers, scale="interval").values == (2.5, 9.0, 10.0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scale": "ordinal"}, r"the label 'good' is no number, and `scale` is ordinal\. Give `order`"),
        ({"scale": "interval", "order": ("bad",)}, "`order` does not name the label 'good'"),
        ({"annotator": "whom"}, r"no column 'whom'\. Did you mean"),
    ],
)
def test_what_does_not_fit_is_said(changed: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=message) as raised:
        read(tmp_path, [("a", "ada", "good", START)], **changed)
    assert raised.value.exit_code is Exit.USAGE


def test_times_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no row has a time that can be read in column 'at', such as 'yest") as raised:
        read(tmp_path, [("a", "ada", "good", "yesterday")])
    assert raised.value.exit_code is Exit.USAGE


def test_free_text_is_not_compared(tmp_path: Path) -> None:
    result = measured(tmp_path, [(f"i{row}", "ada", f"text {row}", START) for row in range(300)])
    assert "annotations: 300 different labels; at most 200 are compared. Name another `label`." in result.notes
    assert not any("agreement" in key for row in result.rows for key in row.scalars)


def judgements(table: pa.Table, drifting_after: float = math.inf) -> list[tuple[Any, ...]]:
    """Five annotators who judge every item; from a time on one of them says yes to everything."""
    random = np.random.default_rng(5)
    rows = []
    for item, label, time in zip(*(table[name].to_pylist() for name in ("id", "label", "time")), strict=True):
        for who in ANNOTATORS:
            said = label if random.random() < 0.9 else "no" if label == "yes" else "yes"
            rows.append((item, who, "yes" if who == "cy" and time > drifting_after else said, time))
    return rows


def measured(folder: Path, rows: list[tuple[Any, ...]], **changed: Any) -> MeasureResult:
    table = dict(zip(("item", "who", "said", "at"), map(list, zip(*rows, strict=True)), strict=True))
    path = write(pa.table(table), folder / "annotations.parquet")
    files = str(write(log(), folder / "log.parquet"))
    spec = replace(SPEC, files=files, annotations=replace(TABLE, files=str(path)), **changed)
    return measure(Model("churn", (), measure=spec), NOW, {}, RetryPolicy(), folder)


def test_each_window_has_its_agreement_at_the_last_version(tmp_path: Path) -> None:
    result = measured(tmp_path, judgements(log(), START + DAY))
    first, before, last = result.rows
    assert (first.version, before.version, last.version) == ("v1", "v1", "v2")
    assert not any(key.startswith("labels/agreement") for key in before.scalars)
    assert 0.5 < first.scalars["labels/agreement/low"] < first.scalars["labels/agreement"] < 0.75
    assert first.scalars["labels/agreement_n"] == 1000
    assert first.scalars["labels/agreement_share"] == pytest.approx(0.82, abs=0.03)
    assert first.scalars["labels/annotator_error"] == pytest.approx(0.1, abs=0.02)
    assert first.scalars["labels/annotator_error/low"] < 0.1 < first.scalars["labels/annotator_error/high"]
    assert last.scalars["labels/agreement/high"] < first.scalars["labels/agreement/low"]
    for name in ANNOTATORS:
        assert first.scalars[f"labels/annotator={name}/agreement"] == pytest.approx(0.64, abs=0.08)
    worst = last.scalars["labels/annotator=cy/agreement"]
    assert worst == pytest.approx(0.0, abs=0.05)
    assert worst < last.scalars["labels/annotator=ada/agreement"]


def test_annotators_with_few_items_are_not_published_one_by_one(tmp_path: Path) -> None:
    result = measured(tmp_path, judgements(log()), min_rows=100_000)
    keys = {key for row in result.rows for key in row.scalars if "agreement" in key}
    assert keys >= {"labels/agreement", "labels/agreement_n", "labels/agreement/low", "labels/agreement/high"}
    assert not any("annotator=" in key for key in keys)


def test_what_is_not_published_is_noted(tmp_path: Path) -> None:
    alone = [row for row in judgements(log()) if row[1] == "ada"]
    assert any("two annotators judged the same item" in note for note in measured(tmp_path, alone).notes)
    same = [(item, who, "yes", at) for item, who, _, at in judgements(log())]
    result = measured(tmp_path, same)
    assert any("there is no labels/agreement, but labels/agreement_share" in note for note in result.notes)
    assert not any("two annotators judged the same item" in note for note in result.notes)
    first = result.rows[0].scalars
    assert "labels/agreement" not in first
    assert (first["labels/agreement_share"], first["labels/annotator_error"]) == (1.0, 0.0)
    assert 0.0 < first["labels/annotator_error/high"] < 0.01
    later = [(item, who, said, at + DAY if at > START + DAY else at) for item, who, said, at in judgements(log())]
    later = [row for row in later if row[3] < NOW]
    assert any(
        "1 windows have judgements and no measured prediction" in note for note in measured(tmp_path, later).notes
    )


CONFIG = """
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn, version: model_version}
    github: {repository: acme/churn}
    measure:
      files: log.parquet
      id: id
      time: time
      prediction: prediction
      label: label
      features: [age]
      annotations: {files: annotations.parquet, id: item, annotator: who, label: said, time: at}
    rules:
      - name: annotators
        kind: label-quality
        metric: labels/agreement
        weight: labels/agreement_n
        segments: "labels/annotator=*/agreement"
        every: 1d
        window: 1d
        tiers: {warning: {below: 0.3, do: [issue]}}
"""
DAYS = 12


def test_an_annotator_who_drifts_fires_a_rule(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    table = log(DAYS * 200, days=DAYS)
    now = START + DAYS * DAY + 3600
    for end, expected in ((math.inf, set()), (START + (DAYS - 3) * DAY, {"cy"})):
        rows = judgements(table, end)
        columns = dict(zip(("item", "who", "said", "at"), map(list, zip(*rows, strict=True)), strict=True))
        write(pa.table(columns), tmp_path / "annotations.parquet")
        write(table, tmp_path / "log.parquet")
        (tmp_path / "modelwatch.yml").write_text(CONFIG)
        measuring = [
            "measure",
            "--since",
            "2026-11-01",
            "--config",
            str(tmp_path / "modelwatch.yml"),
            "--now",
            str(now),
        ]
        done = CliRunner().invoke(group, measuring)
        assert done.exit_code == 0, done.output
        config = load_config(tmp_path / "modelwatch.yml", {})
        judgement = pipeline.evaluate(make_context(config, now)).judgement
        (found,) = (one for one in judgement.groups if one.rule == "annotators")
        firing = [alert for alert in found.alerts if alert.state is AlertState.FIRING]
        assert {dict(alert.labels).get("annotator") for alert in firing} - {None} == expected
        plan = make_plan(judgement, config, {"churn": ModelObservation("churn")}, now)
        titles = [(change.kind.name, change.register and change.register.title) for change in plan.changes]
        assert titles == ([("OPEN_ISSUE", "annotators (annotator=cy alone) below its limit 0.3")] if expected else [])
