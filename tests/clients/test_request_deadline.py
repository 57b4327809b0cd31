"""The bound on a whole request: handshake, headers and body, however steadily a server drips."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import requests

from modelwatch.clients.request_deadline import bound_session

ENDLESS = 10_000
DRIPPING = {
    "headers": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * ENDLESS,
    "a body with its length": b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + b"x" * ENDLESS,
    "a body without its length": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * ENDLESS,
    "a handshake": b"\x16\x03\x03\x40\x00" + b"x" * ENDLESS,
}
AT_ONCE = len(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")


class Dripper:
    """Answers each connection with a start at once, then a byte every 20 ms."""

    def __init__(self, content: bytes, start: int) -> None:
        self.content = content
        self.start = start
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.drip, args=(connection,), daemon=True).start()

    def drip(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                connection.sendall(self.content[: self.start])
                for place in range(self.start, len(self.content)):
                    if self.over.wait(0.02):
                        return
                    connection.sendall(self.content[place : place + 1])
            except OSError:
                return


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with bound_session(requests.Session(), 0.5) as session:
        yield session


@pytest.mark.parametrize("what", DRIPPING)
def test_a_server_that_drips_is_left_in_time(what: str, session: requests.Session) -> None:
    server = Dripper(DRIPPING[what], AT_ONCE if "body" in what else 5)
    scheme = "https" if what == "a handshake" else "http"
    try:
        with pytest.raises(requests.exceptions.ReadTimeout, match=r"the answer took longer than 0\.5 s"):
            session.get(f"{scheme}://127.0.0.1:{server.port}/", timeout=30)
    finally:
        server.over.set()
        server.listener.close()


def test_a_connection_that_is_used_again_is_bounded_anew(session: requests.Session) -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                for _ in range(2):
                    connection.recv(65536)
                    connection.sendall(answer)
                connection.recv(65536)
                connection.sendall(answer[:-1])
                connection.recv(65536)

        threading.Thread(target=serve, daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        assert [session.get(address, timeout=30).text for _ in range(2)] == ["ok", "ok"]
        with pytest.raises(requests.exceptions.ReadTimeout):
            session.get(address, timeout=30)
