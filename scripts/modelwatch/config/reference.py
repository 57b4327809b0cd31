"""The reference page of a language in YAML: a table for each section, from what its fields declare."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from .sections import Field, Section


def reference_markdown(introduction: str, first: Sequence[Section]) -> str:
    """A table for each section: those of ``first``, then the others as they are named."""
    page = _Page(first)
    return "\n".join([introduction, *(part for section in page.sections for part in page.describe(section))])


class _Page:
    """A field is described in the first section that has it; other sections point there."""

    def __init__(self, first: Sequence[Section]) -> None:
        self.sections = list(first)
        """Grows while the earlier ones are described."""
        self._described_in: dict[int, Section] = {}

    def describe(self, section: Section) -> Iterator[str]:
        yield f"## {_heading(section)}\n"
        if section.doc:
            yield f"{section.doc}\n"
        known: dict[str, list[str]] = {}
        rows = []
        for name, field in section.fields.items():
            first = self._described_in.setdefault(id(field), section)
            if first is section:
                rows.append(self._row(name, field, section.shown_default(name)))
            else:
                known.setdefault(self._link(first), []).append(f"`{name}`")
        if rows:
            yield "\n".join(["| Key | Type | Description |", "|---|---|---|", *rows, ""])
        for where, names in known.items():
            yield f"As in {where}: {', '.join(names)}.\n"

    def _row(self, name: str, field: Field, default: Any) -> str:
        key = f"`{name}`" + (" (required)" if field.required else "")
        takes, says = field.field_type.to_markdown(self._link), field.doc
        if default is not None:
            says = f"{says} Default: {_format_default(default)}."
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in (key, takes, says)) + " |"

    def _link(self, section: Section) -> str:
        if section not in self.sections:
            self.sections.append(section)
        heading = _heading(section)
        return f"[{section.title}](#{re.sub('[^a-z0-9-]', '', heading.lower().replace(' ', '-'))})"


def _heading(section: Section) -> str:
    title = re.sub("^(?:an?|the) ", "", section.title)
    return title[:1].upper() + title[1:]


def _format_default(value: Any) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{', '.join(value)}`" if isinstance(value, list) else f"`{value}`"
