"""The relay's own OpenAPI document."""

from __future__ import annotations

from typing import Any

from .service import STATUS_BY_OUTCOME
from .signature import SIGNATURE_HEADER

_STATUS_DESCRIPTIONS = {
    202: "Done: GitHub accepted the dispatch, or there is nothing to do.",
    403: "No signature fits.",
    413: "The body is larger than 256 KB.",
    500: "An error of the relay's own; PagerDuty comes again.",
    502: "GitHub did not take the dispatch; PagerDuty comes again.",
    503: "The relay cannot take it now; PagerDuty comes again.",
    504: "GitHub did not answer in time; PagerDuty comes again.",
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
            _plain_response(200, "Webhooks can be taken.") | _plain_response(503, "A secret or token is missing."),
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
