"""The W&B session: bounded, quiet, and its errors in plain words."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.clients.wandb import (
    WandbDownError,
    WandbKeyError,
    WandbProjectError,
    find_runs,
    open_api,
    translate_wandb_error,
)
from modelwatch.errors import Exit, SourceError, SourceSetupError
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

KEY = "k" * 40
HASTY = RetryPolicy(max_attempts=2, initial_wait=0.0, timeout=1.0)

Wandb = Server[WandbStandIn]


def never(_: object) -> bool:
    return False


def test_a_session_verifies_the_key_and_asks_for_no_entity(wandb_server: Wandb) -> None:
    wandb_server.standin.state.add_run("acme", "p", "r")
    api = open_api(wandb_server.url, KEY, HASTY)
    assert [run.id for run in find_runs(api, "acme/p", {}, never)] == ["r"]
    asked = [request.body.decode() for request in wandb_server.requests]
    assert len(asked) == 3
    assert "__typename" in asked[0]
    assert "authorization" not in wandb_server.requests[0].headers, "whether it redirects is asked without the key"
    assert "Viewer" in asked[1]
    assert "query Runs" in asked[2]


def test_the_bounds_of_the_client_are_those_of_patience(wandb_server: Wandb) -> None:
    open_api(wandb_server.url, KEY, RetryPolicy(max_attempts=4, initial_wait=2.0, max_wait=10.0, timeout=15.0))
    found = {name: os.environ[f"WANDB_X_GRAPHQL_{name}"] for name in ("RETRY_MAX", "TIMEOUT_SECONDS")}
    assert found == {"RETRY_MAX": "3", "TIMEOUT_SECONDS": "15"}
    assert os.environ["WANDB_X_FILE_TRANSFER_RETRY_MAX"] == "3"
    assert os.environ["WANDB_X_GRAPHQL_RETRY_WAIT_MIN_SECONDS"] == "2"
    assert os.environ["WANDB_X_GRAPHQL_RETRY_WAIT_MAX_SECONDS"] == "8"
    assert os.environ["WANDB_ERROR_REPORTING"] == "false"


def test_waits_are_whole_seconds_even_when_shrunk(wandb_server: Wandb) -> None:
    open_api(wandb_server.url, KEY, RetryPolicy(wait_scale=0.001))
    assert os.environ["WANDB_X_GRAPHQL_RETRY_WAIT_MIN_SECONDS"] == "1"


def test_a_wait_that_the_server_asks_for_is_cut_off(wandb_server: Wandb) -> None:
    wandb_server.standin.state.add_run("acme", "p", "r")
    api = open_api(wandb_server.url, KEY, HASTY)
    wandb_server.inject(Fault("status", status=429, text="Runs", headers=(("Retry-After", "3600"),), times=-1))
    with pytest.raises(WandbDownError, match="did not answer in time"):
        find_runs(api, "acme/p", {}, never)


def test_a_server_that_hangs_is_given_up(wandb_server: Wandb) -> None:
    wandb_server.inject(Fault("hang", seconds=60.0, times=-1))
    with pytest.raises(SourceError) as caught:
        open_api(wandb_server.url, KEY, HASTY)
    assert caught.value.exit_code is Exit.SOURCE_DOWN


@pytest.mark.parametrize("status", [301, 307, 308])
@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:9/graphql", "http://wandb.example/graphql", "//wandb.example/graphql"]
)
def test_a_redirect_to_another_host_does_not_get_the_key(wandb_server: Wandb, status: int, target: str) -> None:
    wandb_server.inject(Fault("status", status=status, headers=(("location", target),), times=-1))
    with pytest.raises(SourceSetupError, match="answers with another address") as caught:
        open_api(wandb_server.url, KEY, HASTY)
    assert "base_url" in str(caught.value)
    assert len(wandb_server.requests) == 1
    assert KEY not in str(wandb_server.requests[0].headers)


def test_files_of_the_client_go_to_a_scratch_folder(
    wandb_server: Wandb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(path for path in tmp_path.rglob("*") if path.name != "wandb")
    wandb_server.standin.state.add_run("acme", "p", "r")
    find_runs(open_api(wandb_server.url, KEY, HASTY), "acme/p", {}, never)
    made = [path for path in tmp_path.rglob("*") if path not in before and "acme" in path.parts]
    assert made == []
    assert "modelwatch-wandb-" in os.environ["WANDB_DIR"]


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (ValueError("Could not find project nope"), WandbProjectError, "no such project"),
        (RuntimeError("POST x giving up\nwhile retrying: HTTP 503: busy"), WandbDownError, "is down (HTTP 503)"),
        (RuntimeError("while retrying: HTTP 429: slow down"), WandbDownError, "limits the rate"),
        (RuntimeError("HTTP 403: no"), WandbKeyError, "refuses the API key (HTTP 403)"),
        (RuntimeError("dial tcp: connection refused"), WandbDownError, "cannot be read: dial tcp"),
        (RuntimeError("x" * 1000), WandbDownError, "…"),
    ],
)
def test_errors_in_plain_words(error: Exception, kind: type[SourceError], said: str) -> None:
    told = translate_wandb_error(error, "acme/p")
    assert type(told) is kind
    assert said in str(told)
    assert str(told).startswith("acme/p: ")
    assert told.hint
    assert len(told.message) < 400


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "there is no W&B API key"),
        ("k" * 39, "has 39 characters; keys have at least 40"),
        ("local-" + "k" * 39, "has 39 characters after its prefix"),
        ('"' + "k" * 40 + '"', "a space, a quote or a line end"),
        ("k" * 40 + "\n", "a space, a quote or a line end"),
    ],
)
def test_a_key_that_is_none_is_told_without_asking_anybody(wandb_server: Wandb, key: str, said: str) -> None:
    with pytest.raises(SourceError, match=re.escape(said)) as caught:
        open_api(wandb_server.url, key, HASTY)
    assert "WANDB_API_KEY" in caught.value.hint
    assert len(wandb_server.requests) == 0


@pytest.mark.parametrize("key", [KEY, "local-" + KEY, "my-own-" + KEY, "head-er.pay_load." + 40 * "s"])
def test_a_key_that_the_client_takes_reaches_the_server(wandb_server: Wandb, key: str) -> None:
    open_api(wandb_server.url, key, HASTY)
    assert "Viewer" in wandb_server.requests[-1].body.decode()
    assert "authorization" in wandb_server.requests[-1].headers


def test_the_status_of_a_cause_counts() -> None:
    error = ValueError("Failed to verify credentials")
    error.__cause__ = RuntimeError("HTTP 502: bad gateway")
    assert "is down (HTTP 502)" in str(translate_wandb_error(error, "w"))


def test_what_is_already_translated_stays() -> None:
    error = SourceError("as it is")
    assert translate_wandb_error(error, "w") is error
