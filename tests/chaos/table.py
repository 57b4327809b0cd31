"""The stories as a table: a row for each trouble, with what became of the evaluations that it struck."""

from __future__ import annotations

from collections.abc import Sequence

from ..crash.cell import KILLED
from .story import CALM, Story

HEAD = ("trouble", "evaluations", "killed", "exit 0", "exit 3", "exit 4", "pages due", "slowest page")


def render(stories: Sequence[Story]) -> str:
    """An evaluation under several troubles counts in the row of each."""
    played = [one for story in stories for one in story.played]
    names = sorted({name for one in played for name in one.troubles} | {CALM})
    rows: list[tuple[str, ...]] = [HEAD]
    for name in names:
        own = [one for one in played if name in one.troubles or (name == CALM and not one.troubles)]
        codes = [code for one in own for code in one.codes]
        pages = [one.page_after for one in own if one.page_after is not None]
        counts = [len(codes), *(codes.count(code) for code in (KILLED, 0, 3, 4)), len(pages)]
        rows.append((name, *map(str, counts), f"{max(pages):.1f} s" if pages else ""))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    strangers = sum(story.flood for story in stories)
    return "\n".join([*lines, f"and {strangers:,} comments of strangers"])
