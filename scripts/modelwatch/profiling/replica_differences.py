"""Where what a model's recorders count differs: by their settings from ``measure:``, by their rows from each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..model.prediction_log import MeasureSpec
from ..stats.profile.categorical import CategoricalProfile
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import ColumnProfile, Profile, TableProfile
from .arrow_columns import parse_number_or_nan


def settings_notes(profile: Profile, spec: MeasureSpec) -> Iterator[str]:
    """What to change where recorders count other windows or segments than ``measure:`` names."""
    whole = {key: table for key, table in profile.cells.items() if not key.segment}
    is_longer = any(table.newest - key.window >= spec.window for key, table in whole.items())
    is_shorter = any(key.window % spec.window for key in whole)
    if is_longer or is_shorter:
        than = "longer" if is_longer else "shorter"
        yield (
            f"recorders count windows that are {than} than `window` here: give them `window={spec.window:g}` (or "
            "`Recorder.from_config`), or change `measure: {window}` to theirs. Rows that are recorded already keep "
            "their windows."
        )
    counted = {column for key in profile.cells for column, _ in key.segment}
    single = {column for key in profile.cells if len(key.segment) == 1 for column, _ in key.segment}
    missing = [name for name in spec.segments if name not in single]
    if whole and missing:
        names = ", ".join(repr(name) for name in spec.segments)
        yield (
            f"recorders do not count the segments of {', '.join(map(repr, missing))}: give them `segments=[{names}]` "
            "(or `Recorder.from_config`). Rows that are recorded already have no such segments."
        )
    more = sorted(counted - {*spec.segments})
    if more:
        names = ", ".join(more)
        yield f"recorders count segments that `measure:` does not name: {names}. Add them to `segments` there."


def kind_notes(parts: Sequence[Profile], total: TableProfile) -> Iterator[str]:
    """Columns that hold numbers in some ``parts`` and texts in others. ``total``: of all their rows."""
    for name, column in sorted(total.columns.items()):
        own = [table.columns[name] for part in parts for table in _whole_tables(part) if name in table.columns]
        kinds = {type(one) for one in own}
        if not {NumericProfile, CategoricalProfile} <= kinds:
            continue
        numbers, others = map(sum, zip(*map(count_kinds, own), strict=True))
        are_numbers = isinstance(column, NumericProfile)
        minority = others if are_numbers else numbers
        if not minority:
            continue
        kind, rest = ("numbers", "are texts that are none") if are_numbers else ("texts", "are numbers, without a name")
        yield (
            f"{name!r} holds numbers in some replicas and texts in others, and counts as {kind}, as most of its cells "
            f"are: {100 * minority / (numbers + others):.2g} % {rest}."
        )


def count_kinds(column: ColumnProfile) -> tuple[int, int]:
    """How many cells are numbers, texts that read as one included, and how many are not."""
    if isinstance(column, NumericProfile):
        return column.n, column.other_types
    counts = column.named_counts
    reading = sum(count for text, count in counts.items() if not np.isnan(parse_number_or_nan(text)))
    return reading, column.n - reading


def _whole_tables(profile: Profile) -> Iterator[TableProfile]:
    return (table for key, table in profile.cells.items() if not key.segment)
