"""When working hours begin, by the clocks of a zone, and which pages wait for them."""

from __future__ import annotations

import pytest

from modelwatch.model.severity import Severity
from modelwatch.model.working_hours import WorkingHours, page_wait
from modelwatch.timeutil import HOUR, parse_iso

BERLIN = "Europe/Berlin"
WEEKDAYS = WorkingHours()
NIGHTS = WorkingHours(days=(4,), start=22 * HOUR, end=6 * HOUR)
WHOLE_DAY = WorkingHours(days=(6,), start=0.0, end=24 * HOUR)
HOLIDAYS = WorkingHours(holidays=("DE-BY",))


@pytest.mark.parametrize(
    ("hours", "zone", "time", "opening"),
    [
        (WEEKDAYS, "", "2026-11-25T10:00", "2026-11-25T10:00"),
        (WEEKDAYS, "", "2026-11-25T08:59", "2026-11-25T09:00"),
        (WEEKDAYS, "", "2026-11-25T18:00", "2026-11-26T09:00"),
        (WEEKDAYS, "", "2026-11-27T18:30", "2026-11-30T09:00"),
        (WEEKDAYS, BERLIN, "2026-11-25T08:10", "2026-11-25T08:10"),
        (WEEKDAYS, BERLIN, "2026-10-24T12:00", "2026-10-26T08:00"),  # the clocks are set back on the 25th
        (WEEKDAYS, BERLIN, "2026-03-28T12:00", "2026-03-30T07:00"),  # and forward on the 29th
        (WEEKDAYS, "Pacific/Auckland", "2026-11-22T21:00", "2026-11-22T21:00"),  # it is Monday there
        (NIGHTS, "", "2026-11-28T05:00", "2026-11-28T05:00"),
        (NIGHTS, "", "2026-11-28T06:00", "2026-12-04T22:00"),
        (WHOLE_DAY, "", "2026-11-29T23:59", "2026-11-29T23:59"),
        (WHOLE_DAY, "", "2026-11-30T00:00", "2026-12-06T00:00"),
        (
            HOLIDAYS,
            BERLIN,
            "2026-12-24T20:00",
            "2026-12-28T08:00",
        ),  # both days of Christmas, of which one is a Saturday
        (HOLIDAYS, BERLIN, "2027-01-06T05:00", "2027-01-07T08:00"),  # in Bavaria alone
        (WorkingHours(holidays=("DE",)), BERLIN, "2027-01-06T05:00", "2027-01-06T08:00"),
        (WorkingHours((4,), holidays=("DE",)), BERLIN, "2026-12-25T05:00", "2027-01-08T08:00"),  # two Fridays in a row
    ],
)
def test_working_hours_begin_by_the_clocks_of_the_zone(hours: WorkingHours, zone: str, time: str, opening: str) -> None:
    assert hours.opening(parse_iso(time), zone) == parse_iso(opening)


SATURDAY, MONDAY = parse_iso("2026-11-28T23:00"), parse_iso("2026-11-30T09:00")


@pytest.mark.parametrize(
    ("hours", "severity", "is_slow", "waits"),
    [
        (None, Severity.WARNING, True, False),
        (WEEKDAYS, Severity.ERROR, True, True),
        (WEEKDAYS, Severity.CRITICAL, True, False),
        (WEEKDAYS, Severity.INFO, False, False),
        (WorkingHours(sudden=Severity.ERROR), Severity.WARNING, False, True),
        (WorkingHours(sudden=Severity.ERROR), Severity.ERROR, False, False),
        (WorkingHours(slow=Severity.ERROR), Severity.ERROR, True, False),
    ],
)
def test_what_is_not_urgent_waits(
    hours: WorkingHours | None, severity: Severity, *, is_slow: bool, waits: bool
) -> None:
    mute = page_wait(hours, "", severity, None, SATURDAY, is_slow=is_slow)
    assert (mute is not None) is waits
    if mute is not None:
        assert (mute.by, mute.until) == ("hours", MONDAY)


def test_it_waits_for_one_opening_only() -> None:
    """Evaluated every night at two: the page is sent at the first look after working hours have begun."""
    night = parse_iso("2026-12-01T02:00")
    assert page_wait(WEEKDAYS, "", Severity.ERROR, MONDAY, night, is_slow=True) is None
    assert page_wait(WEEKDAYS, "", Severity.ERROR, MONDAY, MONDAY - 1, is_slow=True) is not None
