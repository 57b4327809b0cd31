"""Real engines, in processes of their own: Spark, Dask and Ray are installed beside the environment of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / ".tools/engines"


def engine_environment() -> dict[str, str]:
    """Variables with which a process finds the engines. Raises RuntimeError if they are not installed."""
    if not (FOLDER / "installed").exists():
        raise RuntimeError("the engines of the tests are missing: make .tools/engines/installed")
    paths = [str(FOLDER / "packages"), str(ROOT)]
    own = {"JAVA_HOME": str(FOLDER / "java"), "SPARK_LOCAL_IP": "127.0.0.1", "RAY_USAGE_STATS_ENABLED": "0"}
    return {**os.environ, **own, "PYTHONPATH": os.pathsep.join(paths)}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("checks", ["spark_checks.py", "pool_checks.py"])
def test_an_engine_gives_what_one_process_gives(checks: str) -> None:
    command = [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", str(Path(__file__).with_name(checks))]
    ended = subprocess.run(command, env=engine_environment(), cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
    assert " passed" in ended.stdout
