"""The relay under uvicorn: with the bounds that uvicorn does not set by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .settings import Settings

if TYPE_CHECKING:
    from .app import Application

MAX_HEAD = 64 * 1024
"""Bytes of a request's headers."""
_CONNECTIONS = 4_000


def protocol(head_seconds: float) -> type[HttpToolsProtocol]:
    """uvicorn's protocol, which hangs up on whoever does not come to the end of the headers in time."""

    class Impatient(HttpToolsProtocol):
        _timer: asyncio.TimerHandle | None = None
        _head = 0

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._begin()

        def data_received(self, data: bytes) -> None:
            if self._timer is None and (self.cycle is None or self.cycle.response_complete):
                self._begin()
            if self._timer is not None:
                self._head += len(data)
            super().data_received(data)
            # What came with the headers counts as body; only a head without an end grows.
            if self._timer is not None and self._head > MAX_HEAD:
                self._hang_up()

        def on_headers_complete(self) -> None:
            self._end()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._end()
            super().connection_lost(exc)

        def _begin(self) -> None:
            self._head = 0
            self._timer = self.loop.call_later(head_seconds, self._hang_up)

        def _end(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _hang_up(self) -> None:
            self._end()
            if self.transport is not None and not self.transport.is_closing():
                self.transport.close()

    return Impatient


def server(app: Application, settings: Settings, host: str, port: int, **more: Any) -> uvicorn.Server:
    """A server; ``run()`` serves until SIGTERM or SIGINT and then finishes what it accepted."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol(settings.times.head),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=settings.times.drain,
        limit_concurrency=_CONNECTIONS,
        backlog=2048,
        **more,
    )
    return uvicorn.Server(config)
