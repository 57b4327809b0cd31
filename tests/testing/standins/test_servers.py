"""All stand-ins at once, as ``modelwatch standins`` serves them."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.clients.wandb import open_api
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
