"""What does not go through GraphQL: the stream of history lines, and uploaded and downloaded files."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from typing import Any

from ..http import BadRequest, Request, Response
from .history import to_stored_value
from .records import ArtifactRecord, RunRecord
from .state import WandbState


def receive_file_stream(state: WandbState, request: Request, entity: str, project: str, name: str) -> Response:
    """History, summary, events and console lines of one W&B run; lines may hold bare NaN."""
    run = state.run(entity, project, name)
    if run is None:
        return Response.of({"error": f"run {entity}/{project}/{name} not found"}, 404)
    body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
    try:
        given = json.loads(body)
        for file, part in (given.get("files") or {}).items():
            _apply_lines(run, file, part)
    except (ValueError, TypeError, KeyError) as error:
        raise BadRequest(f"invalid file stream: {error!r}") from error
    run.heartbeat_at = max(run.heartbeat_at, state.clock())
    if "wandb-history.jsonl" in (given.get("files") or {}):
        state.automations.look_at_metrics(run)
    if given.get("complete"):
        run.exit_code = given.get("exitcode")
        run.state = "finished" if not run.exit_code else "failed"
    elif given.get("preempting"):
        run.state = "preempting"
    elif run.state != "running":
        run.state = "running"
    return Response.of({"exitcode": None, "limits": {}})


def _apply_lines(run: RunRecord, file: str, part: Mapping[str, Any]) -> None:
    offset, lines = int(part.get("offset") or 0), part.get("content") or []
    if file == "wandb-history.jsonl":
        run.history.put(offset, [json.loads(line) for line in lines])
    elif file == "wandb-events.jsonl":
        run.events.put(offset, [json.loads(line) for line in lines])
    elif file == "wandb-summary.json":
        for line in lines:
            run.summary = to_stored_value(json.loads(line))
    else:
        run.output.update(enumerate(lines, offset))


def serve_storage(state: WandbState, request: Request, parts: list[str]) -> Response:
    """``runs/{entity}/{project}/{run}/...``, ``artifacts/{number}/...`` ``manifests/{number}``: PUT and GET;
    ``exports/{entity}/{project}/{run}.parquet``: GET.
    """
    if parts[0] == "runs" and len(parts) > 4:
        run = state.run(parts[1], parts[2], parts[3])
        return _serve_file(run.files if run else None, "/".join(parts[4:]), request)
    if parts[0] == "exports" and len(parts) == 4:
        run = state.run(parts[1], parts[2], parts[3].removesuffix(".parquet"))
        if run is not None:
            return _content_response(run.parquet, request)
    artifact = next((one for one in state.artifacts.values() if str(one.number) == parts[1]), None)
    if parts[0] == "artifacts" and len(parts) > 2:
        return _serve_file(artifact.files if artifact else None, "/".join(parts[2:]), request)
    if parts[0] == "manifests" and artifact is not None:
        return _serve_manifest(artifact, request)
    return Response.of({"error": "no such object"}, 404)


def _serve_file(files: dict[str, bytes] | None, name: str, request: Request) -> Response:
    reading = request.method in ("GET", "HEAD")
    if files is None or (reading and name not in files):
        return Response.of({"error": "no such object"}, 404)
    if reading:
        return _content_response(files[name], request)
    files[name] = request.body
    return Response(200)


def _content_response(content: bytes, request: Request) -> Response:
    """A stored object, or the one range of it that was requested."""
    headers = (("content-type", "application/octet-stream"), ("accept-ranges", "bytes"))
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if asked is None:
        return Response(200, content, headers)
    first, last = asked.groups()
    start = int(first) if first else max(len(content) - int(last or 0), 0)
    stop = min(int(last) + 1, len(content)) if first and last else len(content)
    if start >= len(content) or stop <= start:
        return Response(416, b"", (("content-range", f"bytes */{len(content)}"),))
    return Response(206, content[start:stop], (*headers, ("content-range", f"bytes {start}-{stop - 1}/{len(content)}")))


def _serve_manifest(artifact: ArtifactRecord, request: Request) -> Response:
    if request.method in ("GET", "HEAD"):
        return _content_response(artifact.manifest, request)
    artifact.manifest = request.body
    return Response(200)
