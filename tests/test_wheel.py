"""What a user gets from the package index: built here, installed into a fresh environment, started."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

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
    sources = {str(path.relative_to(ROOT / "scripts")) for path in (ROOT / "scripts/modelwatch").rglob("*.py")}
    assert sources <= set(names)
    assert not [name for name in names if "test" in name.lower() or name.endswith(".pyc")]


def test_it_declares_what_it_needs(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(f"modelwatch-{__version__}.dist-info/METADATA").decode()
    assert "Requires-Python: >=3.11" in metadata
    assert "License-Expression: Apache-2.0" in metadata
    for name in ("wandb", "pdpyras", "pygithub", "click", "pandas", "scipy"):
        assert f"requires-dist: {name}" in metadata.lower()


def test_its_command_starts_in_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    """Click alone is enough for the help and the version: nothing else is imported before it is used."""
    subprocess.run([UV, "venv", "--quiet", "--offline", "--python", sys.executable, tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    subprocess.run(
        [UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel], cwd=tmp_path, check=True
    )
    import click

    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (Path(site) / "click").symlink_to(Path(click.__file__).parent)
    for arguments, expected in ((["--version"], __version__), (["--help"], "Exit codes")):
        told = subprocess.run(
            [tmp_path / "venv/bin/modelwatch", *arguments], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        assert expected in told.stdout
