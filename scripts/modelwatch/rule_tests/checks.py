"""Compares what a test expects with what its evaluations found and did."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..backtest.result import ReplayedEffect, ReplayedEpisode, ReplayedRefusal
from ..model.alert import AlertState, Group
from ..model.plan import ChangeKind
from ..model.series import Labels
from ..model.severity import Severity
from .cases import (
    ANY_GUARD,
    AbsenceCheck,
    Check,
    CheckResult,
    ExpectedAlert,
    FiringCheck,
    RecoveryCheck,
    RuleTestResult,
    StateCheck,
)
from .descriptions import (
    describe_alert,
    describe_alternative,
    describe_expectation,
    describe_group,
    describe_scope,
    describe_series,
    format_moment,
    group_severity,
    list_events,
    list_samples,
)
from .execution import TestRun

ISSUE, PAGE = "issue", "page"


def check_test(run: TestRun) -> RuleTestResult:
    """What became of every check; of a test that fails also what happened, and the series around it."""
    checks = tuple(CheckResult(check, tuple(_problems(run, check))) for check in run.test.checks)
    errors = "; ".join(reason for _, reason in run.result.errors)
    result = RuleTestResult(run.test, checks, error=errors)
    if result.passed:
        return result
    failed = next((found.check for found in checks if found.problems), None)
    samples = tuple(list_samples(run.test, _moment_of(run, failed))) if failed is not None else ()
    return RuleTestResult(run.test, checks, tuple(list_events(run)), samples, errors)


def _moment_of(run: TestRun, check: Check) -> float:
    """The time that people want to see of a check that failed."""
    if isinstance(check, AbsenceCheck):
        own = (episode.fired for episode in run.result.episodes if check.rule in ("", episode.rule))
        return next(own, run.span.until)
    return check.moments[-1].at(run.test.start)


def _problems(run: TestRun, check: Check) -> Iterator[str]:
    """What is wrong; where nothing is, why the check could not have failed."""
    found = list(_compare(run, check))
    yield from found or _blind_spots(run, check)


def _blind_spots(run: TestRun, check: Check) -> Iterator[str]:
    """Rules that are silent because they were never judged, and labels that no series has."""
    start, end = run.test.start, math.inf
    since, before = -math.inf, end
    names: set[str] | None = set()
    labels: list[tuple[str, Labels]] = []
    match check:
        case AbsenceCheck():
            names = {check.rule} if check.rule else None
            since = check.since.at(start) if check.since is not None else since
            before = check.before.at(start) if check.before is not None else end
        case StateCheck() if check.alerts is not None or check.without:
            names = None
            before = math.nextafter(run.evaluation_at(check.at.at(start)), math.inf)
            labels = [(alert.rule, alert.labels) for alert in check.alerts or () if alert.labels is not None]
    for rule in run.rules:
        if names is None or rule.name in names:
            why = run.coverage(rule).gap(since, before)
            if why is not None:
                when = "then" if since > -math.inf else "until then" if before < end else "in this test"
                yield f"{rule.name} was judged at no evaluation {when}, so this check could not fail: {why}"
        for name, own in labels:
            if rule.name == name and own not in run.coverage(rule).series:
                yield f"no series of {name} is {describe_series(own)}, so this check could not fail"


def _compare(run: TestRun, check: Check) -> Iterator[str]:
    match check:
        case StateCheck():
            yield from _state_problems(run, check)
        case FiringCheck():
            yield from _firing_problems(run, check)
        case RecoveryCheck():
            yield from _recovery_problems(run, check)
        case AbsenceCheck():
            yield from _absence_problems(run, check)


def _state_problems(run: TestRun, check: StateCheck) -> Iterator[str]:
    evaluation = run.evaluation_at(check.at.at(run.test.start))
    if check.alerts is not None:
        groups = run.groups_at(evaluation)
        for expected in check.alerts:
            found = _find(groups.get(expected.rule), expected)
            if found is not None:
                yield f"expected {describe_expectation(expected)}; found {found}"
        named = {expected.rule for expected in check.alerts}
        for group in groups.values():
            if group.state is AlertState.FIRING and group.rule not in named:
                what = "no alert" if not check.alerts else "no other alert"
                yield f"expected {what}; found {describe_group(group)}"
    yield from _action_problems(run, check, evaluation)


def _find(group: Group | None, expected: ExpectedAlert) -> str | None:
    """What is there instead of the expected alert; ``None`` where that is there."""
    if expected.labels is None:
        state, severity = (AlertState.QUIET, None) if group is None else (group.state, group_severity(group))
        is_same = state is expected.state and expected.severity in (None, severity)
        return None if is_same else describe_group(group, expected.rule)
    alerts = group.alerts if group is not None else ()
    alert = next((alert for alert in alerts if alert.labels == expected.labels), None)
    state = AlertState.QUIET if alert is None else alert.state
    if state is expected.state and (expected.severity is None or (alert and alert.severity is expected.severity)):
        return None
    if alert is not None:
        return describe_alert(alert)
    if not alerts:
        return f"{expected.rule} quiet"
    return f"{describe_series(expected.labels)} quiet, and " + ", ".join(describe_alert(other) for other in alerts[:5])


def _action_problems(run: TestRun, check: StateCheck, evaluation: float) -> Iterator[str]:
    effects = [effect for effect in run.result.effects if effect.at <= evaluation]
    for action in check.actions:
        if not any(_is_action(effect, action) for effect in effects):
            refusal = next(_refusals(run, action, evaluation), None)
            why = f": {refusal.reason} [{refusal.guard}]" if refusal else ""
            yield f"expected {action} by then; it has not been done{why}"
    for action, guard in check.without:
        first = next((effect for effect in effects if _is_action(effect, action)), None)
        if first is not None:
            yield f"expected no {action} by then; it was done at {format_moment(run.test, first.at)}: {first.reason}"
            continue
        refusals = list(_refusals(run, action, evaluation))
        if guard and not any(guard in (refusal.guard, ANY_GUARD) for refusal in refusals):
            guards = " and ".join(sorted({f"`{refusal.guard}`" for refusal in refusals}))
            found = guards or "no refusal: no tier called for it"
            by = "by a guard" if guard == ANY_GUARD else f"by `{guard}`"
            yield f"expected that {action} is refused {by}; found {found}"


def _is_action(effect: ReplayedEffect, action: str) -> bool:
    match action:
        case "issue":
            return effect.kind in (ChangeKind.OPEN_ISSUE, ChangeKind.REOPEN_ISSUE)
        case "page":
            return effect.kind is ChangeKind.TRIGGER_INCIDENT and effect.notifies
        case _:
            return effect.kind is ChangeKind.DISPATCH_WORKFLOW and effect.verb == action


def _firing_problems(run: TestRun, check: FiringCheck) -> Iterator[str]:
    start = run.test.start
    by, since = check.by.at(start), check.since.at(start) if check.since is not None else None
    episodes = [episode for episode in run.result.episodes if episode.rule == check.rule]
    times = sorted(time for episode in episodes if (time := _fired(run, episode, check)) is not None)
    what = f"{check.rule}{describe_scope(check.severity, check.labels)}"
    if since is not None and times and times[0] < since:
        fired = format_moment(run.test, times[0])
        yield f"expected {what} not to fire before {format_moment(run.test, since)}; it fired at {fired}"
    elif not times or times[0] > by:
        late = (
            f"it fired at {format_moment(run.test, times[0])}"
            if times
            else describe_alternative(run.test, run.result, check.rule)
        )
        yield f"expected {what} to fire by {format_moment(run.test, by)}; {late}"


def _fired(run: TestRun, episode: ReplayedEpisode, check: FiringCheck) -> float | None:
    """When the episode was first as severe as the check says, on the series that it names; ``None``: never."""
    if check.labels is not None:
        return _fired_on(run, episode, check.labels, check.severity)
    return _severe_since(episode, check.severity)


def _severe_since(episode: ReplayedEpisode, severity: Severity | None) -> float | None:
    if severity is None:
        return episode.fired
    reached = (step.time for step in episode.steps if step.severity is not None and step.severity >= severity)
    return next((max(time, episode.fired) for time in reached), None)


def _severe_within(episode: ReplayedEpisode, severity: Severity | None, since: float, before: float) -> float | None:
    """When the episode was first so severe of the stretches that reach into this time; ``None``: never then."""
    end = math.inf if episode.end is None else episode.end
    times = [*(step.time for step in episode.steps), math.inf]
    stretches = (
        (max(step.time, episode.fired), min(until, end))
        for step, until in zip(episode.steps, times[1:], strict=True)
        if step.severity is not None and (severity is None or step.severity >= severity)
    )
    own = ((episode.fired, end),) if severity is None else stretches
    return next((begin for begin, until in own if begin < before and until > max(since, begin)), None)


def _fired_on(run: TestRun, episode: ReplayedEpisode, labels: Labels, severity: Severity | None) -> float | None:
    """The same of one series: the first evaluation of the episode at which its own alert was so severe."""
    for time in run.span.times:
        if episode.fired <= time and (episode.end is None or time < episode.end):
            group = run.groups_at(time).get(episode.rule)
            alerts = group.alerts if group is not None else ()
            firing = (alert for alert in alerts if alert.labels == labels and alert.state is AlertState.FIRING)
            if any(severity is None or alert.severity >= severity for alert in firing):
                return time
    return None


def _recovery_problems(run: TestRun, check: RecoveryCheck) -> Iterator[str]:
    by = check.by.at(run.test.start)
    episodes = [episode for episode in run.result.episodes if episode.rule == check.rule and episode.fired <= by]
    if not episodes:
        yield f"expected {check.rule} to recover by {format_moment(run.test, by)}; it did not fire before"
    elif (end := episodes[-1].end) is None or end > by:
        found = "it still fired at the end" if end is None else f"it recovered at {format_moment(run.test, end)}"
        yield f"expected {check.rule} to recover by {format_moment(run.test, by)}; {found}"


def _absence_problems(run: TestRun, check: AbsenceCheck) -> Iterator[str]:
    start = run.test.start
    since = check.since.at(start) if check.since is not None else run.span.since
    before = check.before.at(start) if check.before is not None else math.inf
    what = f"{check.rule or 'any rule'}{describe_scope(check.severity, None)}"
    for episode in run.result.episodes:
        if check.rule not in ("", episode.rule):
            continue
        fired = _severe_within(episode, check.severity, since, before)
        if fired is not None:
            end = (
                f"until {format_moment(run.test, episode.end)}"
                if episode.end is not None
                else "and still fired at the end"
            )
            found = f"{episode.rule} fired at {format_moment(run.test, fired)} ({episode.peak}) {end}"
            yield f"expected {what} never to fire; {found}"


def _refusals(run: TestRun, action: str, until: float) -> Iterator[ReplayedRefusal]:
    names = {ISSUE: ("issue", "open-issue"), PAGE: ("trigger-incident",)}.get(action, (action,))
    return (refusal for refusal in run.result.refusals if refusal.action in names and refusal.at <= until)
