"""Tables for a terminal; rich decides about colour, and honours NO_COLOR."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from ..model.alert import AlertState, Group, Judgement
from ..model.severity import Severity
from .alert_phrase import describe_alert
from .formatting import bare_value, duration, quantity, utc_time
from .group_states import failure_title, group_state, listed_groups, summary_line, wrong_name
from .markdown import plain_line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.markdown import Markdown
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
SHORT_WORD_LENGTH = 8
"""Characters; words up to here are never broken. Where they do not fit side by side, the table becomes a list."""
LAST_COLUMN_WIDTH = 12
_SEPARATOR_WIDTH = 3


def open_console() -> Console:
    """A console on the present standard output."""
    from rich.console import Console

    return Console(soft_wrap=False, highlight=False, emoji=False)


def make_text(text: str, style: str = "") -> Text:
    """Text without markup, for a console or a cell."""
    from rich.text import Text

    return Text(text, style=style)


def wrap_text(text: str, width: int, indent: int) -> str:
    """``text`` with line breaks at words, for a line on which ``indent`` columns are taken already: further lines begin
    below its first word."""
    margin = " " * (indent + len(text) - len(text.lstrip()))
    first, *rest = wrap(text.lstrip(), max(width - len(margin), 40), break_long_words=False, break_on_hyphens=False)
    return f"\n{margin}".join((margin[indent:] + first, *rest))


@dataclass(frozen=True, slots=True)
class FittedTable:
    """A table without its empty columns that loses nothing: cells wrap at words, narrow columns break long words, and
    where even that does not fit, each row becomes a list."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich import box
        from rich.table import Table

        if not self.columns:
            return
        widths = self._widths(options.max_width - _SEPARATOR_WIDTH * (len(self.columns) - 1))
        if not widths:
            yield from self._list_lines()
            return
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for name, width in zip(self.columns, widths, strict=True):
            table.add_column(name, overflow="fold", width=width)
        for row in self.rows:
            table.add_row(*row)
        yield table

    def _widths(self, room: int) -> list[int]:
        """Of each column, at most ``room`` in all; empty where that is impossible."""
        from rich.cells import cell_len

        texts = [(name, *map(str, cells)) for name, cells in zip(self.columns, zip(*self.rows, strict=True))]
        wanted = [max(cell_len(line) for text in cells for line in text.splitlines() or [""]) for cells in texts]
        words = [max((cell_len(word) for text in cells for word in text.split()), default=0) for cells in texts]
        for longest in range(LONG_WORD_LENGTH, SHORT_WORD_LENGTH - 1, -1):
            widths = [min(length, longest) for length in words]
            widths[-1] = max(widths[-1], min(wanted[-1], LAST_COLUMN_WIDTH))
            if sum(widths) <= room:
                break
        else:
            return []
        for _ in range(min(room, sum(wanted)) - sum(widths)):
            narrow = min((place for place, width in enumerate(widths) if width < wanted[place]), key=widths.__getitem__)
            widths[narrow] += 1
        return widths

    def _list_lines(self) -> Iterator[Text]:
        for place, row in enumerate(self.rows):
            if place:
                yield make_text("")
            for name, cell in zip(self.columns, row, strict=True):
                if cell.plain:
                    yield make_text(f"{name}: " if name else "").append_text(cell)


def make_table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> FittedTable:
    """A table for a terminal of any width; strings in cells have no markup."""
    shown = [place for place in range(len(columns)) if any(str(row[place]) for row in rows)]
    cells = (
        tuple(cell if not isinstance(cell := row[place], str) else make_text(cell) for place in shown) for row in rows
    )
    return FittedTable(tuple(columns[place] for place in shown), tuple(cells))


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
        title = f"{failure.model}: {failure_title(failure.scope)}"
        console.print(make_text(f"{title}: {plain_line(failure.error, 400)}", "red"))
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
        name = f": {note}" if (note := wrong_name(group)) else ""
        return plain_line(f"{where}: {alert.phrase}{name}" if where else f"{alert.phrase}{name}", 400)
    latest = group.latest
    if latest is None:
        return ""
    if latest.reason:
        return plain_line(latest.reason)
    reference = "baseline" if latest.past is None else "expected"
    against = f", {reference} {bare_value(latest.baseline, group.unit)}" if latest.baseline is not None else ""
    return f"{quantity(latest.value, group.unit)}{against}"


def show_markdown(console: Console, text: str, *, with_links: bool = False) -> None:
    """A page of Markdown. Code blocks are printed unchanged, so that they can be copied. Links become text, and can be
    listed at the end: our output has no escape sequences but colours, since an outside text could contain any."""
    from rich.markdown import Markdown

    prose: list[str] = []
    links: dict[str, str] = {}
    inside = False
    for row in [*text.splitlines(), "```"]:
        if row.strip().startswith("```"):
            if prose and not inside:
                page = Markdown("\n".join(prose))
                for name, address in _take_links(page):
                    links.setdefault(address, name)
                console.print(page)
                console.print()
            prose, inside = [], not inside
        elif inside:
            console.print(make_text("    " + row.strip(), "bold cyan"), soft_wrap=True)
        else:
            prose.append(row)
    for address, name in links.items() if with_links else ():
        if name != address:
            console.print(make_text(f"{plain_line(name)}: {plain_line(address)}", "dim"), soft_wrap=True)


def _take_links(page: Markdown) -> Iterator[tuple[str, str]]:
    """Leave of each link its text; yields (text, address)."""
    for token in page.parsed:
        kept, words, address = [], "", ""
        for child in token.children or ():
            if child.type == "link_open":
                words, address = "", str(child.attrGet("href") or "")
            elif child.type == "link_close":
                yield words, address
            else:
                words += child.content
                kept.append(child)
        if token.children is not None:
            token.children = kept
