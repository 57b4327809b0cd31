"""A bound on the whole of an HTTP request. The client's own time-outs bound only the gap between two bytes."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ReadTimeout
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_request = threading.local()
"""``watch``: of the request that this thread is sending."""


class _Watch:
    """Shuts the connections of one request down when its time is over."""

    def __init__(self, seconds: float) -> None:
        self.expired = False
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


def _follow(connection: socket.socket | None) -> None:
    watch: _Watch | None = getattr(_request, "watch", None)
    if watch is not None:
        watch.follow(connection)


class _WatchedConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        _follow(connection)
        return connection

    def request(self, *args: Any, **options: Any) -> None:
        _follow(self.sock)
        super().request(*args, **options)


class _WatchedTLSConnection(_WatchedConnection, HTTPSConnection):
    pass


class _WatchedPool(HTTPConnectionPool):
    ConnectionCls = _WatchedConnection


class _WatchedTLSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTLSConnection


class DeadlineAdapter(HTTPAdapter):
    """Ends each request after ``seconds`` with ReadTimeout, however slowly the server sends: handshake, repeated
    attempts, headers, and the body (except of a request with ``stream=True``, which its reader bounds).
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
                    answer.content  # noqa: B018  (read within the time)
            except Exception as error:
                if watch.expired:
                    raise self._too_slow(request) from error
                raise
            if watch.expired:  # what looks like the end of the body may be ours
                answer.close()
                raise self._too_slow(request)
        return answer

    def _too_slow(self, request: PreparedRequest) -> ReadTimeout:
        return ReadTimeout(f"the answer took longer than {self.seconds:g} s", request=request)


def _watch_pools(manager: Any) -> Any:
    manager.pool_classes_by_scheme = {"http": _WatchedPool, "https": _WatchedTLSPool}
    return manager


def bound_session(session: Session, seconds: float) -> Session:
    """The same session with the bound on everything that it sends."""
    for scheme in ("https://", "http://"):
        session.mount(scheme, DeadlineAdapter(seconds))
    return session
