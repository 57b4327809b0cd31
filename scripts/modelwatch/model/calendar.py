"""Calendars: days on which a metric is expected to differ, such as holidays and sales."""

from __future__ import annotations

from dataclasses import dataclass

from ..timeutil import DAY


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """One entry of a team's own calendar file."""

    name: str
    first: str
    """ISO date, as ``last``, which is included."""
    last: str
    yearly: bool = False
    """It recurs on the same dates of every year."""


@dataclass(frozen=True, slots=True)
class CalendarSpec:
    """The days of some countries and of a file; without any of them no day differs."""

    countries: tuple[str, ...] = ()
    """ISO 3166: ``DE``, or with a subdivision ``DE-BE``."""
    file: str = ""
    """As written in the configuration; ``events`` is its content."""
    events: tuple[CalendarEvent, ...] = ()
    history: float = 400 * DAY
    """How far back earlier days of the calendar are looked for."""

    @property
    def is_empty(self) -> bool:
        return not self.countries and not self.events
