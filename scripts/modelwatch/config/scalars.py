"""The shapes of single values: each reads a node (gathering problems) and describes itself as JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as Words
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..model.secret import Secret
from . import units
from .nodes import Node, ScalarNode
from .reader import Reader, did_you_mean, shorten
from .secrets import VARIABLE_REFERENCE

if TYPE_CHECKING:
    from .shapes import Section

T = TypeVar("T")
Schema = dict[str, Any]


class FieldType(Generic[T]):
    """What a value looks like. ``what`` names it in messages: ``a duration such as 24h``."""

    description = "a value"

    def read(self, node: Node, reader: Reader) -> T | None:
        """The value; ``None`` after a problem was reported."""
        raise TypeError(type(self).__name__)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        """JSON Schema (draft 2020-12); shared parts are put into ``defs``."""
        raise TypeError(type(self).__name__)

    def to_markdown(self, link: Callable[[Section], str]) -> str:
        """What it looks like, in Markdown; ``link`` names a record."""
        return self.description


class Text(FieldType[str]):
    """Text, with ``${NAME}`` filled in. ``pattern`` must match the whole of what results."""

    def __init__(self, description: str = "text", pattern: str = "", *, hint: str = "", max_length: int = 1000) -> None:
        self.what, self._hint, self._longest = description, hint, max_length
        self._source = pattern
        self._pattern = re.compile(pattern) if pattern else None

    def read(self, node: Node, reader: Reader) -> str | None:
        text = reader.read_text(node, self.what)
        if text is None:
            return None
        assert isinstance(node, ScalarNode)  # noqa: S101
        if not text.strip() or len(text) > self._longest:
            reader.add_problem(node, f"{self.what} expected here, of 1 to {self._longest} characters.", self._hint)
        elif self._pattern and not self._pattern.fullmatch(text) and not (text == node.text and "${" in text):
            reader.add_problem(node, f"`{shorten(node.text)}` is not {self.what}.", self._hint)
        else:
            return text
        return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        schema: Schema = {"type": ["string", "number"], "minLength": 1, "maxLength": self._longest}
        if self._source:
            schema["pattern"] = rf"^(?:{self._source})$|\$\{{"
        return schema


class SecretText(FieldType[Secret]):
    """``${NAME}`` and nothing else. A value written out is a problem that never shows it."""

    what = "the name of an environment variable as ${NAME}"

    def read(self, node: Node, reader: Reader) -> Secret | None:
        if not reader.require_scalar(node, self.what):
            return None
        assert isinstance(node, ScalarNode)  # noqa: S101
        found = VARIABLE_REFERENCE.fullmatch(node.text.strip())
        if found is None:
            hint = "Put the value into the environment and write ${NAME} here; if it was committed, replace it."
            reader.add_problem(node, "a secret must not stand in the file.", hint)
            return None
        secret = reader.vault.secret(found[1])
        if secret is None:
            reader.add_missing_variable(node, found[1])
            return Secret(found[1], "")
        return secret

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": r"^\s*\$\{[A-Za-z_][A-Za-z0-9_]*\}\s*$"}


class Number(FieldType[float]):
    """A number or a percentage (``2%`` is 0.02) between ``low`` and ``high``."""

    what = "a number"

    def __init__(self, low: float | None = None, high: float | None = None, *, above: float | None = None) -> None:
        self._low, self._high, self._above = low, high, above

    def read(self, node: Node, reader: Reader) -> float | None:
        if not reader.require_scalar(node, self.what):
            return None
        assert isinstance(node, ScalarNode)  # noqa: S101
        value = units.parse_number(node.text)
        if value is None:
            reader.add_problem(node, f"`{shorten(node.text)}` is not {self.what}.", self._hint(node.text))
            return None
        if self._is_out_of_range(value):
            reader.add_problem(node, f"`{shorten(node.text)}` is out of range: {self._range_text()}.")
            return None
        return value

    def _hint(self, text: str) -> str:
        return "Write a decimal point, not a comma." if re.fullmatch(r"[-+]?\d+,\d+%?", text) else ""

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

    what = "a percentage such as 2%"

    def __init__(self, high: float | None = None) -> None:
        super().__init__(above=0.0, high=high)

    def read(self, node: Node, reader: Reader) -> float | None:
        if isinstance(node, ScalarNode) and not node.text.endswith("%") and (units.parse_number(node.text) or 0) >= 1:
            amount = f"`{shorten(node.text)}` without `%` is {(units.parse_number(node.text) or 0) * 100:g} %."
            reader.add_problem(node, amount, f"Write `{shorten(node.text)}%` if that is meant.")
            return None
        return super().read(node, reader)

    def _range_text(self) -> str:
        return "more than 0%" + (f" and at most {self._high:.0%}" if self._high is not None else "")


class Count(FieldType[int]):
    """A whole number, at least ``low``."""

    def __init__(self, low: int = 1, high: int = 1_000_000) -> None:
        self._low, self._high = low, high
        self.what = f"a whole number from {low} to {high}"

    def read(self, node: Node, reader: Reader) -> int | None:
        if not reader.require_scalar(node, self.what):
            return None
        assert isinstance(node, ScalarNode)  # noqa: S101
        if re.fullmatch(r"[0-9]{1,9}", node.text) and self._low <= int(node.text) <= self._high:
            return int(node.text)
        reader.add_problem(node, f"`{shorten(node.text)}` is not {self.what}.")
        return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "integer", "minimum": self._low, "maximum": self._high}


class Quantity(FieldType[float]):
    """Text in a unit of its own: durations, times of day, moments."""

    def __init__(
        self, description: str, parse: Callable[[str], float | None], pattern: str, *, low: float = 0.0
    ) -> None:
        self.what, self._parse, self._pattern, self._low = description, parse, pattern, low

    def read(self, node: Node, reader: Reader) -> float | None:
        if not reader.require_scalar(node, self.what):
            return None
        assert isinstance(node, ScalarNode)  # noqa: S101
        value = self._parse(node.text.strip())
        if value is None:
            hint = "Give a unit." if units.parse_number(node.text) is not None else ""
            reader.add_problem(node, f"`{shorten(node.text)}` is not {self.what}.", hint)
        elif value < self._low:
            reader.add_problem(
                node, f"`{shorten(node.text)}` is too short: at least {units.format_duration(self._low)}."
            )
            return None
        return value

    def schema(self, defs: dict[str, Schema]) -> Schema:
        if not self._pattern:
            return {"type": "string"}
        return {"type": ["string", "number"], "pattern": self._pattern}


def duration(low: float = 0.0) -> Quantity:
    """Seconds, at least ``low``."""
    pattern = r"^(?=.)([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$|^0$"
    return Quantity("a duration such as 30m, 24h or 7d", units.parse_duration, pattern, low=low)


def time_of_day() -> Quantity:
    return Quantity("a time of day (UTC) such as 22:00", units.parse_time_of_day, r"^[0-9]{1,2}:[0-9]{2}$")


def timestamp() -> Quantity:
    return Quantity(
        "a date such as 2026-12-01 or 2026-12-01T18:00", units.parse_timestamp, r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    )


_BOOLEANS = {"true": True, "false": False}
"""What an editor takes these words for."""


class Enumeration(FieldType[T]):
    """One of a few words, each standing for a value."""

    def __init__(self, description: str, words: Words[str, T]) -> None:
        self.what, self.values = description, dict(words)

    def read(self, node: Node, reader: Reader) -> T | None:
        if not reader.require_scalar(node, self.what):
            return None
        assert isinstance(node, ScalarNode)  # noqa: S101
        if node.text not in self.values:
            hint = did_you_mean(node.text, self.values)
            reader.add_problem(node, f"`{shorten(node.text)}` is not {self.what}.", hint)
            return None
        return self.values[node.text]

    def schema(self, defs: dict[str, Schema]) -> Schema:
        typed = [int(word) for word in self.values if word.isdigit()]
        return {"enum": [*self.values, *typed, *(_BOOLEANS[word] for word in self.values if word in _BOOLEANS)]}

    def to_markdown(self, link: Callable[[Section], str]) -> str:
        *most, last = (f"`{word}`" for word in self.values)
        return f"{', '.join(most)} or {last}" if most else last
