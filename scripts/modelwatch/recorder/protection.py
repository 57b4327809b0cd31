"""Masks and hashes within nested cells: a mapping in a list in an argument has names, too."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .values import MASKED, UNREADABLE, hash_cell, is_missing, plain_value

MAX_DEPTH = 50
_PLAIN = (str, bytes, bytearray, int, float, complex, type(None))


class NestedProtection:
    """Replaces what lies under the names in mappings and objects, at any depth."""

    def __init__(self, masked: frozenset[str], hashed: frozenset[str], key: bytes) -> None:
        self._masked, self._hashed, self._key = masked, hashed, key

    def __call__(self, value: Any) -> Any:
        """The value with its protected parts replaced; itself if it has no parts. Never raises: what cannot be searched
        becomes ``unreadable``."""
        try:
            return self._search(value, MAX_DEPTH)
        except Exception:  # noqa: BLE001 - an object of a foreign type may raise anything
            return UNREADABLE

    def _search(self, value: Any, depth: int) -> Any:
        if isinstance(value, _PLAIN):
            return value
        if not depth:
            return UNREADABLE
        parts = named_parts(value)
        if parts is None:
            parts = _attributes(value)
        if parts is not None:
            found = {name: self._replace(_name_text(name), part, depth) for name, part in parts.items()}
            if all(found[name] is part for name, part in parts.items()):
                return value
            return {_name_text(name): part for name, part in found.items()}
        if hasattr(value, "tolist") and hasattr(value, "shape"):
            kind = getattr(getattr(value, "dtype", None), "kind", "")
            return self._search(value.tolist(), depth - 1) if not kind or kind == "O" else value
        if isinstance(value, list | tuple | set | frozenset):
            cells = [self._search(part, depth - 1) for part in value]
            return cells if any(new is not old for new, old in zip(cells, value, strict=True)) else value
        return value

    def _replace(self, name: str, part: Any, depth: int) -> Any:
        if name in self._masked:
            return None if is_missing(plain_value(part)) else MASKED
        if name in self._hashed:
            return hash_cell(plain_value(part), self._key)
        return self._search(part, depth - 1)


def named_parts(value: Any) -> Mapping[Any, Any] | None:
    """The parts of a value by name: of a mapping, a data class, a named tuple, a row of pandas, or a model of Pydantic;
    ``None`` for anything else. Raises whatever its methods raise."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, type):
        return None
    names = getattr(getattr(value, "dtype", None), "names", None)
    if names:  # a record of NumPy, or an array of them
        return {name: value[name] for name in names}
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    for method in ("_asdict", "model_dump", "to_dict"):
        convert = getattr(value, method, None)
        parts = convert() if callable(convert) else None
        if isinstance(parts, Mapping):
            return parts
    return None


def _attributes(value: Any) -> Mapping[str, Any] | None:
    """The attributes of an object, all of which its text may hold."""
    kind = type(value)
    if kind.__module__ == "builtins" or hasattr(value, "shape"):
        return None
    slots = [name for base in kind.__mro__ for name in _texts(base.__dict__.get("__slots__", ()))]
    of_slots = {name: getattr(value, name) for name in slots if not name.startswith("__") and hasattr(value, name)}
    return of_slots | getattr(value, "__dict__", {}) or None


def _texts(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _name_text(name: Any) -> str:
    return name if name.__class__ is str else str(plain_value(name))
