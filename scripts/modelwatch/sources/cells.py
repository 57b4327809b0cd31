"""One cell of one row: numbers, times and versions in the many forms in which they are logged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_WORDS = {"nan": math.nan, "infinity": math.inf, "inf": math.inf, "-infinity": -math.inf, "-inf": -math.inf}
_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""A number above the first is in a unit of which the second make a second: ns, us, ms. (1e11 s is the year 5138.)"""


def number(cell: Any) -> float | None:
    """The cell as a number, NaN and infinities included; ``None`` where it is none."""
    kind = type(cell)
    if kind is float or kind is int or kind is bool:
        return _float(cell)
    if kind is str:
        return _WORDS.get(cell.strip().lower())
    return None


def number_in_text(cell: str) -> float | None:
    """As ``number``, where numbers are written as text (CSV)."""
    try:
        return float(cell)
    except ValueError:
        return number(cell)


def time_of(cell: Any) -> float | None:
    """Seconds (UTC) from a number (s, ms, us or ns since the epoch), an ISO 8601 text (UTC where it names no zone),
    or a datetime; ``None`` where it is none of these."""
    if isinstance(cell, datetime):
        return _stamp(cell)
    if isinstance(cell, str):
        try:
            return _scaled(float(cell))
        except ValueError:
            return _iso(cell)
    seconds = number(cell)
    return None if seconds is None or isinstance(cell, bool) else _scaled(seconds)


def _float(cell: float) -> float | None:
    try:
        return float(cell)
    except OverflowError:
        return None


def _scaled(value: float) -> float | None:
    if not math.isfinite(value):
        return None
    return next((value / unit for above, unit in _UNITS if abs(value) > above), value)


def _iso(text: str) -> float | None:
    try:
        return _stamp(datetime.fromisoformat(text.strip()))
    except ValueError:
        return None


def _stamp(moment: datetime) -> float | None:
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None


def version_text(value: Any) -> str:
    """A model version as text; the empty string where it says nothing."""
    if value is None or isinstance(value, Mapping | list):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def dig(config: Mapping[str, Any], path: str) -> Any:
    """The value under ``path``, whose dots may be part of a key or reach into a mapping; ``None`` where there is none.

    W&B wraps a value as ``{"value": ...}`` in some of its forms; the wrapping is taken off.
    """
    if path in config:
        return _unwrapped(config[path])
    head = path
    while "." in head:
        head = head.rpartition(".")[0]
        inner = _unwrapped(config.get(head))
        if isinstance(inner, Mapping):
            found = dig(inner, path[len(head) + 1 :])
            if found is not None:
                return found
    return None


def _unwrapped(value: Any) -> Any:
    return value["value"] if isinstance(value, Mapping) and "value" in value and len(value) <= 2 else value
