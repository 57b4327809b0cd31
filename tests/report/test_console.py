"""Tables on a terminal: nothing in them is broken that there is room for, and nothing is shown that is empty."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from modelwatch.report.console import LONG_WORD_LENGTH, make_table


def drawn(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(make_table(columns, rows))
    return out.getvalue()


LONG = "words enough to fill the line, and then some more of them, so that every column has to give way to it"


@pytest.mark.parametrize("width", [80, 100, 140])
def test_words_stay_whole(width: int) -> None:
    text = drawn(
        ("alias", "version", "since", "why"), [("production", "1.1.0 (v1)", "2026-11-28 15:07 UTC", LONG)], width
    )
    assert {"production", "1.1.0", "2026-11-28"} <= set(text.split())
    assert max(len(line) for line in text.splitlines()) <= width


def test_a_word_that_is_too_long_is_broken() -> None:
    text = drawn(("key", "why"), [("x" * 100, "short")])
    assert "x" * LONG_WORD_LENGTH in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_column_that_holds_nothing_is_left_out() -> None:
    text = drawn(("alias", "by", "why"), [("production", "", "it won"), ("canary", "", "")])
    assert "by" not in text.split()
    assert {"alias", "why", "won"} <= set(text.split())


def _content(text: str) -> str:
    """Its letters and digits, in order of the alphabet: however lines are broken, they are the same."""
    return "".join(sorted(letter for letter in text if letter.isalnum()))


@pytest.mark.parametrize("width", [30, 45, 60, 70, 80, 100])
def test_nothing_is_cut_off_however_narrow_the_terminal(width: int) -> None:
    columns = ("when (UTC)", "model", "rule", "who", "where", "what")
    row = (
        "2026-11-28 00:00", "churn-european-market", "accuracy-of-the-eu-segment", "modelwatch-bot-of-acme",
        "https://github.com/acme/models/issues/1", "incident triggered as critical: rollback dispatched",
    )  # fmt: skip
    text = drawn(columns, [row, row], width)
    assert max(len(line) for line in text.splitlines()) <= width
    headings = 2 if "\nmodel:" in text else 1
    assert _content(text) == _content("".join(columns) * headings + "".join(row) * 2)


def test_where_short_words_do_not_fit_each_row_is_a_list() -> None:
    text = drawn(("version", "since", "why"), [("production", "2026-11-28", "it won"), ("canary", "", "")], 24)
    assert text == "version: production\nsince: 2026-11-28\nwhy: it won\n\nversion: canary\n"


def test_a_table_without_rows_shows_nothing() -> None:
    assert drawn(("alias", "why"), []) == ""
