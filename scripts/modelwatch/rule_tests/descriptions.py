"""What a test found, as text: the states of rules, what happened when, and the series around a check that failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..backtest.result import ReplayedEffect, ReplayedEpisode, ReplayResult
from ..config.literals import format_duration
from ..model.alert import Alert, AlertState, Group
from ..model.plan import ChangeKind
from ..model.series import Labels, format_labels
from ..model.severity import Severity
from ..timeutil import format_utc
from .cases import ExpectedAlert, RuleTest
from .execution import TestRun

MAX_EVENTS = 30
MAX_SERIES = 6
SAMPLE_POINTS = 4
"""Before the check and from it on."""
ACTION_TEXTS = {
    ChangeKind.OPEN_ISSUE: "issue opened",
    ChangeKind.REOPEN_ISSUE: "issue opened again",
    ChangeKind.CLOSE_ISSUE: "issue closed",
    ChangeKind.RESOLVE_INCIDENT: "incident resolved",
}


def group_severity(group: Group) -> Severity | None:
    """The severity of a group; of one that does not fire that of its first alert."""
    if group.severity is not None or not group.alerts:
        return group.severity
    return group.alerts[0].severity


def describe_scope(severity: Severity | None, labels: Labels | None) -> str:
    text = f" ({severity})" if severity is not None else ""
    return text if labels is None else f"{text} on {describe_series(labels)}"


def describe_series(labels: Labels) -> str:
    return format_labels(labels) or "the whole"


def describe_expectation(expected: ExpectedAlert) -> str:
    severity = f" {expected.severity}" if expected.severity is not None else ""
    series = "" if expected.labels is None else f" on {describe_series(expected.labels)}"
    return f"{expected.rule} {expected.state}{severity}{series}"


def describe_group(group: Group | None, rule: str = "") -> str:
    if group is None:
        return f"{rule} quiet"
    if not group.alerts:
        return f"{group.rule} {group.state}"
    severity = group_severity(group)
    series = ", ".join(describe_series(alert.labels) for alert in group.alerts[:3])
    return f"{group.rule} {group.state} {severity} on {series}"


def describe_alert(alert: Alert) -> str:
    return f"{alert.rule} {alert.state} {alert.severity} on {describe_series(alert.labels)}"


def describe_alternative(test: RuleTest, result: ReplayResult, rule: str) -> str:
    """What happened where a rule was expected to fire in time, and did not."""
    episodes = [episode for episode in result.episodes if episode.rule == rule]
    if episodes:
        episode = episodes[0]
        return f"it fired at {format_moment(test, episode.fired)}, at most {episode.peak}"
    others = sorted({episode.rule for episode in result.episodes if episode.rule != rule})
    return "it did not fire" + (f", but {', '.join(others)} did" if others else ", nor did any other rule")


def format_moment(test: RuleTest, moment: float) -> str:
    """``28d5h (2026-02-02 05:00 UTC)``"""
    offset = moment - test.start
    return f"{_format_offset(offset)} ({format_utc(moment)})"


def _format_offset(seconds: float) -> str:
    return f"-{format_duration(-seconds)}" if seconds < 0 else format_duration(seconds)


def list_events(run: TestRun) -> Iterator[str]:
    """What happened when, oldest first."""
    test, result = run.test, run.result
    events: list[tuple[float, str]] = []
    for episode in result.episodes:
        group = run.groups_at(episode.fired).get(episode.rule)
        firing = [alert.labels for alert in group.alerts if alert.state is AlertState.FIRING] if group else ()
        events += _episode_events(episode, firing or episode.labels)
    for effect in result.effects:
        if text := _effect_text(effect):
            events.append((effect.at, f"{effect.rule}: {text} ({effect.reason})"))
    for refusal in result.refusals:
        if refusal.guard:
            events.append((refusal.at, f"{refusal.rule}: no {refusal.action}: {refusal.reason} [{refusal.guard}]"))
    events.sort(key=lambda event: event[0])
    for time, text in events[:MAX_EVENTS]:
        yield f"{format_moment(test, time)}  {text}"
    if len(events) > MAX_EVENTS:
        yield f"... and {len(events) - MAX_EVENTS} more"


def _episode_events(episode: ReplayedEpisode, firing: Sequence[Labels]) -> Iterator[tuple[float, str]]:
    """``firing``: the series that fired at first."""
    series = ", ".join(describe_series(labels) for labels in firing[:3])
    first = next((step.severity for step in reversed(episode.steps) if step.time <= episode.fired), None)
    yield episode.fired, f"{episode.rule} fires{f', {first},' if first else ''}{f' on {series}' if series else ''}"
    for step in episode.steps:
        if step.severity is not None and step.time > episode.fired:
            yield step.time, f"{episode.rule} is {step.severity}"
    if episode.end is not None:
        yield episode.end, f"{episode.rule} has recovered"


def _effect_text(effect: ReplayedEffect) -> str:
    if effect.kind is ChangeKind.DISPATCH_WORKFLOW:
        return f"{effect.verb} started"
    if effect.kind is ChangeKind.TRIGGER_INCIDENT:
        return "page" if effect.notifies else ""
    return ACTION_TEXTS.get(effect.kind, "")


def list_samples(test: RuleTest, moment: float) -> Iterator[str]:
    """The values around a time, a line for each series."""
    place = int((moment - test.start) // test.every)
    first = max(min(place - SAMPLE_POINTS + 1, test.points - 2 * SAMPLE_POINTS), 0)
    columns = list((test.values or {}).items())
    if not columns:
        return
    last = min(first + 2 * SAMPLE_POINTS, test.points) - 1
    yield f"from {format_moment(test, test.start + first * test.every)} to {_format_offset(last * test.every)}:"
    width = max(len(key) for key, _ in columns[:MAX_SERIES])
    for key, column in columns[:MAX_SERIES]:
        cells = [column[at] if at < len(column) else None for at in range(first, last + 1)]
        yield f"{key:<{width}}  " + " ".join("_" if cell is None else f"{cell:.4g}" for cell in cells)
    if len(columns) > MAX_SERIES:
        yield f"... and {len(columns) - MAX_SERIES} more series"
