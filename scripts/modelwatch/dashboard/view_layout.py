"""How the panels of a view are arranged: the few that matter most first, a dozen in all, the rest folded."""

from __future__ import annotations

from collections.abc import Sequence

from .page import Panel, View, ViewName

CRITICAL = 3
SHOWN = 12
"""Critical ones included."""
MAX_FOLDED = 40


def arrange_view(name: ViewName, ranked: Sequence[Panel], folded: Sequence[Panel] = (), empty: str = "") -> View:
    """``ranked``: by how much they matter; what finds no room goes to the fold, before ``folded``. Each id once."""
    panels = list({panel.id: panel for panel in reversed([*ranked, *folded])}.values())[::-1]
    visible = min(len({panel.id for panel in ranked}), SHOWN)
    return View(
        name,
        tuple(panels[:visible][:CRITICAL]),
        tuple(panels[CRITICAL:visible]),
        tuple(panels[visible : visible + MAX_FOLDED]),
        "" if panels else empty,
    )
