"""A relay as it really runs: a process under uvicorn, between a PagerDuty and a GitHub on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty.webhooks import make_event, signature

REPOSITORY = "acme/churn-model"
SERVICE = "PF9KMXH"
SECRET = "first-" * 8
WORKFLOW = "on-pagerduty.yml"
FILE = """
name: on-pagerduty
run-name: PagerDuty ${{ github.event.client_payload.type }} ${{ github.event.client_payload.id }}
on: {repository_dispatch: {types: [pagerduty]}}
jobs: {receive: {runs-on: ubuntu-latest, steps: [{run: "true"}]}}
"""
CONFIG = f"""
[services]
{SERVICE} = "{REPOSITORY}"

[verbs]
"Retrain" = "retrain"
PWORKFLOW = "rollback"
"""


def github_server(**more: Any) -> tuple[Server[GitHubStandIn], str]:
    """A GitHub with our repository and its workflow, and a token that may dispatch there."""
    standin = GitHubStandIn()
    standin.state.add_repo(REPOSITORY, files={f".github/workflows/{WORKFLOW}": FILE})
    token = standin.state.add_token("relay", {"contents": "write", "actions": "read"})
    return Server(standin, **more), token


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def incident(name: str, kind: str = "incident.triggered", *, at: float | None = None, **data: Any) -> dict[str, Any]:
    """An event of an incident of our service."""
    about: dict[str, Any] = {"id": "PINC1", "type": "incident", "number": 7, "status": "triggered", "title": "A bump"}
    about |= {"incident_key": "0123456789abcdef", "service": {"id": SERVICE, "type": "service_reference"}}
    agent = {"id": "PUSER1", "type": "user_reference", "summary": "On Call"}
    return make_event(name, kind, time.time() if at is None else at, agent, about | data)


def raw(event: Mapping[str, Any]) -> bytes:
    return json.dumps({"event": event}).encode()


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]


def call(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, method: str = "") -> Reply:
    asked = urllib.request.Request(
        url, body, dict(headers or {}), method=method or ("POST" if body is not None else "GET")
    )
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            status, text, told = answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        status, text, told = error.code, error.read(), error.headers
    try:
        found = json.loads(text)
    except ValueError:
        found = {"text": text.decode(errors="replace")}
    return Reply(status, found, {name.lower(): value for name, value in told.items()})


@dataclass
class RelayProcess:
    """``modelwatch relay`` in a process of its own. ``folder`` holds its configuration, secrets and log."""

    folder: Path
    github_url: str
    token: str = ""
    env: dict[str, str] = field(default_factory=dict)
    config: str = CONFIG
    files: int = 0
    """The most descriptors that the process may have; 0: as many as we."""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "relay.toml").write_text(self.config)
        if not self.secrets_file.exists():
            self.secrets_file.write_text(SECRET + "\n")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def secrets_file(self) -> Path:
        return self.folder / "secrets"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> Self:
        """Serving when it returns; again after a kill."""
        env = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder), "GITHUB_API_URL": self.github_url}
        env |= {"PAGERDUTY_WEBHOOK_SECRETS_FILE": str(self.secrets_file), "MODELWATCH_WAIT_SCALE": "0.02"}
        env |= {"GITHUB_TOKEN": self.token} if self.token else {}
        command = [sys.executable, "-m", "modelwatch", "relay", "--config", str(self.folder / "relay.toml")]
        if self.files:
            command = ["bash", "-c", f'ulimit -n {self.files}; exec "$@"', "bash", *command]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port)], env=env | self.env, stderr=log, stdout=log
            )
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            try:
                if call(f"{self.url}/healthz").status == 200:
                    return self
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"the relay does not start:\n{self.log()}")

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def lines(self) -> list[dict[str, Any]]:
        """What it logged, line by line; every line is JSON."""
        return [json.loads(line) for line in self.log().splitlines()]

    def post(
        self, body: bytes, secrets: tuple[str, ...] = (SECRET,), header: str | None = None, path: str = "/pagerduty"
    ) -> Reply:
        """One webhook, signed with ``secrets`` unless ``header`` is given."""
        given = signature(body, secrets) if header is None else header
        return call(self.url + path, body, {"x-pagerduty-signature": given, "content-type": "application/json"})

    def send(self, event: Mapping[str, Any]) -> Reply:
        return self.post(raw(event))

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


def titles(github: Server[GitHubStandIn]) -> list[str]:
    """Of the workflow runs, the oldest first."""
    runs = github.standin.state.repo(REPOSITORY).runs.items
    return [runs[number].title for number in sorted(runs)]


def ids(github: Server[GitHubStandIn]) -> list[str]:
    return [title.rpartition(" ")[2] for title in titles(github)]


def payloads(github: Server[GitHubStandIn]) -> list[dict[str, Any]]:
    runs = github.standin.state.repo(REPOSITORY).runs.items
    return [dict(runs[number].payload["client_payload"]) for number in sorted(runs)]
