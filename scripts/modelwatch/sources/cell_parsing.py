"""One cell of one row: numbers, times and versions in the many forms in which they are logged."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeAlias

from ..timeutil import is_time, parse_time_text, scale_to_seconds, timestamp

_NUMBER_WORDS = {"nan": math.nan, "infinity": math.inf, "inf": math.inf, "-infinity": -math.inf, "-inf": -math.inf}


def parse_number(cell: Any) -> float | None:
    """The cell as a number, NaN and infinities included; ``None`` where it is none."""
    kind = type(cell)
    if kind is str:
        return _NUMBER_WORDS.get(cell.strip().lower())
    try:
        return float(cell) if kind is float or kind is int or kind is bool or kind is Decimal else None
    except OverflowError:
        return None


def parse_time(cell: Any) -> float | None:
    """Seconds (UTC) from a number, a text (as in ``parse_time_text``) or a datetime; ``None`` where it is no time."""
    if isinstance(cell, datetime):
        time: float | None = timestamp(cell)
    elif isinstance(cell, str):
        time = parse_time_text(cell)
    else:
        number = None if isinstance(cell, bool) else parse_number(cell)
        time = None if number is None else scale_to_seconds(number)
    return time if time is not None and is_time(time) else None


def version_text(value: Any) -> str:
    """A model version as text; the empty string where there is none."""
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
            value = lookup_path(inner, path[len(head) + 1 :])
            if value is not None:
                return value
    return None


def _unwrap(value: Any) -> Any:
    return value["value"] if isinstance(value, Mapping) and "value" in value and len(value) <= 2 else value


MAX_BINS = 10_000
Bins: TypeAlias = "tuple[array[float], array[float]]"


def parse_histogram(cell: Mapping[str, Any]) -> Bins | None:
    """Ends and counts of the bins of ``{"_type": "histogram", ...}``; ``None`` where it is no whole histogram."""
    values = cell.get("values")
    ends = _bin_edges(cell)
    if not isinstance(values, Sequence) or ends is None or not 0 < len(values) <= MAX_BINS:
        return None
    if len(ends) != len(values) + 1 or any(right <= left for left, right in pairwise(ends)):
        return None
    counts = _finite_numbers(values)
    if counts is None or any(count < 0 for count in counts):
        return None
    return array("d", ends), array("d", counts)


def _bin_edges(cell: Mapping[str, Any]) -> list[float] | None:
    packed = cell.get("packedBins")
    if isinstance(packed, Mapping):
        numbers = _finite_numbers([packed.get("min"), packed.get("size"), packed.get("count")])
        if numbers is None or not 0 < numbers[2] <= MAX_BINS:
            return None
        low, size, count = numbers
        return [low + place * size for place in range(int(count) + 1)]
    ends = cell.get("bins")
    return _finite_numbers(ends) if isinstance(ends, Sequence) else None


def _finite_numbers(cells: Sequence[Any]) -> list[float] | None:
    if any(type(cell) not in (int, float) or not math.isfinite(cell) for cell in cells):
        return None
    return [float(cell) for cell in cells]
