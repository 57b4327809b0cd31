"""A free JSON object, as a YAML mapping or as JSON text: the filters of W&B."""

from __future__ import annotations

import json
from typing import Any

from . import units
from .nodes import MappingNode, Node, ScalarNode, SequenceNode
from .reader import Reader
from .scalars import FieldType, Schema

_JSON_WORDS = {"true": True, "false": False}


class JsonObject(FieldType[str]):
    """Gives JSON text with sorted keys."""

    what = "a mapping, or a JSON object as text"

    def read(self, node: Node, reader: Reader) -> str | None:
        if isinstance(node, MappingNode):
            return json.dumps(_to_json_value(node, reader), sort_keys=True)
        text = reader.read_text(node, self.what)
        if text is None:
            return None
        try:
            value = json.loads(text, parse_constant=_reject_constant)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            reader.add_problem(node, f"{self.what} expected here.")
            return None
        return json.dumps(value, sort_keys=True)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": ["object", "string"]}


def _reject_constant(word: str) -> None:
    raise ValueError(word)


def _to_json_value(node: Node, reader: Reader) -> Any:
    """The value by the rules of YAML 1.2: only true, false, null and decimal numbers are not text."""
    if isinstance(node, MappingNode):
        return {name: _to_json_value(value, reader) for name, (_, value) in reader.entries(node).items()}
    if isinstance(node, SequenceNode):
        return [_to_json_value(item, reader) for item in node.items]
    assert isinstance(node, ScalarNode)  # noqa: S101
    if node.is_null:
        return None
    if not node.plain:
        return reader.read_text(node, "text")
    if node.text in _JSON_WORDS:
        return _JSON_WORDS[node.text]
    value = None if node.text.endswith("%") else units.parse_number(node.text)
    if value is None:
        return reader.read_text(node, "text")
    return int(node.text) if node.text.lstrip("+-").isdigit() else value
