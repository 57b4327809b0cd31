"""Columns of times as seconds (UTC), in the forms in which logs have them.

``timeutil`` says which these are. What names no zone is UTC, or of the zone in the configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SourceNameError, shorten
from ..stats.arrays import Floats
from ..timeutil import (
    COMPACT_TIMES,
    EPOCH_MAGNITUDES,
    EXCEL_DAYS,
    HOUR,
    MAX_TIME,
    UNIX_DAYS,
    parse_time_text,
    scale_to_seconds,
)
from .arrow_columns import decode_dictionary, factorize, floats_by_row, is_text_type, to_arrow

if TYPE_CHECKING:
    from .readers import PredictionLog


MAX_LEAD = 14 * HOUR
"""By which local times can be ahead of UTC, as in Kiribati."""


def times_by_row(array: Any, zone: str = "") -> Floats:
    """One time a row, seconds (UTC); NaN if the cell has none. ``zone``: of times that name none, by default UTC."""
    import pyarrow as pa

    array = decode_dictionary(array)
    if is_text_type(array.type):
        times = None if zone else _cast_times(array)
        if times is None:
            codes, texts = factorize(array)
            parsed = [parse_time_text(text, zone) for text in texts]
            times = np.array([*(np.nan if time is None else time for time in parsed), np.nan])[codes]
    elif pa.types.is_timestamp(array.type) and zone and not array.type.tz:
        times = _local_times(array, zone)
    elif pa.types.is_boolean(array.type) or pa.types.is_time(array.type) or pa.types.is_duration(array.type):
        times = np.full(len(array), np.nan)
    else:
        times = floats_by_row(array)
        times = times if pa.types.is_temporal(array.type) else scale_numbers(times, zone)
    is_known = (times >= 0.0) & (times <= MAX_TIME)
    return times if is_known.all() else np.where(is_known, times, np.nan)


def scale_numbers(numbers: Floats, zone: str = "") -> Floats:
    """``scale_to_seconds`` of many numbers; NaN for what is no time."""
    if ((numbers > COMPACT_TIMES[0][1]) & (numbers < EPOCH_MAGNITUDES[-1][0])).all():
        return numbers  # seconds, as in most logs
    size, seconds = np.abs(numbers), numbers.copy()
    for above, per_second in reversed(EPOCH_MAGNITUDES):
        seconds = np.where(size > above, numbers / per_second, seconds)
    is_civil = (numbers >= UNIX_DAYS[0]) & (numbers < EXCEL_DAYS[1])
    for first, last in COMPACT_TIMES:
        is_civil |= (numbers >= first) & (numbers <= last)
    if is_civil.any():
        different, places = np.unique(numbers[is_civil], return_inverse=True)
        scaled = [scale_to_seconds(number, zone) for number in different.tolist()]
        seconds[is_civil] = np.array([np.nan if time is None else time for time in scaled])[places]
    return np.where(np.isfinite(seconds), seconds, np.nan)


def unreadable_times(column: str, cells: Sequence[Any], where: str) -> SourceNameError:
    """The error that no row at all has a time; ``cells``: some of the column. Another try would fail as well."""
    texts = ["an empty cell" if cell is None else repr(shorten(cell, 40)) for cell in cells]
    shown = f", such as {', '.join(texts)}" if texts else ""
    hint = (
        "Times are ISO 8601, such as 2026-11-20T14:00:00Z, compact dates such as 20261120, days as Excel counts them, "
        "or seconds, ms, us or ns since the epoch."
    )
    return SourceNameError(f"no row has a time that can be read in column {column!r}{shown}.", hint=hint, where=where)


def local_time_hint(newest: float, now: float, section: str) -> str:
    """What to do where the newest row is in the future by so little that its time may be local, east of Greenwich, and
    was taken for UTC; else empty. ``section``: of the configuration."""
    if not 0.0 < newest - now <= MAX_LEAD:
        return ""
    return f"If times are local, name their zone: `{section}: {{timezone: Europe/Berlin}}`."


class LocalTimeLog:
    """A log whose times, where they name no zone, are local times of one zone."""

    def __init__(self, log: PredictionLog, columns: Sequence[str], zone: str) -> None:
        self._log, self._columns, self._zone = log, columns, zone
        self.where, self.names, self.rows = log.where, log.names, log.rows

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        for batch in self._log.batches(columns):
            for name in self._columns:
                place = batch.schema.get_field_index(name)
                if place >= 0:
                    times = times_by_row(batch.column(place), self._zone)
                    batch = batch.set_column(place, name, to_arrow(times, missing=np.isnan(times)))
            yield batch


def _local_times(array: Any, zone: str) -> Floats:
    """A time that the clocks skip or repeat in autumn and spring counts as the earlier one."""
    import pyarrow.compute as pc

    return floats_by_row(pc.assume_timezone(array, zone, ambiguous="earliest", nonexistent="earliest"))


def _cast_times(array: Any) -> Floats | None:
    """Texts as times by Arrow's parser, much faster than Python's; ``None`` unless it accepts every cell. All must have
    a time zone, or none."""
    import pyarrow as pa

    try:
        return scale_numbers(floats_by_row(array.cast(pa.float64())))
    except pa.ArrowInvalid:
        pass
    for zone in ("UTC", None):
        try:
            return floats_by_row(array.cast(pa.timestamp("us", zone)))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
    return None
