"""What goes in and out of a stand-in: requests, answers, and the record of both."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, Protocol, Self, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from .faults import Fault, FaultQueue


class BadRequest(Exception):  # noqa: N818  (it is an answer more than an error)
    """The request cannot be understood; answered with 400."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``path`` is decoded and without its query, header names are lower-case."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's JSON; BadRequest where it is none."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise BadRequest(f"Problems parsing JSON: {error}") from error

    def first(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return self.query.get(name, [default])[0]


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, obj: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
        """Strict JSON: a NaN is a ValueError here, not a surprise at the client."""
        body = json.dumps(obj, allow_nan=False, separators=(",", ":")).encode()
        return cls(status, body, (("content-type", "application/json; charset=utf-8"), *headers))


class StandIn(Protocol):
    """A service; it may also have ``snapshot()`` (its state as JSON) and ``reset()`` for control requests."""

    name: str

    def handle(self, request: Request) -> Response:
        """Answer; called from many threads at once, so a stand-in locks its own state."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request that came in; ``status`` is 0 where no answer was sent. ``number`` counts arrivals from 1."""

    number: int
    at: float
    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    status: int

    def json(self) -> Any:
        return json.loads(self.body)


def recorded_json(recorded: RecordedRequest) -> dict[str, Any]:
    """A recorded request as JSON, without credentials."""
    hidden = ("authorization", "x-api-key", "cookie")
    return {
        "number": recorded.number,
        "at": recorded.at,
        "method": recorded.method,
        "path": recorded.path,
        "query": recorded.query,
        "headers": {name: "***" if name in hidden else value for name, value in recorded.headers.items()},
        "body": recorded.body.decode(errors="replace"),
        "status": recorded.status,
    }


CONTROL_PREFIX = "/_standin/"
S = TypeVar("S", bound=StandIn)
BROKEN_JSON = b'{"data": {"broken'


class Server(Generic[S]):
    """A stand-in on 127.0.0.1, with ``delay`` seconds before each answer; HTTP/1.1 with keep-alive."""

    def __init__(self, standin: S, port: int = 0, delay: float = 0.0, control: bool = False) -> None:
        self.standin = standin
        self.delay = delay
        self.control = control
        self.requests: list[RecordedRequest] = []
        self.errors: list[str] = []
        """Tracebacks of the stand-in itself, answered with 500: bugs of ours."""
        self.closing = threading.Event()
        self._faults = FaultQueue()
        self._count = 0
        self._lock = threading.Lock()
        self._http = _Listener(("127.0.0.1", port), _Handler, self)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def faults(self) -> list[Fault]:
        return self._faults.pending

    def start(self) -> Self:
        self._thread = threading.Thread(target=self._listen, name=f"standin-{self.standin.name}", daemon=True)
        self._thread.start()
        return self

    def _listen(self) -> None:
        while not self.closing.is_set():
            self._http.handle_request()

    def close(self) -> None:
        """Stop listening, end every connection (hanging ones too); may be called twice."""
        self.closing.set()
        if self._thread is not None:
            # A connection ends the wait for one at once: tests close thousands of stand-ins.
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
                self._thread.join(5)
            self._thread = None
        self._http.server_close()
        self._http.close_connections()

    def __enter__(self) -> Self:
        return self if self._thread else self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def inject(self, fault: Fault) -> Fault:
        self.faults.append(fault)
        return fault

    def clear(self) -> None:
        """Forget faults and recordings."""
        self.faults.clear()
        self.requests.clear()
        self.errors.clear()

    def count_arrival(self) -> tuple[int, float]:
        """Number and time of an arriving request."""
        with self._lock:
            self._count += 1
            return self._count, time.time()

    def match_fault(self, request: Request) -> Fault | None:
        return self._faults.match(request.method, request.path, request.body)

    def answer(self, request: Request) -> Response:
        """The stand-in's own answer, or the control interface's."""
        try:
            if self.control and request.path.startswith(CONTROL_PREFIX):
                return self._answer_control_request(request)
            return self.standin.handle(request)
        except BadRequest as error:
            return Response.of({"message": str(error)}, 400)
        except Exception:  # noqa: BLE001  (whatever it is, the client must get an answer and the test must see it)
            self.errors.append(traceback.format_exc())
            return Response.of({"message": "the stand-in has a bug", "traceback": self.errors[-1]}, 500)

    def _answer_control_request(self, request: Request) -> Response:
        asked = f"{request.method} {request.path.removeprefix(CONTROL_PREFIX)}"
        if asked == "POST faults":
            try:
                fault = Fault.parse(request.json())
            except (ValueError, AttributeError) as error:
                raise BadRequest(str(error)) from error
            self.inject(fault)
        elif asked == "DELETE faults":
            self.faults.clear()
        elif asked == "GET requests":
            return Response.of([recorded_json(recorded) for recorded in list(self.requests)])
        elif asked == "GET state":
            snapshot = getattr(self.standin, "snapshot", None)
            return Response.of(snapshot() if snapshot else {})
        elif asked == "POST reset":
            self.clear()
            reset = getattr(self.standin, "reset", None)
            if reset:
                reset()
        else:
            return Response.of({"message": f"no such control request: {asked}"}, 404)
        return Response.of({"ok": True})


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], handler: type[_Handler], owner: Server[Any]) -> None:
        self.owner = owner
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def verify_request(self, *_: object) -> bool:
        return not self.owner.closing.is_set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was first

    def handle_error(self, *_: object) -> None:
        """Clients that go away in the middle are no news; anything else is a bug of ours."""
        if not isinstance(sys.exc_info()[1], OSError):
            self.owner.errors.append(traceback.format_exc())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one write: two small ones cost 40 ms each way
    server: _Listener

    def log_message(self, *_: object) -> None:
        """Nothing is printed; requests are recorded."""

    def serve(self) -> None:
        owner = self.server.owner
        request = self._read_request()
        if owner.control and request.path.startswith(CONTROL_PREFIX):
            self._send_response(owner.answer(request))
            return
        number, at = owner.count_arrival()
        if owner.delay:
            owner.closing.wait(owner.delay)
        fault = owner.match_fault(request)
        response = self._answer_under_fault(fault, request) if fault else owner.answer(request)
        owner.requests.append(
            RecordedRequest(
                number=number,
                at=at,
                method=request.method,
                path=request.path,
                query=request.query,
                headers=request.headers,
                body=request.body,
                status=response.status if response else 0,
            )
        )
        if fault:
            self._disturb_connection(fault)
        if response is not None:
            self._send_response(response, fault.seconds if fault and fault.what == "drip" else 0.0)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve  # noqa: N815

    def _read_request(self) -> Request:
        parts = urlsplit(self.path)
        return Request(
            method=self.command,
            path=unquote(parts.path),
            query=parse_qs(parts.query, keep_blank_values=True),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._read_body(),
        )

    def _read_body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                continue  # trailers
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _answer_under_fault(self, fault: Fault, request: Request) -> Response | None:
        """The answer under a fault, taking effect first where it strikes after; ``None`` for no answer."""
        owner = self.server.owner
        if fault.what == "delay" and fault.when == "before":
            owner.closing.wait(fault.seconds)
            return owner.answer(request)
        real = owner.answer(request) if fault.when == "after" or fault.what == "drip" else None
        if fault.what in ("delay", "drip"):
            return real
        if fault.what == "status":
            return Response(fault.status, fault.body.encode(), fault.headers)
        if fault.what == "broken-json":
            body = real.body[: max(len(real.body) // 2, 1)] if real and real.body else BROKEN_JSON
            return Response(200, body, (("content-type", "application/json; charset=utf-8"),))
        return None

    def _disturb_connection(self, fault: Fault) -> None:
        """What happens to the connection, once the request is recorded."""
        if fault.what == "delay" and fault.when == "after":
            self.server.owner.closing.wait(fault.seconds)
        elif fault.what == "hang":
            self.server.owner.closing.wait(fault.seconds)
            self.close_connection = True
        elif fault.what == "drop":
            self.close_connection = True
        elif fault.what == "kill":
            self.close_connection = True
            os.kill(fault.target_pid(), signal.SIGKILL)
        elif fault.what == "reset":
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())  # close() would send FIN first, and wait for the files on it

    def _send_response(self, response: Response, pause: float = 0.0) -> None:
        """``pause``: seconds before each byte."""
        bare = response.status in (204, 304) or response.status < 200
        body = b"" if bare else response.body
        phrase = HTTPStatus(response.status).phrase if response.status in _KNOWN_STATUSES else "Unknown"
        lines = [f"HTTP/1.1 {response.status} {phrase}", f"date: {self.date_time_string()}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        if not bare:
            lines.append(f"content-length: {len(body)}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        content = head if self.command == "HEAD" else head + body
        for part in [content[place : place + 1] for place in range(len(content))] if pause else [content]:
            if pause and self.server.owner.closing.wait(pause):
                return
            self.wfile.write(part)
            self.wfile.flush()


_KNOWN_STATUSES = frozenset(int(status) for status in HTTPStatus)
