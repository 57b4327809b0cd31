"""The JSON Schema of ``modelwatch.yml``, for editors; made from the same declaration that reads it."""

from __future__ import annotations

from typing import Any

from . import fields

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Draft 2020-12. Stricter than reading in one point: keys that come through ``defaults`` may be missing there."""
    defs: dict[str, Any] = {}
    top = fields.FILE.schema(defs)
    return {"$schema": DIALECT, "title": "modelwatch.yml", **top, "$defs": dict(sorted(defs.items()))}
