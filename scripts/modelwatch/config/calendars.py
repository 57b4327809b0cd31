"""Calendars and time zones: the keys, and reading a team's own calendar file."""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any

from ..errors import ConfigError, did_you_mean
from ..model.calendar import CalendarEvent, CalendarSpec
from ..regular_file import read_regular_file
from ..timeutil import DAY
from .field_types import AnyOf, Enumeration, ListOf, ScalarType, Schema, Text, duration, one_or_more
from .reader import Reader
from .sections import Field, ParsedSection, Section
from .vocabulary import PATH, SWITCH
from .yaml_nodes import MappingNode, Node, ScalarNode, SequenceNode, parse_yaml

MAX_CALENDAR_BYTES = 1_000_000
DATE_PATTERN = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


class Zone(ScalarType[str]):
    """A time zone of the IANA database."""

    description = "a time zone such as Europe/Berlin"

    def read_scalar(self, node: ScalarNode, reader: Reader) -> str | None:
        from zoneinfo import ZoneInfo, available_timezones

        try:
            return ZoneInfo(node.text).key
        except (ValueError, OSError, KeyError):  # an unknown zone is a KeyError
            return self._reject(node, reader, did_you_mean(node.text, available_timezones()))

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "minLength": 1, "maxLength": 100}


class Country(ScalarType[str]):
    """A country, or a part of it, whose holidays the package `holidays` knows."""

    description = "a country such as DE, or a part of one such as DE-BE"

    def read_scalar(self, node: ScalarNode, reader: Reader) -> str | None:
        from holidays import country_holidays
        from holidays.registry import COUNTRIES

        code, _, part = node.text.partition("-")
        names = {name: code for spellings in COUNTRIES.values() for name in spellings for code in spellings[1:2]}
        if code not in names.values():
            known = names.get(code) or names.get(code.title()) or names.get(code.upper())
            guess = f"Did you mean `{known}`?" if known else did_you_mean(code, names.values())
            return self._reject(node, reader, guess)
        subdivisions = country_holidays(code).subdivisions
        if part and part not in subdivisions:
            return self._reject(node, reader, did_you_mean(part, subdivisions))
        return node.text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": "^[A-Za-z0-9-]+$", "maxLength": 40}


class Date(ScalarType[str]):
    """A day, as ISO writes it."""

    description = "a date such as 2026-11-27"

    def read_scalar(self, node: ScalarNode, reader: Reader) -> str | None:
        try:
            return date.fromisoformat(node.text).isoformat()
        except ValueError:
            return self._reject(node, reader)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": f"^{DATE_PATTERN}$"}


EVENT = Section(
    "a calendar entry",
    {
        "name": Field(Text("a name", max_length=100), "What happens; entries of one name are alike.", required=True),
        "from": Field(Date(), "The first day.", required=True),
        "to": Field(Date(), "The last day, included; by default the first one."),
        "yearly": Field(Enumeration("true or false", SWITCH), "Whether it recurs on these dates of every year."),
    },
)
CALENDAR = Section(
    "the calendar",
    {
        "country": Field(
            one_or_more(Country()),
            "Public holidays of a country (ISO 3166, `DE`) or of a part of it (`DE-BE`, `US-CA`), or of several.",
            attribute="countries",
        ),
        "file": Field(
            PATH,
            "Your own days: a YAML list or a CSV file of `name`, `from`, `to` (included) and `yearly`.",
        ),
        "history": Field(duration(30 * DAY), "How far back earlier days of the calendar are looked for."),
    },
    "Days on which a metric is expected to differ. What they do is learned from the earlier days of the same name, or "
    "of holidays together; a drop on top is found. Where too few earlier days are known, they count for nothing.",
    dataclass=CalendarSpec,
)
CALENDAR_FIELDS = {
    "timezone": Field(
        Zone(), "The time zone whose hours, weekdays and calendar days count: `Europe/Berlin`; by default UTC."
    ),
    "calendar": Field(
        AnyOf(scalar=Enumeration("`off` or a mapping", {"off": False}), mapping=CALENDAR),
        "Days that differ, such as holidays and sales. A rule's own calendar replaces its model's.",
    ),
}


def read_calendar(section: ParsedSection) -> CalendarSpec | None:
    """The calendar of a model or a rule; ``None`` where it has none of its own, an empty one where it is off."""
    stated = section.get("calendar")
    if not isinstance(stated, ParsedSection):
        return None if stated is None else CalendarSpec()
    if "country" not in stated and "file" not in stated:
        stated.add_problem("the calendar names no days: give `country` or `file`.")
    spec: CalendarSpec = stated.build(events=_read_file(stated) if stated.get("file") else ())
    return spec


def _read_file(section: ParsedSection) -> tuple[CalendarEvent, ...]:
    """The entries of the file; what is wrong in it is reported where the configuration names it."""
    path = section.reader.folder / section.get("file")
    reader = Reader(str(path), path.parent, section.reader.vault)
    try:
        content = read_regular_file(path, MAX_CALENDAR_BYTES)
        root = _parse_csv(content) if path.suffix.lower() == ".csv" else parse_yaml(content, str(path))
    except ConfigError as error:
        problems: list[Any] = list(error.problems)
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        section.add_problem(f"the calendar file {section.get('file')} cannot be read: {reason}.", value="file")
        return ()
    else:
        entries = ListOf(EVENT).read(root, reader) or []
        events = tuple(event for entry in entries if (event := _build_event(entry)))
        problems = reader.problems()
    for problem in problems:
        section.add_problem(
            f"the calendar has a problem at {problem.where}: {problem.message}", problem.hint, value="file"
        )
    return () if problems else tuple(dict.fromkeys(events))


def _build_event(entry: ParsedSection) -> CalendarEvent | None:
    name, first = entry.get("name"), entry.get("from")
    if name is None or first is None:
        return None
    last = entry.get("to", first)
    if last < first:
        entry.add_problem("the entry ends before it begins.", value="to")
    elif entry.get("yearly", False) and (date.fromisoformat(last) - date.fromisoformat(first)).days >= 365:
        entry.add_problem("an entry that recurs every year is shorter than one.", value="to")
    return CalendarEvent(name, first, last, bool(entry.get("yearly", False)))


def _parse_csv(content: bytes) -> Node:
    """The rows as YAML nodes, which know their line; empty cells are left out."""
    with io.StringIO(content.decode("utf-8-sig"), newline="") as file:
        rows = csv.reader(file, strict=True)
        head = [name.strip() for name in next(rows, [])]
        items: list[Node] = []
        for row in rows:
            line = rows.line_num
            cells = zip(head, row, strict=False)
            pairs: list[tuple[Node, Node]] = [
                (ScalarNode(line, 1, name, False), ScalarNode(line, 1, cell.strip(), True))
                for name, cell in cells
                if cell.strip()
            ]
            if pairs:
                items.append(MappingNode(line, 1, pairs))
    return SequenceNode(1, 1, items)
