"""The page "Predictions, operations and a holdout": its example runs, and logs every key that the page names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from markdown_it import MarkdownIt

from modelwatch.timeutil import DAY
from tests.release.world import NOW, World

PAGE = (Path(__file__).resolve().parents[2] / ".github/PREDICTIONS.md").read_text("utf-8")
BLOCKS = [(token.info, token.content) for token in MarkdownIt().parse(PAGE) if token.type == "fence"]
CONFIG = next(text for info, text in BLOCKS if info == "yaml" and text.startswith("version: 1"))
PREDICT = next(text for info, text in BLOCKS if info == "python")
ROWS = 3000
ELSEWHERE = {"calibration/class=owl/ece", "agreement/previous", "holdout/previous/accuracy", "holdout/autumn/accuracy"}
"""Keys of other examples: several classes, no candidate, another holdout."""


@pytest.fixture
def folder(opened: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the page's configuration, a day of its log, and a holdout."""
    opened.enter(tmp_path, monkeypatch, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    state = opened.wandb.standin.state
    for version, aliases in (("v0", []), ("v1", ["production"]), ("v2", ["candidate"])):
        state.add_artifact("acme", "churn-train", "churn", {"model.bin": version.encode()}, aliases=aliases)
    rng = np.random.default_rng(5)
    score = rng.random(ROWS)
    shadow = np.arange(ROWS) >= ROWS - 500
    log = {
        "request_id": np.where(shadow, np.arange(ROWS) - 2000, np.arange(ROWS)),
        "time": NOW // DAY * DAY - DAY + np.linspace(0, DAY - 1, ROWS),
        "model_version": np.where(shadow, "v2", "v1"),
        "score": score,
        "predicted": (score > 0.5).astype(int),
        "churned": (rng.random(ROWS) < score).astype(int),
        "region": rng.choice(["eu", "na"], ROWS),
        "amount": rng.integers(0, 100, ROWS),
        "took_ms": rng.lognormal(4, 1, ROWS),
        "status": rng.choice([200, 500], ROWS, p=[0.99, 0.01]),
        "cost_cents": rng.random(ROWS),
    }
    (tmp_path / "logs").mkdir()
    pq.write_table(pa.table(log), tmp_path / "logs/day.parquet")
    lines = [f"{row},{amount},{int(amount > 50)},eu" for row, amount in enumerate(rng.integers(0, 100, 200))]
    (tmp_path / "holdout.csv").write_text("\n".join(["request_id,amount,churned,region", *lines]) + "\n")
    (tmp_path / "predict.py").write_text(PREDICT)
    (tmp_path / "modelwatch.yml").write_text(CONFIG)
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "modelwatch", *arguments, "--now", str(NOW)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def named_keys() -> set[str]:
    """The keys in the first columns of the page's tables: ``latency/p50``, ``p95`` stand beside each other."""
    keys: set[str] = set()
    for line in PAGE.splitlines():
        cell = line.split("|")[1] if line.startswith("| `") else ""
        head = ""
        for text in re.findall(r"`([^`]+)`", cell):
            if "/" in text:
                head = text.rpartition("/")[0]
            if not text.isupper() and not text.startswith("MODELWATCH_"):
                keys.add(text if "/" in text or not head else f"{head}/{text}")
    return keys


def test_the_example_logs_every_key_of_the_page(folder: Path, opened: World) -> None:
    run(folder, "measure")
    shown = run(folder, "score")
    assert "scored by v1, candidate v2." in shown
    runs = opened.wandb.standin.state.projects["acme", "churn-prod"].runs.values()
    logged = {key for each in runs for row in each.history.rows for key in row}
    named = named_keys()
    assert len(named) > 25
    assert {key for key in named - ELSEWHERE if key not in logged} == set()
    assert {"agreement/champion", "agreement/champion_n", "agreement/region=eu/champion"} <= logged
    checked = run(folder, "check")
    for rule in ("confidence", "calibration", "latency", "errors", "holdout", "agreement"):
        assert rule in checked


def test_the_command_of_the_page_is_short() -> None:
    assert len(PREDICT.splitlines()) <= 12
