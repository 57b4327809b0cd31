"""Middleware for Flask, Django and every other WSGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .asgi import SERVER_ERROR, is_below
from .recorder import Recorder
from .request import RecordedRequest
from .settings import texts


class WsgiMiddleware:
    """As ``AsgiMiddleware``: ``app.wsgi_app = WsgiMiddleware(app.wsgi_app, recorder, paths="/predict")``."""

    def __init__(
        self, app: Callable[..., Iterable[bytes]], recorder: Recorder, paths: str | Iterable[str] = ()
    ) -> None:
        self.app, self.recorder, self.paths = app, recorder, texts(paths)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = self.recorder.request(records_failures=is_below(environ.get("PATH_INFO", ""), self.paths))

        def observe(status: str, *arguments: Any, **named: Any) -> Any:
            code = status[:3]
            if code.isdecimal() and int(code) >= SERVER_ERROR:
                request.error = f"HTTP {code}"
            return start_response(status, *arguments, **named)

        request.__enter__()
        try:
            answer = self.app(environ, observe)
        except BaseException as error:
            request.__exit__(type(error), error, error.__traceback__)
            raise
        return _ObservedAnswer(answer, request)


class _ObservedAnswer:
    """The parts of an answer; the request ends with them."""

    def __init__(self, answer: Iterable[bytes], request: RecordedRequest) -> None:
        self._answer, self._request = answer, request
        self._has_ended = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._answer
        except GeneratorExit:  # the server has had enough
            self._end()
            raise
        except BaseException as error:
            self._end(error)
            raise
        self._end()

    def close(self) -> None:
        """The server calls this last, also if it did not read everything."""
        try:
            close = getattr(self._answer, "close", None)
            if close is not None:
                close()
        finally:
            self._end()

    def _end(self, error: BaseException | None = None) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._request.__exit__(type(error) if error else None, error, None)
