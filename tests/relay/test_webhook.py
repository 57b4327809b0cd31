"""One relay over HTTP: what it takes, what it answers, and what GitHub hears of it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from modelwatch.relay.settings import MAX_BODY
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty.webhooks import signature

from .world import SECRET, RelayProcess, call, ids, incident, payloads, raw, titles

HOURS = 3600.0
NEXT = "second-" * 7


def test_a_webhook_becomes_one_dispatch(relay: RelayProcess, github: Server[GitHubStandIn]) -> None:
    answer = relay.send(incident("ONE"))
    assert (answer.status, answer.body) == (202, {"outcome": "accepted", "id": "ONE"})
    assert titles(github) == ["PagerDuty incident.triggered ONE"]
    (found,) = payloads(github)
    assert found["incident"]["key"] == "0123456789abcdef"
    assert "title" not in json.dumps(found)


@pytest.mark.parametrize("secrets", [("wrong",), ()])
def test_a_bad_signature_is_refused_and_goes_nowhere(
    relay: RelayProcess, github: Server[GitHubStandIn], secrets: tuple[str, ...]
) -> None:
    answer = relay.post(raw(incident("FORGED")), secrets)
    assert answer.status == 403
    assert github.requests == []


def test_no_header_is_a_bad_signature(relay: RelayProcess, github: Server[GitHubStandIn]) -> None:
    assert call(f"{relay.url}/pagerduty", raw(incident("BARE"))).status == 403
    assert github.requests == []


def test_one_good_signature_among_several_is_enough(relay: RelayProcess, github: Server[GitHubStandIn]) -> None:
    body = raw(incident("SEVERAL"))
    header = signature(body, ("other", SECRET)).replace(",", ", ")
    assert relay.post(body, header=header).status == 202
    assert ids(github) == ["SEVERAL"]


def test_the_signature_is_of_the_raw_body(relay: RelayProcess, github: Server[GitHubStandIn]) -> None:
    body = raw(incident("RAW", title="ünïcödé"))
    assert relay.post(body + b"\n", header=signature(body, (SECRET,))).status == 403
    assert relay.post(body + b"\n").status == 202
    assert ids(github) == ["RAW"]


def test_secrets_rotate_without_a_restart(another: Callable[..., RelayProcess], github: Server[GitHubStandIn]) -> None:
    relay = another()
    assert relay.post(raw(incident("R1"))).status == 202
    relay.secrets_file.write_text(f"{SECRET}\n{NEXT}\n")
    assert relay.post(raw(incident("R2")), (NEXT,)).status == 202
    assert relay.post(raw(incident("R3"))).status == 202
    relay.secrets_file.write_text(f"{NEXT}\n")
    assert relay.post(raw(incident("R4"))).status == 403
    assert relay.post(raw(incident("R4")), (NEXT,)).status == 202
    relay.secrets_file.unlink()
    assert relay.post(raw(incident("R5")), (NEXT,)).status == 202
    assert ids(github) == ["R1", "R2", "R3", "R4", "R5"]


def test_without_a_secret_it_is_our_trouble_and_not_pagerdutys(another: Callable[..., RelayProcess]) -> None:
    relay = another()
    relay.kill()
    relay.secrets_file.write_text("")
    relay.start()
    assert relay.send(incident("NONE")).status == 503
    assert call(f"{relay.url}/readyz").status == 503
    assert call(f"{relay.url}/healthz").status == 200
    relay.secrets_file.write_text(SECRET)
    assert relay.send(incident("NONE")).status == 202
    assert call(f"{relay.url}/readyz").status == 200


def test_a_replay_is_answered_and_not_passed_on(relay: RelayProcess, github: Server[GitHubStandIn]) -> None:
    body = raw(incident("REPLAY"))
    assert [relay.post(body).body["outcome"] for _ in range(3)] == ["accepted", "duplicate", "duplicate"]
    assert ids(github) == ["REPLAY"]


def test_duplicates_at_the_same_moment_share_one_dispatch(relay: RelayProcess, github: Server[GitHubStandIn]) -> None:
    github.inject(Fault("delay", seconds=0.5))
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(relay.send(incident("TWIN")).body["outcome"])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["accepted"] + ["duplicate"] * 7
    assert ids(github) == ["TWIN"]


def test_what_comes_in_another_order_is_passed_on_all_the_same(
    relay: RelayProcess, github: Server[GitHubStandIn]
) -> None:
    now = time.time()
    kinds = ["resolved", "triggered", "acknowledged"]
    for place, kind in enumerate(kinds):
        assert relay.send(incident(f"ORDER{place}", f"incident.{kind}", at=now - place, status=kind)).status == 202
    assert [found["incident"]["status"] for found in payloads(github)] == kinds
    assert len({found["occurred_at"] for found in payloads(github)}) == 3


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (incident("U1", "incident.escalated"), "its type is not allowed"),
        (incident("U2", service={"id": "POTHER"}), "its service is not allowed"),
        (incident("U3", service=None), "it names no service"),
        (
            incident("U4", "incident.workflow.started", incident_workflow={"id": "P", "summary": "Tidy"}),
            "no verb in the settings",
        ),
        (incident("U5", at=time.time() - 48.1 * HOURS), "it is too old"),
        (incident("U6") | {"occurred_at": "soon"}, "it has no time"),
    ],
)
def test_authentic_but_unwanted_is_taken_and_left_out(
    relay: RelayProcess, github: Server[GitHubStandIn], event: dict[str, object], reason: str
) -> None:
    answer = relay.send(event)
    assert answer.status == 202
    assert reason in answer.body["reason"]
    assert github.requests == []
    line = next(line for line in relay.lines() if line.get("id") == event["id"])
    assert reason in line["reason"]


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b"\xff", b"[" * 10_000])
def test_authentic_and_no_event_is_taken_and_left_out(
    relay: RelayProcess, github: Server[GitHubStandIn], body: bytes
) -> None:
    assert relay.post(body).status == 202
    assert github.requests == []


def test_just_young_enough_is_passed_on(relay: RelayProcess, github: Server[GitHubStandIn]) -> None:
    assert relay.send(incident("AGED", at=time.time() - 47.9 * HOURS)).body["outcome"] == "accepted"


@pytest.mark.parametrize(("name", "verb"), [("Retrain", "retrain"), ("Anything", "rollback")])
def test_a_button_becomes_a_verb(relay: RelayProcess, github: Server[GitHubStandIn], name: str, verb: str) -> None:
    workflow = {"id": "PWORKFLOW" if name == "Anything" else "PX", "summary": name}
    event = incident(f"BUTTON-{verb}", "incident.workflow.started", incident_workflow=workflow)
    assert relay.send(event).status == 202
    assert payloads(github)[0]["verb"] == verb


def test_pagey_is_answered(relay: RelayProcess, github: Server[GitHubStandIn]) -> None:
    event = {"id": "PING", "event_type": "pagey.ping", "occurred_at": "2026-01-01T00:00:00Z", "data": {"type": "ping"}}
    assert relay.send(event).body == {"outcome": "ping", "id": "PING"}
    assert github.requests == []


def test_a_large_body_is_refused_before_it_is_hashed(relay: RelayProcess, github: Server[GitHubStandIn]) -> None:
    body = b'{"event": {"x": "' + b"a" * MAX_BODY + b'"}}'
    assert relay.post(body).status == 413
    just = raw(incident("JUST", title=""))
    just = just.replace(b'"title": ""', b'"title": "' + b"a" * (MAX_BODY - len(just)) + b'"')
    assert len(just) == MAX_BODY
    assert relay.post(just).status == 202
    assert ids(github) == ["JUST"]


def talk(relay: RelayProcess, parts: list[bytes], pause: float = 0.0, wait: float = 10.0) -> bytes:
    """Write piece by piece; what comes back until the relay hangs up, or ``wait`` seconds are over."""
    found = b""
    with socket.create_connection(("127.0.0.1", relay.port), timeout=wait) as one:
        try:
            for part in parts:
                one.sendall(part)
                time.sleep(pause)
            while data := one.recv(65_536):
                found += data
        except TimeoutError:
            return found + b"(still open)"
        except OSError:
            pass
    return found


HEAD = b"POST /pagerduty HTTP/1.1\r\nhost: relay\r\nx-pagerduty-signature: v1=00\r\n"


def test_a_chunked_body_is_bounded_too(relay: RelayProcess) -> None:
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    assert talk(relay, [HEAD + b"transfer-encoding: chunked\r\n\r\n", *[chunk] * 6]).startswith(b"HTTP/1.1 413")


def test_a_chunked_body_is_taken(relay: RelayProcess, github: Server[GitHubStandIn]) -> None:
    body = raw(incident("CHUNKED"))
    head = HEAD.replace(b"v1=00", signature(body, (SECRET,)).encode())
    head += b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    chunks = [b"%x\r\n%s\r\n" % (len(body[i : i + 50]), body[i : i + 50]) for i in range(0, len(body), 50)]
    assert talk(relay, [head, *chunks, b"0\r\n\r\n"]).startswith(b"HTTP/1.1 202")
    assert ids(github) == ["CHUNKED"]


def test_a_body_that_never_ends_is_cut_off_as_our_trouble(relay: RelayProcess) -> None:
    said = talk(relay, [HEAD + b"content-length: 100\r\n\r\n", b"{"])
    assert said.startswith(b"HTTP/1.1 503")
    assert b"connection: close" in said
    assert b"still open" not in said


def test_headers_that_never_end_are_cut_off(relay: RelayProcess) -> None:
    """All at the same time: each takes as long as the relay waits for headers."""
    starts = (b"", b"POST /pager", HEAD, b"\r\n", HEAD + b"x: " + b"y" * 70_000)

    def send(start: bytes) -> bytes:
        return talk(relay, [start, *[b"\r\n"] * (3 if start == b"\r\n" else 0)], pause=0.05)

    with ThreadPoolExecutor(len(starts)) as pool:
        for start, said in zip(starts, pool.map(send, starts), strict=True):
            assert b"still open" not in said, start
            assert call(f"{relay.url}/healthz").status == 200, start


def test_a_webhook_sent_to_a_wrong_address_comes_again(relay: RelayProcess) -> None:
    assert relay.post(raw(incident("LOST")), path="/webhook").status == 503
    assert call(f"{relay.url}/webhook").status == 404
    wrong = call(f"{relay.url}/pagerduty")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")


def test_nothing_secret_is_logged_or_measured(another: Callable[..., RelayProcess]) -> None:
    relay = another()
    relay.post(raw(incident("S1", title="::error::title")))
    relay.post(raw(incident("S2")), ("another",))
    relay.post(b"not json")
    relay.secrets_file.write_text("")
    relay.post(raw(incident("S3")))
    told = relay.log() + call(f"{relay.url}/metrics").body["text"]
    for hidden in (SECRET, relay.token, "::error::", "not json", "v1="):
        assert hidden not in told
    assert {"time", "level", "message"} <= relay.lines()[-1].keys()


def test_metrics_count_what_became_of_webhooks(another: Callable[..., RelayProcess]) -> None:
    relay = another()
    for name in ("M1", "M1", "M2"):
        relay.send(incident(name))
    relay.post(b"{}", ("wrong",))
    text = call(f"{relay.url}/metrics").body["text"]
    found = dict(re.findall(r'^modelwatch_relay_webhooks_total\{outcome="(\w+)"\} (\S+)', text, re.MULTILINE))
    assert (found["accepted"], found["duplicate"], found["forged"]) == ("2.0", "1.0", "1.0")
    assert 'modelwatch_relay_github_answers_total{status="204"} 2.0' in text


def test_a_stop_finishes_what_was_accepted(another: Callable[..., RelayProcess], github: Server[GitHubStandIn]) -> None:
    relay = another()
    github.inject(Fault("delay", seconds=1.0))
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(relay.send(incident("LAST")).status))
    thread.start()
    time.sleep(0.4)
    os.kill(relay.pid, signal.SIGTERM)
    thread.join()
    assert relay.process is not None
    relay.process.wait(30)
    assert found == [202]
    assert ids(github) == ["LAST"]
