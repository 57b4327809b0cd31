"""A fuzzer that reads the relay's own OpenAPI document. FUZZ_EXAMPLES: how many requests an operation (`make fuzz`)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import unsupported_method

from modelwatch.relay.app import openapi_document
from modelwatch.relay.telemetry import STATUS_BY_OUTCOME
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server

from .world import CONFIG, SECRET, RelayProcess, call

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
BOUNDS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
schema = schemathesis.openapi.from_dict(openapi_document("/pagerduty"))


def bugs(relay: RelayProcess) -> list[str]:
    return [line for line in relay.log().splitlines() if '"exception"' in line or "Traceback" in line]


@pytest.fixture(scope="module")
def fuzzed(
    shared_github: tuple[Server[GitHubStandIn], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RelayProcess]:
    """A relay of the module's, with GitHub at hand."""
    server, token = shared_github
    config = "forged_wait_ms = 0\n" + CONFIG
    relay = RelayProcess(tmp_path_factory.mktemp("fuzzed"), server.url, token, config=config).start()
    yield relay
    relay.kill()


@schema.parametrize()
@BOUNDS
def test_whatever_is_sent_is_answered_as_described(case: schemathesis.Case[Any], fuzzed: RelayProcess) -> None:
    """Status, content type and schema as the document says; nothing is let through without a signature."""
    answer = case.call(base_url=fuzzed.url)
    # Trouble of GitHub's or the secrets is a 5xx by intent; here both are well.
    case.validate_response(answer, excluded_checks=[unsupported_method])
    assert answer.status_code < 500
    assert bugs(fuzzed) == []


@schema.include(path="/pagerduty").parametrize()
@BOUNDS
def test_whatever_is_signed_is_answered_as_described(case: schemathesis.Case[Any], fuzzed: RelayProcess) -> None:
    """The same bodies, signed: so that they reach the parser."""
    sent = case.as_transport_kwargs(base_url=fuzzed.url)
    data = sent.get("data")
    body = data if isinstance(data, bytes) else data.encode() if isinstance(data, str) else json.dumps(sent.get("json"))
    answer = fuzzed.post(body if isinstance(body, bytes) else body.encode(), (SECRET,))
    assert answer.status in (202, 413)
    assert answer.body["outcome"] in STATUS_BY_OUTCOME
    assert bugs(fuzzed) == []


def test_the_document_is_what_the_relay_serves(another: Callable[..., RelayProcess]) -> None:
    relay = another()
    assert call(f"{relay.url}/openapi.json").body == openapi_document("/pagerduty")
