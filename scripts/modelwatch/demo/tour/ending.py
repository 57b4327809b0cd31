"""The end of the night: what happened, what it cost, and what it would have cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...report.console import fit_table, make_table
from ...report.words import utc_time
from .cost import DOLLARS, Bill, Reckoning
from .production import BAD, FALLBACK, GOOD, MINUTE, PER_MINUTE
from .shift import Entry, Shift
from .texts import dollars

if TYPE_CHECKING:
    from .desk import Desk

LOOKING = ("diagnose", "modelwatch diagnose")
QUIET = ("change", "why", "dim")
"""Styles of what the timeline leaves out."""
LONGEST_TIMELINE = 60
WIDTH = 100


def show(desk: Desk, folder: Path) -> None:
    """Tell the ending on the desk's console. ``folder``: where the files are."""
    from rich.rule import Rule
    from rich.text import Text

    shift, bills = desk.shift, desk.reckoning()
    desk.console.print()
    desk.console.print(Rule("What happened", style="dim"))
    for entry in timeline(shift):
        style = "bold cyan" if entry.style == "you" else ""
        text = f"you: {entry.text}" if entry.style == "you" else entry.text.strip()
        line = text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"
        desk.console.print(Text.assemble((f"{utc_time(entry.at)[11:16]}  ", "dim"), (line, style)), soft_wrap=True)
    desk.print(desk.ended, "dim")
    desk.console.print(Rule("What it cost", style="dim"))
    table = make_table(("the night", f"{BAD} gone after", "wrong decisions", "cost"))
    for name, bill in (("yours", bills.yours), ("nobody acts", bills.nobody), ("rolled back at once", bills.ideal)):
        table.add_row(name, _minutes(bill), f"{bill.wrong:,}", dollars(bill.dollars))
    desk.console.print(fit_table(table))
    desk.console.print()
    desk.paragraph(how_it_is_counted(shift, bills), "dim")
    desk.console.print()
    for text in verdict(shift, bills):
        desk.paragraph(text)
    desk.console.print()
    desk.print(f"Files: {folder}", "dim")


def timeline(shift: Shift) -> list[Entry]:
    """What people would tell afterwards."""
    told = [Entry(shift.released, f"{BAD} is promoted: tenure now comes from the new customer table", "deploy")]
    told += [entry for entry in shift.entries if entry.style not in QUIET or "trigger incident" in entry.text]
    if len(told) > LONGEST_TIMELINE:
        left = len(told) - LONGEST_TIMELINE
        half = LONGEST_TIMELINE // 2
        told[half:-half] = [Entry(told[half].at, f"… {left} more …", "dim")]
    return told


def how_it_is_counted(shift: Shift, bills: Reckoning) -> str:
    """The cost model, stated."""
    until = utc_time(shift.ends)[11:16]
    return (
        f"Counted from the page at {utc_time(shift.paged)[11:16]} to {until}, when the shift ends, with the same "
        f"{PER_MINUTE} customers a minute in all three: what is wrong beyond what {GOOD} would have got wrong, at "
        f"${DOLLARS} each. Another {bills.before:,} were wrong before the page; nobody could prevent those."
    )


def verdict(shift: Shift, bills: Reckoning) -> Iterator[str]:
    """What to learn from it, in a few lines."""
    yours, nobody, ideal = bills.yours, bills.nobody, bills.ideal
    saved = nobody.dollars - yours.dollars
    if yours.minutes is None:
        yield f"{BAD} was left in production: at {utc_time(shift.ends)[11:16]} it has cost {dollars(yours.dollars)}."
        yield f"One command at the page would have done, `release rollback`: {dollars(ideal.dollars)} in all."
    else:
        yield _saved(saved, nobody)
        deciding = max(round((shift.decided - shift.paged) / MINUTE), 0)
        rolling = yours.minutes - deciding
        steps = f"{deciding} until a rollout began, {rolling} for the rollout"
        yield f"{BAD} was gone {yours.minutes} minutes after the page: {steps}."
        if yours.dollars > ideal.dollars:
            yield f"Going back to {GOOD} at the page would have saved {dollars(yours.dollars - ideal.dollars)} more."
        if (last := shift.production.versions[-1]) != GOOD:
            name = "a plain rule" if last == FALLBACK else last
            yield f"In the morning {name} still serves, which is worse than {GOOD}."
    incident = shift.incident
    if not any(entry.style == "you" and entry.text.startswith(LOOKING) for entry in shift.entries):
        yield f"`diagnose` names it on one screen: the input that {BAD} misreads, the segment, and the way back."
    if not any(entry.what == "acknowledge" for entry in incident.log):
        yield "Nobody acknowledged the page: after a while PagerDuty wakes the next one."
    if incident.resolved is not None and shift.story.is_over():
        yield f"Incident and issue closed by themselves at {utc_time(incident.resolved)[11:16]}, once recovery was proved."
    elif yours.minutes is not None:
        yield "Recovery was not proved by then: healthy windows have to show it before issue and incident close."


def _saved(saved: float, nobody: Bill) -> str:
    if saved < 0:
        return f"It would have cost {dollars(-saved)} less if nobody had acted."
    return f"You saved {dollars(saved)}, {100 * saved / nobody.dollars:.0f} % of what was at stake."


def _minutes(bill: Bill) -> str:
    return "never" if bill.minutes is None else f"{bill.minutes} min"
