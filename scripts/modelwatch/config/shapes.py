"""The shapes of collections: lists, mappings with free keys, records with fixed fields, and either of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from .nodes import MappingNode, Node, ScalarNode, SequenceNode
from .reader import Reader, describe_kind, did_you_mean, shorten
from .scalars import FieldType, Schema


class ListOf(FieldType[list[Any]]):
    """A list; ``single`` lets one value stand for a list of one."""

    def __init__(self, item: FieldType[Any], *, allow_single: bool = False, min_items: int = 0) -> None:
        self._item, self._single, self._least = item, allow_single, min_items
        self.what = f"a list ({item.description})"

    def read(self, node: Node, reader: Reader) -> list[Any] | None:
        if not isinstance(node, SequenceNode):
            if self._single and isinstance(node, ScalarNode):
                value = self._item.read(node, reader)
                return [] if value is None else [value]
            reader.add_problem(node, f"a list expected here, not {_describe_node(node)}.")
            return None
        if len(node.items) < self._least:
            reader.add_problem(node, "the list is empty; it needs at least one entry.")
        values = [self._item.read(item, reader) for item in node.items]
        return [value for value in values if value is not None]

    def schema(self, defs: dict[str, Schema]) -> Schema:
        item = self._item.schema(defs)
        listed: Schema = {"type": "array", "items": item}
        if self._least:
            listed["minItems"] = self._least
        return {"anyOf": [item, listed]} if self._single else listed

    def to_markdown(self, link: Callable[[Section], str]) -> str:
        item = self._item.to_markdown(link)
        return f"{item}, or a list" if self._single else f"a list; each item {item}"


class MapOf(FieldType[dict[str, tuple[ScalarNode, Any]]]):
    """A mapping with keys of the user's choosing; gives name -> (key node, value)."""

    def __init__(self, value: FieldType[Any], key: str, key_description: str, *, max_key_length: int = 64) -> None:
        self._value, self._key_what = value, key_description
        self._source = key
        self._key = re.compile(key)
        self._longest = max_key_length
        self.what = f"a mapping from {key_description} to {value.description}"

    def read(self, node: Node, reader: Reader) -> dict[str, tuple[ScalarNode, Any]] | None:
        if not isinstance(node, MappingNode):
            reader.add_problem(node, f"a mapping expected here, not {_describe_node(node)}.")
            return None
        found: dict[str, tuple[ScalarNode, Any]] = {}
        for name, (key, child) in reader.entries(node).items():
            assert isinstance(key, ScalarNode)  # noqa: S101
            if not self._key.fullmatch(name) or len(name) > self._longest:
                reader.add_problem(key, f"`{shorten(name)}` is not {self._key_what}.")
            value = self._value.read(child, reader)
            if value is not None:
                found[name] = (key, value)
        return found

    def schema(self, defs: dict[str, Schema]) -> Schema:
        names = {"pattern": f"^(?:{self._source})$|^<<$", "maxLength": self._longest}
        return {"type": "object", "propertyNames": names, "additionalProperties": self._value.schema(defs)}

    def to_markdown(self, link: Callable[[Section], str]) -> str:
        return f"a mapping from {self._key_what} to {self._value.to_markdown(link)}"


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a record. ``default`` is shown to people and editors; whoever builds the value applies it."""

    field_type: FieldType[Any]
    doc: str
    required: bool = False
    default: Any = None


class ParsedSection:
    """What a record's keys gave. ``name in given`` says whether the key is there at all, readable or not."""

    __slots__ = ("_entries", "_values", "node")

    def __init__(self, node: Node, values: dict[str, Any], entries: dict[str, tuple[Node, Node]]) -> None:
        self.node, self._values, self._entries = node, values, entries

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def get(self, name: str, default: Any = None) -> Any:
        """The value; ``default`` where the key is missing or could not be read."""
        value = self._values.get(name)
        return default if value is None else value

    def key_node(self, name: str) -> Node:
        """The key, to point at; the record itself where the key is missing."""
        return self._entries[name][0] if name in self._entries else self.node

    def value_node(self, name: str) -> Node:
        return self._entries[name][1] if name in self._entries else self.node

    def key_names(self) -> list[str]:
        return list(self._entries)

    def select(self, names: Collection[str]) -> ParsedSection:
        """Without all other keys."""
        return ParsedSection(
            self.node,
            {name: value for name, value in self._values.items() if name in names},
            {name: entry for name, entry in self._entries.items() if name in names},
        )

    def with_defaults(self, base: ParsedSection) -> ParsedSection:
        """With the keys that only ``base`` has."""
        return ParsedSection(self.node, {**base._values, **self._values}, {**base._entries, **self._entries})


class Section(FieldType[ParsedSection]):
    """A mapping with fixed fields; ``title`` names it in messages and in the schema's ``$defs``."""

    def __init__(self, title: str, fields: dict[str, Field], doc: str = "") -> None:
        self.title, self.fields, self.doc = title, fields, doc
        self.what = title

    def read(self, node: Node, reader: Reader) -> ParsedSection | None:
        if not isinstance(node, MappingNode):
            reader.add_problem(node, f"{self.title} is a mapping; here stands {_describe_node(node)}.")
            return None
        entries = reader.entries(node)
        values: dict[str, Any] = {}
        for name, (key, child) in entries.items():
            known = self.fields.get(name)
            if known is None:
                reader.add_problem(
                    key, f"`{shorten(name)}` is not a key of {self.title}.", did_you_mean(name, self.fields)
                )
            else:
                values[name] = known.field_type.read(child, reader)
        for name, known in self.fields.items():
            if known.required and name not in entries:
                reader.add_problem(node, f"{self.title} needs `{name}`: {_uncapitalize(known.doc)}")
        return ParsedSection(node, values, entries)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        name = re.sub(r"[^a-z]+", "-", re.sub("^(?:an?|the) ", "", self.title).lower()).strip("-")
        if name not in defs:
            defs[name] = {}
            defs[name] = self._object_schema(defs)
        return {"$ref": f"#/$defs/{name}"}

    def to_markdown(self, link: Callable[[Section], str]) -> str:
        return link(self)

    def _object_schema(self, defs: dict[str, Schema]) -> Schema:
        properties: dict[str, Schema] = {}
        for name, known in self.fields.items():
            described = {"description": known.doc, **known.field_type.schema(defs)}
            if known.default is not None:
                described["default"] = known.default
            properties[name] = described
        schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if self.doc:
            schema["description"] = self.doc
        required = [name for name, known in self.fields.items() if known.required]
        if required:
            schema["required"] = required
        return schema


class AnyOf(FieldType[Any]):
    """Another shape for a single value, a list and a mapping."""

    def __init__(
        self,
        *,
        scalar: FieldType[Any] | None = None,
        sequence: FieldType[Any] | None = None,
        mapping: FieldType[Any] | None = None,
    ) -> None:
        self._single, self._listed, self._mapped = scalar, sequence, mapping
        self._shapes = [shape for shape in (scalar, sequence, mapping) if shape]
        self.what = " or ".join(shape.description for shape in self._shapes)

    def read(self, node: Node, reader: Reader) -> Any:
        by_type = {ScalarNode: self._single, SequenceNode: self._listed, MappingNode: self._mapped}
        chosen = by_type[type(node)]
        if chosen is None:
            reader.add_problem(node, f"{self.what} expected here, not {_describe_node(node)}.")
            return None
        return chosen.read(node, reader)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"anyOf": [shape.schema(defs) for shape in self._shapes]}

    def to_markdown(self, link: Callable[[Section], str]) -> str:
        return "; or ".join(dict.fromkeys(shape.to_markdown(link) for shape in self._shapes))


def _describe_node(node: Node) -> str:
    return "nothing" if isinstance(node, ScalarNode) and node.is_null else describe_kind(node)


def _uncapitalize(doc: str) -> str:
    """A sentence as it stands after a colon."""
    return doc[:1].lower() + doc[1:] if doc[1:2].islower() or doc[1:2] == " " else doc
