"""Middleware for FastAPI, Starlette and every other ASGI application."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from .ending import settle_recorders
from .recorder import Recorder
from .settings import texts

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
SERVER_ERROR = 500
STARTUP, SHUTDOWN = "lifespan.startup", "lifespan.shutdown"
STARTUP_ENDS = ("lifespan.startup.complete", "lifespan.startup.failed")
SHUTDOWN_ENDS = ("lifespan.shutdown.complete", "lifespan.shutdown.failed")
log = logging.getLogger("modelwatch.recorder")


class AsgiMiddleware:
    """Gives every row that a request records its latency and error: the exception, or ``HTTP 503`` for an answer of 500
    and more. A request to one of ``paths`` (or below) that fails before anything is recorded is a row, too.

    Latency is the time from the request to the end of the answer. Nothing waits for the recorder but the shutdown of
    the server (``lifespan.shutdown``), after that of the application: there the rows are written, and sent for up to
    ten seconds. An application that knows no lifespan gets one.
    """

    def __init__(self, app: Application, recorder: Recorder, paths: str | Iterable[str] = ()) -> None:
        self.app, self.recorder, self.paths = app, recorder, texts(paths)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(self.app, scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with self.recorder.request(records_failures=is_below(scope.get("path", ""), self.paths)) as request:

            async def observe(message: Message) -> None:
                if message["type"] == "http.response.start" and message["status"] >= SERVER_ERROR:
                    request.error = f"HTTP {message['status']}"
                await send(message)
                if message["type"] == "http.response.body" and not message.get("more_body", False):
                    request.stop_clock()

            await self.app(scope, receive, observe)


async def _live(app: Application, scope: Message, receive: Receive, send: Send) -> None:
    """Start-up and shutdown of an application; what it does not care to hear is answered in its place."""
    heard: set[str] = set()
    answered: set[str] = set()

    async def hear() -> Message:
        message = await receive()
        heard.add(message["type"])
        return message

    async def answer(message: Message) -> None:
        answered.add(message["type"])
        if message["type"] in SHUTDOWN_ENDS:
            settle_recorders()
        await send(message)

    try:
        await app(scope, hear, answer)
    except Exception:
        if heard:
            if SHUTDOWN in heard and not answered.intersection(SHUTDOWN_ENDS):
                settle_recorders()
            raise
        log.debug("modelwatch: the application knows no lifespan.", exc_info=True)
    if STARTUP not in heard:
        await hear()
    if not answered:
        await answer({"type": STARTUP_ENDS[0]})
    if STARTUP_ENDS[0] in answered and SHUTDOWN not in heard:
        await hear()
    if SHUTDOWN in heard and not answered.intersection(SHUTDOWN_ENDS):
        await answer({"type": SHUTDOWN_ENDS[0]})


def is_below(path: str, prefixes: Iterable[str]) -> bool:
    """Whether the path is one of these, or below one."""
    return any(
        path.rstrip("/") == prefix.rstrip("/") or path.startswith(f"{prefix.rstrip('/')}/") for prefix in prefixes
    )
