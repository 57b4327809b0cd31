"""The arguments of a row besides its features, as plain values of the types that they have in an entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from .conversion import Conversion
from .protection import Protection
from .roles import seconds_of
from .settings import RecorderSettings
from .values import RowError, is_missing, is_unreadable

MAX_CLASSES = 1024
"""With scores, in one row."""


@dataclass(frozen=True, slots=True)
class RowFields:
    settings: RecorderSettings
    protection: Protection

    def cell(self, role: str, value: Any, conversion: Conversion | None = None) -> Any:
        """Of a role that may be anything; ``None`` also for NaN and its like."""
        name = self.settings.columns[role]
        cell = (conversion or Conversion(self.protection)).column_cell(name, name, value)
        return None if is_missing(cell) else cell

    def error(self, value: Any, conversion: Conversion | None = None) -> Any:
        """Of an exception its class: its text may hold what a person typed."""
        kind = value if isinstance(value, type) else type(value)
        return kind.__name__ if issubclass(kind, BaseException) else self.cell("error", value, conversion)

    def error_text(self, value: Any) -> str | None:
        """``error``, as text."""
        found = None if value is None else self.error(value)
        return None if found is None else str(found)

    def seconds(self, role: str, value: Any, conversion: Conversion | None = None) -> float | None:
        """Of ``time`` (UTC) or ``latency``, whose columns are never protected. Raises RowError for anything else."""
        if value is None or value.__class__ is float:
            return value
        cell = self.cell(role, value, conversion)
        if cell is None:
            return None
        found = seconds_of(cell, is_time=role == "time")
        if found is None:
            wanted = "neither seconds nor a date and time" if role == "time" else "no number of seconds"
            raise RowError(f"`{role}` is {wanted}")
        return found

    def scores(self, score: Mapping[Any, Any], conversion: Conversion) -> dict[str, Any]:
        """By column the scores of classes. Where the column of the score is protected, so is each of them."""
        settings, found = self.settings, dict[str, Any]()
        whole = settings.columns["score"]
        is_protected = whole in self.protection.names
        for label, value in islice(score.items(), MAX_CLASSES):
            name = conversion.label(label)
            column = settings.scores.get(name, f"score_{name}")
            if column in self.protection.names:
                found[column] = conversion.column_cell(column, column, value)
            else:
                found[column] = conversion.part((label, whole) if is_protected else label, value)
        return found


def id_or_none(cell: Any) -> Any:
    """A plain cell, if it can be an id."""
    return None if is_missing(cell) or cell == "" or is_unreadable(cell) else cell
