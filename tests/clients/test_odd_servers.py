"""Servers that answer as neither GitHub nor PagerDuty does: every call ends in time, with an error in words."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from modelwatch.clients.github import GitHubClient
from modelwatch.clients.http import post_json
from modelwatch.clients.pagerduty import EventsApi, IncidentsApi
from modelwatch.clients.pagerduty_admin import AdminClient
from modelwatch.clients.pull_request import find_pull_request
from modelwatch.clients.retry import RetryPolicy, run_within
from modelwatch.clients.workflow_dispatch import dispatch_repository, dispatch_workflow
from modelwatch.errors import ServiceError
from modelwatch.model.plan import Dispatch
from modelwatch.relay.run_election import RunElection
from modelwatch.targets.register.client import IssueClient
from modelwatch.targets.workflows.observe import find_run

from .raw_server import RawServer, answer

QUICK = RetryPolicy(max_attempts=2, initial_wait=0.001, max_wait=0.002, timeout=0.5, call_timeout=1.0, wait_scale=0.001)
ISSUE = {
    "number": 1,
    "id": 1,
    "html_url": "https://github.com/acme/churn/issues/1",
    "title": "t",
    "state": "open",
    "created_at": "2026-01-01T00:00:00Z",
}


def github(url: str) -> GitHubClient:
    return GitHubClient(url, "token", QUICK)


def issues(url: str) -> IssueClient:
    return IssueClient(github(url), "acme/churn")


def page(url: str) -> None:
    EventsApi("k" * 32, url, QUICK).trigger("d", summary="s", source="s", severity="error", timestamp=1.7e9)


DISPATCH = Dispatch("k", "retrain", "m", "acme/churn", "retrain.yml", "", "main", "v1", "", "")
Call = Callable[[str], Any]
READS: dict[str, Call] = {
    "a repository": lambda url: github(url).get("/repos/acme/churn", "read it"),
    "an issue": lambda url: issues(url).get(1),
    "issues": lambda url: issues(url).list_labelled(1.7e9),
    "comments": lambda url: list(issues(url).list_comments(1)),
    "workflow runs": lambda url: find_run(github(url), DISPATCH, 1.7e9),
    "pull requests": lambda url: find_pull_request(github(url), "acme/churn", "branch"),
    "an election": lambda url: RunElection(
        github(url), "acme/churn", "w.yml", lambda: 1.7e9, poll_interval=0, max_attempts=2
    ).decide("event", 1, 1.7e9),
    "an incident": lambda url: IncidentsApi("token", url, QUICK).latest_incident("key"),
    "alerts": lambda url: IncidentsApi("token", url, QUICK).alert_key("PINC"),
    "services": lambda url: AdminClient("token", url, QUICK).list_all("/services", "services", "list services"),
}
WRITES: dict[str, Call] = {
    "an issue is opened": lambda url: issues(url).create("t", "b", [], []),
    "a comment": lambda url: issues(url).add_comment(1, "text", "marker", frozenset()),
    "an assignment": lambda url: issues(url).assign(1, "alice"),
    "workflow_dispatch": lambda url: dispatch_workflow(github(url), "acme/churn", "retrain.yml", "main", {}),
    "repository_dispatch": lambda url: dispatch_repository(github(url), "acme/churn", "retrain", {}),
    "a page": page,
    "a service": lambda url: AdminClient("token", url, QUICK).post("/services", "service", {}, "create it"),
}


def odd(**changes: Any) -> bytes:
    return answer(200, ISSUE | {"workflow_run_id": changes.get("id")} | changes)


def limited(status: int, *headers: tuple[str, str]) -> bytes:
    return answer(status, {"message": "API rate limit exceeded"}, headers)


HTML = b"<!doctype html><title>Sign in</title>"
ANSWERS = {
    "a page of a proxy": answer(200, HTML, kind="text/html"),
    "early hints": b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "a redirect to nowhere": answer(301, {}, (("location", "http://[::1"),)),
    "a redirect in another script": answer(307, {}, (("location", "\xff\xfe://x"),)),
    "no http": b"\x15\x03\x01\x00\x02\x02\x28",
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 500 + b"\r\n",
    "a body cut short": answer(200, ISSUE).replace(b"content-length: ", b"content-length: 9"),
    "a chunk that is none": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\nhello",
    "no gzip": answer(200, b"hello", (("content-encoding", "gzip"),)),
    "true": answer(200, True),
    "numbers": answer(200, [1, 2]),
    "a deep list": answer(200, b"[" * 100_000),
    "deep objects": answer(200, b'{"a":' * 3_000 + b"1" + b"}" * 3_000),
    "a wait until an absurd date": limited(429, ("retry-after", f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT")),
    "a wait that is no number": limited(429, ("retry-after", "\xb2")),
    "an end that is no number": limited(403, ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "\xb2")),
    "an end far away": limited(403, ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "9" * 30)),
}
FORMS = {
    "nothing in it": answer(200, {"alerts": None, "incidents": None, "services": None, "workflow_runs": None}),
    "text as an id": odd(number="1", id="1"),
    "a large id": odd(number=2**70, id=2**70),
    "a list as an id": odd(number=[1], id=[1]),
    "a negative id": odd(number=-1, id=-1),
    "rows of another form": answer(200, [{"id": "x", "user": [], "created_at": 5}]),
    "runs of another form": answer(200, {"workflow_runs": [{"id": "x", "name": "modelwatch a b c", "created_at": 5}]}),
}


@pytest.mark.parametrize("what", ANSWERS)
@pytest.mark.parametrize("calls", [READS, WRITES], ids=["reads", "writes"])
def test_what_is_no_answer_is_an_error_in_words(calls: dict[str, Call], what: str) -> None:
    with RawServer(ANSWERS[what]) as server:
        for call in calls.values():
            with pytest.raises(ServiceError, match=r"could not |GitHub does not list"):
                run_within(30.0, partial(call, server.url))


@pytest.mark.parametrize("what", FORMS)
def test_json_of_another_form_is_an_error_in_words_or_does_no_harm(what: str) -> None:
    with RawServer(FORMS[what]) as server:
        for call in (READS | WRITES).values():
            with suppress(ServiceError):
                run_within(30.0, partial(call, server.url))


@pytest.mark.parametrize("what", [what for what in FORMS if "id" in what.split()])
def test_what_has_no_number_is_no_success(what: str) -> None:
    with RawServer(FORMS[what]) as server:
        for name in ("an issue is opened", "a comment", "workflow_dispatch", "repository_dispatch"):
            with pytest.raises(ServiceError, match=r"not the JSON|GitHub's answer is not an issue"):
                WRITES[name](server.url)


@pytest.mark.parametrize("location", ["http://[::1", "\xff\xfe://x"])
def test_a_webhook_that_leads_nowhere_is_not_notified(location: str) -> None:
    redirect = answer(302, {}, (("location", location),))
    with RawServer(redirect) as server, pytest.raises(ServiceError, match="it answered 302"):
        post_json(server.url, b"{}", QUICK)


@pytest.mark.parametrize("status", [101, 103])
def test_what_is_no_end_of_an_answer_deletes_nothing(status: int) -> None:
    with RawServer(f"HTTP/1.1 {status} Any\r\n\r\n".encode()) as server:
        client = AdminClient("token", server.url, QUICK)
        with pytest.raises(ServiceError, match="could not delete it"):
            client.delete("/services/P1", "delete it")
        with pytest.raises(ServiceError, match="could not replace the rules"):
            client.put_document("/event_orchestrations/E1/router", {}, "replace the rules")


def test_a_read_that_is_accepted_for_later_is_not_asked_for_ever() -> None:
    """PyGithub repeats a GET that is answered 202 every two seconds."""
    with RawServer(answer(202, {})) as server:
        with pytest.raises(ServiceError, match="202, which is no answer of GitHub's"):
            run_within(30.0, lambda: github(server.url).get("/repos/acme/churn", "read it"))
        assert len(server.heads) == 1


@pytest.mark.parametrize("following", ["/issues", "/issues?page=2", ""])
def test_a_list_without_an_end_ends(following: str) -> None:
    """``rel="next"`` leads to the same page, to another one and back, or on and on."""
    with RawServer(b"") as server:

        def make(head: str) -> bytes:
            path = following or f"/issues?page={len(server.heads)}"
            return answer(200, [], (("link", f'<{server.url}{path}>; rel="next"'),))

        server.make = make
        with pytest.raises(ServiceError, match="could not list: its pages do not end"):
            run_within(30.0, lambda: list(github(server.url).paginate("/issues", "list", {})))
        assert len(server.heads) <= 100


@pytest.mark.parametrize("status", [200, 403])
def test_a_small_answer_that_unpacks_to_much_is_not_read_to_its_end(status: int) -> None:
    bomb = gzip.compress(b"[" + b" " * (65 << 20) + b"]")
    with RawServer(answer(status, bomb, (("content-encoding", "gzip"),))) as server:
        with pytest.raises(ServiceError, match=r"larger than 67,108,864 bytes|403 \["):
            GitHubClient(server.url, "token", RetryPolicy(1)).get("/repos/acme/churn", "read it")
        with pytest.raises(ServiceError, match="ContentDecodingError"):
            EventsApi("k" * 32, server.url, RetryPolicy(1)).resolve("d")


def test_a_name_that_nobody_looks_up_ends_a_call_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking up an address has no time-out of its own, and each attempt would wait for it again."""

    def hang(*_: Any, **__: Any) -> Any:
        time.sleep(8.0)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    with pytest.raises(ServiceError, match="no answer in time"):
        github("https://ghe.example").get("/repos/acme/churn", "read it")
    assert time.monotonic() - began < 7.0


def test_no_wait_begins_that_would_end_too_late() -> None:
    """The last answer stands."""
    retry = RetryPolicy(max_attempts=4, initial_wait=8.0, max_wait=8.0, timeout=1.0, call_timeout=1.0)
    with RawServer(answer(503, {"message": "busy"}, (("retry-after", "7"),))) as server:
        began = time.monotonic()
        with pytest.raises(ServiceError, match="503 busy"):
            GitHubClient(server.url, "token", retry).get("/repos/acme/churn", "read it")
    assert time.monotonic() - began < 6.0


def test_what_is_whole_is_read_whatever_it_is_packed_in() -> None:
    packed = answer(
        200, gzip.compress(json.dumps({"full_name": "acme/churn"}).encode()), (("content-encoding", "gzip"),)
    )
    old = b'HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{"full_name": "acme/churn"}'
    for content in (packed, old, b"HTTP/1.1 100 Continue\r\n\r\n" + packed):
        with RawServer(content) as server:
            assert github(server.url).get("/repos/acme/churn", "read it")["full_name"] == "acme/churn"
