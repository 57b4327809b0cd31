"""What is said on the issue about something that happened at PagerDuty."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..model.pagerduty_event import PagerDutyPerson
from ..pipeline import ManualRequest, RunContext, RunResult, converge, evaluate
from ..report.markdown import code, mention

if TYPE_CHECKING:
    from ..model.monitored_model import Config, Model
    from ..model.pagerduty_event import EventDecision, PagerDutyEvent, PagerDutyPerson
    from ..model.plan import ObservedIssue
    from .actions import EventHandler


def person_text(person: PagerDutyPerson, agent: str) -> str:
    """``@ada`` where the login is known, else the id at PagerDuty."""
    return mention(f"@{person.login}") if person.login else f"PagerDuty user {code(agent or 'unknown')}"


def acknowledgement_note(person: PagerDutyPerson, agent: str, assigned: bool) -> str:
    """Empty where the assignment says it all."""
    if assigned:
        return ""
    said = f"{person_text(person, agent)} acknowledged the incident at PagerDuty."
    if person.login:
        return f"{said} GitHub does not let this issue be assigned to them: do they have access to the repository?"
    return f"{said} The issue is not assigned: {code(person.unknown_reason, 300)}."


def resolution_question(person: PagerDutyPerson, agent: str) -> str:
    return (
        f"{person_text(person, agent)} resolved the incident at PagerDuty by hand. **Why?** Please answer here in a "
        "sentence:"
        " what was found, and what was done.\n\nThe model was evaluated anew; while the alert fires, this issue"
        " stays open and PagerDuty is told again after four hours, or at once when it gets worse. If it was a false"
        " positive, comment `/modelwatch false-positive`."
    )


@dataclass(frozen=True, slots=True)
class EventResult:
    """What became of an event from PagerDuty. ``told``: what was done, or why not, a sentence each."""

    decision: EventDecision
    issue: str = ""
    messages: tuple[str, ...] = ()
    result: RunResult | None = None
    """The evaluation that it led to."""


def handle_event(config: Config, event: PagerDutyEvent, now: float, context: RunContext) -> EventResult:
    """Do what an event from PagerDuty asks for. What is left undone is told, and raised where a service is down."""
    from ..model.pagerduty_event import EventAction
    from ..model.plan import Target
    from ..targets.sessions import open_sessions
    from .actions import EventHandler
    from .decide import command_from_event, decide_action

    desk = EventHandler(config, open_sessions(config))
    event = desk.add_key(event)
    decision = decide_action(event, config)
    model = config.model(decision.model)
    if decision.action is EventAction.IGNORE or model is None:
        return EventResult(decision)
    person, done = desk.identify_person(model, event), None
    if decision.action is not EventAction.ASSIGN:
        mine, asked = replace(config, models=(model,)), ManualRequest(model.name, decision.group)
        if decision.action is EventAction.COMMAND:
            asked = replace(asked, command=command_from_event(event, person, desk.denial_reason(model, person)))
        done = converge(mine, evaluate(mine, now), frozenset(Target), now, context, asked)
    issue = desk.find_issue(model, decision.group, now)
    if issue is None:
        return EventResult(decision, messages=("there is no open issue for it",), result=done)
    told = _notify_people(desk, model, decision, event, person, issue, now)
    return EventResult(decision, issue.url, told, done)


def _notify_people(
    handler: EventHandler,
    model: Model,
    decision: EventDecision,
    event: PagerDutyEvent,
    person: PagerDutyPerson,
    issue: ObservedIssue,
    now: float,
) -> tuple[str, ...]:
    """Tell people at both ends; what was said."""
    from ..model.pagerduty_event import EventAction
    # JOINED

    key = f"{decision.group}.pagerduty.{event.id}"
    match decision.action:
        case EventAction.REFRESH:
            if model.pagerduty.routing_key is None:
                return ("without a routing key the incident cannot be told where the issue is",)
            handler.annotate_incident(model, issue, event, now)
            return ("the issue has fresh evidence, and the incident its address",)
        case EventAction.ASSIGN:
            assigned = bool(person.login) and handler.assign_issue(model, issue, person.login)
            if text := acknowledgement_note(person, event.agent, assigned):
                handler.comment_on_issue(model, issue, key, text)
            return (f"assigned to {person.login}" if assigned else person.unknown_reason or "GitHub did not assign it",)
        case EventAction.ASK:
            handler.comment_on_issue(model, issue, key, resolution_question(person, event.agent))
            return ("the issue asks for a reason",)
        case _:
            return (f"{event.verb} was asked for: the issue has the answer",)
