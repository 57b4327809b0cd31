"""What somebody sends who means harm: requests that servers read differently, and more of everything than there is."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from modelwatch.relay.settings import MAX_BODY
from modelwatch.relay.telemetry import STATUS_BY_OUTCOME
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty.webhooks import signature

from ..injection.corpus import CORPUS
from .test_pagerduty_webhook import assert_inert
from .test_webhook import talk
from .world import SECRET, RelayProcess, call, ids, incident, payloads, raw

LINE = b"POST /pagerduty HTTP/1.1\r\n"
HOST = b"host: relay\r\nconnection: close\r\n"


def signed(body: bytes) -> bytes:
    return b"x-pagerduty-signature: " + signature(body, (SECRET,)).encode() + b"\r\n"


def length(body: bytes) -> bytes:
    return b"content-length: %d\r\n" % len(body)


def status(said: bytes) -> int:
    return int(re.match(rb"HTTP/1\.1 (\d+)", said)[1])  # type: ignore[index]


PLAIN = re.compile(r"[\w .,:;/()\[\]+-]*", re.ASCII)
"""What our own words are made of; none of the corpus, which is made of more."""
BODY = raw(incident("AMBIGUOUS"))
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (length(BODY) + length(BODY), BODY),
        (length(BODY) + b"content-length: 3\r\n", BODY),
        (length(BODY) + b"transfer-encoding: chunked\r\n", CHUNKED),
        (b"transfer-encoding: chunked, identity\r\n", CHUNKED),
        (b"transfer-encoding: xchunked\r\n", CHUNKED),
        (b"transfer-encoding : chunked\r\n", CHUNKED),
        (b"content-length: +%d\r\n" % len(BODY), BODY),
        (b"content-length: -1\r\n", BODY),
        (b"content-length: 0x10\r\n", BODY),
        (b"content-length: 99999999999999999999999\r\n", BODY),
        (length(BODY) + b"x: a\r\n b\r\n", BODY),
        (length(BODY) + b"x: a\x00b\r\n", BODY),
        (length(BODY)[:-2] + b"\n", BODY),
    ],
    ids=[
        "two-lengths", "lengths-differ", "length-and-chunks", "not-chunked-last", "unknown-coding", "space-in-header",
        "plus", "minus", "hexadecimal", "overflow", "folded", "nul", "bare-line-feed",
    ],
)  # fmt: skip
def test_a_request_that_can_be_read_in_two_ways_is_not_read(
    relay: RelayProcess, github: Server[GitHubStandIn], head: bytes, body: bytes
) -> None:
    """Or a proxy before us could see one request where we see two."""
    said = talk(relay, [LINE + HOST + signed(BODY) + head + b"\r\n" + body])
    assert status(said) == 400
    assert said.count(b"HTTP/1.1") == 1
    assert github.requests == []


def test_the_signature_may_be_spread_over_headers(relay: RelayProcess, github: Server[GitHubStandIn]) -> None:
    body = raw(incident("SPREAD"))
    head = b"X-PagerDuty-Signature: v1=00\r\n" + signed(body)
    assert status(talk(relay, [LINE + HOST + head + length(body) + b"\r\n" + body])) == 202
    assert ids(github) == ["SPREAD"]


@pytest.mark.parametrize(
    "value", ["v1=" + "٣" * 64, "v1=" + "０" * 64, "v1=\xff" * 20, ",".join(["v1=" + "0" * 64] * 800)]
)
def test_a_strange_signature_is_a_bad_one(relay: RelayProcess, github: Server[GitHubStandIn], value: str) -> None:
    head = HOST + b"x-pagerduty-signature: " + value.encode() + b"\r\n" + length(BODY)
    assert status(talk(relay, [LINE + head + b"\r\n" + BODY])) == 403
    assert github.requests == []


def test_requests_behind_each_other_are_answered_in_their_order(
    relay: RelayProcess, github: Server[GitHubStandIn]
) -> None:
    bodies = [raw(incident(f"PIPE{number}")) for number in range(3)]
    data = b"".join(LINE + b"host: relay\r\n" + signed(body) + length(body) + b"\r\n" + body for body in bodies)
    said = talk(relay, [data], wait=1.0)
    assert re.findall(rb'"id": "(\w+)"', said) == [b"PIPE0", b"PIPE1", b"PIPE2"]
    assert ids(github) == ["PIPE0", "PIPE1", "PIPE2"]


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_an_upgrade_is_our_trouble_since_its_body_is_never_seen(
    relay: RelayProcess, github: Server[GitHubStandIn], protocol: bytes
) -> None:
    body = raw(incident("UPGRADED"))
    head = LINE + b"host: relay\r\nconnection: Upgrade\r\nupgrade: " + protocol + b"\r\n" + signed(body) + length(body)
    said = talk(relay, [head + b"\r\n" + body])
    assert status(said) == 503
    assert b"still open" not in said
    assert github.requests == []


@pytest.mark.parametrize("field", ["id", "title", "incident_key", "status", "event_type", "agent", "service", "number"])
def test_no_text_from_outside_reaches_github_the_log_or_the_answer(
    another: Callable[..., RelayProcess], github: Server[GitHubStandIn], field: str
) -> None:
    """The whole corpus in one field, then another."""
    relay = another()
    for sample in CORPUS:
        event = incident("PLAIN")
        match field:
            case "id" | "event_type":
                event[field] = sample.text
            case "agent":
                event["agent"] = {"id": sample.text, "type": sample.text, "summary": sample.text}
            case "service":
                event["data"] |= {"service": {"id": sample.text, "summary": sample.text}}
            case _:
                event["data"] |= {field: sample.text}
        answer = relay.send(event)
        assert answer.status == 202, (sample.name, answer.body)
        assert all(PLAIN.fullmatch(value) for value in answer.body.values()), answer.body
    for line in relay.lines():
        assert all(PLAIN.fullmatch(str(value)) for value in line.values()), line
    for payload in payloads(github):
        assert_inert(payload)


def test_metrics_do_not_grow_with_what_is_sent(relay: RelayProcess) -> None:
    before = len(call(f"{relay.url}/metrics").body["text"].splitlines())
    for number in range(40):
        call(f"{relay.url}/page-{number}", method=["GET", "PUT", "TRACE"][number % 3])
        relay.send(incident(f"CARDINALITY-{number}", f"incident.kind_{'x' * (number % 30)}"))
    after = call(f"{relay.url}/metrics").body["text"].splitlines()
    assert len(after) - before <= 2, "a status of GitHub's that was not seen before adds a line and its time"
    assert sum(line.startswith("modelwatch_relay_webhooks_total{") for line in after) == len(STATUS_BY_OUTCOME)


def test_nobody_can_fill_the_log(another: Callable[..., RelayProcess]) -> None:
    relay = another()
    before = len(relay.lines())
    for _ in range(100):
        talk(relay, [b"nonsense\r\n\r\n"])
        talk(relay, [LINE + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n"])
    assert len(relay.lines()) - before < 60


@contextmanager
def connections(relay: RelayProcess, count: int, said: bytes = b"") -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        made = [stack.enter_context(socket.create_connection(("127.0.0.1", relay.port))) for _ in range(count)]
        for one in made:
            one.sendall(said)
        yield made


@pytest.mark.parametrize("said", [b"", b"POST /pager", b"GET /healthz HTTP/1.1\r\nhost: relay\r\n\r\n"])
def test_whoever_holds_connections_keeps_nobody_out(
    another: Callable[..., RelayProcess], github: Server[GitHubStandIn], said: bytes
) -> None:
    """More of them than the relay has descriptors."""
    relay = another(files=1024)
    with connections(relay, 1_500, said):
        for number in range(20):
            assert relay.send(incident(f"THROUGH{number}")).status == 202
    assert len(ids(github)) == 20
    assert not any("exception" in line for line in relay.lines())


def test_there_is_room_for_so_many_large_bodies_and_no_more(another: Callable[..., RelayProcess]) -> None:
    relay = another()
    head = LINE + b"host: relay\r\nx-pagerduty-signature: v1=00\r\ncontent-length: %d\r\n\r\n" % MAX_BODY
    with connections(relay, 600, head + b"x" * (MAX_BODY - 1)) as made:
        said = [one.recv(1000) for one in made]
    full = sum(b'"too many bodies at once"' in text for text in said)
    assert full > 0
    assert {status(text) for text in said} == {503}
    assert relay.send(incident("AFTER")).status == 202
