"""Markdown tables; cells come in already escaped."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join(lines)


def two_column_table(rows: Sequence[tuple[str, str]]) -> str:
    """Two columns; the first row stands as the head, since a Markdown table must have one."""
    return table(rows[0], rows[1:]) if rows else ""
