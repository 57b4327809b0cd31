"""Sections of the configuration: mappings with fixed keys, each of which builds one dataclass of ``model``.

A default is stated once, on the field of that dataclass: reading, the JSON Schema and the reference page take it from
there.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, field, replace
from typing import Any

from ..errors import did_you_mean
from .field_types import FieldType, Schema
from .reader import Entries, Reader, describe_node, shorten
from .yaml_nodes import MappingNode, Node


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a section."""

    field_type: FieldType[Any]
    doc: str
    required: bool = False
    attribute: str = ""
    """The field of the dataclass; by default it has the name of the key."""
    default: Any = None
    """As users write it, and only where the dataclass does not have it: its field means more than the key, or none."""
    show_default: bool = True
    """False where the dataclass's default does not always apply."""


@dataclass(slots=True, eq=False)
class ParsedSection:
    """The values that a section's keys have. ``name in section`` also holds for a key whose value cannot be read."""

    _section: Section
    node: Node
    reader: Reader
    _values: dict[str, Any] = field(default_factory=dict)
    _entries: Entries = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def get(self, name: str, default: Any = None) -> Any:
        """The value; ``default`` where the key is missing or could not be read."""
        value = self._values.get(name)
        return default if value is None else value

    def default(self, name: str) -> Any:
        """The default of the dataclass."""
        return self._section.defaults[name]

    def setting(self, name: str) -> Any:
        """The value that counts: the key's, or the default of the dataclass."""
        return self.get(name, self.default(name))

    def add_problem(self, message: str, hint: str = "", *, key: str = "", value: str = "") -> None:
        """Report a problem at the name of ``key``, at the value of ``value``, or at the section itself."""
        self.reader.add_problem(self.value_node(value) if value else self.key_node(key), message, hint)

    def key_node(self, name: str) -> Node:
        """The key, to point at; the section itself where the key is missing."""
        return self._entries[name][0] if name in self._entries else self.node

    def value_node(self, name: str) -> Node:
        return self._entries[name][1] if name in self._entries else self.node

    def key_names(self) -> list[str]:
        return list(self._entries)

    def select(self, names: Collection[str]) -> ParsedSection:
        """Without all other keys."""
        return replace(
            self,
            _values={name: value for name, value in self._values.items() if name in names},
            _entries={name: entry for name, entry in self._entries.items() if name in names},
        )

    def with_defaults(self, base: ParsedSection) -> ParsedSection:
        """With the keys that only ``base`` has."""
        values, entries = {**base._values, **self._values}, {**base._entries, **self._entries}
        return replace(base, node=self.node, _values=values, _entries=entries)

    def build(self, **overrides: Any) -> Any:
        """The section's dataclass: ``overrides``, then the values of the keys, then the dataclass's own defaults."""
        assert self._section.dataclass is not None  # noqa: S101
        return self._section.dataclass(**{**self._section.placeholders, **self.attributes(overrides), **overrides})

    def attributes(self, without: Collection[str] = ()) -> dict[str, Any]:
        """The fields of the dataclass that the keys give."""
        attributes = self._section.attributes
        return {
            attributes[name]: _freeze(value)
            for name, value in self._values.items()
            if name in attributes and attributes[name] not in without and value is not None
        }


class Section(FieldType[ParsedSection]):
    """A mapping with fixed keys; ``title`` names it in messages and in the schema's ``$defs``.

    ``renamed`` maps the old name of a key to its present one: the old name is accepted, with a warning.
    """

    def __init__(
        self,
        title: str,
        fields: dict[str, Field],
        doc: str = "",
        *,
        dataclass: type | None = None,
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        self.title, self.fields, self.doc, self.dataclass = title, fields, doc, dataclass
        self.description, self.renamed = title, renamed or {}
        by_name = {field.name: field for field in dataclasses.fields(dataclass)} if dataclass else {}
        names = {name: field.attribute or name for name, field in fields.items()}
        self.attributes = {name: attribute for name, attribute in names.items() if attribute in by_name}
        """Key -> field of the dataclass."""
        self.defaults = {name: _default_of(by_name[attribute]) for name, attribute in self.attributes.items()}
        """Key -> the dataclass's default; ``MISSING`` where it has none."""
        self.placeholders = {self.attributes[name]: "" for name, value in self.defaults.items() if value is MISSING}
        """What a required key has while it is missing: the section is still built, to find further problems."""

    def shown_default(self, name: str) -> Any:
        """The default as users write it; ``None`` where there is none to show."""
        field, value = self.fields[name], self.defaults.get(name)
        if field.default is not None:
            return field.default
        if value is None or value in ("", (), MISSING) or dataclasses.is_dataclass(value) or not field.show_default:
            return None
        return field.field_type.show(value)

    def read(self, node: Node, reader: Reader, unread: Collection[str] = ()) -> ParsedSection | None:
        """The values of the keys, but for those in ``unread``."""
        if not isinstance(node, MappingNode):
            reader.add_problem(node, f"{self.title} is a mapping, not {describe_node(node)}.")
            return None
        entries = self._with_present_names(reader.entries(node), reader)
        values: dict[str, Any] = {}
        for name, (key, child) in entries.items():
            known = self.fields.get(name)
            if known is None:
                reader.add_problem(
                    key, f"`{shorten(name)}` is not a key of {self.title}.", did_you_mean(name, self.fields)
                )
            elif name not in unread:
                values[name] = known.field_type.read(child, reader)
        for name, known in self.fields.items():
            if known.required and name not in entries:
                reader.add_problem(node, f"{self.title} needs `{name}`: {_uncapitalize(known.doc)}")
        return ParsedSection(self, node, reader, values, entries)

    def _with_present_names(self, entries: Entries, reader: Reader) -> Entries:
        present: Entries = {}
        for written, entry in entries.items():
            name = self.renamed.get(written, written)
            if name == written:
                present[name] = entry
            elif name in entries:
                reader.add_warning(entry[0], f"`{written}` is ignored: its new name `{name}` is given, too.")
            else:
                present[name] = entry
                message = f"`{written}` is now called `{name}`; the next release no longer reads the old name."
                reader.add_warning(entry[0], message)
        return present

    def schema(self, defs: dict[str, Schema]) -> Schema:
        name = re.sub(r"[^a-z]+", "-", re.sub("^(?:an?|the) ", "", self.title).lower()).strip("-")
        if name not in defs:
            defs[name] = {}
            defs[name] = self._object_schema(defs)
        return {"$ref": f"#/$defs/{name}"}

    def to_markdown(self, link: Callable[[Any], str]) -> str:
        return link(self)

    def _object_schema(self, defs: dict[str, Schema]) -> Schema:
        properties: dict[str, Schema] = {}
        for name, known in self.fields.items():
            properties[name] = {"description": known.doc, **known.field_type.schema(defs)}
            default = self.shown_default(name)
            if default is not None:
                properties[name]["default"] = default
        for old, name in self.renamed.items():
            properties[old] = {"description": f"Now called {name}.", "deprecated": True}
        schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if self.doc:
            schema["description"] = self.doc
        required = [name for name, known in self.fields.items() if known.required]
        if required:
            schema["required"] = required
        return schema


def _freeze(value: Any) -> Any:
    """As the dataclasses hold it: a section built, a mapping as sorted pairs, a list as a tuple without repeats."""
    if isinstance(value, ParsedSection):
        return value.build()
    if isinstance(value, dict):
        return tuple(sorted((name, part) for name, (_, part) in value.items()))
    return tuple(dict.fromkeys(value)) if isinstance(value, list) else value


def _default_of(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _uncapitalize(doc: str) -> str:
    """A sentence in the form it has after a colon."""
    return doc[:1].lower() + doc[1:] if doc[1:2].islower() or doc[1:2] == " " else doc
