"""Follows the README's "Adopt it in five minutes" to the letter, in a new repository and against the stand-ins."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[1] / "README.md").read_text("utf-8")
SECTION = README.partition("## Adopt it in five minutes")[2].partition("### Permissions and secrets")[0]
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(kind, textwrap.dedent(text)) for kind, text in BLOCK.findall(SECTION)]
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for kind, text in BLOCKS
    if not kind
    for line in text.splitlines()
    if line.startswith("modelwatch ")
]
(CONFIG,) = (text for kind, text in BLOCKS if kind == "yaml")
DAY = 86_400

HISTORY = """
import sys, time, wandb
with wandb.init(entity="acme", project="churn-prod", tags=["production"], config={"model_version": "v7"}) as run:
    begin = time.time() - 40 * 86_400
    for hour in range(40 * 24):
        accuracy = 0.9 + 0.002 * (hour % 3 - 1) - (0.12 if hour >= 38 * 24 else 0)
        run.log({"eval/accuracy": accuracy, "eval/n": 2000, "_timestamp": begin + hour * 3600,
                 "eval/region=eu/accuracy": accuracy, "eval/region=eu/n": 2000})
"""


@dataclass(frozen=True)
class Newcomer:
    """Somebody with an empty repository and the variables that ``modelwatch standins`` printed."""

    folder: Path
    env: Mapping[str, str]

    def run(self, *command: str) -> tuple[int, str]:
        process = subprocess.run(
            [sys.executable, "-m", "modelwatch", *command],
            cwd=self.folder,
            env=dict(self.env),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        return process.returncode, process.stdout

    def git(self, *command: str) -> str:
        return subprocess.run(["git", *command], cwd=self.folder, capture_output=True, text=True, check=True).stdout


@contextmanager
def standins(folder: Path, env: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The variables that the command prints for ``eval``."""
    with subprocess.Popen(
        [sys.executable, "-m", "modelwatch", "standins"],
        cwd=folder,
        env=dict(env),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        try:
            assert "serving" in server.stderr.readline()
            lines = [server.stdout.readline() for _ in range(12)]
            yield dict(line.removeprefix("export ").strip().split("=", 1) for line in lines)
        finally:
            server.terminate()


@contextmanager
def newcomers(place: Path) -> Iterator[Newcomer]:
    folder = place / "churn-model"
    folder.mkdir()
    bare = {"PATH": os.environ["PATH"], "HOME": str(place), "COLUMNS": "160", "WANDB_SILENT": "true"}
    fresh = Newcomer(folder, bare)
    fresh.git("init", "--quiet")
    (init,) = (command for command in COMMANDS if command[0] == "init")
    code, output = fresh.run(*init)
    assert code == 0, output
    with standins(folder, bare) as variables:
        yield Newcomer(folder, bare | variables)


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    with newcomers(tmp_path) as guest:
        yield guest


@pytest.fixture(scope="module")
def beginner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """Somebody whose W&B is empty as yet; whatever is tried changes nothing."""
    with newcomers(tmp_path_factory.mktemp("beginner")) as guest:
        yield guest


def test_the_section_was_found() -> None:
    assert [command[0] for command in COMMANDS] == ["init", "baseline", "config", "check", "run"]


def test_every_step_does_what_the_readme_says(newcomer: Newcomer) -> None:
    (newcomer.folder / "modelwatch.yml").write_text(CONFIG)
    subprocess.run([sys.executable, "-c", HISTORY], cwd=newcomer.folder.parent, env=dict(newcomer.env), check=True)
    _, baseline, config, check, dry = COMMANDS
    code, output = newcomer.run(*(_as_of_now(word) for word in baseline))
    assert code == 0, output
    assert "eval/accuracy region=eu: 0.9 (n = " in output
    code, output = newcomer.run(*config)
    assert code == 0
    assert output.startswith(
        "modelwatch.yml: 1 model, 1 rule, no problem.\nchurn: the budget of false alarms is at most"
    )
    code, output = newcomer.run(*check)
    assert code == 0, output
    assert re.search(r"accuracy +critical .* % below its baseline 0\.9", output)
    code, output = newcomer.run(*dry)
    assert code == 0, output
    assert "open issue" in output
    assert "trouble" not in output
    assert newcomer.run("status")[1] == "No open issue of modelwatch. What fires now: `modelwatch check`.\n"

    code, output = newcomer.run("run")
    assert code == 0, output
    assert re.search(r"open issue +done", output)
    assert re.search(r"trigger incident +done", output)
    assert "rollback: no healthy version is on record" in output
    code, output = newcomer.run("run")
    assert code == 0, output
    assert "No changes needed" in output
    status = newcomer.run("status")[1]
    assert re.search(r"accuracy +#1 +critical .*triggered", status), status

    changes = newcomer.git("status", "--short", "--untracked-files=all")
    assert sorted(line[3:] for line in changes.splitlines()) == [
        ".github/workflows/modelwatch-commands.yml",
        ".github/workflows/modelwatch.yml",
        ".github/workflows/retrain.yml",
        ".github/workflows/rollback.yml",
        "baselines/churn.json",
        "modelwatch.yml",
        "runbooks/churn.md",
    ]
    assert _leaks(newcomer) == []


def _as_of_now(word: str) -> str:
    """The README's dates, moved so that they lie in the history: the first three weeks of it."""
    days = {"2026-10-01": 39, "2026-10-28": 10}.get(word)
    return word if days is None else datetime.fromtimestamp(time.time() - days * DAY, UTC).strftime("%Y-%m-%d")


def _leaks(newcomer: Newcomer) -> list[str]:
    secrets = [value for name, value in newcomer.env.items() if name.endswith(("_KEY", "_TOKEN"))]
    assert len(secrets) == 5
    files = [path for path in newcomer.folder.rglob("*") if path.is_file()]
    return [str(path) for path in files for secret in secrets if secret.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("changed", "code", "message"),
    [
        ({"WANDB_API_KEY": ""}, 3, "there is no W&B API key. Set WANDB_API_KEY"),
        ({"WANDB_API_KEY": "k" * 40}, 3, "W&B refuses the API key (HTTP 401)"),
        ({"PAGERDUTY_ROUTING_KEY": ""}, 2, "the environment has no PAGERDUTY_ROUTING_KEY, or it is empty. Set it in"),
        ({}, 3, "acme/churn-prod: W&B has no such project, or the API key may not see it: Could not find project"),
    ],
    ids=["no key", "a wrong key", "no routing key", "an empty W&B"],
)
def test_first_mistakes_are_reported(beginner: Newcomer, changed: dict[str, str], code: int, message: str) -> None:
    """Without history, without a secret, or with a wrong one, nothing opens, and the reason is reported."""
    exit_code, output = Newcomer(beginner.folder, {**beginner.env, **changed}).run("run")
    assert exit_code == code, output
    assert message in " ".join(output.split())
    assert "Traceback" not in output
