"""What a caller of ``Recorder`` may give for a setting, or a clear error."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..config.literals import parse_duration
from ..errors import UserError
from ..timeutil import DAY, MINUTE

WHERE = "Recorder"


def seconds(name: str, value: Any) -> float:
    """A number of seconds, or a duration as in the configuration, such as ``1h``. Raises UserError."""
    found = parse_duration(value) if isinstance(value, str) else value
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        hint = "Write seconds, or a duration such as '30s', '1h' or '1d'."
        raise UserError(f"`{name}` is {value!r}, and no duration.", hint=hint, where=WHERE)
    return float(found)


def window_seconds(value: Any) -> float:
    """``seconds`` that divide a day, and are a minute or more. Raises UserError."""
    found = seconds("window", value)
    if found < MINUTE or DAY % found:
        hint = "For example '1h', '6h' or '24h'."
        raise UserError(f"`window` is {value!r}, and does not divide a day.", hint=hint, where=WHERE)
    return found


def text(name: str, value: Any) -> str:
    """Raises UserError for anything but a text."""
    if not isinstance(value, str):
        raise UserError(f"`{name}` is {value!r}, and no text.", where=WHERE)
    return value


def path(name: str, value: Any) -> str:
    """Raises UserError for anything but a path."""
    if not isinstance(value, str | os.PathLike):
        raise UserError(f"`{name}` is {value!r}, and no path.", where=WHERE)
    return str(Path(value)) if value else ""


def names(name: str, value: Any) -> tuple[str, ...]:
    """One name, or several. Raises UserError."""
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else (None,)
    if not all(isinstance(column, str) for column in found):
        hint = "Write one name, or a list of names."
        raise UserError(f"`{name}` is {value!r}, and no list of names.", hint=hint, where=WHERE)
    return found


def columns_by_class(name: str, value: Any) -> tuple[tuple[str, str], ...]:
    """Pairs of a class and its column. Raises UserError."""
    given = {} if value is None else value
    if not isinstance(given, Mapping) or not all(isinstance(column, str) for column in given.values()):
        hint = f"Write a mapping of classes to columns, such as {name}={{'cat': 'score_cat'}}."
        raise UserError(f"`{name}` is {value!r}, and no mapping.", hint=hint, where=WHERE)
    return tuple((str(label), column) for label, column in given.items())
