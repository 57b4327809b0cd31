"""The handover page as text: for an issue in Markdown, and for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from ..model.handover import Handover, HandoverAlert, HandoverChange, LearnedAlert, WaitingProposal
from ..timeutil import DAY, format_utc
from .formatting import duration
from .ledger_table import plain_words
from .markdown import code, link, plain_line
from .scorecard import Quote, Section, section_markdown, sections_text

MAX_ROWS = 15


def handover_markdown(page: Handover) -> str:
    parts = [f"# Handover: {format_utc(page.at)}", _headline(page)]
    parts += [section_markdown(section) for section in handover_sections(page, code)]
    return "\n\n".join(parts) + "\n"


def handover_text(page: Handover) -> str:
    """For a terminal."""
    return sections_text(f"Handover: {format_utc(page.at)}", _headline(page), handover_sections(page, plain_line))


def _headline(page: Handover) -> str:
    loud = [alert for alert in page.alerts if not alert.muted]
    if not page.alerts:
        return "**Nothing is open.**" + (" Not everything could be read: see below." if page.problems else "")
    waiting = f" **{len(page.proposals)} waiting for your answer.**" if page.proposals else ""
    muted = len(page.alerts) - len(loud)
    return f"**{len(page.alerts)} open**, of which {muted} muted.{waiting}"


def handover_sections(page: Handover, quote: Quote) -> Iterator[Section]:
    """Only what there is; what waits for a person comes first."""
    if page.problems:
        yield Section("Not read", points=tuple(quote(text) for text in page.problems))
    if page.proposals:
        points = tuple(_proposal(one, page.at, quote) for one in page.proposals[:MAX_ROWS])
        yield Section("Waiting for your answer", _left_out(len(page.proposals)), points)
    if page.alerts:
        rows = tuple(_alert_cells(alert, page.at, quote) for alert in page.alerts[:MAX_ROWS])
        columns = ("Issue", "Alert", "Severity", "For", "Acknowledged by", "Tried")
        yield Section("Open", _left_out(len(page.alerts)), columns=columns, rows=rows)
    if muted := tuple(_muted(page, quote)):
        yield Section("Muted", _left_out(len(muted)), muted[:MAX_ROWS])
    if flapping := [one for one in page.alerts if one.fired > 1]:
        points = tuple(
            f"{quote(f'{one.model} {one.rule}')} has fired {one.fired} times since {format_utc(one.since)}: it pages "
            "less often until it stays quiet"
            for one in flapping[:MAX_ROWS]
        )
        yield Section("Flapping", _left_out(len(flapping)), points)
    if page.changes:
        cells = tuple(_change_cells(change, quote) for change in page.changes[:MAX_ROWS])
        heads = ("When (UTC)", "Model", "What", "Who")
        yield Section("Changed in the last week", _left_out(len(page.changes)), columns=heads, rows=cells)
    if page.learned:
        points = tuple(_lesson(one, page.at, quote) for one in page.learned[:MAX_ROWS])
        yield Section("Learned in the last week", _left_out(len(page.learned)), points)


def _proposal(one: WaitingProposal, now: float, quote: Quote) -> str:
    to = f" to {quote(one.target_version)}" if one.target_version else ""
    answers = " or ".join(quote(f"/modelwatch {verb} {one.name}") for verb in ("approve", "reject"))
    return (
        f"{quote(one.name)}{to} for {quote(f'{one.model} {one.rule}')} has waited {duration(now - one.since)}: read "
        f"{_issue(one.number, one.url, quote)}, then comment there {answers}"
    )


def _muted(page: Handover, quote: Quote) -> Iterator[str]:
    for alert in page.alerts:
        if alert.muted:
            yield f"{quote(f'{alert.model} {alert.rule}')}: {quote(alert.muted)}"
    for one in page.silences:
        why = f"{quote(one.owner)}: {quote(one.reason)}"
        yield f"{quote(one.what)} until {format_utc(one.until)}, by the configuration ({why})"


def _change_cells(change: HandoverChange, quote: Quote) -> tuple[str, ...]:
    what = plain_words(change.what) + (f": {quote(change.why)}" if change.why else "")
    return format_utc(change.at).removesuffix(" UTC"), quote(change.model), what, plain_words(change.who)


def _lesson(one: LearnedAlert, now: float, quote: Quote) -> str:
    if one.false_reason:
        end = f"was a false alarm ({plain_words(one.false_reason)}): should the rule change?"
    elif one.helped:
        end = f"was over after {duration(one.lasted)}; {plain_words(one.helped)} helped"
    else:
        end = f"was over after {duration(one.lasted)}, and no action on record explains it"
    days = "today" if now - one.ended < DAY else f"{duration(now - one.ended)} ago"
    return f"{quote(f'{one.model} {one.rule}')} ({_issue(one.number, one.url, quote)}, {days}) {end}"


def _left_out(count: int) -> tuple[str, ...]:
    return (f"{count - MAX_ROWS} more are in the JSON.",) if count > MAX_ROWS else ()


def _issue(number: int, url: str, quote: Quote) -> str:
    return link(f"issue {number}", url) if quote is code else f"issue {number}"


def _alert_cells(alert: HandoverAlert, now: float, quote: Quote) -> tuple[str, ...]:
    return (
        _issue(alert.number, alert.url, quote),
        quote(f"{alert.model} {alert.rule}"),
        f"{alert.severity}{' (muted)' if alert.muted else ''}",
        duration(now - alert.since),
        quote(alert.held_by) if alert.held_by else "nobody",
        quote(alert.tried) if alert.tried else "nothing yet",
    )
