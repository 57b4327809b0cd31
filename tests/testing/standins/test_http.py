"""The server under the stand-ins: what it records, and that each fault does exactly what it says."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.http import BadRequest, Request, Response, Server


class Counter:
    """Counts what it has handled, and echoes it."""

    name = "counter"

    def __init__(self) -> None:
        self.handled: list[Request] = []

    def handle(self, request: Request) -> Response:
        if request.path == "/bug":
            raise RuntimeError("a bug of ours")
        if request.path == "/nan":
            return Response.of({"value": float("nan")})
        if request.path == "/empty":
            return Response(204)
        if request.path == "/json":
            request.json()
        self.handled.append(request)
        return Response.of({"count": len(self.handled), "padding": "x" * 50}, headers=(("x-own", "yes"),))

    def snapshot(self) -> Any:
        return {"handled": len(self.handled)}

    def reset(self) -> None:
        self.handled.clear()


@pytest.fixture
def counter() -> Counter:
    return Counter()


CounterServer = Server[Counter]


@pytest.fixture
def server(counter: Counter) -> Iterator[CounterServer]:
    with Server(counter, control=True) as server:
        yield server
    assert server.errors == [] or "bug" in "".join(server.errors) or "nan" in "".join(server.errors)


def call(
    server: CounterServer, path: str = "/", method: str = "GET", body: bytes | None = None, timeout: float = 5.0
) -> Any:
    request = urllib.request.Request(server.url + path, data=body, method=method)
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return json.loads(answer.read() or b"null")


def test_requests_are_recorded_whole(server: CounterServer, counter: Counter) -> None:
    request = urllib.request.Request(
        f"{server.url}/a%20b?q=1&q=2&empty=", data=b"{}", method="PUT", headers={"X-Thing": "Value"}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
        assert answer.headers["x-own"] == "yes"
    (recorded,) = server.requests
    assert (recorded.number, recorded.method, recorded.path, recorded.status) == (1, "PUT", "/a b", 200)
    assert recorded.query == {"q": ["1", "2"], "empty": [""]}
    assert recorded.headers["x-thing"] == "Value"
    assert recorded.json() == {}
    assert counter.handled[0].first("q") == "1"
    assert counter.handled[0].first("absent", "fallback") == "fallback"


def test_one_connection_serves_many_requests(server: CounterServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    for number in range(50):
        connection.request("POST", "/", body=b"x" * number)
        answer = connection.getresponse()
        assert json.loads(answer.read())["count"] == number + 1
    connection.request("GET", "/empty")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (204, b"")
    connection.request("HEAD", "/")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")
    connection.request("GET", "/")
    assert connection.getresponse().status == 200


def test_headers_and_body_leave_in_one_write(server: CounterServer) -> None:
    """Two small writes would cost every call 40 ms (Nagle against delayed acknowledgement)."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.settimeout(5)
        assert connection.recv(65536).endswith(b'"}')


def test_chunked_bodies_are_read(server: CounterServer, counter: Counter) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request("POST", "/", body=iter([b"abc", b"defg"]), encode_chunked=True)
    assert connection.getresponse().status == 200
    assert counter.handled[0].body == b"abcdefg"


def test_answers_are_strict_json_and_a_bug_is_seen(server: CounterServer) -> None:
    for path, word in (("/nan", "JSON compliant"), ("/bug", "a bug of ours")):
        with pytest.raises(urllib.error.HTTPError) as error:
            call(server, path)
        assert error.value.code == 500
        assert word in server.errors[-1]
    with pytest.raises(urllib.error.HTTPError) as error:
        call(server, "/json", "POST", b"{nonsense")
    assert error.value.code == 400


def test_bad_request_is_an_exception() -> None:
    with pytest.raises(BadRequest):
        Request("POST", "/", {}, {}, b"{").json()


@pytest.mark.parametrize(("when", "handled"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize("what", ["status", "drop", "reset", "broken-json", "hang"])
def test_a_fault_strikes_before_or_after_the_effect(
    server: CounterServer, counter: Counter, what: str, when: str, handled: int
) -> None:
    fault = server.inject(
        Fault(what, when, status=429, headers=(("Retry-After", "7"),), body='{"slow":"down"}', seconds=0.05)
    )
    if what == "status":
        with pytest.raises(urllib.error.HTTPError) as error:
            call(server)
        assert (error.value.code, error.value.headers["retry-after"]) == (429, "7")
        assert json.loads(error.value.read()) == {"slow": "down"}
    elif what == "broken-json":
        with pytest.raises(json.JSONDecodeError):
            call(server)
    elif what == "reset":
        with pytest.raises((ConnectionResetError, urllib.error.URLError)) as reset:
            call(server)
        cause = getattr(reset.value, "reason", reset.value)
        assert isinstance(cause, ConnectionResetError)
    else:
        with pytest.raises(http.client.RemoteDisconnected):
            call(server)
    assert len(counter.handled) == handled
    assert fault.strike_count == 1
    assert server.requests[0].status == {"status": 429, "broken-json": 200}.get(what, 0)
    assert call(server)["count"] == handled + 1, "a fault strikes once by default"


def test_a_dripping_answer_is_whole_in_the_end(server: CounterServer) -> None:
    server.inject(Fault("drip", seconds=0.0001))
    assert call(server)["count"] == 1


@pytest.mark.parametrize(("when", "handled"), [("before", 0), ("after", 1)])
def test_kill_takes_the_process_at_that_very_request(
    server: CounterServer, counter: Counter, when: str, handled: int
) -> None:
    program = (
        "import sys, urllib.request\n"
        "for _ in range(3): urllib.request.urlopen(sys.argv[1]).read(); print('answered', flush=True)"
    )
    client = subprocess.Popen([sys.executable, "-c", program, server.url], stdout=subprocess.PIPE, text=True)
    server.inject(Fault("kill", when, skip=1, pid=lambda: client.pid))
    output, _ = client.communicate(timeout=20)
    assert client.returncode == -signal.SIGKILL
    assert output.count("answered") == 1
    assert len(counter.handled) == 1 + handled
    assert [recorded.status for recorded in server.requests] == [200, 0]


def test_delay_makes_a_client_give_up_though_the_effect_stands(server: CounterServer, counter: Counter) -> None:
    server.inject(Fault("delay", "after", seconds=2))
    with pytest.raises(TimeoutError):
        call(server, timeout=0.2)
    assert len(counter.handled) == 1


def test_faults_match_method_path_text_and_count(server: CounterServer) -> None:
    fault = server.inject(Fault("status", method="POST", path=r"/x/\d+$", text="createIssue", skip=1, times=2))
    assert call(server, "/x/1")
    assert call(server, "/x/a", "POST", b"createIssue")
    assert call(server, "/x/1", "POST", b"closeIssue")
    assert fault.match_count == 0
    codes = []
    for _ in range(5):
        try:
            call(server, "/x/1", "POST", b"createIssue")
            codes.append(200)
        except urllib.error.HTTPError as error:
            codes.append(error.code)
    assert codes == [200, 500, 500, 200, 200]
    server.inject(Fault("status", status=503, times=-1))
    for _ in range(3):
        with pytest.raises(urllib.error.HTTPError):
            call(server)
    server.clear()
    assert call(server)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "fields", [{"what": "nonsense"}, {"what": "drop", "when": "during"}, {"what": "kill"}, {"what": "drop", "bad": 1}]
)
def test_a_wrong_fault_is_refused(server: CounterServer, fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Fault.parse(fields)
    with pytest.raises(urllib.error.HTTPError) as error:
        call(server, "/_standin/faults", "POST", json.dumps(fields).encode())
    assert error.value.code == 400


def test_control_requests(server: CounterServer) -> None:
    call(server, "/secret")
    call(server, "/_standin/faults", "POST", b'{"what": "status", "status": 502, "headers": {"A": "b"}}')
    with pytest.raises(urllib.error.HTTPError) as error:
        call(server)
    assert (error.value.code, error.value.headers["a"]) == (502, "b")
    assert [shown["status"] for shown in call(server, "/_standin/requests")] == [200, 502]
    assert call(server, "/_standin/state") == {"handled": 1}
    call(server, "/_standin/faults", "POST", b'{"what": "drop"}')
    call(server, "/_standin/faults", "DELETE")
    call(server, "/_standin/reset", "POST")
    assert call(server, "/_standin/requests") == []
    assert call(server, "/_standin/state") == {"handled": 0}
    with pytest.raises(urllib.error.HTTPError) as error:
        call(server, "/_standin/nothing")
    assert error.value.code == 404


def test_without_control_the_stand_in_sees_every_path(counter: Counter) -> None:
    with Server(counter) as server:
        assert call(server, "/_standin/state")["count"] == 1


def test_credentials_are_not_shown(server: CounterServer) -> None:
    request = urllib.request.Request(server.url, headers={"Authorization": "Bearer very-secret"})
    urllib.request.urlopen(request).read()
    assert "very-secret" not in json.dumps(call(server, "/_standin/requests"))


def test_close_ends_hanging_and_idle_connections(counter: Counter) -> None:
    server = Server(counter).start()
    idle = socket.create_connection(("127.0.0.1", server.port))
    server.inject(Fault("hang", seconds=600))
    ended = threading.Event()

    def hang() -> None:
        try:
            call(server, timeout=60)
        except (OSError, http.client.HTTPException):
            ended.set()

    thread = threading.Thread(target=hang, daemon=True)
    thread.start()
    while not server.faults[0].strike_count:
        time.sleep(0.01)
    server.close()
    assert ended.wait(10)
    idle.settimeout(10)
    assert idle.recv(1) == b""
    server.close()
    with Server(counter, port=server.port) as again:
        assert call(again)["count"] == 1, "the port is free again"
