"""Tables for a terminal; rich decides about colour, and honours NO_COLOR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..model.alert import AlertState, Group, Judgement
from ..model.severity import Severity
from .alert_phrase import describe_alert
from .formatting import bare_value, duration, quantity, utc_time
from .group_states import group_state, listed_groups, summary_line
from .markdown import plain_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

SEVERITY_STYLE = {
    Severity.INFO: "cyan",
    Severity.WARNING: "yellow",
    Severity.ERROR: "red",
    Severity.CRITICAL: "bold red",
}
STATE_STYLE = {
    "pending": "yellow",
    "recovered": "green",
    "healthy": "green",
    "undecided": "yellow",
    "no data": "yellow",
}
LONG_WORD_LENGTH = 20
"""Characters; a longer word can be broken on a narrow terminal."""


def open_console() -> Console:
    """A console on the present standard output."""
    from rich.console import Console

    return Console(soft_wrap=False, highlight=False, emoji=False)


def make_text(text: str, style: str = "") -> Text:
    """Text without markup, for a console or a cell."""
    from rich.text import Text

    return Text(text, style=style)


def make_table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> Table:
    """A table without its empty columns; strings in cells have no markup.

    Cells wrap at words, columns are wide enough for words of ordinary length, and the last takes the rest of the width.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    shown = [place for place in range(len(columns)) if any(str(row[place]) for row in rows)]
    for place in shown:
        is_last = place == shown[-1]
        words = [word for text in (columns[place], *(row[place] for row in rows)) for word in str(text).split()]
        width = max(12 if is_last else 0, min(max(map(len, words)), LONG_WORD_LENGTH))
        table.add_column(columns[place], overflow="fold", ratio=1 if is_last else None, min_width=width)
    for row in rows:
        table.add_row(*(cell if isinstance(cell := row[place], Text) else Text(cell) for place in shown))
    return table


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    open_console().print(make_table(columns, rows))


def show_judgement(console: Console, judgement: Judgement) -> None:
    """One line for each rule, the most severe first."""
    console.print(make_text(summary_line(judgement), "bold"), make_text(f"at {utc_time(judgement.at)}"))
    rows = [_group_row(group, judgement.at) for group in listed_groups(judgement)]
    if rows:
        console.print()
        console.print(make_table(("model", "rule", "state", "for", "what"), rows))
    for failure in judgement.failures:
        console.print(make_text(f"{failure.model}: source down: {plain_line(failure.error, 400)}", "red"))
    for note in judgement.notes:
        console.print(make_text(f"note: {plain_line(note, 400)}", "dim"))
    console.print()


def _group_row(group: Group, now: float) -> tuple[str | Text, ...]:
    state = group_state(group)
    firing = group.state is AlertState.FIRING and group.severity is not None
    style = SEVERITY_STYLE[group.severity] if firing and group.severity else STATE_STYLE.get(state, "")
    lasts = firing or group.state is AlertState.PENDING
    since = duration(now - group.start) if lasts and group.start is not None else ""
    return plain_line(group.model), plain_line(group.rule), make_text(state, style), since, group_text(group)


def group_text(group: Group) -> str:
    """``region=eu: 0.8412, 8.6 % below its baseline 0.9203``; of a quiet rule its newest finding."""
    if group.state in (AlertState.FIRING, AlertState.PENDING):
        alert = describe_alert(group)
        rule = alert.rule if group.built_in else ""
        where = ", ".join(part for part in (rule, alert.place(str)) if part)
        return plain_line(f"{where}: {alert.phrase}" if where else alert.phrase)
    latest = group.latest
    if latest is None:
        return ""
    if latest.reason:
        return plain_line(latest.reason)
    reference = "baseline" if latest.past is None else "expected"
    against = f", {reference} {bare_value(latest.baseline, group.unit)}" if latest.baseline is not None else ""
    return f"{quantity(latest.value, group.unit)}{against}"


def show_markdown(console: Console, text: str) -> None:
    """A page of Markdown. Code blocks are printed unchanged, so that they can be copied."""
    from rich.markdown import Markdown

    prose: list[str] = []
    inside = False
    for row in [*text.splitlines(), "```"]:
        if row.strip().startswith("```"):
            if prose and not inside:
                console.print(Markdown("\n".join(prose)))
                console.print()
            prose, inside = [], not inside
        elif inside:
            console.print(make_text("    " + row.strip(), "bold cyan"), soft_wrap=True)
        else:
            prose.append(row)
