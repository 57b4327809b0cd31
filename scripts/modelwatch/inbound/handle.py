"""Handles an event from PagerDuty: evaluates its model, and answers on the issue and the incident."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..context import RunContext
from ..model.monitored_model import Model
from ..model.pagerduty_event import EventAction, EventDecision, PagerDutyEvent, PagerDutyPerson
from ..model.plan import ObservedIssue
from ..model.target import Target
from ..pipeline import ManualRequest, RunResult, converge, evaluate
from ..report.markdown import code, mention
from ..targets.register.authorization import trusted_authors
from .actions import EventHandler
from .decide import command_from_event, decide_action


def person_text(person: PagerDutyPerson, agent: str) -> str:
    """``@ada`` where the login is known, else the id at PagerDuty."""
    return mention(f"@{person.login}") if person.login else f"PagerDuty user {code(agent or 'unknown')}"


def acknowledgement_note(person: PagerDutyPerson, agent: str) -> str:
    """The comment on an acknowledgement where the issue could not be assigned."""
    text = f"{person_text(person, agent)} acknowledged the incident at PagerDuty."
    if person.login:
        return f"{text} GitHub does not let this issue be assigned to them: do they have access to the repository?"
    return f"{text} The issue is not assigned: {code(person.unknown_reason, 300)}."


def resolution_question(person: PagerDutyPerson, agent: str) -> str:
    return (
        f"{person_text(person, agent)} resolved the incident at PagerDuty by hand. **Why?** Please answer here in a"
        " sentence: what was found, and what was done.\n\nThe model was evaluated anew; while the alert fires, this"
        " issue stays open and PagerDuty is notified again after four hours, or at once when it gets worse. If it was a"
        " false positive, comment `/modelwatch false-positive`."
    )


@dataclass(frozen=True, slots=True)
class EventResult:
    """The result of an event from PagerDuty. ``messages``: what was done, or why not, a sentence each."""

    decision: EventDecision
    issue: str = ""
    messages: tuple[str, ...] = ()
    result: RunResult | None = None
    """The evaluation that it led to."""


def handle_event(context: RunContext, event: PagerDutyEvent) -> EventResult:
    """Decide about an event from PagerDuty, and act. Raises UserError where a service is down."""
    handler = EventHandler(context)
    event = handler.add_key(event)
    decision = decide_action(event, context.config)
    model = context.config.model(decision.model)
    if decision.action is EventAction.IGNORE or model is None:
        return EventResult(decision)
    person, result = handler.identify_person(model, event), None
    if decision.action is not EventAction.ASSIGN:
        request = ManualRequest(model.name, decision.group)
        if decision.action is EventAction.COMMAND:
            denied = handler.denial_reason(model, person)
            request = replace(request, command=command_from_event(event, person, denied))
        own = context.only(model)
        result = converge(own, evaluate(own), frozenset(Target), request)
    issue = handler.find_issue(model, decision.group)
    if issue is None:
        return EventResult(decision, messages=("there is no open issue for it",), result=result)
    messages = _notify_people(handler, model, decision, event, person, issue)
    return EventResult(decision, issue.url, messages, result)


def _notify_people(
    handler: EventHandler,
    model: Model,
    decision: EventDecision,
    event: PagerDutyEvent,
    person: PagerDutyPerson,
    issue: ObservedIssue,
) -> tuple[str, ...]:
    """Answer on the issue or the incident; returns what was done."""
    client = handler.sessions.issue_client(model.github)
    authors = trusted_authors(client, model.github)
    key = f"{decision.group}.pagerduty.{event.id}"
    match decision.action:
        case EventAction.REFRESH:
            if reason := model.pagerduty.missing_key_reason:
                return (f"the incident cannot be linked to the issue: {reason}",)
            handler.annotate_incident(model, issue, event)
            return ("the issue has fresh evidence, and the incident its address",)
        case EventAction.ASSIGN:
            handler.record(model, issue, event, person, "acknowledged")
            assigned = bool(person.login) and client.assign(issue.number, person.login)
            if not assigned:
                client.comment_once(issue.number, key, acknowledgement_note(person, event.agent), authors)
            return (f"assigned to {person.login}" if assigned else person.unknown_reason or "GitHub did not assign it",)
        case EventAction.ASK:
            handler.record(model, issue, event, person, "resolved")
            client.comment_once(issue.number, key, resolution_question(person, event.agent), authors)
            return ("the issue asks why it was resolved",)
        case _:
            return (f"{event.verb} was requested; the issue has the answer",)
