"""The Containerfile: linted, and its steps carried out without a container."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from .world import CONFIG, SECRET, RelayProcess, call, free_port, incident

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "scripts/modelwatch/relay"
FILE = FOLDER / "Containerfile"
LOCK = FOLDER / "requirements.txt"
BIN = Path(sys.executable).parent


def instructions() -> list[tuple[str, str]]:
    """Name and argument of each, continued lines joined, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", FILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in text.splitlines() if line.strip()]


def locked() -> set[str]:
    return {name.lower().replace("_", "-") for name in re.findall(r"^([\w.-]+)==", LOCK.read_text(), re.MULTILINE)}


def test_it_is_linted() -> None:
    done = subprocess.run([BIN / "hadolint", FILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_lock_has_a_hash_for_everything_no_address_and_what_is_tested() -> None:
    text = LOCK.read_text()
    assert "://" not in text
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert re.match(r"[\w.-]+==[\w.+!]+", entry), entry
        assert "--hash=sha256:" in entry, entry
    tested = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE))
    found = dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))
    assert {name: tested.get(name) for name in found} == found
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["relay"]
    assert {re.match(r"[\w-]+", name)[0].lower() for name in extra} <= locked()  # type: ignore[index]


def test_the_relay_loads_nothing_that_is_not_in_its_lock() -> None:
    code = """
import sys
from importlib.metadata import packages_distributions
import modelwatch.cli.relay, modelwatch.cli.runner, modelwatch.relay.app, modelwatch.relay.uvicorn_server, jwt, uvloop
found = packages_distributions()
files = {name: str(getattr(module, "__file__", "")) for name, module in list(sys.modules.items())}
installed = [name for name, file in files.items() if "site-packages" in file]
tops = {name.split(".")[0] for name in installed}
print(*{name for top in tops for name in found.get(top, ())})
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"HOME": "/"})
    optional = {"a2wsgi", "setuptools", "sniffio"}  # loaded by others where they happen to be installed
    loaded = {name.lower().replace("_", "-") for name in told.stdout.split()} - {"modelwatch"} - optional
    assert "aiohttp" in loaded
    assert loaded <= locked()


@dataclass
class Image:
    """What the instructions come to, each stage below a folder of its own instead of ``/``."""

    folder: Path
    root: Path = Path()
    env: dict[str, str] = field(default_factory=dict)
    user: str = ""
    entrypoint: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def below(self, text: str, root: Path | None = None) -> str:
        return re.sub(r"(?<![\w./])/(opt|build|etc|run)/", rf"{root or self.root}/\1/", text)

    def build(self) -> None:
        for name, given in instructions():
            match name:
                case "FROM":
                    stage = given.partition(" AS ")[2] or "last"
                    self.root, self.env = self.folder / stage, {}
                    self.root.mkdir()
                case "RUN":
                    # As this machine installs everything else: with its own settings of pip.
                    env = {key: value for key, value in os.environ.items() if key.startswith(("PIP_", "HOME"))}
                    env |= {"PATH": f"{BIN}:/usr/bin:/bin"}
                    done = subprocess.run(
                        ["/bin/sh", "-ec", self.below(given)], env=env, capture_output=True, text=True
                    )
                    assert done.returncode == 0, done.stdout + done.stderr
                case "COPY":
                    self.copy(given)
                case "ENV":
                    self.env |= dict(pair.split("=", 1) for pair in shlex.split(self.below(given)))
                case "USER":
                    self.user = given
                case "ENTRYPOINT":
                    self.entrypoint = json.loads(given)
                case "HEALTHCHECK":
                    self.health = json.loads(given.partition("CMD ")[2])
                case _:
                    assert name in ("ARG", "EXPOSE", "STOPSIGNAL"), f"{name} is not carried out here"

    def copy(self, given: str) -> None:
        *origin, source, target = given.split()
        stage = origin[0].partition("--from=")[2] if origin else ""
        start = Path(self.below(source, self.folder / stage)) if stage else ROOT / source
        path = Path(self.below(target))
        path.parent.mkdir(parents=True, exist_ok=True)
        if start.is_dir():
            shutil.copytree(start, path, symlinks=True)
        else:
            shutil.copy(start, path)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    made = Image(tmp_path_factory.mktemp("image"))
    made.build()
    return made


def test_its_steps_install_what_is_locked_and_nothing_else(image: Image) -> None:
    code = "from importlib.metadata import distributions as d; print(*{f'{one.name}=={one.version}' for one in d()})"
    python = image.root / "opt/relay/bin/python"
    told = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.lower()
    found = {one.replace("_", "-") for one in told.split()}
    wanted = set(re.findall(r"^([\w.-]+==[^\s;]+)", LOCK.read_text().lower(), re.MULTILINE))
    extra = {one.partition("==")[0] for one in found - wanted}
    assert extra <= {"pip", "setuptools"}, "these come with every venv"
    # A few are for other versions of Python than this one.
    assert {"aiohttp", "uvicorn", "starlette", "cryptography"} <= {one.partition("==")[0] for one in found & wanted}
    assert sorted(path.name for path in image.root.iterdir()) == ["opt"], "the first stage stays behind"


def test_it_runs_as_nobody_and_says_what_it_needs(image: Image) -> None:
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", image.user)
    assert {"MODELWATCH_RELAY_CONFIG", "PAGERDUTY_WEBHOOK_SECRETS_FILE", "GITHUB_TOKEN_FILE"} <= image.env.keys()


def test_its_steps_make_a_relay_that_serves(image: Image) -> None:
    for name, text in (("MODELWATCH_RELAY_CONFIG", CONFIG), ("PAGERDUTY_WEBHOOK_SECRETS_FILE", SECRET)):
        path = Path(image.env[name])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    Path(image.env["GITHUB_TOKEN_FILE"]).write_text("ghp_none")
    port = str(free_port())
    env = image.env | {"HOST": "127.0.0.1", "PORT": port, "GITHUB_API_URL": "http://127.0.0.1:1", "HOME": "/"}
    env["PATH"] = env["PATH"].replace("$PATH", "/usr/bin:/bin")
    program = shutil.which(image.entrypoint[0], path=env["PATH"])
    assert program is not None
    assert program.startswith(str(image.root))
    relay = RelayProcess(image.root, "", port=int(port))
    with subprocess.Popen([program, *image.entrypoint[1:]], env=env, cwd="/", stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                check = subprocess.run([program, *image.health[1:]], env=env, capture_output=True, check=False)
                if check.returncode == 0:
                    break
            assert call(f"{relay.url}/readyz").status == 200
            assert relay.send(incident("BOXED")).status == 502
            code = "import aiohttp, modelwatch; print(aiohttp.__file__, modelwatch.__file__)"
            told = subprocess.run([program, "-c", code], env=env, capture_output=True, text=True, check=True)
            assert all(file.startswith(str(image.root)) for file in told.stdout.split())
        finally:
            process.kill()
