"""The relay as an ASGI application: ``modelwatch.relay.app:app`` is a factory for any ASGI host."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..clients.environment import environment
from . import metrics, openapi
from .logs import log_to_stderr
from .service import Relay
from .settings import RelaySettings, read_settings
from .signature import SIGNATURE_HEADER

WEBHOOK_PATH = "/pagerduty"
_SIGNATURE_BYTES = SIGNATURE_HEADER.encode()


def app() -> RelayApp:
    """The application that the environment describes. Raises ConfigError where it does not."""
    log_to_stderr()
    return make_app(read_settings(environment()), time.time)


class RelayApp:
    """Webhooks are answered here, all else by ``pages``: a third of a webhook's cost would be routing and wrapping.

    ``hang_up``: answers that end the connection say so, which only a server may (not one behind WSGI).
    """

    def __init__(self, relay: Relay, pages: Starlette, hang_up: bool) -> None:
        self.relay = relay
        self.other_routes = pages
        self.close_connections = hang_up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        webhook = scope["type"] == "http" and scope["method"] == "POST"
        if not webhook or scope["path"] != scope.get("root_path", "") + WEBHOOK_PATH:
            await self.other_routes(scope, receive, send)
            return
        length, upgraded, signatures = "", False, []
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = value.decode("latin-1")
            elif name == _SIGNATURE_BYTES:
                signatures.append(value.decode("latin-1"))
            elif name == b"connection":
                upgraded = b"upgrade" in value.lower()
        answer = await self.relay.receive(length, ",".join(signatures), _body_chunks(receive, upgraded))
        body = json.dumps(answer.body()).encode()
        told = {"content-type": "application/json", "content-length": str(len(body))} | answer.headers
        told |= {"connection": "close"} if self.close_connections and answer.closes_connection else {}
        headers = [(name.encode(), value.encode()) for name, value in told.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _body_chunks(receive: Receive, upgraded: bool) -> AsyncIterator[bytes]:
    if upgraded:  # the server takes what follows for another protocol, so that even a good signature would look forged
        raise ClientDisconnect("the body of a connection that is to be upgraded cannot be read")
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


def make_app(settings: RelaySettings, clock: Callable[[], float], *, close_connections: bool = False) -> RelayApp:
    relay = Relay(settings, clock)
    allowed = {WEBHOOK_PATH: "POST"} | dict.fromkeys(("/healthz", "/readyz", "/metrics", "/openapi.json"), "GET, HEAD")

    async def elsewhere(request: Request) -> Response:
        """A webhook that was sent to a wrong address must come again once the address is mended; others get a 404."""
        if methods := allowed.get(request.url.path):
            return JSONResponse({"reason": "not with this method"}, 405, {"allow": methods})
        if request.method == "POST":
            return JSONResponse({"outcome": "unready", "reason": f"webhooks go to {WEBHOOK_PATH}"}, 503)
        return JSONResponse({"reason": "there is no such page"}, 404)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_: Request) -> Response:
        trouble = relay.problem()
        return JSONResponse({"status": "not ready" if trouble else "ready"}, 503 if trouble else 200)

    async def figures(_: Request) -> Response:
        return Response(relay.metrics.render(), media_type=metrics.METRICS_CONTENT_TYPE)

    async def description(_: Request) -> Response:
        return JSONResponse(openapi.openapi_document(WEBHOOK_PATH))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await relay.close()

    routes = [
        Route("/healthz", health, methods=["GET"]),
        Route("/readyz", ready, methods=["GET"]),
        Route("/metrics", figures, methods=["GET"]),
        Route("/openapi.json", description, methods=["GET"]),
        Route("/{rest:path}", elsewhere, methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    ]
    return RelayApp(relay, Starlette(routes=routes, lifespan=lifespan), close_connections)
