"""The table in FIGURES is the computed one."""

from __future__ import annotations

from .visible_changes import PAGE, section, visible_changes_table


def test_the_page_has_the_table() -> None:
    assert section(PAGE.read_text("utf-8")) == visible_changes_table()
