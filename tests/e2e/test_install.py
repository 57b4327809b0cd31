"""The environment of the actions: locked by hash, apart from the caller's, made once."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from modelwatch import __version__
from tests.e2e.test_inputs import workflow
from tests.e2e.workplace import ROOT, WorkflowRun, Workplace

LIBRARY = ROOT / "actions/_lib"


Done = subprocess.CompletedProcess[str]


def script(name: str, *arguments: object, env: Mapping[str, str], library: Path = LIBRARY) -> Done:
    base = {key: value for key, value in os.environ.items() if not key.startswith(("MW_", "MODELWATCH_"))}
    return subprocess.run(
        ["bash", library / name, *map(str, arguments)],
        env={**base, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


def facts(folder: Path, **env: str) -> tuple[Done, dict[str, str]]:
    """Run environment.sh; its outputs."""
    folder.mkdir(exist_ok=True)
    output = folder / "output"
    output.write_text("")
    done = script(
        "environment.sh",
        env={
            "GITHUB_OUTPUT": str(output),
            "RUNNER_TEMP": str(folder),
            "RUNNER_OS": "Linux",
            "RUNNER_ARCH": "X64",
            "MW_CACHE": "true",
            **env,
        },
    )
    return done, dict(line.split("=", 1) for line in output.read_text().splitlines())


def tools_at(folder: Path, *names: str) -> str:
    """A PATH with the ordinary tools, but no Python other than ``names``."""
    folder.mkdir()
    for name in ("bash", "env", "cat", "sed", "wc", "mktemp", "mkdir", "mv", "rm", "dirname"):
        (folder / name).symlink_to(str(shutil.which(name)))
    for name in names:
        (folder / name).symlink_to(sys.executable)
    return str(folder)


def test_the_key_names_the_lock_and_the_python(tmp_path: Path) -> None:
    done, first = facts(tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"modelwatch-Linux-X64-[0-9a-f]{20}", first["key"])
    assert first["path"].endswith(first["key"].rsplit("-", 1)[1])
    assert first["restore"] == "true"
    assert facts(tmp_path)[1] == first


def test_another_lock_is_another_environment(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "actions", tmp_path / "ours/actions")
    for name in ("requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path / "ours" / name)
    env = {"RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(tmp_path / "output"), "MW_CACHE": "false"}
    keys = []
    for text in ("", "# changed\n"):
        with (tmp_path / "ours/requirements.txt").open("a") as lock:
            lock.write(text)
        (tmp_path / "output").write_text("")
        assert script("environment.sh", env=env, library=tmp_path / "ours/actions/_lib").returncode == 0
        keys.append((tmp_path / "output").read_text().splitlines()[0])
    assert keys[0] != keys[1]


def test_what_measures_has_an_environment_of_its_own(tmp_path: Path) -> None:
    plain, profiling = facts(tmp_path)[1], facts(tmp_path, MW_EXTRA="profiling")[1]
    assert plain["key"] != profiling["key"]
    assert plain["path"] != profiling["path"]


@pytest.mark.parametrize(
    ("text", "extra"),
    [
        ("models:\n  - name: churn\n    table:\n      path: metrics.csv\n", "profiling"),
        ("models: [{name: churn, 'table': {path: metrics.csv}}]\n", "profiling"),
        ("models:\n  - name: churn  # a table: of metrics\n    wandb: {project: table}\n    vegetable: 1\n", ""),
    ],
)
def test_a_configuration_with_a_table_has_the_environment_that_reads_it(tmp_path: Path, text: str, extra: str) -> None:
    folder = tmp_path / "configuration"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "churn.yml").write_text(text)
    wanted = facts(tmp_path / "wanted", MW_EXTRA=extra)[1]["key"]
    for config in (folder, folder / "models" / "churn.yml"):
        done, told = facts(tmp_path / "job", MW_CONFIG=str(config))
        assert done.returncode == 0
        assert (told["extra"], told["key"]) == (extra, wanted)


def test_a_configuration_that_is_missing_is_for_the_command_to_tell(tmp_path: Path) -> None:
    done, told = facts(tmp_path / "job", MW_CONFIG=str(tmp_path / "none.yml"))
    assert (done.returncode, done.stderr, told["extra"]) == (0, "", "")


def test_nothing_is_fetched_where_it_is_there_or_not_wanted(tmp_path: Path) -> None:
    _, told = facts(tmp_path)
    assert facts(tmp_path, MW_CACHE="false")[1]["restore"] == "false"
    python = Path(told["path"]) / "bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert facts(tmp_path)[1]["restore"] == "false"
    assert facts(tmp_path, MODELWATCH_PYTHON=sys.executable)[1] == {"restore": "false"}


@pytest.mark.parametrize("cache", ["true", "false"])
def test_nothing_that_another_job_left_on_the_machine_is_used(tmp_path: Path, cache: str) -> None:
    _, told = facts(tmp_path / "job", MW_CACHE=cache, RUNNER_TOOL_CACHE=str(tmp_path / "tools"))
    assert Path(told["path"]).is_relative_to(tmp_path / "job"), "the runner empties it before each job"


def test_a_runner_without_a_python_that_will_do_is_told_what_to_do(tmp_path: Path) -> None:
    done, told = facts(tmp_path / "a", PATH=tools_at(tmp_path / "bin"))
    assert done.returncode == 2
    assert "actions/setup-python" in done.stdout
    assert told == {}


def test_a_later_python_beside_an_old_one_is_found(tmp_path: Path) -> None:
    path = tools_at(tmp_path / "bin", "python3.12")
    old = tmp_path / "bin/python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done, told = facts(tmp_path / "a", PATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert told["base"].endswith("/bin/python3.12")


def test_a_runner_that_is_not_linux_is_refused(tmp_path: Path) -> None:
    done = script("environment.sh", env={"RUNNER_OS": "Windows", "MW_CACHE": "true", "GITHUB_OUTPUT": os.devnull})
    assert done.returncode == 2
    assert "Windows" in done.stdout


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the environments of the first workflow run lie after it."""
    return tmp_path_factory.mktemp("first") / "artifacts/environments"


@pytest.fixture(scope="module")
def first(kept: Path, published: Path) -> WorkflowRun:
    """A first workflow run on a runner that has nothing, for a caller whose settings would bring other packages."""
    workplace = Workplace(kept.parents[1], published)
    workplace.env = {"E2E_ARTIFACTS": str(workplace.artifacts), **caches()}
    hostile = {
        "PIP_CONSTRAINT": "constraints.txt",
        "PIP_TARGET": "elsewhere",
        "PIP_REQUIRE_VIRTUALENV": "true",
        "UV_CONSTRAINT": "constraints.txt",
        "UV_CONFIG_FILE": "uv.toml",
        "UV_NO_BINARY": "true",
        "UV_SYSTEM_PYTHON": "true",
        "PYTHONPATH": "hostile",
        "PYTHONHOME": "/nowhere",
        "VIRTUAL_ENV": "/nowhere",
    }
    inputs = {"config": "elsewhere.yml", "dry-run": "true"}
    adopted = json.loads(workflow("monitor", inputs, hostile))
    # The runner empties RUNNER_TEMP after the job.
    keep = {"if": "always()", "run": 'mv "$RUNNER_TEMP/modelwatch-environments" "$E2E_ARTIFACTS/environments"'}
    adopted["jobs"]["monitor"]["steps"].append(keep)
    workplace.write(
        {
            ".github/workflows/monitor.yml": json.dumps(adopted),
            "uv.toml": '[pip]\nno-binary = ["click"]\n',
            "constraints.txt": "click==7.0\n",
            "hostile/pip.py": "!",
        }
    )
    return workplace.start("monitor.yml")


def caches() -> dict[str, str]:
    """Where downloads are kept already: what is installed is checked by its hash all the same."""
    uv = subprocess.run(
        [Path(sys.executable).parent / "uv", "cache", "dir"], capture_output=True, text=True, check=True
    )
    return {"UV_CACHE_DIR": uv.stdout.strip(), "PIP_CACHE_DIR": str(Path.home() / ".cache/pip")}


@pytest.fixture(scope="module")
def environment(first: WorkflowRun, kept: Path) -> Path:
    found = re.search(r"cache asked for modelwatch-Linux-\S+ at (\S+)", first.log)
    assert found, first.told
    return kept / Path(found[1]).name


def test_an_action_installs_what_it_needs_where_nothing_is(first: WorkflowRun, environment: Path) -> None:
    """The whole way: find Python, ask the cache, install, start."""
    assert first.outputs["it"]["exit-code"] == "2", first.told
    assert "elsewhere.yml" in first.errors()[0]
    assert [entry.name for entry in environment.parent.iterdir()] == [environment.name]


def test_it_holds_exactly_what_is_locked(environment: Path) -> None:
    code = "import importlib.metadata as m, json; print(json.dumps([(d.name, d.version) for d in m.distributions()]))"
    told = subprocess.run([environment / "bin/python", "-I", "-c", code], capture_output=True, text=True, check=True)

    def plain(pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in pairs}

    there = plain(json.loads(told.stdout))
    locked = plain(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    assert there <= locked
    names = {name for name, _ in there}
    assert {"wandb", "pandas", "scipy", "pygithub", "pdpyras", "click", "apprise"} <= names
    assert names & {"pyarrow", "duckdb", "scikit-learn"} == set(), "only what measures needs these"


def test_what_we_import_is_compiled_and_it_can_start_us(environment: Path) -> None:
    for module in ("click/core", "wandb/sdk/wandb_run", "github/Repository", "rich/table"):
        folder, name = module.rsplit("/", 1)
        assert list(environment.glob(f"lib/python*/site-packages/{folder}/__pycache__/{name}.*.pyc")), module
    done = subprocess.run(
        [environment / "bin/python", "-I", LIBRARY / "launch.py", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert __version__ in done.stdout


def test_a_second_time_costs_nothing(environment: Path) -> None:
    done = script("install.sh", "/nowhere/python", environment, env={})
    assert done.returncode == 0, done.stderr


def test_a_package_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "actions", tmp_path / "actions")
    shutil.copy(ROOT / "requirements-dev.txt", tmp_path / "requirements-dev.txt")
    version = re.search(r"^click==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert version
    (tmp_path / "requirements.txt").write_text(f"click=={version[1]} --hash=sha256:{'0' * 64}\n")
    done = script(
        "install.sh", sys.base_prefix + "/bin/python3", tmp_path / "new", env={}, library=tmp_path / "actions/_lib"
    )
    assert done.returncode != 0
    assert "mismatch" in done.stderr.lower()
    assert not (tmp_path / "new").exists()
    assert not [entry for entry in tmp_path.iterdir() if entry.name.startswith("new.")]
