"""How the panels of a view are arranged: the few that matter most first, a dozen in all, the rest folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .page import Panel, Table, View, ViewName

CRITICAL = 3
SHOWN = 12
"""Critical ones included."""
MAX_FOLDED = 40


def arrange_view(name: ViewName, ranked: Sequence[Panel], folded: Sequence[Panel] = (), empty: str = "") -> View:
    """``ranked``: by how much they matter; what finds no room goes to the fold, before ``folded``. Each id once."""
    panels = [
        _without_empty_columns(panel) if isinstance(panel, Table) else panel for panel in _unique([*ranked, *folded])
    ]
    visible = min(len({panel.id for panel in ranked}), SHOWN)
    return View(
        name,
        tuple(panels[:visible][:CRITICAL]),
        tuple(panels[CRITICAL:visible]),
        tuple(panels[visible : visible + MAX_FOLDED]),
        "" if panels else empty,
    )


def _unique(panels: Sequence[Panel]) -> list[Panel]:
    """The first of each id."""
    first: dict[str, Panel] = {}
    for panel in panels:
        first.setdefault(panel.id, panel)
    return list(first.values())


def _without_empty_columns(table: Table) -> Table:
    """Columns in which no row says anything take room from the others."""
    kept = [place for place in range(len(table.columns)) if any(row[place] not in ("", "—") for row in table.rows)]
    if not table.rows or len(kept) == len(table.columns):
        return table
    columns = tuple(table.columns[place] for place in kept)
    return replace(table, columns=columns, rows=tuple(tuple(row[place] for place in kept) for row in table.rows))
