"""A page for one alert: the answer for tonight first, placeholders filled in, links that lead somewhere from here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from ..model.alert import AlertState, Group
from ..model.plan import Observed, ObservedIssue
from ..report.escape import code, line, safe_url
from ..report.told import tell
from ..report.words import duration, when
from .page import OURS, PLACEHOLDER, fill, parse

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+@-]*")
"""What may stand in a command line without quotation marks: versions come from outside, and are pasted into a shell."""
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
_UNKNOWN = {
    "VERSION": "no version is logged",
    "TARGET": "no earlier version is known to have been healthy",
    "ISSUE": "there is no issue yet, or GitHub cannot be read",
    "RUN": "no workflow run is known: `gh run list`",
    "SINCE": "nothing fires",
}


@dataclass(frozen=True, slots=True)
class Tonight:
    """What is known of one alert."""

    values: Mapping[str, str] = field(default_factory=dict)
    """By placeholder."""
    said: str = ""
    """The alert in one line; empty where only a kind was asked for."""
    links: tuple[tuple[str, str], ...] = ()
    live: bool = False
    """Whether there was an alert to look at: then what is missing is told."""


def tonight(group: Group | None, issue: ObservedIssue | None, observed: Observed | None, now: float) -> Tonight:
    """What the judgement and the registers say of one group. ``group`` is ``None`` where its source is down."""
    register = issue.register if issue else None
    model = group.model if group else register.model if register else ""
    records = register.dispatches if register else ()
    start = register.start if register else group.start if group else None
    evidence = group.evidence if group else None
    values = {
        "MODEL": model,
        "ISSUE": str(issue.number) if issue else "",
        "VERSION": evidence.version if evidence else next((one.version for one in reversed(records)), ""),
        "TARGET": next(iter(evidence.previous), "") if evidence else "",
        "KEY": f"by-hand-{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M}",
        "SINCE": _minute(start) if start is not None else "",
        "UNTIL": _minute(now),
        "RUN": next((str(one.run_id) for one in reversed(records) if one.run_id), ""),
    }
    links = [("issue", issue.url)] if issue else []
    links += [("incident", one.url) for one in (observed.incidents or () if observed else ()) if _is(one.group, issue)]
    links += [(f"{one.verb} run", one.url) for one in records if one.url]
    links += [*evidence.links[:3]] if evidence else []
    return Tonight(
        values, _said(group, start, now), tuple((text, url) for text, url in links if safe_url(url)), live=True
    )


def _is(key: str, issue: ObservedIssue | None) -> bool:
    return issue is not None and key == issue.group


def _said(group: Group | None, start: float | None, now: float) -> str:
    if group is None:
        return "The metrics cannot be read now: see `modelwatch check`."
    if group.state is not AlertState.FIRING:
        return f"{group.model} {group.rule} is {group.state} now."
    told = tell(group)
    since = f", since {when(start)} ({duration(now - start)})" if start is not None else ""
    return f"{str(group.severity).upper()}: {group.model} {told.subject} {told.phrase}{since}"


def _minute(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M}"


def render(text: str, known: Tonight, base: str) -> str:
    """The page ``text`` with what is known in it. ``base``: where links to other pages lead."""
    values = {name: value for name, value in known.values.items() if _PLAIN.fullmatch(value)}
    page = _absolute(fill(text, values), base).rstrip("\n")
    title, _, rest = page.partition("\n")
    return "\n".join([title, *_tonight(text, known), rest]) + "\n"


def _tonight(text: str, known: Tonight) -> list[str]:
    rows = [code(known.said)] if known.said else []
    rows += [f"{line(name)}: <{safe_url(url)}>" for name, url in known.links]
    if known.live:
        used = dict.fromkeys(PLACEHOLDER.findall("\n".join(line for _, line in parse(OURS, text).commands())))
        lacking = [name for name in used if name in _UNKNOWN and not known.values.get(name)]
        rows += [f"Yours to fill in: {name} ({_UNKNOWN[name]})." for name in lacking]
        odd = [name for name in used if known.values.get(name) and not _PLAIN.fullmatch(known.values[name])]
        rows += [f"Yours to fill in, in quotation marks: {name} is {code(known.values[name])}." for name in odd]
    return ["", *(f"> {row}\n>" for row in rows[:-1]), f"> {rows[-1]}"] if rows else []


def _absolute(text: str, base: str) -> str:
    """Relative links by their address: a terminal has no folder that they are relative to."""

    def found(match: re.Match[str]) -> str:
        target = match[2]
        if urlsplit(target).scheme or target.startswith("#"):
            return match[0]
        return f"[{match[1]}]({base.rstrip('/')}/{target})"

    return _LINK.sub(found, text)
