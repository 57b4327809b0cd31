"""Whatever a caller records, as plain values: one bounded conversion, in which masks and hashes are applied.

A value with parts becomes plain data, and that the text of its JSON; a list of numbers stays one. Under a protected
name stands what masks or hashes make of it. Of a value of an unknown type the name of the type alone is recorded: its
text may hold anything, and take any time.

A graph of objects has no end, and one of shared lists 2^n paths: so a conversion visits no more than ``MAX_NODES``
values, down to ``MAX_DEPTH``, and none within itself. The rest is ``unreadable``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from .containers import Inner, Part, Parts, Plain, reader_of
from .protection import UNPROTECTED, Protection
from .values import (
    MAX_CHARACTERS,
    MAX_DIGESTED,
    MAX_NUMBERS,
    SCALARS,
    SHORT_TEXT,
    UNREADABLE,
    plain_scalar,
    shorten_text,
    unreadable,
)

MAX_NODES = 1024
"""Values that are visited, for all cells of a row together, in a millisecond or two at most. What takes longer than a
value of a mapping counts as several."""
MAX_DEPTH = 50
SCALARS_A_NODE = 4
"""Plain scalars in a list of nothing else are looked at, and written as JSON, that much faster."""
NUMBERS_A_NODE = 16
"""In a list that stays one."""
CHARACTERS_A_NODE = 512
REST = "..."
"""The label of what was not visited."""
_NUMBERS = frozenset((int, float, bool))
_to_json = json.JSONEncoder(ensure_ascii=False).encode


class Conversion:
    """Of the cells of one row, within one thread."""

    __slots__ = ("_left", "_path", "_protection")

    def __init__(self, protection: Protection = UNPROTECTED, nodes: int = MAX_NODES) -> None:
        self._protection, self._left = protection, nodes
        self._path: set[int] = set()

    @property
    def nodes_left(self) -> int:
        return self._left

    def cell(self, value: Any) -> Any:
        """``value`` as an integer of 64 bits, a float, a boolean, a text, a list of numbers, or ``None``. Never
        raises."""
        kind = type(value)
        try:
            if kind in SCALARS:
                return self._text(value) if kind is str else plain_scalar(value)
            if self._left <= 0:
                return UNREADABLE
            self._left -= 1
            return _as_cell(self._convert(value, 0))
        except Exception:  # noqa: BLE001 - a value of a foreign type may raise anything, also in __str__
            return UNREADABLE

    def part(self, label: Any, value: Any) -> Any:
        """The cell of a part that has a name; protected if that is."""
        try:
            return _as_cell(self._part(Part(label, value), 0))
        except Exception:  # noqa: BLE001 - as above
            return UNREADABLE

    def column_cell(self, name: str, label: Any, value: Any) -> Any:
        """The cell of a column with this label, whose text is ``name``. One whose whole name is protected stays open:
        the writer's thread protects it, before anything is written."""
        if name in self._protection.names:
            return self._open(value)
        if self._left <= 0 and type(value) not in SCALARS:
            return UNREADABLE
        return self.cell(value) if label is name else self.part(label, value)

    def label(self, label: Any) -> str:
        """The text of a name. Never raises."""
        return label if label.__class__ is str else str(self._apart(label, self._protection))

    def _convert(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in SCALARS:
            return self._text(value) if kind is str else value
        key = id(value)
        if depth >= MAX_DEPTH or self._left <= 0 or key in self._path:
            return UNREADABLE
        self._path.add(key)
        try:
            if kind is dict:
                return self._dict(value, depth)
            if kind is list or kind is tuple:
                return self._items(value, depth)
            self._left -= 1
            reader = reader_of(kind)
            return unreadable(value) if reader is None else self._content(reader(value), depth)
        finally:
            self._path.discard(key)

    def _content(self, content: Any, depth: int) -> Any:
        if isinstance(content, Plain):
            self._left -= content.size // (SCALARS_A_NODE if depth else NUMBERS_A_NODE)
            return self._text(content.value) if type(content.value) is str else content.value
        if isinstance(content, Inner):
            return self._whole(content.names, content.value, depth)
        if isinstance(content, Parts):
            self._left -= content.cost
            if self.replacement(*content.names) is not None:
                values = [part.value for part in islice(content.parts, max(self._left, 0))]
                return self._whole(content.names, values, depth)
            parts = content.parts
            if self.replacement(*content.label_names) is not None:  # the labels are what is protected
                parts = (Part(str(place), part.value) for place, part in enumerate(parts))
            return self._parts(parts, depth, content.cost)
        return self._items(content.items, depth)

    def _whole(self, names: tuple[Any, ...], value: Any, depth: int) -> Any:
        replace = self.replacement(*names) if names else None
        return self._convert(value, depth + 1) if replace is None else replace(self._open(value))

    def _dict(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        """As ``_parts``; by far the most frequent kind."""
        found: dict[str, Any] = {}
        names = self._protection.names
        for label, part in value.items():
            if self._left <= 0:
                found[REST] = UNREADABLE
                break
            self._left -= 1
            if label.__class__ is str and label not in names:
                kind = type(part)
                if len(label) > SHORT_TEXT:
                    label = self._text(label)
                found[label] = part if kind in SCALARS and kind is not str else self._convert(part, depth + 1)
            else:
                found[self.label(label)] = self._part(Part(label, part), depth)
        return found

    def _parts(self, parts: Iterable[Part], depth: int, cost: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for part in parts:
            if self._left <= 0:
                found[REST] = UNREADABLE
                break
            self._left -= cost
            found[self.label(part.label)] = self._part(part, depth)
        return found

    def _part(self, part: Part, depth: int) -> Any:
        replace = self.replacement(part.label, *part.aliases)
        return self._convert(part.value, depth + 1) if replace is None else replace(self._open(part.value))

    def _items(self, items: Any, depth: int) -> list[Any]:
        if type(items) is list or type(items) is tuple:
            if len(items) == 2 and type(items[0]) in (str, bytes) and (replace := self.replacement(items[0])):
                return [self.label(items[0]), replace(self._open(items[1]))]  # as in headers, and in maps of Arrow
            if not depth and len(items) <= MAX_NUMBERS and _NUMBERS.issuperset(map(type, items)):
                self._left -= 1 + len(items) // NUMBERS_A_NODE
                return [*items]
            head = items[: max(self._left, 1) * SCALARS_A_NODE]
            if SCALARS.issuperset(map(type, head)) and not any(map(_is_long, head)):
                self._left -= 1 + len(head) // SCALARS_A_NODE
                return [*head] if len(head) == len(items) else [*head, UNREADABLE]
        found: list[Any] = []
        for item in islice(items, self._left + 1):
            if self._left <= 0:
                found.append(UNREADABLE)
                break
            self._left -= 1
            found.append(self._convert(item, depth + 1))
        return found

    def _open(self, value: Any) -> Any:
        """The cell of a value that nobody will see."""
        cell = self._apart(value, UNPROTECTED)
        if cell.__class__ is list:
            self._left -= len(cell) // SCALARS_A_NODE
        return cell

    def _apart(self, value: Any, protection: Protection) -> Any:
        conversion = Conversion(protection, self._left - 1)
        cell = conversion.cell(value)
        self._left = conversion.nodes_left
        return cell

    def replacement(self, *labels: Any) -> Callable[[Any], str | None] | None:
        """What becomes of a plain cell under these labels; ``None`` if it is not protected."""
        protection = self._protection
        if not protection.names:
            return None
        names: list[str] = []
        for label in labels:
            if label.__class__ is str:
                names.append(label)
            else:
                names.append(self.label(label))
                if isinstance(label, tuple):  # of a column below others
                    names += [self.label(level) for level in label[:MAX_DEPTH]]
        return protection.replacement(names)

    def _text(self, text: str) -> str:
        """Shortened, and counted by its length."""
        if len(text) <= SHORT_TEXT:
            return text if text.isascii() else shorten_text(text)
        if self._left <= 0 and len(text) > MAX_CHARACTERS:
            return UNREADABLE
        self._left -= min(len(text), MAX_DIGESTED) // CHARACTERS_A_NODE
        return shorten_text(text)


def _is_long(item: Any) -> bool:
    return item.__class__ is str and len(item) > SHORT_TEXT


def _as_cell(value: Any) -> Any:
    kind = type(value)
    if kind in SCALARS:
        return plain_scalar(value)
    if kind is list and len(value) <= MAX_NUMBERS and _NUMBERS.issuperset(map(type, value)):
        return [plain_scalar(number) for number in value]
    return shorten_text(_to_json(value))


def plain_value(value: Any, protection: Protection = UNPROTECTED) -> Any:
    """The cell of a value that is alone: see ``Conversion.cell``."""
    return Conversion(protection).cell(value)
