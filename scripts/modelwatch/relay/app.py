"""The relay as an ASGI application: ``modelwatch.relay.app:app`` is a factory for any ASGI host."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..clients.environment import environment
from . import metrics, openapi
from .logs import to_standard_error
from .service import Relay
from .settings import Settings, read_settings
from .signature import HEADER

WEBHOOK = "/pagerduty"


def app() -> Starlette:
    """The application that the environment describes. Raises ConfigError where it does not."""
    to_standard_error()
    return make_app(read_settings(environment()), time.time)


def make_app(settings: Settings, clock: Callable[[], float], *, hang_up: bool = False) -> Starlette:
    """``hang_up``: answers that end the connection say so, which only a server may (not one behind WSGI)."""
    relay = Relay(settings, clock)

    async def webhook(request: Request) -> Response:
        headers = request.headers
        signature = ",".join(headers.getlist(HEADER))
        answer = await relay.receive(headers.get("content-length", ""), signature, request.stream())
        close = {"connection": "close"} if hang_up and answer.last else {}
        return JSONResponse(answer.body(), answer.status, answer.headers | close)

    async def elsewhere(request: Request) -> Response:
        """A webhook that was sent to a wrong address must come again once the address is mended; others get a 404."""
        allowed = next((route.methods for route in routes if route.path == request.url.path), None)
        if allowed:
            return JSONResponse({"reason": "not with this method"}, 405, {"allow": ", ".join(sorted(allowed))})
        if request.method == "POST":
            return JSONResponse({"outcome": "unready", "reason": f"webhooks go to {WEBHOOK}"}, 503)
        return JSONResponse({"reason": "there is no such page"}, 404)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_: Request) -> Response:
        trouble = relay.trouble()
        return JSONResponse({"status": "not ready" if trouble else "ready"}, 503 if trouble else 200)

    async def figures(_: Request) -> Response:
        return Response(relay.metrics.text(), media_type=metrics.CONTENT_TYPE)

    async def description(_: Request) -> Response:
        return JSONResponse(openapi.document(WEBHOOK))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await relay.close()

    routes = [
        Route(WEBHOOK, webhook, methods=["POST"]),
        Route("/healthz", health, methods=["GET"]),
        Route("/readyz", ready, methods=["GET"]),
        Route("/metrics", figures, methods=["GET"]),
        Route("/openapi.json", description, methods=["GET"]),
        Route("/{rest:path}", elsewhere, methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    ]
    application = Starlette(routes=routes, lifespan=lifespan)
    application.state.relay = relay
    return application
