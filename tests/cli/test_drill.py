"""``modelwatch drill`` as people call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.drill.making import CONFIG

DRILL = (sys.executable, "-m", "modelwatch", "drill")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "modelwatch.yml").write_text(CONFIG.replace("MORE", ""), "utf-8")
    return tmp_path


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "PAGERDUTY_"))}
    return subprocess.run(
        [*DRILL, *words],
        cwd=folder,
        env=env | {"COLUMNS": "140"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_drill_on_screen(folder: Path) -> None:
    done = call(folder, "churn", "--stand-ins", "--scenario", "accuracy-drop")
    assert done.returncode == 0, done.stderr
    assert "Drill of churn: accuracy-drop, stand-ins" in done.stdout
    assert "All 12 links hold." in done.stdout
    assert "Nothing is left behind." in done.stdout
    assert done.stderr == ""


def test_results_for_scripts_and_the_job_summary(folder: Path) -> None:
    summary, outputs = folder / "summary.md", folder / "outputs"
    variables = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(outputs)}
    before = dict(os.environ)
    command = [*DRILL, "churn", "--stand-ins", "--scenario", "silence", "--format", "json"]
    done = subprocess.run(
        command, cwd=folder, env=before | variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["passed"] is True
    assert len(data["drills"][0]["links"]) == 12
    assert "## ✅ `churn`: silence" in summary.read_text("utf-8")
    assert "passed=true" in outputs.read_text("utf-8") or "passed<<" in outputs.read_text("utf-8")


def test_the_list_needs_nothing(tmp_path: Path) -> None:
    done = call(tmp_path, "--list")
    assert done.returncode == 0
    assert "missing-data" in done.stdout
    rows = json.loads(call(tmp_path, "--list", "--format", "json").stdout)["scenarios"]
    assert len(rows) == 10


def test_a_game_day_writes_the_authority_page_and_the_page_stays(folder: Path) -> None:
    done = call(folder, "churn", "--stand-ins", "--game-day", "--authority", "WHO-MAY.md")
    assert done.returncode == 0, done.stdout + done.stderr
    page = (folder / "WHO-MAY.md").read_text("utf-8")
    assert "| move: from the dispatch to the end of the workflow run | 5 min |" in page
    assert call(folder, "--authority", "WHO-MAY.md").returncode == 0
    assert (folder / "WHO-MAY.md").read_text("utf-8") == page


def test_a_rollback_that_the_model_does_not_have_is_not_timed(folder: Path) -> None:
    path = folder / "modelwatch.yml"
    path.write_text(path.read_text("utf-8").replace(", rollback]", "]"), "utf-8")
    done = call(folder, "churn", "--stand-ins", "--game-day", "--authority", "WHO-MAY.md")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "no tier of `accuracy` rolls back, so there is nothing to drill" in done.stderr
    assert not (folder / "WHO-MAY.md").exists()


def test_what_is_kept_is_named(folder: Path) -> None:
    done = call(folder, "churn", "--stand-ins", "--scenario", "silence", "--keep", "--now", "2026-11-20")
    (line,) = (line for line in done.stdout.splitlines() if "is kept in" in line)
    kept = Path(line.rpartition(" ")[2].rstrip("."))
    assert (kept / "evaluation-1" / "plan.json").exists()
    assert "--keep" in done.stdout
    call(folder, "churn", "--stand-ins", "--scenario", "silence")
    assert not kept.exists(), "the next drill removes it"


@pytest.mark.parametrize(
    ("missing", "extra"), [("modelwatch.testing.drill_site", "testing"), ("starlette", "relay"), ("graphql", "testing")]
)
def test_the_missing_extra_is_named_in_one_line(folder: Path, missing: str, extra: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from modelwatch.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "drill", "churn", "--stand-ins"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert "is not installed" in line
    assert extra in line


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Say where"),
        (("churn",), "Say where"),
        (("churn", "--stand-ins", "--staging", "x.yml"), "exclude each other"),
        (("--stand-ins",), "Name the MODEL"),
        (("chur", "--stand-ins"), "Did you mean `churn`?"),
        (("churn", "--stand-ins", "--scenario", "drit"), "drift"),
        (("churn", "--stand-ins", "--issue"), "--issue goes with --staging"),
        (("churn", "--stand-ins", "--game-day", "--scenario", "silence"), "leave --scenario out"),
        (("churn", "--stand-ins", "--scenario", "accuracy-drop", "--tier", "info"), "has no tier info"),
        (("churn", "--staging", "missing.yml"), "missing.yml"),
    ],
)
def test_slips_are_told_in_one_line(folder: Path, words: tuple[str, ...], told: str) -> None:
    done = call(folder, *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
