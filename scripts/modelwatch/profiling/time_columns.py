"""Columns of times as seconds (UTC), in the forms in which logs have them.

Numbers are seconds, milliseconds, microseconds or nanoseconds since the epoch, days since it, days as Excel counts
them, or a compact date (20261120, 20261120143000): each by its size, since logs are of this century. Text is one of
these, or ISO 8601, with `` UTC`` too. What names no zone is UTC, or of the zone in the configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from ..stats.arrays import Floats
from ..timeutil import DAY, EPOCH_MAGNITUDES
from .arrow_columns import decode_dictionary, factorize, floats_by_row, is_text_type, parse_number_or_nan, to_arrow

if TYPE_CHECKING:
    from .readers import PredictionLog

UNIX_DAYS = (10_957.0, 36_525.0)
"""2000 to 2070. As seconds they would be hours of the first day of 1970."""
EXCEL_DAYS = (36_526.0, 73_416.0)
"""2000 to 2101 (ECMA-376, part 1, 18.17.4.1: day 1 is the first of 1900)."""
EXCEL_EPOCH = 25_569.0
"""The day of the Unix epoch."""
COMPACT_DATES = (20_000_101.0, 21_001_231.0)
COMPACT_TIMES = (20_000_101_000_000.0, 21_001_231_235_959.0)


def times_by_row(array: Any, zone: str = "") -> Floats:
    """One time a row, seconds (UTC); NaN if the cell has none. ``zone``: of times that name none, by default UTC."""
    import pyarrow as pa

    array = decode_dictionary(array)
    if is_text_type(array.type):
        cast = None if zone else _cast_times(array)
        if cast is not None:
            return cast
        codes, texts = factorize(array)
        return np.array([*(_parse_time(text, zone) for text in texts), np.nan])[codes]
    if pa.types.is_timestamp(array.type) and zone and not array.type.tz:
        return _local_times(array, zone)
    times = floats_by_row(array)
    return times if pa.types.is_temporal(array.type) else scale_numbers(times, zone)


def scale_numbers(times: Floats, zone: str = "") -> Floats:
    """Seconds (UTC) from numbers in any of the units above; NaN for what is no time."""
    if ((times > COMPACT_DATES[1]) & (times < EPOCH_MAGNITUDES[-1][0])).all():
        return times  # seconds, as in most logs
    with np.errstate(invalid="ignore", over="ignore"):
        size, seconds = np.abs(times), times.copy()
        for above, unit in EPOCH_MAGNITUDES:
            seconds = np.where(size > above, times / unit, seconds)
            size = np.abs(seconds)
        is_unix_day = (times >= UNIX_DAYS[0]) & (times < UNIX_DAYS[1])
        seconds = np.where(is_unix_day, times * DAY, seconds)
        is_excel_day = (times >= EXCEL_DAYS[0]) & (times < EXCEL_DAYS[1])
        seconds = np.where(is_excel_day, (times - EXCEL_EPOCH) * DAY, seconds)
        is_compact = (times >= COMPACT_DATES[0]) & (times <= COMPACT_DATES[1])
        is_compact |= (times >= COMPACT_TIMES[0]) & (times <= COMPACT_TIMES[1])
    if is_compact.any():
        different, places = np.unique(times[is_compact], return_inverse=True)
        seconds[is_compact] = np.array([_parse_compact(number) for number in different.tolist()])[places]
    if zone:
        civil = (is_excel_day | is_compact) & np.isfinite(seconds)
        different, places = np.unique(seconds[civil], return_inverse=True)
        seconds[civil] = np.array([_to_utc(time, ZoneInfo(zone)) for time in different.tolist()])[places]
    return np.where(np.isfinite(seconds), seconds, np.nan)


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


def _parse_time(text: str, zone: str) -> float:
    number = parse_number_or_nan(text)
    if not np.isnan(number):
        return float(scale_numbers(np.array([number]), zone)[0])
    try:
        # Rails and BigQuery write the zone as a word.
        words = text.strip()
        moment = datetime.fromisoformat(words.removesuffix(" UTC") + "+00:00" * words.endswith(" UTC"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone) if zone else UTC)).timestamp()
    except (ValueError, OverflowError):
        return np.nan


def _parse_compact(number: float) -> float:
    """Seconds of 20261120 or 20261120143000; NaN if there is no such day or time."""
    digits = f"{number:.0f}"
    try:
        return datetime.fromisoformat(f"{digits[:8]}T{digits[8:] or '00'}+00:00").timestamp()
    except ValueError:
        return np.nan


def _to_utc(civil: float, zone: ZoneInfo) -> float:
    """Seconds (UTC) of what a clock shows, given as if it were UTC."""
    return datetime.fromtimestamp(civil, UTC).replace(tzinfo=zone).timestamp()


def _local_times(array: Any, zone: str) -> Floats:
    """A time that the clocks skip or repeat in autumn and spring counts as the earlier one."""
    import pyarrow.compute as pc

    return floats_by_row(pc.assume_timezone(array, zone, ambiguous="earliest", nonexistent="earliest"))


def _cast_times(array: Any) -> Floats | None:
    """Texts as times by Arrow's parser, much faster than Python's; ``None`` unless it accepts every cell. All must have
    a time zone, or none."""
    import pyarrow as pa

    for zone in ("UTC", None):
        try:
            return floats_by_row(array.cast(pa.timestamp("us", zone)))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
    return None
