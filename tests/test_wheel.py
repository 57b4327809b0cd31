"""What a user gets from the package index: built here, installed into a fresh environment, started."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest

from modelwatch import __version__

ROOT = Path(__file__).resolve().parents[1]
UV = Path(sys.executable).parent / "uv"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [
            UV,
            "build",
            "--quiet",
            "--wheel",
            "--no-build-isolation",
            "--offline",
            "--python",
            sys.executable,
            "--out-dir",
            folder,
        ],
        cwd=ROOT,
        check=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_it_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.name == f"modelwatch-{__version__}-py3-none-any.whl"
    assert {name.split("/")[0] for name in names} == {"modelwatch", f"modelwatch-{__version__}.dist-info"}
    assert "modelwatch/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    files = [path for path in (ROOT / "scripts/modelwatch").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    sources = {str(path.relative_to(ROOT / "scripts")) for path in files}
    packed = {name for name in names if name.startswith("modelwatch/") and not name.endswith("/")}
    assert packed == sources
    assert {"modelwatch/config/templates/modelwatch.yml", "modelwatch/config/templates/runbook.md"} <= packed
    assert not [name for name in names if "test" in name.lower()]


def test_it_declares_what_it_needs(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(f"modelwatch-{__version__}.dist-info/METADATA").decode()
    assert "Requires-Python: >=3.11" in metadata
    assert "License-Expression: Apache-2.0" in metadata
    for name in ("wandb", "pdpyras", "pygithub", "click", "pandas", "scipy"):
        assert f"requires-dist: {name}" in metadata.lower()


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and nothing else."""
    venv = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([UV, "venv", "--quiet", "--offline", "--python", sys.executable, venv], check=True)
    install: list[str | Path] = [
        UV,
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--python",
        venv / "bin/python",
        wheel,
    ]
    subprocess.run(install, check=True)
    return venv


def told(fresh: Path, place: Path, *arguments: str, path: str) -> str:
    """What ``modelwatch`` says in ``place``; libraries come from ``path``; its editable installs are not followed."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(place), "PYTHONPATH": path, "PAGERDUTY_ROUTING_KEY": "k" * 32}
    command: list[str | Path] = [fresh / "bin/modelwatch", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_command_starts_where_click_alone_is_there(fresh: Path, tmp_path: Path) -> None:
    """Nothing else is imported before it is used."""
    (tmp_path / "click").symlink_to(Path(click.__file__).parent)
    assert __version__ in told(fresh, tmp_path, "--version", path=str(tmp_path))
    assert "Exit codes" in told(fresh, tmp_path, "--help", path=str(tmp_path))


def test_it_judges_out_of_the_wheel(fresh: Path, tmp_path: Path) -> None:
    libraries = str(Path(click.__file__).parents[1])
    home = "import modelwatch; print(modelwatch.__file__)"
    env = {"PYTHONPATH": libraries}
    python = fresh / "bin/python"
    found = subprocess.run([python, "-c", home], capture_output=True, text=True, check=True, env=env, cwd=tmp_path)
    assert Path(found.stdout.strip()).is_relative_to(fresh)

    told(fresh, tmp_path, "init", "--model", "churn", path=libraries)
    config = tmp_path / "modelwatch.yml"
    starter = config.read_text()
    wandb = starter[starter.index("    wandb:") : starter.index("    pagerduty:")]
    config.write_text(
        starter.replace(wandb, "    table: {path: metrics.csv}\n").replace("{rolling: 28d}", "{value: 0.9}")
    )
    rows = [f"2026-11-20T{hour:02}:00Z,{0.9 if hour < 20 else 0.5},5000" for hour in range(24)]
    (tmp_path / "metrics.csv").write_text("\n".join(["time,eval/accuracy,eval/n", *rows]) + "\n")
    said = told(fresh, tmp_path, "check", "--now", "2026-11-20T23:30Z", path=libraries)
    assert "below its baseline 0.9" in said
    assert json.loads(told(fresh, tmp_path, "schema", "plan", path=libraries))["$defs"]
