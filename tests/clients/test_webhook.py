"""A webhook gets one body, in bounded time, and its address stays a secret."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelwatch.clients.http import post_json
from modelwatch.clients.retry import RetryPolicy
from modelwatch.errors import ServiceError
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.http import Request, Response, Server

PATIENCE = RetryPolicy(max_attempts=3, initial_wait=0.0, timeout=0.3, wait_scale=0.0)


class Hook:
    name = "hook"

    def __init__(self) -> None:
        self.got: list[Request] = []

    def handle(self, request: Request) -> Response:
        self.got.append(request)
        return Response(307, b"", (("location", "/elsewhere"),)) if request.path == "/moved" else Response.of({})


@pytest.fixture
def hook() -> Iterator[Server[Hook]]:
    with Server(Hook()) as server:
        yield server


def test_it_gets_the_body(hook: Server[Hook]) -> None:
    post_json(f"{hook.url}/secret", b'{"a": 1}', PATIENCE)
    (got,) = hook.standin.got
    assert (got.method, got.path, got.body) == ("POST", "/secret", b'{"a": 1}')
    assert got.headers["content-type"] == "application/json"


@pytest.mark.parametrize("fault", [Fault("status", status=503), Fault("status", status=429), Fault("reset")])
def test_a_passing_trouble_is_tried_again(hook: Server[Hook], fault: Fault) -> None:
    hook.inject(fault)
    post_json(f"{hook.url}/secret", b"{}", PATIENCE)
    assert len(hook.requests) == 2


@pytest.mark.parametrize(
    ("fault", "tries", "told"),
    [
        (Fault("status", status=404, times=-1), 1, "it answered 404"),
        (Fault("status", status=500, times=-1), 3, "it answered 500"),
        (Fault("hang", seconds=1.0, times=-1), 3, "no answer"),
    ],
)
def test_a_lasting_trouble_is_told_without_the_address(hook: Server[Hook], fault: Fault, tries: int, told: str) -> None:
    hook.inject(fault)
    with pytest.raises(ServiceError, match=told) as raised:
        post_json(f"{hook.url}/secret", b"{}", PATIENCE)
    assert "secret" not in str(raised.value)
    assert len(hook.requests) == tries


def test_no_redirect_is_followed(hook: Server[Hook]) -> None:
    with pytest.raises(ServiceError, match="it answered 307"):
        post_json(f"{hook.url}/moved", b"{}", PATIENCE)
    assert len(hook.standin.got) == 1


@pytest.mark.parametrize("url", ["http://example.com/x", "ftp://127.0.0.1/x", "127.0.0.1/x", ""])
def test_only_https_is_used_beyond_this_machine(url: str) -> None:
    with pytest.raises(ServiceError, match="not https"):
        post_json(url, b"{}", PATIENCE)
