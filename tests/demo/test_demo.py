"""The demo, told from beginning to end in a process of its own, without anything but this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from modelwatch.files import read_plan
from modelwatch.targets.register_text import read


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that the demo leaves behind, and what it says."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "modelwatch", "demo", "--out", str(folder), "--now", "2026-11-20T12:00Z"]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "GITHUB_"))}
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=env | {"HTTPS_PROXY": "http://127.0.0.1:9", "COLUMNS": "100"},
        cwd=folder,
        timeout=280,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return folder, ended.stdout


def test_the_story_is_told_in_order(told: tuple[Path, str]) -> None:
    _, out = told
    wanted = [
        "27 healthy days",
        ", 0 alerts",
        "v7 misreads one field of latam",
        "WARNING: churn accuracy (region=latam)",
        "→ open issue",
        "→ dispatch retrain",
        "ERROR: churn accuracy (region=latam)",
        "→ trigger incident",
        "CRITICAL: churn accuracy (region=latam)",
        "→ dispatch rollback",
        "production now serves v6",
        "has recovered, and the proof is complete",
        "→ resolve incident",
        "→ close issue",
        "What exists now",
        "Where to look",
    ]
    places = [out.index(text) for text in wanted]
    assert places == sorted(places)
    assert "Traceback" not in out
    assert "\x1b" not in out


def test_what_exists_in_the_end(told: tuple[Path, str]) -> None:
    _, out = told
    ending = out[out.index("What exists now") :]
    assert re.findall(r"issue #\d+ \(\w+\)", ending) == ["issue #1 (closed)"]
    assert re.findall(r"incident \d+ \(\w+, \w+\)", ending) == ["incident 1 (resolved, critical)"]
    verbs = re.findall(r"workflow run \(success\): modelwatch (\w+) churn \w+\.1\.\w+\.1\n", ending)
    assert verbs == ["retrain", "rollback"]


def test_what_it_leaves_behind(told: tuple[Path, str]) -> None:
    folder, out = told
    for name in ("issue.md", "incident.md", "workflow-runs.md", "summary.md", "plan.json", "repository/modelwatch.yml"):
        assert (folder / name).stat().st_size > 100
        assert str(folder / name) in out
    register = read((folder / "issue.md").read_text("utf-8").split("**Comment at")[0]).register
    assert register is not None
    assert (str(register.peak), register.episode) == ("critical", 1)
    assert register.closed is not None
    assert [(record.verb, record.conclusion) for record in register.dispatches] == [
        ("retrain", "success"),
        ("rollback", "success"),
    ]
    assert register.page is not None
    assert register.page.state == "resolved"
    plans = sorted((folder / "plans").glob("*.json"))
    assert len(plans) >= 6
    assert all(read_plan(path).changes for path in plans)
    assert json.loads((folder / "repository/baselines/churn.json").read_text("utf-8"))["entries"]
