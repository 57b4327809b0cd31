"""Data quality, counted: what is missing, of another type, out of range, new, gone, repeated or late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..stats.intervals import difference_interval, wilson_interval
from ..stats.profile.categorical import CategoricalProfile
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import ColumnProfile, TableProfile
from .arrow_columns import count_shapes

Scalars = dict[str, float]

EXCESS_LEVEL = 0.999
"""Level of what an excess is at the least: many columns are looked at in every window."""
MIN_EXPECTED_ROWS = 20
"""Rows of a category that were to be expected: none of them comes once in e^20 windows by chance."""


def table_quality(table: TableProfile) -> Scalars:
    """Volume and duplicates of one version in one window."""
    found: Scalars = {"rows": float(table.rows), "n": float(table.rows)}
    if table.ids is not None and table.ids.rows:
        found["duplicate_rate"] = table.duplicates / table.ids.rows
        found["id_missing_rate"] = table.ids.missing / table.rows
    return found


def window_quality(versions: Sequence[TableProfile], end: float) -> Scalars:
    """Volume and freshness of a window that ends at ``end`` (seconds, UTC), all versions together.

    A deployment cuts the rows of each version, not these.
    """
    newest = max((table.newest for table in versions if not np.isnan(table.newest)), default=np.nan)
    return {"volume": float(sum(table.rows for table in versions)), "freshness": end - newest}


def quality_by_column(table: TableProfile, reference: TableProfile | None) -> Mapping[str, Scalars]:
    """By column name. What needs a reference is left out where there is none, or where it lacks the column."""
    return {name: column_quality(name, table, reference) for name in table.columns}


def column_quality(name: str, table: TableProfile, reference: TableProfile | None) -> Scalars:
    """Shares of all rows; ``n`` is how many there were.

    Beside a share stands, where there is a reference, its excess: how far it lies above the reference's share, at the
    least (99.9 %), so that what chance explains is 0. A column may be broken in the reference already.
    """
    rows = table.columns[name].rows
    found: Scalars = {"n": float(rows)}
    if not rows:
        return found
    known = reference.columns.get(name) if reference else None
    usual = _bad_cells(name, reference) if reference and known and known.rows else {}
    for what, count in _bad_cells(name, table, known).items():
        found[f"{what}_rate"] = count / rows
        if known is not None and what in usual:
            found[f"{what}_excess"] = excess(count, rows, usual[what], known.rows)
    column = table.columns[name]
    if isinstance(column, CategoricalProfile):
        found["cardinality"] = column.cardinality
        if isinstance(known, CategoricalProfile):
            found["vanished"] = float(len(vanished_categories(column, known)))
    return found


def _bad_cells(name: str, table: TableProfile, reference_column: ColumnProfile | None = None) -> dict[str, int]:
    """How many cells of a column are wrong, by what is wrong with them. ``known``: the same column's reference; without
    it the table is the reference itself."""
    column = table.columns[name]
    if isinstance(column, NumericProfile):
        found = {
            "missing": column.missing,
            "type": column.other_types,
            "infinite": column.infinite_low + column.infinite_high,
        }
        if reference_column is None or (isinstance(reference_column, NumericProfile) and reference_column.n):
            found["out_of_range"] = (
                count_outside(column, reference_column.low, reference_column.high)
                if isinstance(reference_column, NumericProfile)
                else 0
            )
        return found
    found = {"missing": column.missing}
    if reference_column is None or isinstance(reference_column, CategoricalProfile):
        found["new"] = column.n - sum(column.counts.values())
    formats = table.formats.get(name)
    if formats is not None and formats.vocabulary:
        found["format"] = formats.n - sum(formats.counts.values())
    return found


def excess(count: int, rows: int, reference_count: int, reference_rows: int) -> float:
    """By how much ``count / rows`` lies above ``usual / of`` at the least; 0 where it may be no more."""
    shares, sizes = (
        np.array([count / rows, reference_count / reference_rows]),
        np.array([float(rows), float(reference_rows)]),
    )
    low, high = wilson_interval(shares, sizes, EXCESS_LEVEL)
    least, _ = difference_interval(shares[:1], low[:1], high[:1], shares[1:], low[1:], high[1:])
    return max(float(least[0]), 0.0)


def vanished_categories(column: CategoricalProfile, reference: CategoricalProfile) -> list[str]:
    """Categories of the reference that did not occur though at least ``DUE`` rows of each were to be expected."""
    if not reference.n:
        return []
    return sorted(
        name
        for name, count in reference.counts.items()
        if name not in column.counts and count * column.n >= MIN_EXPECTED_ROWS * reference.n
    )


def without_unknown_formats(column: ColumnProfile, formats: CategoricalProfile | None) -> ColumnProfile:
    """Without the categories whose shape the reference does not have: a change of format is no drift.

    ``formats``: shapes of the same column. Categories that were not counted by name are told apart by its counts.
    """
    if not isinstance(column, CategoricalProfile) or formats is None or not formats.vocabulary:
        return column
    strange = {name for name in column.unseen if not formats.vocabulary.issuperset(count_shapes({name: 1}))}
    unnamed = formats.n - sum(formats.counts.values()) - sum(column.unseen[name] for name in strange)
    unseen = {name: count for name, count in column.unseen.items() if name not in strange}
    return replace(column, unseen=unseen, other=max(column.other - max(unnamed, 0), 0))


def count_outside(column: NumericProfile, low: float, high: float) -> int:
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
