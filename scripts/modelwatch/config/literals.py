"""Text -> numbers: plain ones, percentages, durations, times of day, moments. ``None`` where the text is none."""

from __future__ import annotations

import math
import re

from ..timeutil import DAY, HOUR, MINUTE

_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_DURATION = re.compile(r"(?:([0-9]+)w)?(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?")
_SECONDS = (7 * DAY, DAY, HOUR, MINUTE, 1.0)
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})")
MAX_DURATION = 3660 * DAY


def parse_number(text: str) -> float | None:
    """``0.5``, ``-3``, ``1e-3``; ``2%`` is 0.02. Never infinite, never NaN."""
    percent = text.endswith("%")
    digits = text[:-1].rstrip() if percent else text
    if not _NUMBER.fullmatch(digits):
        return None
    value = float(digits)
    if not math.isfinite(value):
        return None
    return float(f"{digits}e-2") if percent and "e" not in digits.lower() else value / 100 if percent else value


def parse_duration(text: str) -> float | None:
    """Seconds: ``24h``, ``7d``, ``30m``, ``1h30m``, ``4w``; ``0`` needs no unit. At most ten years."""
    if text == "0":
        return 0.0
    match = _DURATION.fullmatch(text)
    if match is None or not text or len(text) > 40:
        return None
    total = sum(float(count) * seconds for count, seconds in zip(match.groups(), _SECONDS, strict=True) if count)
    return total if total <= MAX_DURATION else None


def format_duration(seconds: float) -> str:
    """As people write it: ``1h30m``, ``24h``, ``30d``."""
    parts = []
    rest = int(seconds)
    for letter, unit in zip("wdhms", _SECONDS, strict=True):
        if letter == "w" or (letter == "d" and rest < 2 * unit):
            continue
        count, rest = divmod(rest, int(unit))
        if count:
            parts.append(f"{count}{letter}")
    return "".join(parts) or "0"


def format_time_of_day(seconds: float) -> str:
    """``09:00``"""
    return f"{int(seconds // HOUR):02}:{int(seconds % HOUR // MINUTE):02}"


def parse_time_of_day(text: str) -> float | None:
    """Seconds since midnight: ``06:00``; ``24:00`` is the end of the day."""
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        return None
    hours, minutes = int(clock[1]), int(clock[2])
    if minutes > 59 or hours * 60 + minutes > 24 * 60:
        return None
    return hours * HOUR + minutes * MINUTE
