"""``modelwatch score``: the user's own command scores a fixed holdout; the metrics and the agreement go to W&B."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelwatch.cli import main
from modelwatch.model.prediction_log import holdout_run_id
from modelwatch.model.release import MoveVerb
from modelwatch.timeutil import DAY
from tests.release.world import NOW, World

CONFIG = """\
version: 1
models:
  - name: churn
    wandb: {{entity: acme, project: prod, version: model_version}}
    measure:
      files: log.csv
      id: id
      time: t
      prediction: prediction
      label: label
      segments: [region]
      holdout: {{files: {file}, predict: {predict!r}, timeout: 20s{more}}}
    {release}
    rules:
      - {{name: holdout, kind: accuracy-drop, metric: holdout/accuracy, weight: holdout/n, window: 1d, every: 1d,
         tiers: {{error: {{below: 80%}}}}}}
      - {{name: agreement, kind: prediction-drift, metric: agreement/candidate, weight: agreement/candidate_n,
         window: 1d, every: 1d, better: higher, tiers: {{warning: {{below: 90%}}}}}}
"""
RELEASE = "release: {artifact: acme/train/churn}"
PREDICT = """\
import csv, os, sys
right = {"v2": int(os.environ.get("RIGHT", 190)), "v3": 180, "v1": 150}[os.environ["MODELWATCH_VERSION"]]
rows = list(csv.DictReader(open(os.environ["MODELWATCH_INPUT"])))
with open(os.environ["MODELWATCH_OUTPUT"], "w") as file:
    writer = csv.writer(file)
    writer.writerow(["id", "prediction"])
    for place, row in reversed(list(enumerate(rows))):
        answer = row["label"] if place < right else str(1 - int(row["label"]))
        writer.writerow([row["id"], answer])
"""
ROWS = 200
SECRET = "hunter2-and-more"


class Shell:
    """The command line in a repository with a holdout."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.out = self.err = ""
        self.configure()
        self.write_holdout()
        (folder / "predict.py").write_text(PREDICT)

    def configure(self, predict: str = "", file: str = "holdout.csv", release: str = RELEASE, more: str = "") -> None:
        predict = predict or f"{sys.executable} predict.py"
        text = CONFIG.format(predict=predict, file=file, release=release, more=more)
        (self.folder / "modelwatch.yml").write_text(text)

    def write_holdout(self, rows: int = ROWS, first: int = 0) -> None:
        lines = [f"r{row},{'eu' if row % 4 else 'na'},{row % 2}" for row in range(first, first + rows)]
        (self.folder / "holdout.csv").write_text("\n".join(["id,region,label", *lines]) + "\n")

    def __call__(self, *arguments: str, days: float = 0.0, command: str = "score") -> int:
        out, err, code = io.StringIO(), io.StringIO(), 0
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main([command, *arguments, "--now", str(NOW + days * DAY)])
            except SystemExit as ended:
                code = int(ended.code or 0)
        self.out, self.err = out.getvalue(), err.getvalue()
        return code

    def logged(self) -> list[dict[str, Any]]:
        """The rows of all W&B runs of scores, oldest first."""
        runs = self.world.wandb.standin.state.projects.get(("acme", "prod"))
        found = (
            [row for name, run in runs.runs.items() if "holdout-" in name for row in run.history.rows] if runs else []
        )
        return sorted(found, key=lambda row: row["measured/time"])


@pytest.fixture
def shell(opened: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    opened.enter(tmp_path, monkeypatch, DEPLOY_TOKEN=SECRET, NO_COLOR="1")
    monkeypatch.delenv("MODELWATCH_CONFIG", raising=False)
    return Shell(opened, tmp_path)


def test_the_version_that_serves_and_the_candidate_score_the_holdout(shell: Shell) -> None:
    assert shell() == 0, shell.err
    (row,) = shell.logged()
    assert row["holdout/accuracy"] == 0.95
    assert row["holdout/n"] == ROWS
    assert row["holdout/accuracy/low"] < 0.95 < row["holdout/accuracy/high"]
    assert row["holdout/candidate/accuracy"] == 0.9
    assert row["agreement/candidate"] == 0.95, "both are right in 180 rows and wrong in 10"
    assert row["agreement/candidate_n"] == ROWS
    assert row["agreement/candidate/low"] < 0.95 < row["agreement/candidate/high"]
    assert row["holdout/region=na/accuracy"] == pytest.approx(48 / 50)
    assert row["agreement/region=eu/candidate"] == pytest.approx(142 / 150, abs=0.02)
    assert row["measured/time"] == NOW // DAY * DAY
    assert "200 rows, scored by 1.1.0 (v2), candidate 1.2.0 (v3)." in shell.out
    assert not [key for key in row if key.startswith("holdout/candidate/region")]


def test_a_day_has_one_point_however_often_it_is_scored(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell() == 0
    monkeypatch.setenv("RIGHT", "100")
    assert shell() == 0
    assert "scored this holdout today already" in shell.out
    assert len(shell.logged()) == 1
    assert shell("--again") == 0
    assert {row["measured/time"] for row in shell.logged()} == {NOW // DAY * DAY}
    assert shell.logged()[-1]["holdout/accuracy"] == 0.5


def test_its_history_is_a_rule_and_fires(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in range(5):
        assert shell(days=day) == 0
    assert shell("--format", "json", days=4.2, command="check") == 0
    assert {alert["state"] for alert in alerts(shell)} <= {"resolved", "pending"}
    monkeypatch.setenv("RIGHT", "120")
    for day in (5, 6, 7):
        assert shell(days=day) == 0
    assert shell("--format", "json", days=7.2, command="check") == 0
    firing = {alert["rule"] for alert in alerts(shell) if alert["state"] == "firing"}
    assert firing == {"holdout", "agreement"}


def alerts(shell: Shell) -> list[dict[str, Any]]:
    report = json.loads(shell.out)
    return [{"rule": group["rule"], **alert} for group in report["groups"] for alert in group["alerts"]]


def test_without_a_candidate_the_version_before(shell: Shell) -> None:
    shell.world.move(MoveVerb.PROMOTE, "v3")
    assert shell() == 0, shell.err
    (row,) = shell.logged()
    assert row["holdout/accuracy"] == 0.9
    assert row["holdout/previous/accuracy"] == 0.95
    assert row["agreement/previous"] == 0.95


def test_versions_by_name_without_a_registry(shell: Shell) -> None:
    shell.configure(release="owner: '@acme/ml'")
    assert shell() == 2
    assert "nothing says which version of 'churn' serves" in shell.err
    assert shell("--version", "v1", "--version", "v2") == 0, shell.err
    (row,) = shell.logged()
    assert row["holdout/accuracy"] == 0.75
    assert row["agreement/v2"] == pytest.approx(0.8)


def test_a_changed_holdout_is_refused_until_it_has_a_name(shell: Shell) -> None:
    assert shell() == 0
    shell.write_holdout(first=1)
    assert shell(days=1) == 2
    assert "the holdout without a name changed: its file has the SHA-256" in shell.err
    assert "holdout: {name: ...}" in shell.err
    assert len(shell.logged()) == 1
    shell.configure(more=", name: autumn")
    assert shell(days=1) == 0, shell.err
    row = shell.logged()[-1]
    assert {"holdout/autumn/accuracy", "holdout/autumn/candidate/accuracy", "agreement/autumn/candidate"} <= row.keys()
    shell.write_holdout()
    shell.configure()
    assert shell(days=2) == 0, "the first one is still known"


def test_a_command_that_fails_is_one_paragraph_without_secrets(shell: Shell) -> None:
    shell.configure(predict="echo loading; echo token is $DEPLOY_TOKEN; exit 3")
    assert shell() == 4
    (line,) = shell.err.strip().splitlines()
    assert "the command that scores 1.1.0 (v2) ended with exit code 3." in line
    assert "Its output ended with: loading | token is ***" in line
    assert SECRET not in shell.err
    assert not shell.logged()


@pytest.mark.parametrize(
    ("predict", "problem"),
    [
        ("sleep 30", "did not end within 1 s. It wrote nothing."),
        ("true", "wrote no file"),
        ("cp holdout.csv $MODELWATCH_OUTPUT", "they have none of the columns 'prediction'"),
        ("(echo id,prediction; echo r0,1) > $MODELWATCH_OUTPUT", "199 of 200 rows have no prediction: 'r1', 'r2', "),
        ("(echo id,prediction; echo r0,1; echo r0,1) > $MODELWATCH_OUTPUT", "1 ids occur more than once: 'r0'."),
        ("(echo id,prediction; seq -f 'r%g,1' 0 200) > $MODELWATCH_OUTPUT", "1 ids are not in the holdout: 'r200'."),
        ("(echo id,prediction; seq -f 'r%g,' 0 1; seq -f 'r%g,1' 2 199) > $MODELWATCH_OUTPUT", "2 rows have an empty"),
        ("(echo name,prediction; echo r0,1) > $MODELWATCH_OUTPUT", "the table has no column 'id'"),
        ("(echo id,prediction; echo ,1) > $MODELWATCH_OUTPUT", "1 of 1 rows have no id."),
        ("echo id,prediction > $MODELWATCH_OUTPUT", "no rows"),
    ],
)  # fmt: skip
def test_predictions_that_do_not_fit_are_refused(shell: Shell, predict: str, problem: str) -> None:
    shell.configure(predict=predict)
    text = (shell.folder / "modelwatch.yml").read_text()
    (shell.folder / "modelwatch.yml").write_text(text.replace("timeout: 20s", "timeout: 1s"))
    assert shell() == 4
    assert problem in shell.err
    assert "Traceback" not in shell.err
    assert not shell.logged()


def test_a_candidate_that_fails_does_not_lose_the_other_scores(shell: Shell) -> None:
    shell.configure(predict=f"test $MODELWATCH_VERSION = v2 && {sys.executable} predict.py")
    assert shell() == 4
    assert "the command that scores candidate 1.2.0 (v3) ended with exit code 1" in shell.err
    (row,) = shell.logged()
    assert row["holdout/accuracy"] == 0.95
    assert "agreement/candidate" not in row


def test_a_holdout_without_labels_gives_agreement_alone(shell: Shell) -> None:
    lines = [f"r{row},{row % 2}" for row in range(ROWS)]
    (shell.folder / "holdout.csv").write_text("\n".join(["id,truth", *lines]) + "\n")
    (shell.folder / "predict.py").write_text(PREDICT.replace('row["label"]', 'row["truth"]'))
    assert shell() == 0, shell.err
    (row,) = shell.logged()
    assert row["agreement/candidate"] == 0.95
    assert not [key for key in row if key.startswith("holdout/")]
    assert "no column 'label': agreement only" in shell.out


def test_a_parquet_holdout_gets_a_parquet_output(shell: Shell) -> None:
    table = pa.table({"id": range(50), "label": [row % 2 for row in range(50)]})
    pq.write_table(table, shell.folder / "holdout.parquet")
    script = """\
import os, pyarrow as pa, pyarrow.parquet as pq
table = pq.read_table(os.environ["MODELWATCH_INPUT"])
pq.write_table(pa.table({"id": table["id"], "prediction": table["label"]}), os.environ["MODELWATCH_OUTPUT"])
"""
    (shell.folder / "predict.py").write_text(script)
    shell.configure(file="holdout.parquet")
    assert shell("--no-publish", "--format", "json") == 0, shell.err
    (result,) = json.loads(shell.out)["models"]
    assert result["scalars"]["holdout/accuracy"] == result["scalars"]["agreement/candidate"] == 1.0
    assert not shell.logged()


def test_a_broken_output_is_one_paragraph(shell: Shell) -> None:
    pq.write_table(pa.table({"id": [1, 2], "label": [0, 1]}), shell.folder / "holdout.parquet")
    shell.configure(file="holdout.parquet", predict="head -c 100 holdout.parquet > $MODELWATCH_OUTPUT")
    assert shell() == 4
    assert "the predictions of 1.1.0 (v2) are not usable" in shell.err
    assert "Traceback" not in shell.err


def test_long_names_give_each_pair_of_versions_a_run_of_its_own() -> None:
    ids = {holdout_run_id("m" * 60, NOW, "n" * 40, version) for version in ("v1-v2", "v1-v3", "v" * 99)}
    assert len(ids) == 3
    assert all(len(id) <= 120 for id in ids)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("id,label\n", "no rows"),
        ("id,label\na,1\na,0\n", "1 ids occur more than once: 'a'"),
        ("id,label\n,1\nb,0\n", "1 of 2 rows have no id"),
        ("key,label\na,1\n", "no column 'id'"),
    ],
)
def test_a_holdout_that_is_not_usable_is_refused(shell: Shell, text: str, problem: str) -> None:
    (shell.folder / "holdout.csv").write_text(text)
    assert shell() in (2, 3)
    assert problem in shell.err


def test_a_missing_holdout_and_a_model_without_one_are_named(shell: Shell) -> None:
    (shell.folder / "holdout.csv").unlink()
    assert shell() == 2
    assert "the holdout cannot be read: No such file" in shell.err
    text = (shell.folder / "modelwatch.yml").read_text()
    lines = [line for line in text.splitlines() if "holdout: {" not in line]
    (shell.folder / "modelwatch.yml").write_text("\n".join(lines) + "\n")
    assert shell() == 0
    assert "there is nothing to score" in shell.err
    assert shell("--model", "churn") == 2
    assert "the model 'churn' has no holdout" in shell.err
