"""A server that answers with bytes as they are, as no well-behaved server does."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable
from typing import Any

Headers = tuple[tuple[str, str], ...]


def answer(status: int = 200, body: Any = b"", headers: Headers = (), kind: str = "application/json") -> bytes:
    """An answer in HTTP/1.1; ``body`` as bytes, or anything that becomes JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Any", f"content-type: {kind}", f"content-length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


class RawServer:
    """Answers each request with what ``make`` returns for its head, and ends the connection."""

    def __init__(self, make: bytes | Callable[[str], bytes]) -> None:
        self.make = make if callable(make) else lambda _: make
        self.heads: list[str] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                content = b""
                while b"\r\n\r\n" not in content:
                    if not (more := connection.recv(65536)):
                        return
                    content += more
                head, _, body = content.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                while length and len(body) < int(length[1]):
                    body += connection.recv(65536)
                self.heads.append(head.decode())
                connection.sendall(self.make(self.heads[-1]))
            except OSError:
                return

    def __enter__(self) -> RawServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()
