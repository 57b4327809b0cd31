"""Units of time, times as text, public holidays. A time is seconds since the epoch (UTC) everywhere in modelwatch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

EPOCH_MAGNITUDES = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""A number above the first is in ns, us or ms, of which the second make a second. (1e11 s is the year 5138.)"""
MAX_TIME = 1e11
"""The year 5138: a later number (seconds, UTC) is no time, and would fail wherever it is shown as a date."""


def is_time(number: float) -> bool:
    """Whether ``number`` can be a time: seconds since the epoch, before ``MAX_TIME``."""
    return 0.0 <= number <= MAX_TIME


def scale_to_seconds(number: float) -> float | None:
    """Seconds from a number of seconds, milliseconds, microseconds or nanoseconds since the epoch, distinguished by its
    size; ``None`` for NaN and infinities."""
    if not math.isfinite(number):
        return None
    return next((number / per_second for above, per_second in EPOCH_MAGNITUDES if abs(number) > above), number)


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


def parse_time_text(text: str) -> float | None:
    """Seconds of a text that is a number (as in ``scale_to_seconds``) or an ISO 8601 time; ``None`` for other text."""
    try:
        return scale_to_seconds(float(text))
    except ValueError:
        # Rails and BigQuery write the zone as a word.
        return parse_iso_or_none(text.strip().removesuffix(" UTC"))


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
