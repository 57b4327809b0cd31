"""What a user gets from the package index: built here, installed into a fresh environment, started."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import click
import pytest

from modelwatch import __version__
from modelwatch.distribution import SLUG
from modelwatch.errors import EXTRAS

ROOT = Path(__file__).resolve().parents[1]
UV = Path(sys.executable).parent / "uv"


def build(source: Path, folder: Path) -> Path:
    """The wheel of one distribution, built straight from the tree."""
    options = ["--quiet", "--wheel", "--no-build-isolation", "--offline", "--python", sys.executable]
    subprocess.run([UV, "build", *options, "--out-dir", folder, source], cwd=ROOT, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def testing_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT / "scripts", tmp_path_factory.mktemp("dist-testing"))


def packed(wheel: Path) -> set[str]:
    """The files of the package that a wheel holds."""
    names = zipfile.ZipFile(wheel).namelist()
    return {name for name in names if name.startswith("modelwatch/") and not name.endswith("/")}


def sources() -> set[str]:
    files = [path for path in (ROOT / "scripts/modelwatch").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {str(path.relative_to(ROOT / "scripts")) for path in files}


def test_it_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.name == f"modelwatch-{__version__}-py3-none-any.whl"
    assert {name.split("/")[0] for name in names} == {"modelwatch", f"modelwatch-{__version__}.dist-info"}
    assert "modelwatch/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert packed(wheel) == {name for name in sources() if not name.startswith("modelwatch/testing/")}
    assert not [name for name in names if re.search(r"(^|/)(tests?[/_]|conftest)", name.lower())]


def test_the_stand_ins_and_the_demo_are_a_distribution_of_their_own(testing_wheel: Path) -> None:
    """It shares no file with the first one, so that uninstalling it leaves modelwatch whole."""
    names = zipfile.ZipFile(testing_wheel).namelist()
    assert testing_wheel.name == f"modelwatch_testing-{__version__}-py3-none-any.whl"
    assert {name.split("/")[0] for name in names} == {"modelwatch", f"modelwatch_testing-{__version__}.dist-info"}
    assert packed(testing_wheel) == {name for name in sources() if name.startswith("modelwatch/testing/")}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    metadata = zipfile.ZipFile(testing_wheel).read(f"modelwatch_testing-{__version__}.dist-info/METADATA").decode()
    assert f"Requires-Dist: modelwatch[dashboard,profiling]=={__version__}" in metadata
    assert "Requires-Dist: graphql-core" in metadata


def test_the_version_is_the_same_everywhere() -> None:
    first, second = (
        tomllib.loads((ROOT / name).read_text())["project"] for name in ("pyproject.toml", "scripts/pyproject.toml")
    )
    assert first["version"] == second["version"] == __version__
    assert first["optional-dependencies"]["testing"] == [f"modelwatch-testing=={__version__}"]
    assert f"modelwatch[dashboard,profiling]=={__version__}" in second["dependencies"]


def test_every_extra_that_an_error_names_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(EXTRAS) <= set(extras)


def test_it_declares_what_it_needs(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(f"modelwatch-{__version__}.dist-info/METADATA").decode()
    assert "Requires-Python: >=3.11" in metadata
    assert "License-Expression: Apache-2.0" in metadata
    for name in ("wandb", "pdpyras", "pygithub", "click", "pandas", "scipy"):
        assert f"requires-dist: {name}" in metadata.lower()


def install(wheel: Path, venv: Path) -> None:
    options = ["--quiet", "--offline", "--no-deps", "--python", str(venv / "bin/python")]
    subprocess.run([UV, "pip", "install", *options, wheel], check=True)


@pytest.fixture
def fresh(wheel: Path, tmp_path: Path) -> Path:
    """An environment with the wheel and nothing else."""
    venv = tmp_path / "fresh" / "venv"
    subprocess.run([UV, "venv", "--quiet", "--offline", "--python", sys.executable, venv], check=True)
    install(wheel, venv)
    return venv


def run(fresh: Path, place: Path, *arguments: str, path: str) -> subprocess.CompletedProcess[str]:
    """``modelwatch`` in ``place``; libraries come from ``path``, whose editable installs are not followed."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(place), "PYTHONPATH": path, "PAGERDUTY_ROUTING_KEY": "k" * 32}
    command: list[str | Path] = [fresh / "bin/modelwatch", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=place, env=env)


def output(fresh: Path, place: Path, *arguments: str, path: str) -> str:
    done = run(fresh, place, *arguments, path=path)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_command_starts_where_click_alone_is_there(fresh: Path, tmp_path: Path) -> None:
    """Nothing else is imported before it is used."""
    (tmp_path / "click").symlink_to(Path(click.__file__).parent)
    assert __version__ in output(fresh, tmp_path, "--version", path=str(tmp_path))
    assert "Exit codes" in output(fresh, tmp_path, "--help", path=str(tmp_path))


def test_it_judges_out_of_the_wheel(fresh: Path, tmp_path: Path) -> None:
    libraries = str(Path(click.__file__).parents[1])
    home = "import modelwatch; print(modelwatch.__file__)"
    env = {"PYTHONPATH": libraries}
    python = fresh / "bin/python"
    found = subprocess.run([python, "-c", home], capture_output=True, text=True, check=True, env=env, cwd=tmp_path)
    assert Path(found.stdout.strip()).is_relative_to(fresh)

    output(fresh, tmp_path, "init", "--model", "churn", path=libraries)
    config = tmp_path / "modelwatch.yml"
    starter = config.read_text()
    wandb = starter[starter.index("    wandb:") : starter.index("    pagerduty:")]
    config.write_text(
        starter.replace(wandb, "    table: {path: metrics.csv}\n").replace("{rolling: 28d}", "{value: 0.9}")
    )
    rows = [f"2026-11-20T{hour:02}:00Z,{0.9 if hour < 20 else 0.5},5000" for hour in range(24)]
    (tmp_path / "metrics.csv").write_text("\n".join(["time,eval/accuracy,eval/n", *rows]) + "\n")
    text = output(fresh, tmp_path, "check", "--now", "2026-11-20T23:30Z", path=libraries)
    assert "below its baseline 0.9" in text
    assert json.loads(output(fresh, tmp_path, "schema", "plan", path=libraries))["$defs"]


@pytest.mark.parametrize("command", ["demo", "standins"])
def test_without_the_extra_testing_one_line_says_so_and_with_it_the_command_is_there(
    fresh: Path, testing_wheel: Path, tmp_path: Path, command: str
) -> None:
    libraries = str(Path(click.__file__).parents[1])
    done = run(fresh, tmp_path, command, path=libraries)
    assert done.returncode == 2
    assert done.stdout == ""
    remedy = f"pip install 'modelwatch-testing @ git+https://github.com/{SLUG}#subdirectory=scripts'"
    assert done.stderr == f"error: modelwatch.testing is not installed. Install it with `{remedy}`.\n"
    install(testing_wheel, fresh)
    assert "Usage: modelwatch" in output(fresh, tmp_path, command, "--help", path=libraries)


def test_the_stand_ins_serve_out_of_the_second_wheel(fresh: Path, testing_wheel: Path, tmp_path: Path) -> None:
    install(testing_wheel, fresh)
    env = {"PYTHONPATH": str(Path(click.__file__).parents[1])}
    code = """
import modelwatch, modelwatch.testing
from modelwatch.testing.standins.servers import serve_all
with serve_all() as variables:
    print(modelwatch.__file__, modelwatch.testing.__file__, variables["WANDB_BASE_URL"])
"""
    python = fresh / "bin/python"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, env=env, cwd=tmp_path)
    package, testing, url = done.stdout.split()
    assert Path(package).is_relative_to(fresh)
    assert Path(testing).is_relative_to(fresh)
    assert url.startswith("http://127.0.0.1:")
