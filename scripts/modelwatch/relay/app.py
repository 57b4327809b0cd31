"""The relay's ASGI application: the webhook, health, metrics, and its OpenAPI document."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..clients.environment import environment
from . import telemetry
from .pagerduty_webhook import SIGNATURE_HEADER
from .service import Relay
from .settings import RelaySettings, read_settings
from .telemetry import STATUS_BY_OUTCOME, log_to_stderr

_STATUS_DESCRIPTIONS = {
    202: "Done: GitHub accepted the dispatch, or the event needs none.",
    403: "No signature matches.",
    413: "The body is larger than 256 KB.",
    500: "An error in the relay; PagerDuty retries.",
    502: "GitHub did not accept the dispatch; PagerDuty retries.",
    503: "The relay cannot accept it now; PagerDuty retries.",
    504: "GitHub did not answer in time; PagerDuty retries.",
}


def _json_content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _answer_schema(status: int) -> dict[str, Any]:
    outcomes = sorted(name for name, value in STATUS_BY_OUTCOME.items() if value == status)
    properties = {
        "outcome": {"type": "string", "enum": outcomes},
        "reason": {"type": "string", "maxLength": 200},
        "id": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
    }
    schema = {"type": "object", "required": ["outcome"], "properties": properties, "additionalProperties": False}
    return {"description": _STATUS_DESCRIPTIONS[status], "content": _json_content(schema)}


def _event_schema() -> dict[str, Any]:
    text, thing = {"type": "string"}, {"type": "object"}
    event = {
        "type": "object",
        "required": ["id", "event_type", "occurred_at", "data"],
        "properties": {
            "id": text,
            "event_type": text,
            "resource_type": text,
            "occurred_at": {"type": "string", "format": "date-time"},
            "agent": {"type": ["object", "null"]},
            "client": {"type": ["object", "null"]},
            "data": thing,
        },
    }
    return {"type": "object", "required": ["event"], "properties": {"event": event}}


def _plain_response(status: int, description: str) -> dict[str, Any]:
    return {str(status): {"description": description, "content": _json_content({"type": "object"})}}


def openapi_document(webhook: str) -> dict[str, Any]:
    """OpenAPI 3.1."""
    signature = {
        "name": SIGNATURE_HEADER,
        "in": "header",
        "required": True,
        "description": "`v1=<hex>`, several separated by commas: HMAC-SHA256 of the raw body.",
        "schema": {"type": "string"},
    }
    post = {
        "operationId": "receive",
        "summary": "A PagerDuty V3 webhook.",
        "parameters": [signature],
        "requestBody": {"required": True, "content": _json_content(_event_schema())},
        "responses": {str(status): _answer_schema(status) for status in sorted(set(STATUS_BY_OUTCOME.values()))},
    }
    gets = {
        "/healthz": ("alive", _plain_response(200, "The process is alive.")),
        "/readyz": (
            "ready",
            _plain_response(200, "Webhooks are accepted.") | _plain_response(503, "A secret or token is missing."),
        ),
        "/openapi.json": ("describe", _plain_response(200, "This document.")),
        "/metrics": (
            "figures",
            {"200": {"description": "For Prometheus.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
        ),
    }
    paths: dict[str, Any] = {webhook: {"post": post}}
    for path, (name, responses) in gets.items():
        paths[path] = {"get": {"operationId": name, "summary": name, "responses": responses}}
    info = {"title": "modelwatch relay", "version": "1", "description": "PagerDuty webhooks to repository_dispatch."}
    return {"openapi": "3.1.0", "info": info, "paths": paths}


WEBHOOK_PATH = "/pagerduty"
_SIGNATURE_BYTES = SIGNATURE_HEADER.encode()


def app() -> RelayApp:
    """The application that the environment configures. Raises ConfigError."""
    log_to_stderr()
    return make_app(read_settings(environment()), time.time)


class RelayApp:
    """Answers webhooks itself: routing and wrapping by Starlette would be a third of their cost.

    With ``close_connections`` some answers end the connection, which only a server can do (not one behind WSGI).
    """

    def __init__(self, relay: Relay, other_routes: Starlette, close_connections: bool) -> None:
        self.relay = relay
        self.other_routes = other_routes
        self.close_connections = close_connections

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
        fields = {"content-type": "application/json", "content-length": str(len(body))} | answer.headers
        fields |= {"connection": "close"} if self.close_connections and answer.closes_connection else {}
        headers = [(name.encode(), value.encode()) for name, value in fields.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _body_chunks(receive: Receive, upgraded: bool) -> AsyncIterator[bytes]:
    if upgraded:  # the server reads the rest as another protocol, so even a good signature would look forged
        raise ClientDisconnect("the body of an upgraded connection cannot be read")
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
        """503 for a webhook to a wrong address, so that PagerDuty retries until it is fixed; 404 for anything else."""
        if methods := allowed.get(request.url.path):
            return JSONResponse({"reason": "method not allowed"}, 405, {"allow": methods})
        if request.method == "POST":
            return JSONResponse({"outcome": "unready", "reason": f"webhooks go to {WEBHOOK_PATH}"}, 503)
        return JSONResponse({"reason": "not found"}, 404)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_: Request) -> Response:
        problem = relay.problem()
        return JSONResponse({"status": "not ready" if problem else "ready"}, 503 if problem else 200)

    async def figures(_: Request) -> Response:
        return Response(relay.metrics.render(), media_type=telemetry.METRICS_CONTENT_TYPE)

    async def description(_: Request) -> Response:
        return JSONResponse(openapi_document(WEBHOOK_PATH))

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
