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


def make_table(columns: Sequence[str]) -> Table:
    """An empty table; cells wrap at words, the last column takes the rest of the width. See :func:`fit_table`."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, column in enumerate(columns):
        last = place == len(columns) - 1
        table.add_column(column, overflow="fold", ratio=1 if last else None, min_width=12 if last else None)
    return table


def fit_table(table: Table) -> Table:
    """The full table without its empty columns, each wide enough for words of ordinary length."""
    table.columns = [column for column in table.columns if any(str(cell) for cell in column.cells)]
    for column in table.columns:
        words = (word for cell in (column.header, *column.cells) for word in str(cell).split())
        longest = max((len(word) for word in words), default=0)
        column.min_width = max(column.min_width or 0, min(longest, LONG_WORD_LENGTH))
    return table


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    """Print rows of cells; text in them has no markup."""
    from rich.text import Text

    table = make_table(columns)
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    open_console().print(fit_table(table))


def show_judgement(console: Console, judgement: Judgement) -> None:
    """One line for each rule, the most severe first."""
    from rich.text import Text

    console.print(Text(summary_line(judgement), style="bold"), Text(f"at {utc_time(judgement.at)}"))
    table = make_table(("model", "rule", "state", "for", "what"))
    groups = listed_groups(judgement)
    for group in groups:
        table.add_row(*_group_row(group, judgement.at))
    if groups:
        console.print()
        console.print(fit_table(table))
    for failure in judgement.failures:
        console.print(Text(f"{failure.model}: source down: {plain_line(failure.error, 400)}", style="red"))
    for note in judgement.notes:
        console.print(Text(f"note: {plain_line(note, 400)}", style="dim"))
    console.print()


def _group_row(group: Group, now: float) -> list[Text]:
    from rich.text import Text

    state = group_state(group)
    firing = group.state is AlertState.FIRING and group.severity is not None
    style = SEVERITY_STYLE[group.severity] if firing and group.severity else STATE_STYLE.get(state, "")
    lasts = firing or group.state is AlertState.PENDING
    since = duration(now - group.start) if lasts and group.start is not None else ""
    cells = (
        (plain_line(group.model), ""),
        (plain_line(group.rule), ""),
        (state, style),
        (since, ""),
        (group_text(group), ""),
    )
    return [Text(text, style=style) for text, style in cells]


def group_text(group: Group) -> str:
    """``region=eu: 0.8412, 8.6 % below its baseline 0.9203``; of a quiet rule its newest finding."""
    if group.state in (AlertState.FIRING, AlertState.PENDING):
        alert = describe_alert(group)
        rule = alert.rule if group.built_in else ""
        where = ", ".join(part for part in (rule, alert.where) if part)
        return plain_line(f"{where}: {alert.phrase}" if where else alert.phrase)
    latest = group.latest
    if latest is None:
        return ""
    if latest.reason:
        return plain_line(latest.reason)
    against = f", baseline {bare_value(latest.baseline, group.unit)}" if latest.baseline is not None else ""
    return f"{quantity(latest.value, group.unit)}{against}"


def show_markdown(console: Console, text: str) -> None:
    """A page of Markdown. Code blocks are printed unchanged, so that they can be copied."""
    from rich.markdown import Markdown
    from rich.text import Text

    prose: list[str] = []
    inside = False
    for row in [*text.splitlines(), "```"]:
        if row.strip().startswith("```"):
            if prose and not inside:
                console.print(Markdown("\n".join(prose)))
                console.print()
            prose, inside = [], not inside
        elif inside:
            console.print(Text("    " + row.strip(), style="bold cyan"), soft_wrap=True)
        else:
            prose.append(row)
