"""Behind other hosts: the factory under any ASGI server, and behind WSGI by way of a2wsgi."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server

from .world import CONFIG, SECRET, RelayProcess, call, free_port, github_server, ids, incident

WSGI = """
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server
from a2wsgi import ASGIMiddleware
from modelwatch.relay.app import app

class Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True

make_server("127.0.0.1", int(sys.argv[1]), ASGIMiddleware(app()), server_class=Threads).serve_forever()
"""
COMMANDS = {
    "asgi": ["-m", "uvicorn", "--factory", "modelwatch.relay.app:app", "--port"],
    "wsgi": ["-c", WSGI],
}


@pytest.fixture
def world() -> object:
    return github_server()


@pytest.mark.parametrize("host", sorted(COMMANDS))
def test_another_host_serves_it_as_well(tmp_path: Path, world: tuple[Server[GitHubStandIn], str], host: str) -> None:
    github, token = world
    port = free_port()
    (tmp_path / "relay.toml").write_text("forged_wait_ms = 0\n" + CONFIG)
    (tmp_path / "secrets").write_text(SECRET)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GITHUB_API_URL": github.url, "GITHUB_TOKEN": token}
    env |= {"MODELWATCH_RELAY_CONFIG": str(tmp_path / "relay.toml")}
    env |= {"PAGERDUTY_WEBHOOK_SECRETS_FILE": str(tmp_path / "secrets")}
    relay = RelayProcess(tmp_path / "unused", "", port=port)
    command = [sys.executable, *COMMANDS[host], str(port)]
    with github, subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                try:
                    if call(f"{relay.url}/readyz").status == 200:
                        break
                except OSError:
                    time.sleep(0.05)
            assert relay.send(incident("HOSTED")).body["outcome"] == "accepted"
            assert relay.send(incident("HOSTED")).body["outcome"] == "duplicate"
            assert relay.post(b"{}", ("wrong",)).status == 403
            assert ids(github) == ["HOSTED"]
        finally:
            process.kill()
