"""The page "What your job logs": its code runs through the real W&B client, and modelwatch reads what it logs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from modelwatch.model.series import PulledSeries
from modelwatch.step_files import read_series
from modelwatch.testing.standins.servers import serve_all

PAGE = (Path(__file__).resolve().parents[1] / ".github/WHAT-YOUR-JOB-LOGS.md").read_text("utf-8")
BATCH, ONLINE, BACKFILL = (token.content for token in MarkdownIt().parse(PAGE) if token.info == "python")
MAX_LINES = 20
TRAFFIC = """
for number in range(40):
    after_request(0.1 if number else 2.0, ok=number != 3)
once_a_minute()
once_a_minute()  # without requests there is nothing to say
run.finish()
"""


@dataclass(frozen=True)
class Job:
    """A folder, and the variables that lead the clients to the stand-ins."""

    folder: Path
    env: dict[str, str]

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def pull(self, project: str) -> PulledSeries:
        """What modelwatch reads of the project, by the rules that ``init`` proposes."""
        self.run("-m", "modelwatch", "init", "--project", project, "--owner", "@ada")
        self.run("-m", "modelwatch", "pull", "--out", "series.jsonl")
        (pulled,) = read_series(self.folder / "series.jsonl")
        return pulled

    @property
    def config(self) -> Any:
        (model,) = yaml.safe_load((self.folder / "modelwatch.yml").read_text("utf-8"))["models"]
        return model


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    with serve_all() as variables:
        bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        yield Job(tmp_path, bare | variables)


def counted(pulled: PulledSeries) -> dict[str, tuple[int, float | None]]:
    """Name and labels -> points, and the count of the newest one."""
    return {
        " ".join((found.name, *(f"{label}={value}" for label, value in found.labels))): (
            len(found),
            None if found.weights is None else found.weights[-1],
        )
        for found in pulled.series
    }


def test_the_examples_are_short() -> None:
    assert all(len(text.strip().splitlines()) <= MAX_LINES for text in (BATCH, ONLINE, BACKFILL))


def test_a_batch_job(job: Job) -> None:
    """Run twice a day it goes on in one W&B run."""
    job.run("-c", BATCH)
    job.run("-c", BATCH)
    pulled = job.pull("churn-prod")
    assert counted(pulled) == {
        "eval/accuracy": (2, 1500),
        "eval/accuracy region=eu": (2, 1000),
        "eval/accuracy region=na": (2, 500),
    }
    (histograms,) = pulled.histograms
    assert (histograms.name, dict(histograms.labels), len(histograms)) == ("features", {"features": "age"}, 2)
    assert [found.version for found in pulled.deployments] == ["v7"]
    assert job.config["wandb"]["runs"] == {"tags": "production"}
    assert [rule["name"] for rule in job.config["rules"]] == ["accuracy", "feature-drift"]


def test_a_service(job: Job) -> None:
    job.run("-c", ONLINE + TRAFFIC)
    pulled = job.pull("churn-online")
    assert counted(pulled) == {"serve/error_rate": (1, 40), "serve/latency_p95": (1, 40)}
    (latency,) = (found for found in pulled.series if found.name == "serve/latency_p95")
    assert list(latency.values) == [0.1]


def test_old_data(job: Job) -> None:
    """The rows count at their own time: 35 days of history, though all were logged just now."""
    job.run("-c", BACKFILL)
    pulled = job.pull("churn-backfill")
    assert job.config["wandb"]["time"] == "eval/time"
    (series,) = pulled.series
    assert series.times[-1] - series.times[0] > 27 * 86_400
    assert {after - before for before, after in zip(series.times, series.times[1:], strict=False)} == {3600.0}
    shown = job.run("-m", "modelwatch", "check")
    assert "1 healthy" in shown
