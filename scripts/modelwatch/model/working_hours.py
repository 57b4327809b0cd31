"""The hours in which a team works: pages that are not urgent wait for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from ..timeutil import DAY, HOUR, public_holidays
from .alert import Mute
from .severity import Severity

HOURS = "hours"
"""``Mute.by`` of a page that waits."""


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """``days`` 0 (Monday) to 6, from ``start`` to ``end`` seconds of the day, by the clocks of the model."""

    days: tuple[int, ...] = field(default=(0, 1, 2, 3, 4))
    start: float = 9 * HOUR
    end: float = 18 * HOUR
    sudden: Severity = Severity.INFO
    """From this severity on what came at once pages at any time."""
    slow: Severity = Severity.CRITICAL
    """The same of what came day by day."""
    holidays: tuple[str, ...] = ()
    """Countries (ISO 3166: ``DE``, ``DE-BE``) whose public holidays are no working days."""

    def opening(self, time: float, zone: str) -> float:
        """The first moment of working hours at or after ``time`` (seconds, UTC)."""
        clock = ZoneInfo(zone or "UTC")
        today = datetime.fromtimestamp(time, clock).date()
        # From the day before, whose hours can reach into today, to the fourth week: one day of a week can be a holiday.
        for offset in range(-1, 30):
            day = today + timedelta(days=offset)
            if day.weekday() not in self.days or any(
                day in public_holidays(country, day.year) for country in self.holidays
            ):
                continue
            begin = _moment(day, self.start, clock)
            end = _moment(day, self.end + (DAY if self.end <= self.start else 0.0), clock)
            if time < end:
                return max(begin, time)
        return time


def _moment(day: date, seconds: float, clock: ZoneInfo) -> float:
    """When the clocks show this time of ``day`` (seconds, UTC); 24:00 and later is on the next one."""
    days, rest = divmod(seconds, DAY)
    midnight = datetime(day.year, day.month, day.day, tzinfo=clock) + timedelta(days=days)
    return (midnight + timedelta(seconds=rest)).astimezone(UTC).timestamp()


def page_wait(
    hours: WorkingHours | None, zone: str, severity: Severity, due: float | None, now: float, *, is_slow: bool
) -> Mute | None:
    """Why a page waits, and until when; ``None`` where it does not.

    ``due``: until when it was to wait when that was first decided. It waits no longer: where nobody looks in working
    hours, it is sent at the first look after them.
    """
    if hours is None or severity >= (hours.slow if is_slow else hours.sudden):
        return None
    until = hours.opening(now, zone) if due is None else due
    if now >= until:
        return None
    slowly = "slowly and " if is_slow else ""
    text = f"what gets worse {slowly}to less than {hours.slow if is_slow else hours.sudden}"
    return Mute(HOURS, f"{text} pages in working hours", until)
