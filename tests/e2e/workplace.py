"""A scratch repository that adopts the actions, and real workflow runs in it under act.

Nothing is fetched: our own actions come from this working tree, GitHub's from ``tests/e2e/actions``.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelwatch.distribution import PIN, SLUG

ROOT = Path(__file__).resolve().parents[2]
ACT = Path(sys.executable).parent / "act"
REPOSITORY = "acme/churn-model"
PUBLISHED = (
    "actions",
    "scripts",
    "requirements.txt",
    "requirements-dashboard.txt",
    "requirements-profiling.txt",
    "requirements-dev.txt",
    ".github/workflows",
)
_COUNT = itertools.count(1)
KEPT = re.compile(r"^(PATH|LANG|TERM|TMPDIR|(PIP|UV)_.*|.*(CERT|PROXY|proxy|CA_BUNDLE).*)$")
"""What of the present environment workflow runs may see: how to reach a package index, no more."""


def publish(folder: Path) -> Path:
    """What a runner would download as our repository, in ``folder``."""
    for name in PUBLISHED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy2(source, target)
    return folder


@dataclass(frozen=True)
class WorkflowRun:
    """What act told about one workflow run."""

    code: int
    log: str
    """What the steps printed, one after the other."""
    commands: tuple[tuple[str, str], ...]
    """``(error | warning | notice | ..., text)`` of the workflow commands that the runner obeyed."""
    outputs: Mapping[str, Mapping[str, str]]
    """By the id of the job's step."""
    summary: str
    jobs: Mapping[str, str]
    """``success`` or ``failure`` by the job's name."""
    told: str
    """Everything act printed, to be shown when a test fails."""

    def errors(self) -> list[str]:
        return [text for command, text in self.commands if command == "error"]


@dataclass
class Workplace:
    """A git repository of a user, with ``origin`` at acme/churn-model and the default branch ``main``."""

    folder: Path
    published: Path
    env: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.repository.mkdir(parents=True)
        self.artifacts.mkdir()
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("remote", "add", "origin", f"https://github.com/{REPOSITORY}.git")
        self.env.setdefault("E2E_ARTIFACTS", str(self.artifacts))
        self.env.setdefault("MODELWATCH_PYTHON", sys.executable)

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    def write(self, files: Mapping[str, str]) -> None:
        """Write and commit ``files``."""
        for name, text in files.items():
            path = self.repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self._git("add", "--all")
        self._git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "Change")

    def branch(self, name: str) -> None:
        self._git("switch", "--quiet", "--create", name)

    def start(self, workflow: str, event: str = "workflow_dispatch", **payload: Any) -> WorkflowRun:
        """Run ``.github/workflows/<workflow>`` for ``event``, whose payload names the default branch too."""
        own = self.folder / f"started-{next(_COUNT)}"  # several may run side by side
        own.mkdir()
        path = own / "event.json"
        repository = {
            "full_name": REPOSITORY,
            "default_branch": "main",
            "name": "churn-model",
            "owner": {"login": "acme"},
        }
        path.write_text(json.dumps({"repository": repository, **payload}), encoding="utf-8")
        arguments = [
            str(ACT), event, "--workflows", f".github/workflows/{workflow}", "--eventpath", str(path), "--json",
            "--platform", "ubuntu-latest=-self-hosted", *self.arguments(own / "act"),
            *_pairs("--env", self.env), *_pairs("--secret", self.secrets), *_pairs("--var", self.variables),
        ]  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if KEPT.match(name)}
        home = own / "home"
        home.mkdir()
        done = subprocess.run(
            arguments,
            cwd=self.repository,
            env={**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        return _read(done.returncode, done.stdout + done.stderr)

    def arguments(self, cache: Path) -> list[str]:
        """What keeps act on this machine."""
        replaced = (f"--local-repository={name}={folder}" for name, folder in self._replaced().items())
        return ["--no-cache-server", "--action-cache-path", str(cache), *replaced]

    def _replaced(self) -> dict[str, Path]:
        """``owner/name@commit`` of every action that a workflow may use, and the folder that takes its place."""
        found = {f"{SLUG}@{PIN}": self.published}
        used = re.compile(r"uses: (actions/(cache|upload-artifact|download-artifact)@[0-9a-f]{40})")
        for path in [*self.published.rglob("*.yml"), *self.repository.rglob(".github/**/*.yml")]:
            found |= {name: ROOT / "tests/e2e/actions" / short for name, short in used.findall(path.read_text("utf-8"))}
        return found

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.repository, check=True, stdin=subprocess.DEVNULL)


def _pairs(option: str, values: Mapping[str, str]) -> list[str]:
    return [f"{option}={name}={value}" for name, value in values.items()]


def _read(code: int, told: str) -> WorkflowRun:
    log: list[str] = []
    commands: list[tuple[str, str]] = []
    outputs: dict[str, dict[str, str]] = {}
    summaries: dict[tuple[str, str], str] = {}
    jobs: dict[str, str] = {}
    readable: list[str] = []
    for line in told.splitlines():
        if not line.startswith("{"):
            readable.append(line)
            continue
        row = json.loads(line)
        readable.append(str(row.get("msg", "")).rstrip("\n"))
        job = str(row.get("job", ""))
        if row.get("raw_output"):
            log.append(row["msg"])
        command = row.get("command")
        if command == "set-output":
            if len(row["stepID"]) == 1:
                outputs.setdefault(row["stepID"][0], {})[row["name"]] = row["arg"]
        elif command == "summary":
            summaries[job, row["stepID"][0]] = row["content"]
        elif command:
            commands.append((command, row.get("arg", "")))
        if "jobResult" in row:
            jobs[job.split("/")[-1]] = row["jobResult"]
    return WorkflowRun(
        code, "".join(log), tuple(commands), outputs, "\n".join(summaries.values()), jobs, "\n".join(readable)
    )
