"""The W&B stand-in itself: who may come in, and which part answers."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ..graphql import GraphQLRequestError, compile_query, execute
from ..http import BadRequest, Request, Response
from .file_stream import receive_file_stream, serve_storage
from .graph_roots import mutation_root, query_root
from .state import WandbState

MIN_KEY_LENGTH = 40


class WandbStandIn:
    """Answers what the W&B client (0.31) asks; anything else gets a clear error, and is kept in ``unknown``."""

    name = "wandb"

    def __init__(self, state: WandbState | None = None) -> None:
        self.state = state or WandbState()
        self.unknown_requests: list[str] = []
        """Requests that were not understood: ``operation: why``."""

    def handle(self, request: Request) -> Response:
        parts = request.path.strip("/").split("/")
        if parts[0] == "storage" and len(parts) > 2:  # signed addresses carry no key
            with self.state.lock:
                return serve_storage(self.state, request, parts[1:])
        if parts == ["healthz"]:
            return Response.of({"ok": True})
        if not self._is_authorized(request):
            return Response.of({"errors": [{"message": "user is not logged in"}], "data": {"viewer": None}}, 401)
        if parts == ["graphql"] and request.method == "POST":
            return self._answer_graphql(request)
        if parts[0] == "files" and len(parts) == 5 and parts[4] == "file_stream":
            with self.state.lock:
                return receive_file_stream(self.state, request, *parts[1:4])
        self.unknown_requests.append(f"{request.method} {request.path}")
        return Response.of({"error": f"not served here: {request.method} {request.path}"}, 404)

    def _is_authorized(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        key = given
        if scheme.lower() == "basic":
            try:
                key = base64.b64decode(given).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return False
        return len(key) >= MIN_KEY_LENGTH and (self.state.keys is None or key in self.state.keys)

    def _answer_graphql(self, request: Request) -> Response:
        asked = request.json()
        if not isinstance(asked, dict) or not isinstance(asked.get("query"), str):
            raise BadRequest("a GraphQL request is an object with a query")
        operation = ""
        try:
            compiled = compile_query(asked["query"])
            operation = compiled.name
            base_url = f"http://{request.headers.get('host', '127.0.0.1')}"
            with self.state.lock:
                root = (mutation_root if compiled.kind == "mutation" else query_root)(self.state, base_url)
                data: dict[str, Any] = execute(compiled, asked.get("variables") or {}, root)
        except GraphQLRequestError as refused:
            if refused.status == 400:
                self.unknown_requests.append(f"{operation}: {refused}")
            return Response.of({"errors": [{"message": str(refused)}], "data": None}, refused.status)
        return Response.of({"data": data})

    def snapshot(self) -> dict[str, Any]:
        return self.state.snapshot()

    def reset(self) -> None:
        self.state.reset()
        self.unknown_requests.clear()
