"""Tables for a terminal. Colour only where the stream is one (rich decides, NO_COLOR is honoured)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..model.alert import AlertState, Group, Judgement
from ..model.plan import Plan, Receipts
from ..model.severity import Severity
from .escape import line
from .issue import worst_alert
from .summary import verdict
from .words import duration, number, percent, when

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

STYLE = {Severity.INFO: "cyan", Severity.WARNING: "yellow", Severity.ERROR: "red", Severity.CRITICAL: "bold red"}
STATE_STYLE = {AlertState.QUIET: "green", AlertState.PENDING: "yellow", AlertState.RESOLVED: "green"}


def open_console() -> Console:
    """A console on the present standard output."""
    from rich.console import Console

    return Console(soft_wrap=False, highlight=False)


def make_table(columns: Sequence[str]) -> Table:
    """An empty table in the house style; cells wrap, the last column takes what is left."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, overflow="fold", ratio=1 if place == len(columns) - 1 else None)
    return table


def show_judgement(console: Console, judgement: Judgement) -> None:
    """One line a rule, the loud ones first."""
    from rich.text import Text

    console.print(Text(verdict(judgement), style="bold"), Text(f"at {when(judgement.at)}"))
    table = make_table(("model", "rule", "state", "value", "baseline", "change", "since"))
    order = {AlertState.FIRING: 0, AlertState.PENDING: 1, AlertState.RESOLVED: 2, AlertState.QUIET: 3}
    for group in sorted(judgement.groups, key=lambda group: (order[group.state], group.model, group.rule)):
        table.add_row(*_row(group, judgement.at))
    if judgement.groups:
        console.print(table)
    for failure in judgement.failures:
        console.print(Text(f"{failure.model}: source down: {line(failure.error, 400)}", style="red"))
    for note in judgement.notes:
        console.print(Text(f"note: {line(note, 400)}", style="dim"))


def _row(group: Group, now: float) -> list[Text]:
    from rich.text import Text

    alert = worst_alert(group)
    style = (
        STYLE[group.severity]
        if group.state is AlertState.FIRING and group.severity
        else STATE_STYLE.get(group.state, "")
    )
    state = f"{group.state} {group.severity}" if group.state is AlertState.FIRING else str(group.state)
    state += " (muted)" if group.mutes else ""
    since = f"{when(group.start)} ({duration(now - group.start)})" if group.start else ""
    finding = alert.finding if alert else None
    cells = (
        (line(group.model), ""),
        (line(group.rule), ""),
        (state, style),
        (number(finding.value) if finding else "", ""),
        (number(finding.baseline) if finding else "", ""),
        (percent(finding.change) if finding else "", ""),
        (since, ""),
    )
    return [Text(text, style=style) for text, style in cells]


def show_plan(console: Console, plan: Plan, receipts: Receipts | None = None) -> None:
    """Changes with their reasons, then what was left alone and why."""
    from rich.text import Text

    proof = {receipt.change: receipt for receipt in receipts.receipts} if receipts else {}
    if not plan.changes:
        console.print("Nothing to change: the world already agrees.")
    else:
        table = make_table(("model", "change", "result", "why") if receipts else ("model", "change", "why"))
        for change in plan.changes:
            what = change.kind.value + (f" {change.dispatch.verb}" if change.dispatch else "")
            cells = [line(change.model), what, line(change.reason, 300)]
            if receipts:
                receipt = proof.get(change.id)
                told = (
                    (receipt.result.value + (f": {receipt.detail}" if receipt.detail else "")) if receipt else "planned"
                )
                cells.insert(2, line(told, 300))
            table.add_row(*(Text(cell) for cell in cells))
        console.print(table)
    for skip in plan.skips:
        guard = f" [{skip.guard}]" if skip.guard else ""
        console.print(Text(f"not done{guard}: {skip.model}: {skip.what}: {line(skip.reason, 300)}", style="dim"))
    for model, trouble in plan.troubles:
        console.print(Text(f"trouble: {model}: {line(trouble, 400)}", style="red"))
