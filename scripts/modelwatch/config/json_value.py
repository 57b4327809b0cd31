"""A free JSON object, as a YAML mapping or as JSON text: the filters of W&B."""

from __future__ import annotations

import json
from typing import Any

from . import units
from .nodes import Mapping, Node, Scalar, Sequence
from .reader import Reader
from .scalars import Schema, Shape

_WORDS = {"true": True, "false": False}


class JsonObject(Shape[str]):
    """Gives JSON text with sorted keys."""

    what = "a mapping, or a JSON object as text"

    def read(self, node: Node, reader: Reader) -> str | None:
        if isinstance(node, Mapping):
            return json.dumps(_plain(node, reader), sort_keys=True)
        text = reader.text(node, self.what)
        if text is None:
            return None
        try:
            value = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            reader.problem(node, f"{self.what} expected here.")
            return None
        return json.dumps(value, sort_keys=True)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": ["object", "string"]}


def _refuse(word: str) -> None:
    raise ValueError(word)


def _plain(node: Node, reader: Reader) -> Any:
    """The value by the rules of YAML 1.2: only true, false, null and decimal numbers are not text."""
    if isinstance(node, Mapping):
        return {name: _plain(value, reader) for name, (_, value) in reader.entries(node).items()}
    if isinstance(node, Sequence):
        return [_plain(item, reader) for item in node.items]
    assert isinstance(node, Scalar)  # noqa: S101
    if node.is_null:
        return None
    if not node.plain:
        return reader.text(node, "text")
    if node.text in _WORDS:
        return _WORDS[node.text]
    value = None if node.text.endswith("%") else units.number(node.text)
    if value is None:
        return reader.text(node, "text")
    return int(node.text) if node.text.lstrip("+-").isdigit() else value
