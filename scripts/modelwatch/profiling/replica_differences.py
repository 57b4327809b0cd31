"""Where the settings of a model's recorders differ from those of ``measure:``."""

from __future__ import annotations

from collections.abc import Iterator

from ..model.prediction_log import MeasureSpec
from ..stats.profile.table import Profile


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
