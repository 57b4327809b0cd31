"""The end of the night: what happened, what it cost, and what it would have cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ....report.console import make_table
from ....report.formatting import utc_time
from ....timeutil import MINUTE
from .cost_report import DOLLARS_PER_WRONG_DECISION, CostComparison, NightCost
from .messages import format_dollars
from .production import BAD_VERSION, DECISIONS_PER_MINUTE, FALLBACK_VERSION, GOOD_VERSION
from .setup import ON_CALL_LOGIN
from .simulation import OnCallShift, TimelineEntry

if TYPE_CHECKING:
    from .repl import Repl

LOOKING_COMMANDS = ("diagnose", "modelwatch diagnose")
HIDDEN_STYLES = ("change", "why", "dim")
"""Styles of what the timeline leaves out."""
MAX_TIMELINE_ENTRIES = 60
MAX_WIDTH = 100


def print_summary(repl: Repl, folder: Path) -> None:
    """Tell the ending on the desk's console. ``folder``: where the files are."""
    from rich.rule import Rule
    from rich.text import Text

    shift, bills = repl.shift, repl.cost_comparison()
    repl.console.print()
    repl.console.print(Rule("What happened", style="dim"))
    for entry in timeline_entries(shift):
        style = "bold cyan" if entry.style == "you" else ""
        text = f"you: {entry.text}" if entry.style == "you" else entry.text.strip()
        line = text if len(text) <= MAX_WIDTH else text[: MAX_WIDTH - 1] + "…"
        repl.console.print(Text.assemble((f"{utc_time(entry.at)[11:16]}  ", "dim"), (line, style)), soft_wrap=True)
    repl.print_text(repl.end_reason, "dim")
    repl.console.print(Rule("What it cost", style="dim"))
    nights = {"yours": bills.actual, "nobody acts": bills.without_action, "rolled back at once": bills.ideal}
    rows = [
        (name, _format_minutes(bill), f"{bill.wrong_decisions:,}", format_dollars(bill.dollars))
        for name, bill in nights.items()
    ]
    columns = ("the night", f"{BAD_VERSION} gone after", "wrong decisions", "cost")
    repl.console.print(make_table(columns, rows))
    repl.console.print()
    repl.print_paragraph(cost_explanation(shift, bills), "dim")
    repl.console.print()
    for text in lessons(shift, bills):
        repl.print_paragraph(text)
    repl.console.print()
    repl.print_text(f"Files: {folder}", "dim")


def timeline_entries(shift: OnCallShift) -> list[TimelineEntry]:
    """What people would tell afterwards."""
    told = [
        TimelineEntry(
            shift.release_time, f"{BAD_VERSION} is promoted: tenure now comes from the new customer table", "deploy"
        )
    ]
    told += [entry for entry in shift.entries if entry.style not in HIDDEN_STYLES or "trigger incident" in entry.text]
    if len(told) > MAX_TIMELINE_ENTRIES:
        left = len(told) - MAX_TIMELINE_ENTRIES
        half = MAX_TIMELINE_ENTRIES // 2
        told[half:-half] = [TimelineEntry(told[half].at, f"… {left} more …", "dim")]
    return told


def cost_explanation(shift: OnCallShift, bills: CostComparison) -> str:
    """The cost model, stated."""
    until = utc_time(shift.end_time)[11:16]
    return (
        f"Counted from the page at {utc_time(shift.page_time)[11:16]} to {until}, when the shift ends, with the same "
        f"{DECISIONS_PER_MINUTE} customers a minute in all three: what is wrong beyond what {GOOD_VERSION} would "
        "have got wrong, at "
        f"${DOLLARS_PER_WRONG_DECISION} each. Another {bills.wrong_before_page:,} were wrong before the page; nobody "
        "could prevent those."
    )


def lessons(shift: OnCallShift, bills: CostComparison) -> Iterator[str]:
    """What to learn from it, in a few lines."""
    yours, nobody, ideal = bills.actual, bills.without_action, bills.ideal
    saved = nobody.dollars - yours.dollars
    if yours.minutes is None:
        yield (
            f"{BAD_VERSION} was left in production: at {utc_time(shift.end_time)[11:16]} it has cost "
            f"{format_dollars(yours.dollars)}."
        )
        yield f"One command at the page would have done, `release rollback`: {format_dollars(ideal.dollars)} in all."
    else:
        yield _savings_phrase(saved, nobody)
        deciding = max(round((shift.decision_time - shift.page_time) / MINUTE), 0)
        rolling = yours.minutes - deciding
        steps = f"{deciding} until a rollout began, {rolling} for the rollout"
        yield f"{BAD_VERSION} was gone {yours.minutes} minutes after the page: {steps}."
        if yours.dollars > ideal.dollars:
            yield (
                f"Going back to {GOOD_VERSION} at the page would have saved "
                f"{format_dollars(yours.dollars - ideal.dollars)} more."
            )
        if (last := shift.production.versions[-1]) != GOOD_VERSION:
            name = "a plain rule" if last == FALLBACK_VERSION else last
            yield f"In the morning {name} still serves, which is worse than {GOOD_VERSION}."
    incident = shift.incident
    if not any(entry.style == "you" and entry.text.startswith(LOOKING_COMMANDS) for entry in shift.entries):
        yield (
            f"`diagnose` names it on one screen: the input that {BAD_VERSION} misreads, the segment, and the way back."
        )
    if (repeated := shift.repeated_page) is not None:
        first, again = (utc_time(time)[11:16] for time in repeated)
        yield (
            f"You acknowledged the page at {first}. PagerDuty says nothing more about an acknowledged incident, so "
            f"modelwatch opened another one at {again}{_page_reason(shift, repeated[1])}."
        )
    elif shift.is_escalated:
        yield "Nobody acknowledged the page: after a while PagerDuty wakes the next one."
    if incident.resolved is not None and shift.story.is_over():
        yield _closing_phrase(incident.resolved, shift.issue.closed, shift.issue.closed_by)
    elif yours.minutes is not None:
        yield "Recovery was not confirmed by then: healthy windows have to show it before issue and incident close."


def _closing_phrase(resolved: float, closed: float, closed_by: str) -> str:
    """When incident and issue closed, each at its own time, and why."""
    incident, issue = (utc_time(time)[11:16] for time in (resolved, closed))
    if closed_by == ON_CALL_LOGIN:
        return f"The incident was resolved at {incident}; you closed the issue at {issue}."
    if incident != issue:
        proved = "once recovery was proved"
        return f"The incident was resolved at {incident}; modelwatch closed the issue at {issue}, {proved}."
    return f"Incident and issue closed by themselves at {issue}, once recovery was proved."


def _page_reason(shift: OnCallShift, time: float) -> str:
    """Why PagerDuty was sent the incident of ``time``, behind a colon."""
    texts = (entry.text.partition("trigger incident: ") for entry in shift.entries if abs(entry.at - time) < MINUTE)
    return next((f": {reason}" for _, _, reason in texts if reason), "")


def _savings_phrase(saved: float, nobody: NightCost) -> str:
    if saved < 0:
        return f"It would have cost {format_dollars(-saved)} less if nobody had acted."
    share = min(round(100 * saved / nobody.dollars), 100 if saved == nobody.dollars else 99)
    return f"You saved {format_dollars(saved)}, {share} % of what was at stake."


def _format_minutes(bill: NightCost) -> str:
    return "never" if bill.minutes is None else f"{bill.minutes} min"
