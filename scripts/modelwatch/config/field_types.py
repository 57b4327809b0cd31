"""The types of values: each reads a node, collects problems, and describes itself as JSON Schema and Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from ..errors import did_you_mean
from ..model.secret import Secret
from . import literals
from .reader import Reader, describe_node, shorten
from .secrets import VARIABLE_PATTERN, VARIABLE_REFERENCE
from .yaml_nodes import MappingNode, Node, ScalarNode, SequenceNode

T = TypeVar("T")
Schema = dict[str, Any]
BOOLEANS = {"true": True, "false": False}


class FieldType(Generic[T]):
    """What a value looks like. ``description`` names it in messages: ``a duration such as 24h``."""

    description = "a value"

    def read(self, node: Node, reader: Reader) -> T | None:
        """The value; ``None`` after a problem was reported."""
        raise TypeError(type(self).__name__)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        """JSON Schema (draft 2020-12); shared parts are put into ``defs``."""
        raise TypeError(type(self).__name__)

    def show(self, value: Any) -> Any:
        """``value`` as users write it: the inverse of ``read``."""
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def to_markdown(self, link: Callable[[Any], str]) -> str:
        """What it looks like, in Markdown; ``link`` makes a link to a section."""
        return self.description


class ScalarType(FieldType[T]):
    """The type of a single value."""

    def read(self, node: Node, reader: Reader) -> T | None:
        return self.read_scalar(node, reader) if reader.is_value(node, self.description) else None

    def read_scalar(self, node: ScalarNode, reader: Reader) -> T | None:
        """The value of a scalar that is not empty."""
        raise TypeError(type(self).__name__)

    def _reject(self, node: ScalarNode, reader: Reader, hint: str = "") -> T | None:
        reader.add_problem(node, f"`{shorten(node.text)}` is not {self.description}.", hint)
        return None


class Text(ScalarType[str]):
    """Text, with ``${NAME}`` filled in unless it is ``literal``. ``pattern`` must match the whole of the result;
    ``strip`` are characters that are removed at both ends, such as the last slash of a URL."""

    def __init__(
        self,
        description: str = "text",
        pattern: str = "",
        *,
        hint: str = "",
        max_length: int = 1000,
        strip: str = "",
        literal: bool = False,
    ) -> None:
        self.description, self._hint, self._longest, self._strip = description, hint, max_length, strip
        self._is_literal = literal
        self._source = pattern
        self._pattern = re.compile(pattern) if pattern else None

    def read_scalar(self, node: ScalarNode, reader: Reader) -> str | None:
        text = node.text if self._is_literal else reader.fill_in(node)
        if text is None:
            return None
        if not text.strip() or len(text) > self._longest:
            message = f"expected {self.description} here, of 1 to {self._longest} characters."
            reader.add_problem(node, message, self._hint)
        elif self._pattern and not self._pattern.fullmatch(text) and not (text == node.text and "${" in text):
            self._reject(node, reader, self._hint)
        else:
            return text.strip(self._strip) if self._strip else text
        return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        schema: Schema = {"type": ["string", "number"], "minLength": 1, "maxLength": self._longest}
        if self._source:
            schema["pattern"] = rf"^(?:{self._source})$|\$\{{"
        return schema


class SecretText(ScalarType[Secret]):
    """``${NAME}`` and nothing else. A value written out is a problem that never shows it."""

    description = "the name of an environment variable as ${NAME}"
    is_needed = True
    """Whether a command that acts refuses to work without it."""

    def read_scalar(self, node: ScalarNode, reader: Reader) -> Secret | None:
        reference = VARIABLE_REFERENCE.fullmatch(node.text.strip())
        if reference is None:
            hint = "Put the value into the environment and write ${NAME} here; if it was committed, rotate it."
            reader.add_problem(node, "a secret must not be written in the file.", hint)
            return None
        secret = reader.vault.secret(reference[1])
        if secret is None:
            reader.add_missing_variable(node, reference[1], is_needed=self.is_needed)
            return Secret(reference[1], "")
        return secret

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": rf"^\s*\$\{{{VARIABLE_PATTERN}\}}\s*$"}


class OptionalSecretText(SecretText):
    """The same for what an evaluation goes on without: a variable that is not set is a warning."""

    is_needed = False


class Number(ScalarType[float]):
    """A number or a percentage (``2%`` is 0.02) between ``low`` and ``high``."""

    description = "a number"

    def __init__(self, low: float | None = None, high: float | None = None, *, above: float | None = None) -> None:
        self._low, self._high, self._above = low, high, above

    def read_scalar(self, node: ScalarNode, reader: Reader) -> float | None:
        value = literals.parse_number(node.text)
        if value is None:
            is_comma = re.fullmatch(r"[-+]?\d+,\d+%?", node.text)
            return self._reject(node, reader, "Write a decimal point, not a comma." if is_comma else "")
        if self._is_out_of_range(value):
            reader.add_problem(node, f"`{shorten(node.text)}` is out of range: {self._range_text()}.")
            return None
        return value

    def _is_out_of_range(self, value: float) -> bool:
        return (
            (self._low is not None and value < self._low)
            or (self._high is not None and value > self._high)
            or (self._above is not None and value <= self._above)
        )

    def _range_text(self) -> str:
        parts = [f"at least {self._low:g}"] if self._low is not None else []
        parts += [f"more than {self._above:g}"] if self._above is not None else []
        parts += [f"at most {self._high:g}"] if self._high is not None else []
        return " and ".join(parts)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        plain: Schema = {"type": "number"}
        bounds = {"minimum": self._low, "maximum": self._high, "exclusiveMinimum": self._above}
        plain.update({name: bound for name, bound in bounds.items() if bound is not None})
        return {"anyOf": [plain, {"type": "string", "pattern": r"^[-+]?[0-9]*\.?[0-9]+ ?%$"}]}


class Percentage(Number):
    """A relative change: ``2%`` or 0.02. A bare number of 1 or more is taken for a forgotten ``%``."""

    description = "a percentage such as 2%"

    def __init__(self, high: float | None = None) -> None:
        super().__init__(above=0.0, high=high)

    def read_scalar(self, node: ScalarNode, reader: Reader) -> float | None:
        value = literals.parse_number(node.text) or 0
        if value >= 1 and not node.text.endswith("%"):
            amount = f"`{shorten(node.text)}` without `%` is {value * 100:g} %."
            reader.add_problem(node, amount, f"Write `{shorten(node.text)}%` if you mean that.")
            return None
        return super().read_scalar(node, reader)

    def show(self, value: Any) -> Any:
        return f"{value * 100:g}%"

    def _range_text(self) -> str:
        return "more than 0%" + (f" and at most {self._high:.0%}" if self._high is not None else "")


class Count(ScalarType[int]):
    """A whole number, at least ``low``."""

    def __init__(self, low: int = 1, high: int = 1_000_000) -> None:
        self._low, self._high = low, high
        self.description = f"a whole number from {low} to {high}"

    def read_scalar(self, node: ScalarNode, reader: Reader) -> int | None:
        if re.fullmatch(r"[0-9]{1,9}", node.text) and self._low <= int(node.text) <= self._high:
            return int(node.text)
        return self._reject(node, reader)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "integer", "minimum": self._low, "maximum": self._high}


class Quantity(ScalarType[float]):
    """Text in a unit of its own: durations, times of day, moments."""

    def __init__(
        self,
        description: str,
        parse: Callable[[str], float | None],
        pattern: str,
        *,
        low: float = 0.0,
        show: Callable[[float], str] = literals.format_duration,
    ) -> None:
        self.description, self._parse, self._pattern, self._low, self._show = description, parse, pattern, low, show

    def read_scalar(self, node: ScalarNode, reader: Reader) -> float | None:
        value = self._parse(node.text.strip())
        if value is None:
            return self._reject(node, reader, "Give a unit." if literals.parse_number(node.text) is not None else "")
        if value < self._low:
            shortest = literals.format_duration(self._low)
            reader.add_problem(node, f"`{shorten(node.text)}` is too short: at least {shortest}.")
            return None
        return value

    def show(self, value: Any) -> Any:
        return self._show(value)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        if not self._pattern:
            return {"type": "string"}
        return {"type": ["string", "number"], "pattern": self._pattern}


def duration(low: float = 0.0) -> Quantity:
    """Seconds, at least ``low``."""
    pattern = r"^(?=.)([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$|^0$"
    return Quantity("a duration such as 30m, 24h or 7d", literals.parse_duration, pattern, low=low)


class Enumeration(ScalarType[Any]):
    """One of a few words, each standing for a value: a mapping, the members of an enumeration, or the words alone."""

    def __init__(self, description: str, words: Mapping[str, Any] | Iterable[Any]) -> None:
        self.description = description
        self.values = dict(words) if isinstance(words, Mapping) else {str(word): word for word in words}

    def read_scalar(self, node: ScalarNode, reader: Reader) -> Any:
        if node.text in self.values:
            return self.values[node.text]
        return self._reject(node, reader, did_you_mean(node.text, self.values))

    def show(self, value: Any) -> Any:
        return value if isinstance(value, bool) else next(word for word, known in self.values.items() if known == value)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        typed = [int(word) for word in self.values if word.isdigit()]
        return {"enum": [*self.values, *typed, *(BOOLEANS[word] for word in self.values if word in BOOLEANS)]}

    def to_markdown(self, link: Callable[[Any], str]) -> str:
        *most, last = (f"`{word}`" for word in self.values)
        return f"{', '.join(most)} or {last}" if most else last


class ListOf(FieldType[list[Any]]):
    """A list; ``single`` lets one value stand for a list of one."""

    def __init__(self, item: FieldType[Any], *, allow_single: bool = False, min_items: int = 0) -> None:
        self._item, self._single, self._least = item, allow_single, min_items
        self.description = f"a list ({item.description})"

    def read(self, node: Node, reader: Reader) -> list[Any] | None:
        if not isinstance(node, SequenceNode):
            if self._single and isinstance(node, ScalarNode):
                value = self._item.read(node, reader)
                return [] if value is None else [value]
            reader.add_problem(node, f"expected a list here, not {describe_node(node)}.")
            return None
        if len(node.items) < self._least:
            reader.add_problem(node, "the list is empty; it needs at least one entry.")
        values = [self._item.read(item, reader) for item in node.items]
        return [value for value in values if value is not None]

    def show(self, value: Any) -> Any:
        return [self._item.show(item) for item in value]

    def schema(self, defs: dict[str, Schema]) -> Schema:
        item = self._item.schema(defs)
        array: Schema = {"type": "array", "items": item}
        if self._least:
            array["minItems"] = self._least
        return {"anyOf": [item, array]} if self._single else array

    def to_markdown(self, link: Callable[[Any], str]) -> str:
        item = self._item.to_markdown(link)
        return f"{item}, or a list" if self._single else f"a list; each item {item}"


def one_or_more(item: FieldType[Any], *, min_items: int = 0) -> ListOf:
    """A list in which a single value can stand for a list of one."""
    return ListOf(item, allow_single=True, min_items=min_items)


class MapOf(FieldType[dict[str, tuple[ScalarNode, Any]]]):
    """A mapping with keys of the user's choosing; gives name -> (key node, value)."""

    def __init__(self, value: FieldType[Any], key: str, key_description: str, *, max_key_length: int = 64) -> None:
        self._value, self._key_what = value, key_description
        self._source = key
        self._key = re.compile(key)
        self._longest = max_key_length
        self.description = f"a mapping from {key_description} to {value.description}"

    def read(self, node: Node, reader: Reader) -> dict[str, tuple[ScalarNode, Any]] | None:
        if not isinstance(node, MappingNode):
            reader.add_problem(node, f"expected a mapping here, not {describe_node(node)}.")
            return None
        values: dict[str, tuple[ScalarNode, Any]] = {}
        for name, (key, child) in reader.entries(node).items():
            assert isinstance(key, ScalarNode)  # noqa: S101
            if not self._key.fullmatch(name) or len(name) > self._longest:
                reader.add_problem(key, f"`{shorten(name)}` is not {self._key_what}.")
            value = self._value.read(child, reader)
            if value is not None:
                values[name] = (key, value)
        return values

    def schema(self, defs: dict[str, Schema]) -> Schema:
        names = {"pattern": f"^(?:{self._source})$|^<<$", "maxLength": self._longest}
        return {"type": "object", "propertyNames": names, "additionalProperties": self._value.schema(defs)}

    def to_markdown(self, link: Callable[[Any], str]) -> str:
        return f"a mapping from {self._key_what} to {self._value.to_markdown(link)}"


class AnyOf(FieldType[Any]):
    """Another shape for a single value, a list and a mapping."""

    def __init__(
        self,
        *,
        scalar: FieldType[Any] | None = None,
        sequence: FieldType[Any] | None = None,
        mapping: FieldType[Any] | None = None,
    ) -> None:
        self._by_node = {ScalarNode: scalar, SequenceNode: sequence, MappingNode: mapping}
        self._shapes = [shape for shape in self._by_node.values() if shape]
        self.description = " or ".join(shape.description for shape in self._shapes)

    def read(self, node: Node, reader: Reader) -> Any:
        chosen = self._by_node[type(node)]
        if chosen is None:
            reader.add_problem(node, f"expected {self.description} here, not {describe_node(node)}.")
            return None
        return chosen.read(node, reader)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"anyOf": [shape.schema(defs) for shape in self._shapes]}

    def to_markdown(self, link: Callable[[Any], str]) -> str:
        return "; or ".join(dict.fromkeys(shape.to_markdown(link) for shape in self._shapes))


class JsonObject(FieldType[str]):
    """Gives JSON text with sorted keys."""

    description = "a mapping, or a JSON object as text"

    def read(self, node: Node, reader: Reader) -> str | None:
        if isinstance(node, MappingNode):
            return json.dumps(_to_json_value(node, reader), sort_keys=True)
        if not reader.is_value(node, self.description):
            return None
        text = reader.fill_in(node)
        if text is None:
            return None
        try:
            value = json.loads(text, parse_constant=_reject_constant)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            reader.add_problem(node, f"expected {self.description} here.")
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
        return reader.fill_in(node)
    if node.text in BOOLEANS:
        return BOOLEANS[node.text]
    value = None if node.text.endswith("%") else literals.parse_number(node.text)
    if value is None:
        return reader.fill_in(node)
    return int(node.text) if node.text.lstrip("+-").isdigit() else value
