"""One cell of one row: numbers, times and versions in the many forms in which they are logged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_NUMBER_WORDS = {"nan": math.nan, "infinity": math.inf, "inf": math.inf, "-infinity": -math.inf, "-inf": -math.inf}
_TIME_MAGNITUDES = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""A number above the first is in a unit of which the second make a second: ns, us, ms. (1e11 s is the year 5138.)"""


def parse_number(cell: Any) -> float | None:
    """The cell as a number, NaN and infinities included; ``None`` where it is none."""
    kind = type(cell)
    if kind is float or kind is int or kind is bool:
        return _to_float(cell)
    if kind is str:
        return _NUMBER_WORDS.get(cell.strip().lower())
    return None


def parse_number_text(cell: str) -> float | None:
    """As ``number``, where numbers are written as text (CSV)."""
    try:
        return float(cell)
    except ValueError:
        return parse_number(cell)


def parse_time(cell: Any) -> float | None:
    """Seconds (UTC) from a number (s, ms, us or ns since the epoch), an ISO 8601 text (UTC where it names no zone),
    or a datetime; ``None`` where it is none of these."""
    if isinstance(cell, datetime):
        return _timestamp(cell)
    if isinstance(cell, str):
        try:
            return _to_seconds(float(cell))
        except ValueError:
            return _parse_iso(cell)
    seconds = parse_number(cell)
    return None if seconds is None or isinstance(cell, bool) else _to_seconds(seconds)


def _to_float(cell: float) -> float | None:
    try:
        return float(cell)
    except OverflowError:
        return None


def _to_seconds(value: float) -> float | None:
    if not math.isfinite(value):
        return None
    return next((value / unit for above, unit in _TIME_MAGNITUDES if abs(value) > above), value)


def _parse_iso(text: str) -> float | None:
    try:
        return _timestamp(datetime.fromisoformat(text.strip()))
    except ValueError:
        return None


def _timestamp(moment: datetime) -> float | None:
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


def lookup_path(config: Mapping[str, Any], path: str) -> Any:
    """The value under ``path``, whose dots may be part of a key or reach into a mapping; ``None`` where there is none.

    W&B wraps a value as ``{"value": ...}`` in some of its forms; the wrapping is taken off.
    """
    if path in config:
        return _unwrap(config[path])
    head = path
    while "." in head:
        head = head.rpartition(".")[0]
        inner = _unwrap(config.get(head))
        if isinstance(inner, Mapping):
            found = lookup_path(inner, path[len(head) + 1 :])
            if found is not None:
                return found
    return None


def _unwrap(value: Any) -> Any:
    return value["value"] if isinstance(value, Mapping) and "value" in value and len(value) <= 2 else value
