"""Features that have the names of other parts of a row: what they mean, and when a warning tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from .values import is_missing


def take_roles(
    cells: dict[str, Any], roles: Mapping[str, str], given: Mapping[str, Any], warn: Callable[[str, str], None]
) -> dict[str, Any]:
    """By role the value of a row. A cell in the column of a role leaves ``cells``, and counts where no argument was
    ``given``. ``roles``: by column; ``warn`` takes a column whose cells are not used, and why."""
    found = dict(given)
    for name in [name for name in roles if name in cells]:
        role, cell = roles[name], cells.pop(name)
        if is_missing(cell):
            continue
        if found[role] is not None:
            if found[role] != cell:
                warn(name, f"is not recorded: it is that of the {role}, which is given. Name another: `{role}=`")
            continue
        if role in ("time", "latency"):
            number = seconds_of(cell, is_time=role == "time")
            if number is None:
                warn(name, f"is not recorded: it is that of the {role}, and holds no seconds. Name another: `{role}=`")
            found[role] = number
        else:
            found[role] = cell
    return found


def seconds_of(cell: Any, *, is_time: bool) -> float | None:
    """Of a plain cell: a number, or its text; of a time (UTC unless it says otherwise) also a date and time in ISO
    8601. ``None`` for anything else."""
    if isinstance(cell, str):
        try:
            if is_time:
                parsed = datetime.fromisoformat(cell)
                return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
        except ValueError:
            pass
        try:
            return float(cell)
        except ValueError:
            return None
    return float(cell) if isinstance(cell, int | float) else None
