"""The matrix as a table: a row a request, a column a fault."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .columns import Column
from .matrix import Tried

GREEN, RED, NONE = "ok", "RED", ""


def render(title: str, tried: Sequence[Tried], columns: Sequence[Column]) -> str:
    """One scenario. Cells that were not tried stay empty."""
    found = {(one.cell.row, one.cell.column): one for one in tried}
    rows = sorted({one.cell.row for one in tried}, key=lambda row: (row.whole, row.place, row.service))
    names = [short(row.name) for row in rows]
    width = max(len(name) for name in names)
    widths = [max(len(column.name), len(RED)) for column in columns]
    lines = [title, _line("", width, [column.name for column in columns], widths)]
    for row, name in zip(rows, names, strict=True):
        cells = [_shown(found.get((row, column))) for column in columns]
        lines.append(_line(name, width, cells, widths))
    return "\n".join(lines)


def _line(name: str, width: int, cells: Iterable[str], widths: Sequence[int]) -> str:
    return f"  {name:<{width}}  " + " ".join(f"{cell:>{size}}" for cell, size in zip(cells, widths, strict=True))


def _shown(tried: Tried | None) -> str:
    return NONE if tried is None else RED if tried.wrong else GREEN


def short(name: str) -> str:
    """Without the repository."""
    return name.replace("/repos/acme/churn", "…")


def explain(tried: Tried) -> str:
    """A red cell, in full."""
    cell = tried.cell
    told = "\n".join(f"      {problem}" for problem in tried.wrong)
    return f"  RED {cell.scenario.name} | {short(cell.row.name)} | {cell.column.name}\n{told}"
