"""The fleet page: one row a model, worst first."""

from __future__ import annotations

from collections.abc import Iterable

from ..model.finding import Track
from ..report.model_health import HEALTH_ORDER
from .answers import leading_track
from .health import ModelHealth, newest_point
from .page import FleetPage, FleetRow
from .snapshot import ModelSnapshot

MAX_TREND = 60


def fleet_row(snapshot: ModelSnapshot, health: ModelHealth, page: str) -> FleetRow:
    """``page``: address of the model's page, relative to the root of the site."""
    track = leading_track(snapshot)
    return FleetRow(
        snapshot.model.name,
        snapshot.model.owner,
        health.health,
        health.since,
        health.headline,
        health.doing,
        health.severity,
        health.firing,
        thin_out(track) if track else (),
        page,
        newest_point(snapshot),
    )


def thin_out(track: Track) -> tuple[float | None, ...]:
    """At most ``MAX_TREND`` of the track's values, evenly apart, the newest included."""
    step = max(1, -(-track.grid.count // MAX_TREND))
    rows = range((track.grid.count - 1) % step, track.grid.count, step)
    return tuple(None if track.value[row] != track.value[row] else float(f"{track.value[row]:.4g}") for row in rows)


def fleet_page(rows: Iterable[FleetRow], as_of: float, problems: tuple[str, ...] = ()) -> FleetPage:
    def order(row: FleetRow) -> tuple[int, int, float, str]:
        severity = -row.severity.code if row.severity else 1
        return HEALTH_ORDER.index(row.health), severity, -(row.since or 0.0), row.model

    return FleetPage(tuple(sorted(rows, key=order)), as_of, problems=problems)
