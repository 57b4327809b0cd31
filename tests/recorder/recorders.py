"""Recorders, and configurations that read what they write, for tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from modelwatch.profiling.recorded_profiles import add_part
from modelwatch.recorder import Recorder
from modelwatch.stats.profile.codec import from_bytes
from modelwatch.stats.profile.table import Profile, TableProfile

START = 1_795_132_800.0
"""2026-11-20T00:00:00Z."""
DAY = 86_400.0


def recorder(spool: Path, **settings: Any) -> Recorder:
    """One that sends only when it is closed, and is version v1."""
    defaults = {"segments": ["region"], "serving_version": "v1", "flush_seconds": 0.05, "send_seconds": 3600.0}
    return Recorder("churn", spool=spool, **{**defaults, **settings})


def write_config(
    folder: Path, source: str, *, wandb: str = "{entity: acme, project: churn}", limit: float = 0.5
) -> Path:
    """One rule, on the rate of errors, which is too high above ``limit``."""
    path = folder / "modelwatch.yml"
    path.write_text(f"""
version: 1
models:
  - name: churn
    wandb: {wandb}
    measure:
      {{{source}, id: id, time: time, version: version, score: score, prediction: prediction, segments: [region]}}
    rules:
      - {{name: errors, kind: data-quality, metric: errors/rate, window: 24h, for: 1,
         tiers: {{warning: {{above: {limit}}}}}}}
""")
    return path


def recorded_profile(folder: Path) -> Profile:
    """The sum of the profiles that recorders wrote to a folder."""
    total, whole = Profile(), TableProfile()
    for path in sorted((folder / "profiles").glob("*.npz")):
        total, whole = add_part(total, whole, from_bytes(path.read_bytes())[0])
    return total


def recorded_losses(folder: Path) -> dict[str, int]:
    total: dict[str, int] = {}
    for path in (folder / "profiles").glob("*.npz"):
        for reason, rows in from_bytes(path.read_bytes())[1]["lost"].items():
            total[reason] = total.get(reason, 0) + rows
    return total


def recorded_rows(folder: Path, kind: str = "sample") -> list[dict[str, Any]]:
    """The rows of the Parquet files, file by file."""
    files = sorted((folder / kind).rglob("*.parquet"))
    return [row for path in files for row in pq.read_table(path).to_pylist()]


def send(spool: Path, wait: int = 30) -> dict[str, Any]:
    """``modelwatch recorder send``; its report."""
    options = ["--wait", str(wait), "--format", "json"]
    command = [sys.executable, "-m", "modelwatch", "recorder", "send", str(spool), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def run_script(script: str, *arguments: str, status: int = 0) -> str:
    """A Python process that ends with ``status``; its output."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout
