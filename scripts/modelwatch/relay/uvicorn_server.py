"""Serve the relay with uvicorn, with bounds on headers and connections that uvicorn lacks."""

from __future__ import annotations

import asyncio
import resource
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .settings import RelaySettings

if TYPE_CHECKING:
    from .app import RelayApp

MAX_HEADER_BYTES = 64 * 1024
"""Bytes of a request's headers."""
_MAX_CONNECTIONS = 4_000
_RESERVED_DESCRIPTORS = 600
"""File descriptors for GitHub's connections and the files of secrets."""


def make_protocol(header_timeout: float, max_connections: int) -> type[HttpToolsProtocol]:
    """uvicorn's protocol, but it closes a connection whose headers do not arrive in time.

    At ``max_connections`` the one that has been idle longest is closed, not the newest: opening idle connections
    keeps nobody out.
    """
    idle: dict[Impatient, None] = {}

    class Impatient(HttpToolsProtocol):
        _timer: asyncio.TimerHandle | None = None
        _head = 0

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) >= max_connections and idle:
                next(iter(idle))._hang_up()
            idle[self] = None
            self._begin()

        def data_received(self, data: bytes) -> None:
            if self._timer is None and (self.cycle is None or self.cycle.response_complete):
                self._begin()
            if self._timer is not None:
                self._head += len(data)
            super().data_received(data)
            # What arrives with the end of the headers counts as body; only headers without an end grow.
            if self._timer is not None and self._head > MAX_HEADER_BYTES:
                self._hang_up()

        def on_headers_complete(self) -> None:
            self._end()
            idle.pop(self, None)
            super().on_headers_complete()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.cycle.response_complete and not self.transport.is_closing():
                idle[self] = None

        def connection_lost(self, exc: Exception | None) -> None:
            self._end()
            idle.pop(self, None)
            super().connection_lost(exc)

        def _begin(self) -> None:
            self._head = 0
            self._timer = self.loop.call_later(header_timeout, self._hang_up)

        def _end(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _hang_up(self) -> None:
            self._end()
            idle.pop(self, None)
            if self.transport is not None and not self.transport.is_closing():
                self.transport.close()

    return Impatient


def _connection_limit() -> int:
    """How many connections the file descriptors allow, once their limit is raised as far as possible."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = _MAX_CONNECTIONS + _RESERVED_DESCRIPTORS
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        soft = limit
    files = _MAX_CONNECTIONS + _RESERVED_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    return max(min(_MAX_CONNECTIONS, files - _RESERVED_DESCRIPTORS), 100)


def make_server(app: RelayApp, settings: RelaySettings, host: str, port: int, **more: Any) -> uvicorn.Server:
    """A server; ``run()`` serves until SIGTERM or SIGINT and then finishes what it accepted."""
    connections = _connection_limit()
    app.relay.max_delayed = min(app.relay.max_delayed, connections // 2)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=make_protocol(settings.timeouts.head, connections),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=settings.timeouts.drain,
        limit_concurrency=connections + 50,
        backlog=2048,
        **more,
    )
    return uvicorn.Server(config)
