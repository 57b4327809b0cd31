"""Time zones and calendars: keys of a model and of a rule, calendar files, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.errors import ConfigError
from modelwatch.model.calendar import CalendarEvent, CalendarSpec
from modelwatch.model.rule import Rule
from modelwatch.sources.requirements import history_reach, plan_read
from modelwatch.timeutil import DAY

from .making import load_model

RULE = "{name: r, kind: latency, metric: m, tiers: {warning: {above: 1}}, MORE}"
SALE = CalendarEvent("sale", "2026-11-23", "2026-11-30")
CLOSING = CalendarEvent("fiscal year-end", "2025-12-28", "2026-01-02", True)


def load_rule(folder: Path, keys: str = "", more: str = "") -> Rule:
    return load_model(folder, keys, RULE.replace("MORE", more)).rules[0]


def refusals(folder: Path, keys: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_model(folder, keys)
    return str(caught.value)


def test_by_default_days_are_those_of_utc_and_none_differs(tmp_path: Path) -> None:
    rule = load_rule(tmp_path)
    assert (rule.timezone, rule.calendar) == ("", None)


def test_a_rule_has_the_zone_and_the_calendar_of_its_model(tmp_path: Path) -> None:
    rule = load_rule(tmp_path, "timezone: Europe/Berlin\ncalendar: {country: [DE-BE, AT], history: 800d}")
    assert rule.timezone == "Europe/Berlin"
    assert rule.calendar == CalendarSpec(("DE-BE", "AT"), history=800 * DAY)


def test_or_its_own(tmp_path: Path) -> None:
    model = "timezone: Europe/Berlin\ncalendar: {country: DE}"
    rule = load_rule(tmp_path, model, "timezone: America/New_York, calendar: {country: US}")
    assert (rule.timezone, rule.calendar) == ("America/New_York", CalendarSpec(("US",)))
    off = load_rule(tmp_path, model, "calendar: off").calendar
    assert off is not None
    assert off.is_empty


def test_a_calendar_changes_the_digest_of_its_rule(tmp_path: Path) -> None:
    plain, dated = (load_rule(tmp_path, "", more) for more in ("", "calendar: {country: DE}"))
    assert plain.digest != dated.digest


def test_drift_has_no_calendar(tmp_path: Path) -> None:
    drift = "{name: d, drift: features/*, method: psi, baseline: {rolling: 28d}, tiers: {warning: {}} MORE}"
    keys = "calendar: {country: DE}"
    assert load_model(tmp_path, keys, drift.replace("MORE", "")).rules[0].calendar is None
    with pytest.raises(ConfigError, match="rules about drift have no `calendar`"):
        load_model(tmp_path, "", drift.replace("MORE", ", calendar: {country: DE}"))


def test_a_calendar_needs_the_history_of_earlier_days(tmp_path: Path) -> None:
    compares = RULE.replace("{above: 1}", "{rise: 10%}").replace("MORE", "baseline: {rolling: 28d}")
    plain, dated = (load_model(tmp_path, keys, compares) for keys in ("", "calendar: {country: DE}"))
    assert plan_read(plain, 0.0).since - plan_read(dated, 0.0).since == (400 - 28 - 7) * DAY
    assert plan_read(dated, 0.0).histograms_since == plan_read(plain, 0.0).since  # it is about numbers
    static = load_rule(tmp_path, "calendar: {country: DE}")
    assert history_reach(static) == history_reach(load_rule(tmp_path))


YAML = """\
- {name: sale, from: 2026-11-23, to: 2026-11-30}
- {name: fiscal year-end, from: 2025-12-28, to: 2026-01-02, yearly: true}
- {name: launch, from: 2026-05-04}
"""
CSV = """\
name,from,to,yearly
sale,2026-11-23,2026-11-30,
fiscal year-end,2025-12-28,2026-01-02,true

launch,2026-05-04,,
"""


@pytest.mark.parametrize(("name", "text"), [("calendar.yml", YAML), ("calendar.csv", CSV)])
def test_a_calendar_file(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    calendar = load_rule(tmp_path, f"calendar: {{file: {name}}}").calendar
    launch = CalendarEvent("launch", "2026-05-04", "2026-05-04")
    assert calendar == CalendarSpec(file=name, events=(SALE, CLOSING, launch))


@pytest.mark.parametrize(
    ("keys", "message", "hint"),
    [
        ("timezone: Europe/Berlinn", "`Europe/Berlinn` is not a time zone", "Europe/Berlin"),
        ("timezone: CEST", "`CEST` is not a time zone", ""),
        ("timezone: ../../etc/passwd", "is not a time zone", ""),
        ("calendar: {country: Germany}", "`Germany` is not a country", "`DE`"),
        ("calendar: {country: de}", "`de` is not a country", "`DE`"),
        ("calendar: {country: DEU}", "`DEU` is not a country", "`DE`"),
        ("calendar: {country: USS}", "`USS` is not a country", "`US`"),
        ("calendar: {country: DE-XY}", "`DE-XY` is not a country", ""),
        ("calendar: {country: US-CAL}", "`US-CAL` is not a country", "`CA`"),
        ("calendar: {}", "names no days", ""),
        ("calendar: {countri: DE}", "`countri` is not a key", "country"),
        ("calendar: {country: DE, history: 5d}", "30d", ""),
        ("calendar: {file: missing.yml}", "missing.yml cannot be read", ""),
    ],
)
def test_what_is_refused(tmp_path: Path, keys: str, message: str, hint: str) -> None:
    text = refusals(tmp_path, keys)
    assert message in text
    assert hint in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {name: sale}", ":1:3: a calendar entry needs `from`"),
        ("- {name: sale, from: 2026-02-30}", ":1:22: `2026-02-30` is not a date"),
        ("- {name: sale, from: 2026-11-23, to: 2026-11-20}", ":1:38: the entry ends before it begins."),
        ("- {name: sale, from: 2025-01-01, to: 2026-11-20, yearly: true}", "recurs every year is shorter"),
        ("- {name: sale, from: 2026-11-23, til: 2026-11-30}", "`til` is not a key of a calendar entry"),
        ("name: sale", "expected a list"),
        ("- [", "calendar.yml:"),
    ],
)
def test_a_problem_in_the_file_is_located_there(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "calendar.yml").write_text(text, "utf-8")
    found = refusals(tmp_path, "calendar: {file: calendar.yml}")
    assert "calendar.yml" in found
    assert message in found


def test_a_csv_row_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "calendar.csv").write_text("name,from\nsale,2026-11-23\nsale,soon\n", "utf-8")
    assert "calendar.csv:3:1: `soon` is not a date" in refusals(tmp_path, "calendar: {file: calendar.csv}")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "calendar.csv").write_bytes(b"\xff\xfe\x00name")
    assert "cannot be read: UnicodeDecodeError" in refusals(tmp_path, "calendar: {file: calendar.csv}")
