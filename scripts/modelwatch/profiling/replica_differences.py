"""Where recorders of one model differ: a column of numbers here and of categories there, and other settings than those
of ``measure:``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..model.prediction_log import MeasureSpec
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import ColumnProfile, Profile, TableProfile

MAX_NOTES = 10


@dataclass(frozen=True, slots=True)
class OmittedColumn:
    """A column of one profile that is left out of the sum."""

    name: str
    kind: str
    expected: str
    profile: str
    """The name of its file."""
    rows: int

    def __str__(self) -> str:
        return (
            f"the column {self.name!r} holds {self.kind} in {self.profile} ({self.rows:,} rows), and {self.expected} "
            "in newer profiles: it counts without these rows, and everything else with them."
        )


def omit_unlike_columns(part: Profile, total: TableProfile, name: str) -> tuple[Profile, list[OmittedColumn]]:
    """The profile without the columns whose kind (numbers or categories) is not that in ``total``, and which these are.

    ``total``: the sum of what counts; ``name``: of the profile.
    """
    own = part.whole()
    omitted = [
        OmittedColumn(column, _kind(content), _kind(total.columns[column]), name, part.rows)
        for column, content in own.columns.items()
        if column in total.columns and _kind(content) != _kind(total.columns[column])
    ]
    if not omitted:
        return part, []
    names = {column.name for column in omitted}
    cells = {
        key: replace(
            table,
            columns={name: column for name, column in table.columns.items() if name not in names},
            formats={name: shapes for name, shapes in table.formats.items() if name not in names},
        )
        for key, table in part.cells.items()
    }
    return replace(part, cells=cells), omitted


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


def _kind(column: ColumnProfile) -> str:
    return "numbers" if isinstance(column, NumericProfile) else "categories"
