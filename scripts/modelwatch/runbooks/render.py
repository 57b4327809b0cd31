"""A runbook page for one alert: facts first, placeholders filled in, links made absolute."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from ..model.alert import CANARY_FAILED, RELEASE_RULES, AlertState, Evidence, Group
from ..model.monitored_model import Model
from ..model.plan import ModelObservation, ObservedIssue
from ..model.release import MoveState, MoveVerb
from ..report.alert_phrase import describe_alert
from ..report.diagnosis import SECTION_TITLES, Diagnosis
from ..report.formatting import duration, utc_time
from ..report.markdown import code, known_phrase, plain_line, safe_url
from ..report.team_links import commands, dashboards, team_links
from .page import CODE_SPAN, PAGES_DIR, PLACEHOLDER, decision_rows, fill_placeholders, parse_page

_SHELL_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+@-]*")
"""What needs no quotation marks in a command line: versions come from outside, and are pasted into a shell."""
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
FITS = "►"
MAX_STEP = 1200
_UNKNOWN_REASONS = {
    "VERSION": "no version is logged",
    "TARGET": "no healthy version is on record",
    "ISSUE": "there is no issue yet, or GitHub cannot be read",
    "RUN": "none is known yet; `gh run list` shows the numbers",
    "SINCE": "nothing is firing",
}


@dataclass(frozen=True, slots=True)
class AlertContext:
    """The known facts about one alert."""

    values: Mapping[str, str] = field(default_factory=dict)
    """By placeholder."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """By placeholder why it has no value, where more is known than ``_UNKNOWN_REASONS``."""
    summary: tuple[str, ...] = ()
    """The alert, and the one behind it, a line each; empty where only a kind was requested."""
    links: tuple[tuple[str, str], ...] = ()
    shown: Mapping[str, str] = field(default_factory=dict)
    """What ``diagnose`` shows now: its sections by title, the first line without one."""
    next_step: str = ""
    """What ``diagnose`` advises, as plain text; empty where the alert does not fire."""
    has_alert: bool = False
    """Whether the page is for an alert: then it lists the placeholders without a value."""


def alert_context(
    group: Group | None,
    issue: ObservedIssue | None,
    observed: ModelObservation | None,
    now: float,
    others: Sequence[Group] = (),
    healthy_versions: Sequence[str] = (),
    diagnosis: Diagnosis | None = None,
    model: Model | None = None,
) -> AlertContext:
    """The facts about one group, from judgement and registers. ``group`` is ``None`` where its source is down.

    ``others`` is every group of the model: after a failed release, people act on the alert behind it.
    ``healthy_versions`` come from the history of metrics, newest first, where the group has none of its own.
    ``model`` has the team's own links.
    """
    underlying = _underlying_alert(group, others)
    subject = underlying or group
    subject_issue = _issue_of(underlying, observed) or issue
    register = subject_issue.register if subject_issue else None
    records = register.dispatches if register else ()
    start = register.start if register else subject.start if subject else None
    evidence = subject.evidence if subject else None
    healthy = [*_fit_versions(evidence), *healthy_versions] if evidence else []
    values = {
        "MODEL": subject.model if subject else register.model if register else "",
        "ISSUE": str(subject_issue.number) if subject_issue else "",
        "VERSION": evidence.version if evidence else next((record.version for record in reversed(records)), ""),
        "TARGET": next((version for version in healthy if evidence and version != evidence.version), ""),
        "RULE": describe_alert(subject).rule if subject else "",
        "KEY": f"by-hand-{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M}",
        "SINCE": _format_minute(start) if start is not None else "",
        "UNTIL": _format_minute(now),
        "RUN": next((str(record.run_id) for record in reversed(records) if record.run_id), ""),
    }
    links = [("issue", issue.url)] if issue else []
    if subject_issue and subject_issue is not issue:
        links.append(("issue of the alert behind it", subject_issue.url))
    incidents = observed.incidents or () if observed else ()
    links += [("incident", incident.url) for incident in incidents if issue and incident.group == issue.group]
    links += [(f"{record.verb} run", record.url) for record in records if record.url]
    links += [*evidence.links[:3]] if evidence else []
    own = team_links(model, subject.rule if subject else "")
    safe = tuple((text, url) for text, url in (*dashboards(own), *links) if safe_url(url))
    summary = [_alert_summary(group, now)]
    summary += [f"Behind it: {_alert_summary(underlying, now)}"] if underlying else []
    summary += [f"Commands: {text}"] if (text := commands(own)) else []
    firing = group is not None and group.state is AlertState.FIRING
    step = diagnosis.next if diagnosis is not None and firing else ""
    return AlertContext(values, _known_reasons(evidence), tuple(summary), safe, _shown(diagnosis), step, has_alert=True)


def _known_reasons(evidence: Evidence | None) -> dict[str, str]:
    """A rollback that was made leaves no version to go back to but the one that serves, or soon will."""
    move = evidence.move if evidence else None
    if move is None or move.verb is not MoveVerb.ROLLBACK or move.state is not MoveState.DONE:
        return {}
    return {"TARGET": f"the rollback to {plain_line(move.target)} of {utc_time(move.at)} is made: wait for its metrics"}


def _fit_versions(evidence: Evidence) -> tuple[str, ...]:
    """The versions to roll back to: those that would be accepted, where that is known."""
    if evidence.rollback:
        return tuple(candidate.version for candidate in evidence.rollback if not candidate.objection)
    return evidence.previous


def _shown(diagnosis: Diagnosis | None) -> dict[str, str]:
    if diagnosis is None:
        return {}
    return {title: "\n".join(lines) for title, lines in diagnosis.sections.items()} | {"": diagnosis.headline}


def _underlying_alert(group: Group | None, others: Sequence[Group]) -> Group | None:
    """The worst alert of a configured rule, where ``group`` is about a release that it caused."""
    if group is None or group.rule not in RELEASE_RULES or group.rule == CANARY_FAILED:
        return None
    firing = [other for other in others if other.state is AlertState.FIRING and not other.built_in]
    return max(firing, key=lambda other: other.severity.code if other.severity else -1, default=None)


def _issue_of(group: Group | None, observed: ModelObservation | None) -> ObservedIssue | None:
    if group is None or observed is None:
        return None
    issues = (issue for issue in observed.issues if issue.group == group.key and issue.state == "open")
    return next((issue for issue in issues if issue.register is not None), None)


def _alert_summary(group: Group | None, now: float) -> str:
    if group is None:
        return "The metrics cannot be read; modelwatch check shows why."
    if group.state is not AlertState.FIRING:
        return f"{group.model} {group.rule} is {group.state} now."
    since = f", since {utc_time(group.start)} ({duration(now - group.start)})" if group.start is not None else ""
    return f"{str(group.severity).upper()}: {group.model} {describe_alert(group).sentence}{since}"


def _format_minute(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M}"


def render_page(text: str, context: AlertContext, base: str) -> str:
    """The page ``text`` with the known facts filled in; links to other pages begin with ``base``."""

    def absolute_link(match: re.Match[str]) -> str:
        target = match[2]
        is_absolute = urlsplit(target).scheme or target.startswith("#")
        return match[0] if is_absolute else f"[{match[1]}]({base.rstrip('/')}/{target})"

    fitting = fitting_rows(text, context.shown)
    values = {name: value for name, value in context.values.items() if _SHELL_SAFE.fullmatch(value)}
    lines = [
        line.replace("| ", f"| **{FITS}** ", 1) if number in fitting else line
        for number, line in enumerate(text.splitlines(), 1)
    ]
    text = "\n".join(lines)
    page = _LINK.sub(absolute_link, fill_placeholders(text, values)).rstrip("\n")
    title, _, rest = page.partition("\n")
    return "\n".join([title, *_context_block(text, context), rest]) + "\n"


def fitting_rows(text: str, shown: Mapping[str, str]) -> frozenset[int]:
    """The line numbers of the rows of the decision table that fit what ``diagnose`` shows.

    Every quotation of a row has to be shown; one behind a section's title, such as `Why`, in that section. Rows without
    a quotation fit nothing: that there is a section does not show what it says.
    """
    rows = decision_rows(parse_page(PAGES_DIR, text))[2:]
    return frozenset(number for number, cells in rows if shown and _fits(CODE_SPAN.findall(cells[0]), shown))


def _fits(quotations: Sequence[str], shown: Mapping[str, str]) -> bool:
    section = "\n".join(shown.values())
    for quotation in quotations:
        if quotation in SECTION_TITLES:
            if quotation not in shown:
                return False
            section = shown[quotation]
        elif not all(_is_shown(part.strip(), section) for part in quotation.split("…")):
            return False
    return any(quotation not in SECTION_TITLES for quotation in quotations)


def _is_shown(phrase: str, text: str) -> bool:
    """Whether ``text`` has the phrase, in whole words."""
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text) is not None


def _context_block(text: str, context: AlertContext) -> list[str]:
    rows = [code(line, 400) for line in context.summary]
    rows += [f"Next: {code(context.next_step, MAX_STEP)}"] if context.next_step else []
    rows += [f"{known_phrase(name)}: <{safe_url(url)}>" for name, url in context.links]
    if FITS in text:
        rows.append(f"{FITS} marks the rows of the table that fit what `modelwatch diagnose` shows now.")
    if context.has_alert:
        used = dict.fromkeys(PLACEHOLDER.findall("\n".join(line for _, line in parse_page(PAGES_DIR, text).commands())))
        missing = [name for name in used if name in _UNKNOWN_REASONS and not context.values.get(name)]
        rows += [
            f"{name} has no value: {context.reasons[name]}."
            if name in context.reasons
            else f"Fill in {name} ({_UNKNOWN_REASONS[name]})."
            for name in missing
        ]
        unsafe = [name for name in used if context.values.get(name) and not _SHELL_SAFE.fullmatch(context.values[name])]
        rows += [f"Fill in {name} in quotation marks: it is {code(context.values[name])}." for name in unsafe]
    return ["", *(f"> {row}\n>" for row in rows[:-1]), f"> {rows[-1]}"] if rows else []
