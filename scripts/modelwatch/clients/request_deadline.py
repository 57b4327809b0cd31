"""Bounds on the whole of an HTTP request: its time, of which the client's own time-outs bound only the gap between two
bytes, and the size of its answer."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ContentDecodingError, ReadTimeout, RequestException, SSLError
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from .retry import run_within

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Unpacked. A hundred comments of 65,536 characters have 26 million."""
_CHUNK = 1024 * 1024
_request = threading.local()
"""``watch``: of the request that this thread is sending."""


class _ExpiredError(Exception):
    """The time of a request is over. Not an OSError, after which it would be repeated."""


class _Watch:
    """Shuts the connections of one request down when its time is over."""

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self._until = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> _Watch:
        _request.watch = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        _request.watch = None
        self._timer.cancel()
        with self._lock:
            while self._sockets:
                self._sockets.pop().close()

    @property
    def seconds_left(self) -> float:
        return max(self._until - time.monotonic(), 0.0)

    def connect(self, open_connection: Callable[[], socket.socket]) -> socket.socket:
        """What ``open_connection`` returns; ends in time though the address is looked up, which has no time-out."""
        try:
            connection = run_within(self.seconds_left, open_connection)
        except TimeoutError:
            if self.seconds_left:  # the connection's own time-out
                raise
            self.expired = True
            raise _ExpiredError from None
        self.follow(connection)
        return connection

    def follow(self, connection: socket.socket | None) -> None:
        """Watch the connection too. Its duplicate stays valid while TLS replaces the socket."""
        if connection is None:
            return
        with self._lock:
            self._sockets.append(socket.socket(fileno=os.dup(connection.fileno())))  # TLS sockets have no dup()
            if self.expired:
                _shut_down(self._sockets[-1])

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            for connection in self._sockets:
                _shut_down(connection)


def _shut_down(connection: socket.socket) -> None:
    with suppress(OSError):  # it has ended
        connection.shutdown(socket.SHUT_RDWR)


def _current_watch() -> _Watch | None:
    return getattr(_request, "watch", None)


def seconds_left() -> float:
    """Of the request that this thread is sending."""
    watch = _current_watch()
    return math.inf if watch is None else watch.seconds_left


class _WatchedConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        watch = _current_watch()
        return super()._new_conn() if watch is None else watch.connect(super()._new_conn)

    def request(self, *args: Any, **options: Any) -> None:
        if watch := _current_watch():
            watch.follow(self.sock)
        super().request(*args, **options)


class _WatchedTLSConnection(_WatchedConnection, HTTPSConnection):
    pass


class _WatchedPool(HTTPConnectionPool):
    ConnectionCls = _WatchedConnection


class _WatchedTLSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTLSConnection


class DeadlineAdapter(HTTPAdapter):
    """Ends each request after ``seconds`` with ReadTimeout, however slowly the server sends: name, handshake, repeated
    attempts, headers, and the body. The body has a bounded size, too, however small it was packed. (That of a request
    with ``stream=True`` is bounded by its reader.)
    """

    def __init__(self, seconds: float, **options: Any) -> None:
        self.seconds = seconds
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        _watch_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return _watch_pools(super().proxy_manager_for(proxy, **options))

    def send(self, request: PreparedRequest, stream: bool = False, *args: Any, **options: Any) -> Response:
        with _Watch(self.seconds) as watch:
            try:
                answer = super().send(request, stream, *args, **options)
                if not stream:
                    _read_body(answer)
            except Exception as error:
                if watch.expired:
                    raise self._too_slow(request) from error
                if isinstance(error, OSError) and not isinstance(error, RequestException):
                    raise SSLError(str(error), request=request) from error  # there is no such file of certificates
                raise
            if watch.expired:  # what looks like the end of the body may be ours
                answer.close()
                raise self._too_slow(request)
        return answer

    def _too_slow(self, request: PreparedRequest) -> ReadTimeout:
        return ReadTimeout(f"the answer took longer than {self.seconds:g} s", request=request)


def _read_body(answer: Response) -> None:
    """Let ``answer.content`` be there. Raises requests' exceptions."""
    parts, size = [], 0
    for part in answer.iter_content(_CHUNK):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            answer.close()
            raise ContentDecodingError(f"the answer is larger than {MAX_ANSWER_BYTES:,} bytes", response=answer)
    answer._content = b"".join(parts)


def _watch_pools(manager: Any) -> Any:
    manager.pool_classes_by_scheme = {"http": _WatchedPool, "https": _WatchedTLSPool}
    return manager


def bound_session(session: Session, seconds: float) -> Session:
    """The same session with the bounds on everything that it sends; it follows no redirect."""
    # requests also works out where a redirect leads that it shall not follow, and fails where that is no address.
    session.get_redirect_target = lambda _: None  # type: ignore
    for scheme in ("https://", "http://"):
        session.mount(scheme, DeadlineAdapter(seconds))
    return session
