"""The other alerts that share the cause of an issue: its table, its sentence, and the text for a lock screen."""

from __future__ import annotations

from collections.abc import Mapping

from ..model.alert import AlertState, Group
from ..model.register import FollowerRecord, Register
from .alert_phrase import Quote, describe_alert
from .formatting import duration, utc_time
from .markdown import code, known_phrase, link, plain_line, safe_url, table

MAX_SHOWN = 10


def worse_follower(group: Group, register: Register | None, quote: Quote = plain_line) -> str:
    """``recall is critical``: which alert of the cause is worse than the one that leads; empty where none is."""
    firing = register.firing_followers if register else ()
    worst = min(firing, key=_worst_first, default=None)
    if worst is None or group.severity is None or worst.severity <= group.severity:
        return ""
    name = quote(worst.rule) if worst.model == group.model else f"{quote(worst.model)} {quote(worst.rule)}"
    return f"{name} is {worst.severity}"


def cause_sentence(group: Group, register: Register, now: float) -> str:
    """What the alerts have in common; where another issue leads, which one. Empty where the alert stands alone."""
    if register.leading_issue:
        where = register.leading_issue
        name = link("another issue", where) if safe_url(where) else f"the issue of {code(where)}"
        return f" It shares its cause with {name}, which leads: the page and the workflows are there."
    firing = register.firing_followers
    if not firing:
        return ""
    also = "another alert shares its cause" if len(firing) == 1 else f"{len(firing)} other alerts share its cause"
    why = f": {known_phrase(plain_line(register.shared_cause, 300))}" if register.shared_cause else ""
    text = f" {also[0].upper()}{also[1:]}{why}."
    text += f" Worst: {worse}." if (worse := worse_follower(group, register, code)) else ""
    if group.state is AlertState.FIRING:
        return text
    oldest = min(record.start for record in firing)
    return f"{text} Oldest: {duration(now - oldest)}. One that stays beyond its limits gets an issue of its own."


def affected_table(register: Register, groups: Mapping[str, Group]) -> str:
    """A row for each alert that the issue leads or has led, firing ones first; ``groups`` by key, where known."""
    records = sorted(register.followers, key=_worst_first)
    rows = [_row(record, groups.get(record.group)) for record in records[:MAX_SHOWN]]
    more = f"\n\n{len(records) - len(rows)} more are not shown." if len(records) > len(rows) else ""
    return table(("Alert", "Severity", "Value", "Since (UTC)"), rows) + more if rows else ""


def _row(record: FollowerRecord, group: Group | None) -> tuple[str, str, str, str]:
    name = f"{code(record.model)} {code(record.rule)}"
    name += f" ({link('its issue', record.issue)})" if record.issue else ""
    since = utc_time(record.start).removesuffix(" UTC")
    if record.ended is not None:
        return name, "recovered", "—", f"{since}, for {duration(record.ended - record.start)}"
    value = "—"
    if group is not None and group.alerts:
        phrase = describe_alert(group)
        place = f"{at}: " if (at := phrase.place(code)) else ""
        value = f"{place}{code(phrase.phrase)}"
    return name, f"**{record.severity}**", value, since


def affected_text(register: Register, groups: Mapping[str, Group]) -> str:
    """``fraud ranking (warning): region=eu alone: 0.87, 8 % below its baseline; …``: what fires, for a lock screen."""
    texts = []
    for record in sorted(register.firing_followers, key=_worst_first)[:MAX_SHOWN]:
        group = groups.get(record.group)
        value = ""
        if group is not None and group.alerts:
            phrase = describe_alert(group)
            value = f": {f'{place}: ' if (place := phrase.place(str)) else ''}{phrase.phrase}"
        texts.append(plain_line(f"{record.model} {record.rule} ({record.severity}){value}"))
    return "; ".join(texts)


def _worst_first(record: FollowerRecord) -> tuple[bool, int, float, str, str]:
    return record.ended is not None, -record.severity.code, record.start, record.model, record.rule
