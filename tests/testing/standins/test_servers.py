"""All stand-ins at once, as ``modelwatch standins`` serves them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.clients.wandb import open_api
from modelwatch.testing.standins.http import Request, Response, Server
from modelwatch.testing.standins.pagerduty.webhooks import signature
from modelwatch.testing.standins.servers import serve_all


def call(url: str, authorization: str, body: Any = None, method: str = "GET") -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": authorization, "User-Agent": "test", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method if data is None else "POST")
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or b"null")


def test_the_variables_lead_to_servers_that_let_their_keys_in() -> None:
    with serve_all() as env:
        api = open_api(env["WANDB_BASE_URL"], env["WANDB_API_KEY"], RetryPolicy(max_attempts=1, timeout=5.0))
        assert api.viewer.entity == env["WANDB_ENTITY"]
        basic = "Basic " + base64.b64encode(f"api:{env['WANDB_API_KEY']}".encode()).decode()
        viewer = call(f"{env['WANDB_BASE_URL']}/graphql", basic, {"query": "query Viewer { viewer { entity } }"})
        assert viewer == {"data": {"viewer": {"entity": env["WANDB_ENTITY"]}}}
        repository = call(f"{env['GITHUB_API_URL']}/repos/{env['GITHUB_REPOSITORY']}", f"Bearer {env['GITHUB_TOKEN']}")
        assert repository["full_name"] == env["GITHUB_REPOSITORY"]
        event = {
            "routing_key": env["PAGERDUTY_ROUTING_KEY"],
            "event_action": "trigger",
            "dedup_key": "k",
            "payload": {"summary": "s", "source": "t", "severity": "critical"},
        }
        assert call(f"{env['PAGERDUTY_EVENTS_URL']}/v2/enqueue", "", event)["dedup_key"] == "k"
        incidents = call(f"{env['PAGERDUTY_API_URL']}/incidents", f"Token token={env['PAGERDUTY_TOKEN']}")
        assert len(incidents["incidents"]) == 1


def test_the_local_copies_can_be_set_up_from_a_new_configuration(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    with serve_all(worktree=tmp_path, seed_until=time.time()) as env:
        own = {**os.environ, **env, "HOME": str(tmp_path), "MODELWATCH_WAIT_SCALE": "0.01"}

        def run(*words: str) -> str:
            command = [sys.executable, "-m", "modelwatch", *words]
            done = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        run("init", "--model", "churn", "--owner", "@acme/growth-ml", "--people", "ada")
        assert "3 done" in run("wandb", "apply", "--yes")
        assert "No changes needed" in run("wandb", "plan")
        assert "1 automation starts evaluations" in " ".join(run("doctor").split())


@pytest.mark.parametrize("which", ["WANDB_BASE_URL", "GITHUB_API_URL", "PAGERDUTY_API_URL"])
def test_each_takes_control_requests(which: str) -> None:
    with serve_all() as env:
        call(f"{env[which]}/_standin/faults", "", {"what": "status", "status": 418, "times": 1})
        with pytest.raises(urllib.error.HTTPError) as error:
            call(f"{env[which]}/anything", "")
        assert error.value.code == 418
        assert [one["path"] for one in call(f"{env[which]}/_standin/requests", "")] == ["/anything"]
        assert isinstance(call(f"{env[which]}/_standin/state", ""), dict)
        call(f"{env[which]}/_standin/reset", "", {})
        assert call(f"{env[which]}/_standin/requests", "") == []


def test_a_taken_port_is_told_and_nothing_is_left_running() -> None:
    with serve_all() as env:
        port = int(env["PAGERDUTY_API_URL"].rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), serve_all(pagerduty_port=port):
            pytest.fail("the port is taken")
    with serve_all(pagerduty_port=port) as env:
        assert env["PAGERDUTY_API_URL"].endswith(f":{port}")


class Receiver:
    """Takes webhooks."""

    name = "receiver"

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def handle(self, request: Request) -> Response:
        self.requests.append(request)
        return Response.of({})


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_webhooks_of_incidents_are_sent_signed_to_the_url() -> None:
    with (
        Server(Receiver()) as receiver,
        serve_all(webhook_url=f"{receiver.url}/pagerduty", webhook_secret="hush") as env,
    ):
        payload = {"summary": "s", "source": "t", "severity": "critical"}
        event = {"routing_key": env["PAGERDUTY_ROUTING_KEY"], "event_action": "trigger", "payload": payload}
        call(f"{env['PAGERDUTY_EVENTS_URL']}/v2/enqueue", "", event)
        wait_for(lambda: receiver.standin.requests)
        (webhook,) = receiver.standin.requests
    assert webhook.path == "/pagerduty"
    assert json.loads(webhook.body)["event"]["event_type"] == "incident.triggered"
    assert webhook.headers["x-pagerduty-signature"] == signature(webhook.body, ["hush"])


WORKFLOW = """
name: Try
on: {workflow_dispatch: {}}
jobs:
  try:
    runs-on: ubuntu-latest
    steps:
      - env:
          TOKEN: ${{ secrets.GITHUB_TOKEN }}
        run: echo "$GITHUB_API_URL|$TOKEN" >"$PWD/result"
"""


def test_act_runs_dispatched_workflows_for_real(tmp_path: Path) -> None:
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows/try.yml").write_text(WORKFLOW)
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    with serve_all(worktree=tmp_path, act=Path(sys.executable).parent / "act") as env:
        repository = f"{env['GITHUB_API_URL']}/repos/{env['GITHUB_REPOSITORY']}"
        token = f"Bearer {env['GITHUB_TOKEN']}"
        call(f"{repository}/actions/workflows/try.yml/dispatches", token, {"ref": "main"})

        def conclusion() -> Any:
            (run,) = call(f"{repository}/actions/runs", token)["workflow_runs"]
            return run["conclusion"]

        wait_for(conclusion)
        assert conclusion() == "success"


def test_it_says_which_workflows_it_serves_and_refuses_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".github" / "workflows" / "retrain.yml").write_text("on: workflow_dispatch\n")
    command = [sys.executable, "-m", "modelwatch", "standins", "--folder"]
    missing = subprocess.run(
        [*command, str(tmp_path / "nope")], capture_output=True, text=True, timeout=60, check=False
    )
    assert missing.returncode == 2
    assert "does not exist" in missing.stderr
    with subprocess.Popen(
        [*command, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stderr is not None
        assert serving.stderr.readline() == (
            f"# serving on loopback, with 1 workflow of {tmp_path}/.github/workflows; Ctrl-C ends it\n"
        )
        serving.terminate()
        assert "--folder" not in serving.stderr.read()


def test_it_says_what_to_do_in_a_folder_without_workflows(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "modelwatch", "standins"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stderr is not None
        assert "with 0 workflows of" in serving.stderr.readline()
        assert "If this is not your repository's folder, start me there" in serving.stderr.readline()
        serving.terminate()
