"""A page for one alert: the answer for tonight first, placeholders filled in, links that lead somewhere from here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from ..model.alert import CANARY_FAILED, RELEASE_RULES, AlertState, Evidence, Group
from ..model.plan import ModelObservation, ObservedIssue
from ..report.alert_phrase import describe_alert
from ..report.formatting import duration, utc_time
from ..report.markdown import code, known_word, safe_url
from .page import PAGES_DIR, PLACEHOLDER, fill_placeholders, parse_page

_SHELL_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+@-]*")
"""What may stand in a command line without quotation marks: versions come from outside, and are pasted into a shell."""
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
_UNKNOWN_REASONS = {
    "VERSION": "no version is logged",
    "TARGET": "no healthy version is on record",
    "ISSUE": "there is no issue yet, or GitHub cannot be read",
    "RUN": "none is known yet; `gh run list` has their numbers",
    "SINCE": "nothing fires",
}


@dataclass(frozen=True, slots=True)
class AlertContext:
    """What is known of one alert."""

    values: Mapping[str, str] = field(default_factory=dict)
    """By placeholder."""
    summary: tuple[str, ...] = ()
    """The alert, and one behind it, a line each; empty where only a kind was asked for."""
    links: tuple[tuple[str, str], ...] = ()
    has_alert: bool = False
    """Whether there was an alert to look at: then what is missing is told."""


def alert_context(
    group: Group | None,
    issue: ObservedIssue | None,
    observed: ModelObservation | None,
    now: float,
    others: Sequence[Group] = (),
    healthy_versions: Sequence[str] = (),
) -> AlertContext:
    """What the judgement and the registers say of one group. ``group`` is ``None`` where its source is down.

    ``others``: every group of the model. Of a release that went wrong the alert behind it is what people act on.
    ``healthy``: versions of which the history of metrics says so, newest first, where the group has none of its own.
    """
    behind = _underlying_alert(group, others)
    about = behind or group
    acted = _issue_of(behind, observed) or issue
    register = acted.register if acted else None
    records = register.dispatches if register else ()
    start = register.start if register else about.start if about else None
    evidence = about.evidence if about else None
    values = {
        "MODEL": about.model if about else register.model if register else "",
        "ISSUE": str(acted.number) if acted else "",
        "VERSION": evidence.version if evidence else next((one.version for one in reversed(records)), ""),
        "TARGET": _healthy_version(evidence, healthy_versions) if evidence else "",
        "KEY": f"by-hand-{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M}",
        "SINCE": _format_minute(start) if start is not None else "",
        "UNTIL": _format_minute(now),
        "RUN": next((str(one.run_id) for one in reversed(records) if one.run_id), ""),
    }
    links = [("issue", issue.url)] if issue else []
    links += [("issue of the alert behind it", acted.url)] if acted and acted is not issue else []
    links += [
        ("incident", one.url) for one in (observed.incidents or () if observed else ()) if _belongs_to(one.group, issue)
    ]
    links += [(f"{one.verb} run", one.url) for one in records if one.url]
    links += [*evidence.links[:3]] if evidence else []
    safe = tuple((text, url) for text, url in links if safe_url(url))
    said = [_alert_summary(group, now), *([f"Behind it: {_alert_summary(behind, now)}"] if behind else [])]
    return AlertContext(values, tuple(said), safe, has_alert=True)


def _underlying_alert(group: Group | None, others: Sequence[Group]) -> Group | None:
    """The worst alert of a configured rule, where ``group`` is about the release that it led to."""
    if group is None or group.rule not in RELEASE_RULES or group.rule == CANARY_FAILED:
        return None
    firing = [one for one in others if one.state is AlertState.FIRING and not one.built_in]
    return max(firing, key=lambda one: one.severity.code if one.severity else -1, default=None)


def _issue_of(group: Group | None, observed: ModelObservation | None) -> ObservedIssue | None:
    if group is None or observed is None:
        return None
    mine = (one for one in observed.issues if one.group == group.key and one.register is not None)
    return next((one for one in mine if one.state == "open"), None)


def _healthy_version(evidence: Evidence, healthy: Sequence[str]) -> str:
    return next((one for one in (*evidence.previous, *healthy) if one != evidence.version), "")


def _belongs_to(key: str, issue: ObservedIssue | None) -> bool:
    return issue is not None and key == issue.group


def _alert_summary(group: Group | None, now: float) -> str:
    if group is None:
        return "The metrics cannot be read now; modelwatch check says why."
    if group.state is not AlertState.FIRING:
        return f"{group.model} {group.rule} is {group.state} now."
    told = describe_alert(group)
    since = f", since {utc_time(group.start)} ({duration(now - group.start)})" if group.start is not None else ""
    return f"{str(group.severity).upper()}: {group.model} {told.sentence}{since}"


def _format_minute(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M}"


def render_page(text: str, context: AlertContext, base: str) -> str:
    """The page ``text`` with what is known in it. ``base``: where links to other pages lead."""
    values = {name: value for name, value in context.values.items() if _SHELL_SAFE.fullmatch(value)}
    page = _absolute_links(fill_placeholders(text, values), base).rstrip("\n")
    title, _, rest = page.partition("\n")
    return "\n".join([title, *_context_block(text, context), rest]) + "\n"


def _context_block(text: str, context: AlertContext) -> list[str]:
    rows = [code(one, 400) for one in context.summary]
    rows += [f"{known_word(name)}: <{safe_url(url)}>" for name, url in context.links]
    if context.has_alert:
        used = dict.fromkeys(PLACEHOLDER.findall("\n".join(line for _, line in parse_page(PAGES_DIR, text).commands())))
        lacking = [name for name in used if name in _UNKNOWN_REASONS and not context.values.get(name)]
        rows += [f"Yours to fill in: {name} ({_UNKNOWN_REASONS[name]})." for name in lacking]
        odd = [name for name in used if context.values.get(name) and not _SHELL_SAFE.fullmatch(context.values[name])]
        rows += [f"Yours to fill in, in quotation marks: {name} is {code(context.values[name])}." for name in odd]
    return ["", *(f"> {row}\n>" for row in rows[:-1]), f"> {rows[-1]}"] if rows else []


def _absolute_links(text: str, base: str) -> str:
    """Relative links by their address: a terminal has no folder that they are relative to."""

    def found(match: re.Match[str]) -> str:
        target = match[2]
        if urlsplit(target).scheme or target.startswith("#"):
            return match[0]
        return f"[{match[1]}]({base.rstrip('/')}/{target})"

    return _LINK.sub(found, text)
