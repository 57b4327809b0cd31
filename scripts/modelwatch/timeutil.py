"""Units of time, times as text, public holidays. A time is seconds since the epoch (UTC) everywhere in modelwatch."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

EPOCH_MAGNITUDES = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""A number above the first is in ns, us or ms, of which the second make a second. (1e11 s is the year 5138.)"""
UNIX_DAYS = (10_957.0, 36_525.0)
"""2000 to 2070, in days since the epoch. As seconds they would be hours of the first day of 1970."""
EXCEL_DAYS = (36_526.0, 73_416.0)
"""2000 to 2101 (ECMA-376, part 1, 18.17.4.1: day 1 is the first of 1900)."""
EXCEL_EPOCH = 25_569.0
"""The day of the Unix epoch, as Excel counts."""
COMPACT_TIMES = (
    (20_000_101.0, 21_001_231.0),
    (200_001_010_000.0, 210_012_312_359.0),
    (20_000_101_000_000.0, 21_001_231_235_959.0),
)
"""20261120, 202611201430 and 20261120143000."""
MAX_TIME = 1e11
"""The year 5138: a later number (seconds, UTC) is no time, and would fail wherever it is shown as a date."""


def is_time(number: float) -> bool:
    """Whether ``number`` can be a time: seconds since the epoch, before ``MAX_TIME``."""
    return 0.0 <= number <= MAX_TIME


def scale_to_seconds(number: float, zone: str = "") -> float | None:
    """Seconds (UTC) from a number of seconds, milliseconds, microseconds or nanoseconds since the epoch, of days since
    it or as Excel counts them, or from a compact date: each by its size, since logs are of this century.

    ``None`` for what is no time. ``zone``: of Excel's days and compact dates, by default UTC.
    """
    if not math.isfinite(number):
        return None
    if UNIX_DAYS[0] <= number < UNIX_DAYS[1]:
        return number * DAY
    if EXCEL_DAYS[0] <= number < EXCEL_DAYS[1]:
        return to_utc((number - EXCEL_EPOCH) * DAY, zone)
    if any(first <= number <= last for first, last in COMPACT_TIMES):
        digits = f"{number:.0f}"
        civil = parse_iso_or_none(f"{digits[:8]}T{digits[8:] or '00'}")
        return None if civil is None else to_utc(civil, zone)
    return next((number / per_second for above, per_second in EPOCH_MAGNITUDES if abs(number) > above), number)


def to_utc(civil: float, zone: str) -> float:
    """Seconds (UTC) of what the clocks of a zone show, given as if it were UTC: of a time that they repeat the earlier
    one."""
    return datetime.fromtimestamp(civil, UTC).replace(tzinfo=ZoneInfo(zone)).timestamp() if zone else civil


def timestamp(moment: datetime) -> float:
    """Seconds of a datetime, which is UTC where it has no time zone."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def parse_iso(text: str) -> float:
    """Seconds of an ISO 8601 text, which is UTC where it names no time zone. Raises ValueError."""
    return timestamp(datetime.fromisoformat(text))


def parse_iso_or_none(text: str) -> float | None:
    """The same as ``parse_iso``, but ``None`` where the text is no time."""
    try:
        return parse_iso(text)
    except (ValueError, OverflowError):
        return None


_SLASHED_DATE = re.compile(r"(\d{4})/(\d{2})/(\d{2})\b")
_ZONE = re.compile(r"\s+(?:(UTC|GMT|Z)|([+-]\d{2}:?\d{2})(?: UTC)?)$")


def parse_time_text(text: str, zone: str = "") -> float | None:
    """Seconds (UTC) of a text that is a number (as in ``scale_to_seconds``) or an ISO 8601 time, also with the zone as
    a word, after a space, or with slashes in the date; ``None`` for other text. ``zone``: of times that name none."""
    words = text.strip()
    try:
        # Python's own numbers can have underscores.
        return None if "_" in words else scale_to_seconds(float(words), zone)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(words)
    except ValueError:
        # BigQuery and Rails write the zone as a word, Ruby and Go after a space.
        words = _ZONE.sub(lambda found: found[2] or "+00:00", words)
        try:
            moment = datetime.fromisoformat(_SLASHED_DATE.sub(r"\1-\2-\3", words, count=1))
        except ValueError:
            return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone) if zone else UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def format_iso(time: float) -> str:
    """``2026-11-20T14:00:00Z``, for machines."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def format_utc(time: float) -> str:
    """``2026-11-20 14:00 UTC``, for people."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M} UTC"


@lru_cache(maxsize=256)
def public_holidays(country: str, year: int) -> Mapping[date, str]:
    """Name by day, of a country (ISO 3166, ``DE``) or of a part of it (``DE-BE``)."""
    from holidays import country_holidays

    code, _, subdivision = country.partition("-")
    return dict(country_holidays(code, subdiv=subdivision or None, years=year, language="en_US"))
