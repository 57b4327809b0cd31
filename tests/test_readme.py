"""Follows the README's "Adopt it in five minutes" to the letter, in a new repository and against the stand-ins."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelwatch.config.loader import load_config
from modelwatch.distribution import SLUG, TESTING_FOLDER
from modelwatch.model.monitored_model import Model

README = (Path(__file__).resolve().parents[1] / "README.md").read_text("utf-8")
SECTION = README.partition("## Adopt it in five minutes")[2].partition("### Permissions and secrets")[0]
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(kind, textwrap.dedent(text)) for kind, text in BLOCK.findall(SECTION)]
LINES = [line for kind, text in BLOCKS if not kind for line in text.splitlines()]
COMMANDS = [shlex.split(line, comments=True) for line in LINES if not line.startswith(("gh ", "git "))]
"""The local copies need neither secrets nor a push."""
(CONFIG,) = (text for kind, text in BLOCKS if kind == "yaml")
(CAPTURE,) = (shlex.split(span) for span in re.findall(r"^`(modelwatch baseline [^`]+)`", SECTION, re.MULTILINE))
MAX_COMMANDS = 8
"""Up to the first alert."""


@dataclass(frozen=True)
class Newcomer:
    """Somebody with an empty repository and the variables that ``modelwatch standins`` printed."""

    folder: Path
    env: Mapping[str, str]

    def run(self, program: str, *command: str) -> tuple[int, str]:
        assert program == "modelwatch"
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
def standins(folder: Path, env: Mapping[str, str], *options: str) -> Iterator[dict[str, str]]:
    """The variables that the command prints to be pasted."""
    with subprocess.Popen(
        [sys.executable, "-m", "modelwatch", "standins", *options],
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
def newcomers(place: Path, *options: str) -> Iterator[Newcomer]:
    """``options`` of the stand-ins."""
    folder = place / "churn-model"
    folder.mkdir()
    bare = {"PATH": os.environ["PATH"], "HOME": str(place), "COLUMNS": "160"}
    Newcomer(folder, bare).git("init", "--quiet")
    Newcomer(folder, bare).git("remote", "add", "origin", "git@github.com:acme/churn-model.git")
    with standins(folder, bare, *options) as variables:
        yield Newcomer(folder, bare | variables)


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    """Somebody who follows the README to the letter up to the second terminal."""
    (serve,) = (command for command in COMMANDS if command[:2] == ["modelwatch", "standins"])
    with newcomers(tmp_path, *serve[2:]) as guest:
        yield guest


@pytest.fixture(scope="module")
def beginner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """Somebody whose W&B is empty as yet; whatever is tried changes nothing."""
    with newcomers(tmp_path_factory.mktemp("beginner")) as guest:
        code, output = guest.run("modelwatch", "init", "--model", "churn", "--project", "churn-prod", "--owner", "@ada")
        assert code == 0, output
        yield guest


def test_the_first_alert_takes_few_commands() -> None:
    told = [" ".join(command[:2]) for command in COMMANDS]
    assert told == [
        "pipx install",
        "pipx inject",
        "modelwatch standins",
        "modelwatch init",
        "modelwatch doctor",
        "modelwatch check",
        "modelwatch run",
        "modelwatch run",
    ]
    assert len(told) <= MAX_COMMANDS
    assert [" ".join(command) for command in COMMANDS[:2]] == [
        f"pipx install git+https://github.com/{SLUG}",
        f"pipx inject modelwatch modelwatch-testing @ git+https://github.com/{SLUG}#subdirectory={TESTING_FOLDER}",
    ]


def test_every_step_does_what_the_readme_says(newcomer: Newcomer) -> None:
    """From ``init`` to the first alert nothing fails, and nothing but these commands is needed."""
    init, doctor, check, dry, run = (command for command in COMMANDS[3:8])
    code, output = newcomer.run(*init)
    assert code == 0, output
    assert "rule accuracy: eval/accuracy by its name" in output
    assert output.endswith("Next: `modelwatch doctor`.\n")
    written = load_config(newcomer.folder / "modelwatch.yml", newcomer.env)
    (newcomer.folder / "readme.yml").write_text(CONFIG)
    (model,) = load_config(newcomer.folder / "readme.yml", newcomer.env).models
    assert _without_place(written.models[0]) == _without_place(model)
    (newcomer.folder / "readme.yml").unlink()

    code, output = newcomer.run(*doctor)
    assert code == 0, output
    assert "problem" not in output
    assert re.search(r"eval/accuracy \(accuracy\): \d+ points, count eval/n, 3 segments", output)
    assert "(region=apac, region=eu, region=na)" in " ".join(output.split())
    code, output = newcomer.run(*check)
    assert code == 0, output
    assert re.search(r"accuracy +critical .* % below its baseline 0\.9", output)
    code, output = newcomer.run(*dry)
    assert code == 0, output
    assert "open issue" in output
    assert "trouble" not in output
    assert newcomer.run("modelwatch", "status")[1].startswith("No open issue of modelwatch.")

    code, output = newcomer.run(*run)
    assert code == 0, output
    assert re.search(r"open issue +done", output)
    assert re.search(r"trigger incident +done", output)
    code, output = newcomer.run(*run)
    assert code == 0, output
    assert "No changes needed" in output
    status = newcomer.run("modelwatch", "status")[1]
    assert re.search(r"accuracy +#1 +critical .*triggered", status), status
    code, output = newcomer.run(*CAPTURE)
    assert code == 0, output
    assert "eval/accuracy region=eu: 0.9" in output

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


def _without_place(model: Model) -> str:
    """All of a model but the lines at which the file has it."""
    return re.sub(r"where='[^']*'", "", repr(model))


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
        (
            {},
            2,
            "there is no project acme/churn-prod, or the API key may not see it. Check `wandb: {entity, project}`.",
        ),
    ],
    ids=["no key", "a wrong key", "no routing key", "an empty W&B"],
)
def test_first_mistakes_are_reported(beginner: Newcomer, changed: dict[str, str], code: int, message: str) -> None:
    """Without history, without a secret, or with a wrong one, nothing opens, and the reason is reported."""
    exit_code, output = Newcomer(beginner.folder, {**beginner.env, **changed}).run("modelwatch", "run")
    assert exit_code == code, output
    assert message in " ".join(output.split())
    assert "Traceback" not in output
