"""Every key of ``modelwatch.yml`` as a page for people; made from the same declaration that reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from . import fields, rule_fields
from .shapes import Field, Section

FIRST_SECTIONS = (
    fields.FILE,
    fields.MODEL,
    rule_fields.RULE,
    rule_fields.TIERS,
    rule_fields.TIER,
    rule_fields.BASELINE,
)
"""What everybody needs, in the order of writing it; the rest follows as it is named."""
INTRODUCTION = """\
# `modelwatch.yml`

Every key that the configuration knows. `modelwatch config reference` prints this page, `modelwatch config schema` the
same for editors, and `modelwatch config check` says everything that is wrong with a file, with line and column.

- A configuration is one file or a folder of them; models of all files count as one.
- Durations are written `30m`, `24h`, `7d`, `1d12h`; shares `2%` or `0.02`; times are UTC unless they say otherwise.
- `${NAME}` is filled in from the environment, or from the lines of `MODELWATCH_SECRETS`. Keys that hold a secret take
  nothing but `${NAME}`.
- A model takes what it does not say from `defaults`, a rule from `defaults: {rule: ...}`. Sections add up key by key,
  lists are replaced.
"""


def reference_page() -> str:
    """Markdown: a table for each record, in the order of ``FIRST`` and then as they are named."""
    page = _Page()
    return "\n".join([INTRODUCTION, *(part for record in page.records() for part in page.section(record))])


class _Page:
    """``_told``: by the field, the first record that has it; others point there."""

    def __init__(self) -> None:
        self._records: dict[int, Section] = {id(record): record for record in FIRST_SECTIONS}
        self._described_in: dict[int, Section] = {}

    def records(self) -> Iterator[Section]:
        """All of them, those too that a section before has named."""
        done = 0
        while done < len(self._records):
            yield list(self._records.values())[done]
            done += 1

    def section(self, record: Section) -> Iterator[str]:
        yield f"## {_heading(record)}\n"
        if record.doc:
            yield f"{record.doc}\n"
        known: dict[str, list[str]] = {}
        rows = []
        for name, field in record.fields.items():
            first = self._described_in.setdefault(id(field), record)
            if first is record:
                rows.append(self._row(name, field))
            else:
                known.setdefault(self._link(first), []).append(f"`{name}`")
        if rows:
            yield "\n".join(["| key | what it takes | what it says |", "|---|---|---|", *rows, ""])
        for where, names in known.items():
            yield f"As in {where}: {', '.join(names)}.\n"

    def _row(self, name: str, field: Field) -> str:
        key = f"`{name}`" + (" (required)" if field.required else "")
        takes, says = field.field_type.to_markdown(self._link), field.doc
        if field.default is not None:
            says = f"{says} Default: {_format_default(field.default)}."
        return f"| {key} | {_cell(takes)} | {_cell(says)} |"

    def _link(self, record: Section) -> str:
        self._records.setdefault(id(record), record)
        heading = _heading(record)
        return f"[{record.title}](#{re.sub('[^a-z0-9-]', '', heading.lower().replace(' ', '-'))})"


def _heading(record: Section) -> str:
    title = re.sub("^(?:an?|the) ", "", record.title)
    return title[:1].upper() + title[1:]


def _format_default(value: Any) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{', '.join(value)}`" if isinstance(value, list) else f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
