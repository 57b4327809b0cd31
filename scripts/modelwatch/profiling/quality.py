"""Data quality metrics: missing, mistyped, out of range, new, vanished, repeated and late data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..stats.intervals import wilson_bounds
from ..stats.profile.categorical import CategoricalProfile
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import ColumnProfile, TableProfile
from .arrow_columns import count_shapes

Scalars = dict[str, float]

EXCESS_LEVEL = 0.999
"""Confidence level of an excess; high, since every window checks many columns."""
MIN_EXPECTED_ROWS = 20
"""Expected rows of a category from which its absence counts: chance explains that once in e^20 windows."""


def table_quality(table: TableProfile) -> Scalars:
    """Volume and duplicates of one version in one window."""
    scalars: Scalars = {"rows": float(table.rows), "n": float(table.rows)}
    if table.ids is not None and table.ids.rows:
        scalars["duplicate_rate"] = table.ids.duplicates / table.ids.rows
        scalars["id_missing_rate"] = table.ids.missing / table.rows
    return scalars


def window_quality(versions: Sequence[TableProfile], end: float) -> Scalars:
    """Volume and freshness of a window that ends at ``end`` (seconds, UTC), all versions together: unlike the rows of
    one version, they do not drop at a deployment."""
    newest = max((table.newest for table in versions if not np.isnan(table.newest)), default=np.nan)
    return {"volume": float(sum(table.rows for table in versions)), "freshness": end - newest}


def column_quality(name: str, table: TableProfile, reference: TableProfile | None) -> Scalars:
    """Shares of all rows, and ``n``, the number of rows.

    With a reference each share has an excess: the lower bound (99.9 %) of how far it is above the reference's share.
    So chance gives 0, and a column that was bad in the reference already is not bad news. Metrics that need a reference
    are left out if there is none, or if it lacks the column.
    """
    column = table.columns[name]
    rows = column.rows
    scalars: Scalars = {"n": float(rows)}
    if not rows:
        return scalars
    known = reference.columns.get(name) if reference else None
    reference_counts = _bad_cells(name, reference) if reference and known and known.rows else {}
    for defect, count in _bad_cells(name, table, known).items():
        scalars[f"{defect}_rate"] = count / rows
        if known is not None and defect in reference_counts:
            scalars[f"{defect}_excess"] = excess(count, rows, reference_counts[defect], known.rows)
    if isinstance(column, CategoricalProfile):
        scalars["cardinality"] = column.cardinality
        if isinstance(known, CategoricalProfile):
            scalars["vanished"] = float(len(vanished_categories(column, known)))
    return scalars


def _bad_cells(name: str, table: TableProfile, reference: ColumnProfile | None = None) -> dict[str, int]:
    """The number of bad cells of a column by defect; ``reference``: the same column there, ``None`` if the table is the
    reference itself."""
    column = table.columns[name]
    counts = {"missing": column.missing}
    if isinstance(column, NumericProfile):
        counts |= {"type": column.other_types, "infinite": column.infinite_low + column.infinite_high}
        if reference is None:
            counts["out_of_range"] = 0
        elif isinstance(reference, NumericProfile) and reference.n:
            counts["out_of_range"] = count_outside(column, reference.low, reference.high)
        return counts
    # Without a reference a recorder knows no categories; a column of a file knows its own.
    is_known = (
        bool(column.vocabulary) or not column.n if reference is None else isinstance(reference, CategoricalProfile)
    )
    if is_known:
        counts["new"] = column.n - sum(column.counts.values())
    formats = table.formats.get(name)
    if formats is not None and formats.vocabulary:
        counts["format"] = formats.n - sum(formats.counts.values())
    return counts


def excess(count: int, rows: int, reference_count: int, reference_rows: int) -> float:
    """The lower bound of how far ``count / rows`` is above the reference's share; 0 if chance explains it."""
    share, reference_share = count / rows, reference_count / reference_rows
    if share <= reference_share:
        return 0.0
    low, _ = wilson_bounds(share, float(rows), EXCESS_LEVEL)
    _, high = wilson_bounds(reference_share, float(reference_rows), EXCESS_LEVEL)
    least = share - reference_share - np.hypot(share - low, high - reference_share)  # as in ``difference_interval``
    return max(float(least), 0.0)


def vanished_categories(column: CategoricalProfile, reference: CategoricalProfile) -> list[str]:
    """Categories of the reference that did not occur although at least ``MIN_EXPECTED_ROWS`` of each were expected."""
    if not reference.n:
        return []
    return sorted(
        name
        for name, count in reference.counts.items()
        if name not in column.counts and count * column.n >= MIN_EXPECTED_ROWS * reference.n
    )


def without_unknown_formats(column: ColumnProfile, formats: CategoricalProfile | None) -> ColumnProfile:
    """The column without categories whose shape the reference does not have: a change of format is not drift.

    ``formats``: shapes of the same column; their counts tell how many of the unnamed categories have such a shape.
    """
    if not isinstance(column, CategoricalProfile) or formats is None or not formats.vocabulary:
        return column
    misshapen = {name for name in column.unseen if not formats.vocabulary.issuperset(count_shapes({name: 1}))}
    unnamed = formats.n - sum(formats.counts.values()) - sum(column.unseen[name] for name in misshapen)
    unseen = {name: count for name, count in column.unseen.items() if name not in misshapen}
    return replace(column, unseen=unseen, other=max(column.other - max(unnamed, 0), 0))


def count_outside(column: NumericProfile, low: float, high: float) -> int:
    """Values below ``low`` or above ``high``, infinite ones included.

    Exact if ``high`` and the number before ``low`` are edges, as they are for the extremes that edges were chosen from;
    otherwise a value in the same bin as an extreme counts as inside.
    """
    if low <= column.low and column.high <= high:
        return column.infinite_low + column.infinite_high
    cumulated = np.concatenate([[0], np.cumsum(column.counts)])
    low_bin = int(np.searchsorted(column.edges, np.nextafter(low, -np.inf), side="right"))
    high_bin = int(np.searchsorted(column.edges, high, side="left"))
    below = int(cumulated[low_bin])
    above = int(column.n - cumulated[min(high_bin + 1, len(cumulated) - 1)])
    return below + above + column.infinite_low + column.infinite_high
