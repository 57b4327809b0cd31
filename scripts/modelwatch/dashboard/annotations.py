"""What happened to a model, for every chart over time: deployments, moves, incidents, data problems, silences, days of
the calendar, and what people added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..evaluate.calendars import calendar_days
from ..model.alert import IMPLAUSIBLE_METRIC, MONITORING_SILENT, SOURCE_OUTAGE, AlertState
from ..model.ledger import RECOVERED
from ..model.monitored_model import Silence
from ..model.plan import ObservedIssue
from ..model.register import FALSE_POSITIVE, Register
from ..model.release import MoveState, MoveVerb
from ..model.series import StartOrigin
from ..report.alert_phrase import at_worst, describe_title
from ..report.markdown import plain_line, safe_url
from ..timeutil import DAY, WEEK
from .page import Annotation, AnnotationKind
from .snapshot import ModelSnapshot

MAX_OF_KIND = 20
"""The newest of each kind."""
AHEAD = WEEK
"""How far (seconds) silences and days of the calendar reach into the future."""
MAX_TEXT = 320
"""Characters: the longest text that ``modelwatch annotate`` takes, and who says so."""
_DATA_KINDS = frozenset({"data-quality", MONITORING_SILENT, SOURCE_OUTAGE, IMPLAUSIBLE_METRIC})


def model_annotations(snapshot: ModelSnapshot) -> tuple[Annotation, ...]:
    """By time; only what touches the history that is shown, and at most ``MAX_OF_KIND`` of each kind."""
    since, until = snapshot.now - snapshot.model.history, snapshot.now + AHEAD
    sources = (_deployments, _moves, _episodes, _silences, _calendar)
    found = [one for source in sources for one in source(snapshot)] + [*snapshot.added]
    touching = [one for one in found if one.at <= until and (one.at if one.until is None else one.until) >= since]
    kept = [
        one
        for kind in AnnotationKind
        for one in sorted((one for one in touching if one.kind is kind), key=lambda one: one.at)[-MAX_OF_KIND:]
    ]
    clean = (replace(one, text=plain_line(one.text, MAX_TEXT), url=safe_url(one.url)) for one in kept)
    return tuple(sorted(clean, key=lambda one: (one.at, one.kind, one.text)))


def _deployments(snapshot: ModelSnapshot) -> Iterator[Annotation]:
    """First points of a version; one that a move put there is shown as that move."""
    pull = snapshot.pull
    reasons = dict(pull.rolled_back)
    for deployment in pull.deployments:
        start = pull.start_of(deployment)
        if start.origin is StartOrigin.POINT:
            why = f"; rolled back since: {reasons[deployment.version]}" if deployment.version in reasons else ""
            yield Annotation(start.began, AnnotationKind.DEPLOYMENT, f"{deployment.version} first seen{why}")


def _moves(snapshot: ModelSnapshot) -> Iterator[Annotation]:
    registry = snapshot.registry
    for move in registry.moves if registry else snapshot.pull.moves:
        version = registry.version(move.destination) if registry else None
        name = version.title if version else move.destination
        target = f" to {name}" if name and move.verb not in (MoveVerb.RETRAIN, MoveVerb.REGISTER) else ""
        share = f" with {move.percent:g} % of the traffic" if move.percent is not None else ""
        state = "" if move.state is MoveState.DONE else f" ({move.state})"
        text = f"{move.verb}{target}{share}{state}{f': {move.reason}' if move.reason else ''}"
        yield Annotation(move.at, AnnotationKind.MOVE, text, url=move.url)


def _episodes(snapshot: ModelSnapshot) -> Iterator[Annotation]:
    """Of alerts that fire or have ended: by their issues, and those that have none by what is judged."""
    issues = [issue for issue in (snapshot.observation.issues if snapshot.observation else ()) if issue.trusted]
    kinds = {rule.name: rule.kind for rule in snapshot.model.rules}
    groups = {group.key: group for group in snapshot.groups}
    registers = {register.group: ("", register) for register in snapshot.registers.values()}
    registers |= {f"#{issue.number}": (issue.url, issue.register) for issue in issues if issue.register is not None}
    known: set[tuple[str, float]] = set()
    for url, register in registers.values():
        if register is None or (register.group, register.start) in known:
            continue
        known.add((register.group, register.start))
        issue = next((one for one in issues if one.register is register), None)
        verdict = "; a false alarm" if register.verdict == FALSE_POSITIVE else ""
        kind = _kind(kinds.get(register.rule, register.rule))
        text = f"{register.rule}: {register.peak}{verdict}"
        end = _episode_end(register, issue, snapshot.now)
        yield Annotation(register.start, kind, text, end, url)
        for past in register.past_episodes.episodes:
            if (register.group, past.start) not in known and not past.rule:
                known.add((register.group, past.start))
                helped = f": {past.action} helped" if past.action else ""
                yield Annotation(past.start, kind, f"{register.rule}{helped}", past.end, past.url)
    for group in groups.values():
        lasts = group.state in (AlertState.FIRING, AlertState.RESOLVED) and group.start is not None
        if lasts and group.start is not None and not _covers(known, group.key, group.start):
            ended = snapshot.now if group.state is AlertState.FIRING else group.end
            severity = group.severity or max((alert.peak for alert in group.alerts), default=None)
            title = describe_title(at_worst(group)) if group.alerts else group.rule
            text = f"{title}{f': {severity}' if severity else ''}"
            yield Annotation(group.start, _kind(group.kind), text, ended)


def _covers(known: Iterable[tuple[str, float]], group: str, start: float) -> bool:
    """Whether an issue tells the episode; today's history can show another start by a few evaluations."""
    return any(key == group and abs(at - start) <= DAY for key, at in known)


def _episode_end(register: Register, issue: ObservedIssue | None, now: float) -> float:
    recovered = [entry.at for entry in register.ledger.recent if entry.what == RECOVERED]
    if register.closed is not None:
        return recovered[-1] if recovered else register.closed
    closed = issue.closed_at if issue is not None and issue.state == "closed" else None
    return now if closed is None else closed


def _kind(kind: str) -> AnnotationKind:
    return AnnotationKind.DATA_PROBLEM if kind in _DATA_KINDS else AnnotationKind.INCIDENT


def _silences(snapshot: ModelSnapshot) -> Iterator[Annotation]:
    """Of the configuration and of issues."""
    since, until = snapshot.now - snapshot.model.history, snapshot.now + AHEAD
    for silence in snapshot.model.silences:
        text = f"silenced by {silence.owner}: {silence.reason}"
        for begin, end in _stretches(silence, since, until):
            yield Annotation(begin, AnnotationKind.SILENCE, text, end)
    for register in snapshot.registers.values():
        if register.silence_until is not None:
            who = register.silence_by or "somebody"
            text = f"{register.rule} silenced by {who}: {register.silence_reason}"
            yield Annotation(register.began, AnnotationKind.SILENCE, text, register.silence_until)


def _stretches(silence: Silence, since: float, until: float) -> Iterator[tuple[float, float]]:
    """When it mutes; of a silence that recurs in the week every occurrence."""
    window = silence.window
    if window is None:
        yield max(silence.start, since), silence.until
        return
    day = (max(silence.start, since) // DAY - 1) * DAY
    while day < min(silence.until, until):
        # 1 January 1970 was a Thursday, day 3.
        if (int(day // DAY) + 3) % 7 in window.days:
            end = day + window.end + (0.0 if window.end > window.start else DAY)
            begin, end = max(day + window.start, silence.start), min(end, silence.until)
            if begin < end:
                yield begin, end
        day += DAY


def _calendar(snapshot: ModelSnapshot) -> Iterator[Annotation]:
    spec = snapshot.model.calendar
    if spec is None or spec.is_empty:
        return
    since, until = snapshot.now - snapshot.model.history, snapshot.now + AHEAD
    for at, name in calendar_days(spec, snapshot.model.timezone, since, until):
        yield Annotation(at, AnnotationKind.CALENDAR, name, at + DAY)
