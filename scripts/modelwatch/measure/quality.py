"""Data quality, counted: what is missing, of another type, out of range, new, gone, repeated or late."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..stats.profile.categorical import CategoricalProfile
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import Column, TableProfile

Scalars = dict[str, float]


def of_table(table: TableProfile, end: float) -> Scalars:
    """Volume, duplicates and freshness of one window that ends at ``end`` (seconds, UTC)."""
    found: Scalars = {"rows": float(table.rows), "n": float(table.rows)}
    if table.ids is not None and table.ids.rows:
        found["duplicate_rate"] = table.duplicates / table.ids.rows
        found["id_missing_rate"] = table.ids.missing / table.rows
    if not np.isnan(table.newest):
        found["freshness"] = end - table.newest
    return found


def of_columns(table: TableProfile, reference: TableProfile | None) -> Mapping[str, Scalars]:
    """By column name. What needs a reference is left out where there is none, or where it lacks the column."""
    known = reference.columns if reference else {}
    return {name: of_column(name, table, known.get(name)) for name in table.columns}


def of_column(name: str, table: TableProfile, known: Column | None) -> Scalars:
    """Shares of all rows; ``n`` is how many there were."""
    column = table.columns[name]
    rows = column.rows
    found: Scalars = {"n": float(rows)}
    if not rows:
        return found
    found["missing_rate"] = column.missing / rows
    if isinstance(column, NumericProfile):
        found["type_rate"] = column.other_types / rows
        found["infinite_rate"] = (column.infinite_low + column.infinite_high) / rows
        if isinstance(known, NumericProfile) and known.n:
            found["out_of_range_rate"] = outside(column, known.low, known.high) / rows
        return found
    found["cardinality"] = column.cardinality
    if isinstance(known, CategoricalProfile):
        found["new_rate"] = (column.n - sum(column.counts.values())) / rows
        found["vanished"] = float(len(known.counts.keys() - column.counts.keys()))
    formats = table.formats.get(name)
    if formats is not None and formats.vocabulary:
        found["format_rate"] = (formats.n - sum(formats.counts.values())) / rows
    return found


def outside(column: NumericProfile, low: float, high: float) -> int:
    """Values below ``low`` or above ``high``, infinite ones included.

    Exact where ``high`` and the number before ``low`` are edges, as they are for the extremes that edges were chosen
    from; else a value in the same bin as an extreme counts as inside.
    """
    below = np.concatenate([[0], np.cumsum(column.counts)])
    at_low = int(np.searchsorted(column.edges, np.nextafter(low, -np.inf), side="right"))
    at_high = int(np.searchsorted(column.edges, high, side="left"))
    under = int(below[at_low])
    over = int(column.n - below[min(at_high + 1, len(below) - 1)])
    return under + over + column.infinite_low + column.infinite_high
