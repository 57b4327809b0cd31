"""Middleware for FastAPI, Starlette and every other ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from .recorder import Recorder
from .settings import texts

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
SERVER_ERROR = 500


class AsgiMiddleware:
    """Gives every row that a request records its latency and error: the exception, or ``HTTP 503`` for an answer of 500
    and more. A request to one of ``paths`` (or below) that fails before anything is recorded is a row, too.

    Latency is the time from the request to the end of the answer. Nothing waits for the recorder.
    """

    def __init__(self, app: Application, recorder: Recorder, paths: str | Iterable[str] = ()) -> None:
        self.app, self.recorder, self.paths = app, recorder, texts(paths)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
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


def is_below(path: str, prefixes: Iterable[str]) -> bool:
    """Whether the path is one of these, or below one."""
    return any(
        path.rstrip("/") == prefix.rstrip("/") or path.startswith(f"{prefix.rstrip('/')}/") for prefix in prefixes
    )
