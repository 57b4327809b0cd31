"""``modelwatch release validate`` as people and workflows call it."""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from modelwatch import step_files
from modelwatch.cli import main
from modelwatch.model.gate import GateReport
from tests.release.tables import table, write
from tests.release.world import World

CONFIG = """\
version: 1
models:
  - name: churn
    table: {path: rows.csv}
    measure: {files: log.parquet, id: id, time: t, label: label, prediction: prediction, score: score, value: value}
    release:
      artifact: acme/train/churn
      gate: {holdout: "acme/train/holdout-{version}:latest", recent: "recent-{version}.parquet", segments: [region]}
    rules: [{name: rows, kind: data-quality, metric: rows, window: 1h, tiers: {critical: {below: 1}}}]
"""


class Shell:
    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        out, err, code = io.StringIO(), io.StringIO(), 0
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main(["release", "validate", *arguments, "--now", "1790000000"])
            except SystemExit as ended:
                code = int(ended.code or 0)
        self.out, self.err = out.getvalue(), err.getvalue()
        return code

    def answer(self) -> Any:
        """What it said as JSON, which keeps to the published schema."""
        found = json.loads(self.out)
        jsonschema.validate(found, step_files.schema("gate"))
        return found


@pytest.fixture
def shell(opened: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    opened.renew(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS", "MODELWATCH_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    (tmp_path / "modelwatch.yml").write_text(CONFIG)
    return Shell(opened, tmp_path)


RANKED = """\
version: 1
models:
  - name: churn
    table: {path: rows.csv}
    measure: {files: log.parquet, id: id, time: t, label: label, score: score, ranking: {query: query, at: 5}}
    release: {artifact: acme/train/churn, gate: {metric: ndcg}}
    rules: [{name: rows, kind: data-quality, metric: rows, window: 1h, tiers: {critical: {below: 1}}}]
"""
N = 6000


def scored(right: float, seed: int, **columns: Any) -> dict[str, Any]:
    return table(N, seed, right, **columns)


def furnish(shell: Shell, candidate: float, champion: float = 0.80, **columns: Any) -> None:
    """Predictions of v2 and v3: on the holdout as W&B artifacts, on the recent window as files."""
    for version, right, seed in (("v2", champion, 1), ("v3", candidate, 2)):
        own = columns if version == "v3" else {}
        write(shell.folder / f"recent-{version}.parquet", scored(right, seed, **own))
        held = write(shell.folder / "held.parquet", scored(right, seed + 10)).read_bytes()
        shell.world.wandb.standin.state.add_artifact(
            "acme", "train", f"holdout-{version}", {"predictions.parquet": held}, kind="predictions"
        )


@pytest.mark.parametrize(("right", "decision", "code"), [(0.9, "promote", 0), (0.8, "hold", 10), (0.7, "reject", 11)])
def test_each_decision_has_its_exit_code(shell: Shell, right: float, decision: str, code: int) -> None:
    furnish(shell, right)
    assert shell("--json", "--exit-code") == code
    found = shell.answer()
    assert found["decision"] == decision
    assert (found["champion"], found["candidate"]) == ("1.1.0 (v2)", "1.2.0 (v3)")
    assert {row["part"] for row in found["rows"]} == {"holdout", "recent"}
    assert found["reasons"]
    assert shell("--json") == 0


def test_people_get_a_table_and_steps_get_outputs(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(shell.folder / "outputs"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(shell.folder / "summary.md"))
    furnish(shell, 0.9)
    assert shell("1.2.0", "--out", "out/gate.json") == 0
    assert shell.out.startswith("promote churn: 1.2.0 (v3) against 1.1.0 (v2), by accuracy\n")
    assert "comparisons of segments passed." in shell.out
    assert "superior" in shell.out
    assert "Cohen's kappa" in shell.out
    assert step_files.read_file(shell.folder / "out/gate.json", GateReport).decision == "promote"
    outputs = (shell.folder / "outputs").read_text()
    assert "\npromote\n" in outputs
    assert "\n1.2.0 (v3)\n" in outputs
    summary = (shell.folder / "summary.md").read_text()
    assert summary.startswith("## Promote: `churn` `1.2.0 (v3)` against `1.1.0 (v2)`\n")
    assert "| `recent: region=eu (" in summary


def test_files_need_no_wandb(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    one, other = (str(write(shell.folder / f"{seed}.parquet", scored(0.7 + seed / 10, seed))) for seed in (1, 2))
    assert shell("mine", "--champion", "theirs", "--holdout", one, other, "--recent", one, other, "--json") == 0
    found = shell.answer()
    assert (found["champion"], found["candidate"], found["decision"]) == ("theirs", "mine", "promote")


def test_a_part_of_the_configuration_is_not_forgotten(shell: Shell) -> None:
    """Naming the holdout alone leaves the recent window to the configuration."""
    furnish(shell, 0.9)
    one, other = str(shell.folder / "recent-v2.parquet"), str(shell.folder / "recent-v3.parquet")
    assert shell("--holdout", one, other, "--json") == 0
    assert {row["part"] for row in shell.answer()["rows"]} == {"holdout", "recent"}


@pytest.mark.parametrize(
    ("actions", "options", "code"),
    [("true", (), 11), ("true", ("--no-exit-code",), 0), ("", (), 0), ("", ("--exit-code",), 11)],
)
def test_in_actions_a_rejected_candidate_fails_the_step(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, actions: str, options: tuple[str, ...], code: int
) -> None:
    furnish(shell, 0.7)
    monkeypatch.setenv("GITHUB_ACTIONS", actions)
    assert shell(*options) == code


@pytest.mark.parametrize("wrong", ["id: nr", "label: outcome"])
def test_a_column_that_the_tables_do_not_have_is_an_error_in_the_configuration(shell: Shell, wrong: str) -> None:
    key, _, _ = wrong.partition(":")
    text = (shell.folder / "modelwatch.yml").read_text()
    changed = re.sub(rf"\b{key}: \w+", wrong, text)
    assert changed != text
    (shell.folder / "modelwatch.yml").write_text(changed)
    furnish(shell, 0.9)
    assert shell() == 2
    assert wrong.partition(" ")[2] in shell.err


def test_tables_that_do_not_fit_are_held_and_told(shell: Shell) -> None:
    furnish(shell, 0.95, id=[f"row-{place + 3}" for place in range(N)])
    assert shell("--json", "--exit-code") == 10
    found = shell.answer()
    assert found["decision"] == "hold"
    assert found["reasons"][0].startswith("recent: 3 rows of the champion's table are missing")


def test_hostile_segments_stay_text(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(shell.folder / "summary.md"))
    region = np.array(["[x](http://evil) @all `|` \n# heading \x1b[31m"] * N)
    rows = [str(write(shell.folder / f"{seed}.parquet", scored(0.8, seed, region=region))) for seed in (1, 2)]
    assert shell("mine", "--holdout", *rows, "--recent", *rows) == 0
    assert "\x1b" not in shell.out
    lines = (shell.folder / "summary.md").read_text().splitlines()
    assert not any(line.startswith("# heading") for line in lines)
    assert all("@all" not in line.replace("`", "\0").split("\0")[0] for line in lines)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("v9",), 2, "there is no candidate 'v9'. Existing versions: 1.2.0 (v3), 1.1.0 (v2)"),
        (("candidate", "--champion", "canary"), 2, "there is no champion 'canary'."),
        (("production",), 2, "1.1.0 (v2) is the champion already."),
        (("v3", "--recent", "none.parquet", "none.parquet"), 2, "--recent: there is no file 'none.parquet'."),
    ],
)
def test_mistakes_are_told(shell: Shell, arguments: tuple[str, ...], code: int, said: str) -> None:
    furnish(shell, 0.9)
    assert shell(*arguments) == code
    assert said in " ".join(shell.err.split())


def test_predictions_that_are_not_there_are_told(shell: Shell) -> None:
    furnish(shell, 0.9)
    (shell.folder / "recent-v3.parquet").unlink()
    assert shell("v3") == 3
    assert "recent-v3.parquet: there is no such file or folder" in shell.err


def test_what_the_configuration_lacks_is_told(shell: Shell) -> None:
    (shell.folder / "modelwatch.yml").write_text(
        CONFIG.replace(CONFIG[CONFIG.index("    measure") : CONFIG.index("    release:")], "")
    )
    furnish(shell, 0.9)
    assert shell() == 2
    assert "has no `measure:`" in shell.err
    (shell.folder / "modelwatch.yml").write_text(
        CONFIG.replace(CONFIG[CONFIG.index("      gate") : CONFIG.index("    rules")], "")
    )
    assert shell() == 2
    assert "there is nothing to compare the two versions on." in shell.err


def test_rankings_are_told_by_their_queries(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    (shell.folder / "modelwatch.yml").write_text(RANKED)
    relevance, query = np.tile([2, 1, 0, 0, 0, 0], 200), np.repeat(np.arange(200), 6)
    for seed, noise in ((1, 3.0), (2, 1.0)):
        score = relevance + np.random.default_rng(seed).normal(0, noise, 1200)
        rows = {"id": np.arange(1200), "label": relevance, "query": query, "score": score}
        write(shell.folder / f"{seed}.parquet", rows)
    summary = shell.folder / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert shell("v8", "--recent", "1.parquet", "2.parquet", "--json", "--exit-code") == 0
    answer = shell.answer()
    assert answer["decision"] == "promote"
    assert {(row["what"], row["n"], row["unit"]) for row in answer["rows"]} == {
        ("ndcg", 200, "queries"),
        ("hit_rate", 200, "queries"),
    }
    assert "200 queries" in summary.read_text()
