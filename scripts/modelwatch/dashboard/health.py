"""The colour of a model: since when it has it, what is wrong in a sentence, and what is being done.

Its sentences are those of ``modelwatch diagnose``, of the issue and of the page.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..model.alert import MONITORING_SILENT, Alert, AlertState, Group
from ..model.register import ACKNOWLEDGED, PAGE_TRIGGERED, DispatchState, Register
from ..model.severity import Severity
from ..report import diagnosis
from ..report.comments import mute_sentence, next_page_sentence
from ..report.diagnosis import Diagnosis, DiagnosisInput
from ..report.formatting import utc_time
from ..report.markdown import plain_line
from ..report.model_health import Health, model_colour
from ..report.next_steps import target_clause
from .snapshot import ModelSnapshot


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """The state of one model; see ``page.FleetRow``."""

    health: Health
    since: float | None
    headline: str
    doing: str
    severity: Severity | None
    firing: int


def diagnose(snapshot: ModelSnapshot) -> Diagnosis:
    """What ``modelwatch diagnose`` says of the model."""
    known = DiagnosisInput(
        snapshot.model,
        snapshot.groups,
        snapshot.pull,
        snapshot.observation,
        snapshot.registry,
        snapshot.problems,
        registers=snapshot.registers,
        other_issues=snapshot.other_issues,
    )
    return diagnosis.diagnose(known, snapshot.now)


def ranked_groups(snapshot: ModelSnapshot) -> list[Group]:
    """Those that fire, in the order in which ``diagnose`` shows them."""
    ranked = diagnosis.rank_firing_groups(snapshot.groups, snapshot.registers, snapshot.now)
    return [group for group, _ in ranked]


def model_health(snapshot: ModelSnapshot, said: Diagnosis) -> ModelHealth:
    """``said``: what ``diagnose`` gives."""
    firing = ranked_groups(snapshot)
    health = model_colour(snapshot.groups, has_failed=bool(snapshot.pull.error))
    return ModelHealth(
        health,
        _since(snapshot, health),
        headline(said),
        describe_action(snapshot, firing[0]) if firing else _done_without_alert(snapshot),
        max((group.severity for group in firing if group.severity), default=None),
        len(firing),
    )


def headline(said: Diagnosis) -> str:
    """The sentence of ``diagnose`` without the state and the model's name, which stand beside it."""
    _, _, sentence = said.headline.partition(" · ")
    text = sentence.partition(": ")[2] or said.headline
    # What fires begins with the name of its rule.
    return text if said.firing and not said.down else text[:1].upper() + text[1:]


def _since(snapshot: ModelSnapshot, health: Health) -> float | None:
    match health:
        case Health.RED:
            firing = (alert for alert in _alerts(snapshot, AlertState.FIRING) if alert.severity >= Severity.ERROR)
            return min(map(urgent_since, firing), default=None)
        case Health.YELLOW:
            states = (AlertState.FIRING, AlertState.PENDING)
            return min((alert.start for state in states for alert in _alerts(snapshot, state)), default=None)
        case Health.GREEN:
            return _green_since(snapshot)
        case Health.GREY:
            # Data that cannot be judged is there: then the silence has begun when judging ended.
            silent = (alert for alert in _alerts(snapshot, AlertState.FIRING) if alert.rule == MONITORING_SILENT)
            began = min((alert.start for alert in silent), default=None)
            return newest_point(snapshot) if snapshot.pull.error or began is None else began


def _alerts(snapshot: ModelSnapshot, state: AlertState) -> Iterator[Alert]:
    return (alert for group in snapshot.groups for alert in group.alerts if alert.state is state)


def urgent_since(alert: Alert) -> float:
    """When the alert last became an error, or worse."""
    since = alert.start
    for before, step in zip((None, *alert.steps), alert.steps):
        was_urgent = before is not None and before.severity is not None and before.severity >= Severity.ERROR
        if not was_urgent and step.severity is not None and step.severity >= Severity.ERROR:
            since = step.time
    return since


def _green_since(snapshot: ModelSnapshot) -> float | None:
    """When the last alert ended that is still known: to the evaluation, or to a closed issue."""
    ends = [alert.end for alert in _alerts(snapshot, AlertState.RESOLVED) if alert.end is not None]
    registers = [issue.register for issue in snapshot.observation.issues] if snapshot.observation else []
    ends += [register.closed for register in registers if register is not None and register.closed is not None]
    return max(ends, default=None)


def newest_point(snapshot: ModelSnapshot) -> float | None:
    """The time of the newest point that was read (seconds, UTC); none that is later than the evaluation."""
    columns = [series.times for series in snapshot.pull.series] + [series.times for series in snapshot.pull.histograms]
    counts = [(times, bisect_right(times, snapshot.now)) for times in columns]
    return max((times[count - 1] for times, count in counts if count), default=None)


def describe_action(snapshot: ModelSnapshot, group: Group) -> str:
    """The workflows under way, who has acknowledged or silenced it, who was paged and when; else what its tier does."""
    register = snapshot.registers.get(group.key)
    clauses = [*_dispatch_clauses(register), *_page_clauses(register)] if register else []
    clauses += filter(
        None,
        (
            mute_sentence(group, register, snapshot.now),
            next_page_sentence(register, snapshot.model, snapshot.now),
        ),
    )
    if issue := _issue_clause(snapshot, group):
        clauses.append(issue)
    if not clauses and group.do:
        clauses = [f"this alert asks for: {', '.join(group.do)}"]
    return _as_sentence(clauses) or "Nothing: this alert has no action"


def _as_sentence(clauses: Iterable[str]) -> str:
    text = "; ".join(plain_line(clause, 300).rstrip(".") for clause in dict.fromkeys(clauses))
    return text[:1].upper() + text[1:]


def _dispatch_clauses(register: Register) -> Iterator[str]:
    for record in reversed(register.dispatches):
        name = f"{record.verb}{target_clause(record, plain_line)}"
        if record.state is DispatchState.PROPOSED:
            yield f"{name} waits for approval since {utc_time(record.at)}"
        elif record.state.is_open:
            yield f"{name} runs since {utc_time(record.at)}"


def _page_clauses(register: Register) -> Iterator[str]:
    page = register.page
    if page is None or page.state != PAGE_TRIGGERED:
        return
    if page.status == ACKNOWLEDGED:
        by = f" by {page.status_by}" if page.status_by else ""
        at = f" at {utc_time(page.status_at)}" if page.status_at is not None else ""
        yield f"the page was acknowledged{by}{at}"
    else:
        yield f"the on-call was paged at {utc_time(page.at)}"


def _issue_clause(snapshot: ModelSnapshot, group: Group) -> str:
    issues = snapshot.observation.issues if snapshot.observation else ()
    if issue := next((issue for issue in issues if issue.group == group.key and issue.is_under_way), None):
        return f"issue #{issue.number} is open"
    led = (issue for issue in (*issues, *snapshot.other_issues) if issue.register and issue.register.leads(group.key))
    leader = next((issue for issue in led if issue.is_under_way and issue.register), None)
    if leader is None or leader.register is None:
        return ""
    return f"issue #{leader.number} of {leader.register.model} {leader.register.rule} is about it, too"


def _done_without_alert(snapshot: ModelSnapshot) -> str:
    """What still runs while nothing fires, such as a retraining."""
    if snapshot.pull.error:
        return "The next evaluation reads it again"
    return _as_sentence(clause for register in snapshot.registers.values() for clause in _dispatch_clauses(register))
