"""What PagerDuty tells of an incident, answered: an evaluation where one is asked for, and word at both ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .pipeline import Asked, Done, Place, converge, evaluate

if TYPE_CHECKING:
    from .model.incoming import Decision, Incoming, Person
    from .model.plan import ObservedIssue
    from .model.watched import Config, Model
    from .targets.incoming import Desk


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of an event from PagerDuty. ``told``: what was done, or why not, a sentence each."""

    decision: Decision
    issue: str = ""
    told: tuple[str, ...] = ()
    done: Done | None = None
    """The evaluation that it led to."""


def answer(config: Config, incoming: Incoming, now: float, place: Place) -> Answered:
    """Do what an event from PagerDuty asks for. What is left undone is told, and raised where a service is down."""
    from .model.incoming import Todo
    from .model.plan import Target
    from .planning.receiving import command_of, decide
    from .targets.connect import connect
    from .targets.incoming import Desk

    desk = Desk(config, connect(config))
    incoming = desk.with_key(incoming)
    decision = decide(incoming, config)
    model = config.model(decision.model)
    if decision.todo is Todo.IGNORE or model is None:
        return Answered(decision)
    person, done = desk.person(model, incoming), None
    if decision.todo is not Todo.ASSIGN:
        mine, asked = replace(config, models=(model,)), Asked(model.name, decision.group)
        if decision.todo is Todo.COMMAND:
            asked = replace(asked, command=command_of(incoming, person, desk.refusal(model, person)))
        done = converge(mine, evaluate(mine, now), frozenset(Target), now, place, asked)
    issue = desk.issue(model, decision.group, now)
    if issue is None:
        return Answered(decision, told=("there is no open issue for it",), done=done)
    told = _told(desk, model, decision, incoming, person, issue, now)
    return Answered(decision, issue.url, told, done)


def _told(
    desk: Desk, model: Model, decision: Decision, incoming: Incoming, person: Person, issue: ObservedIssue, now: float
) -> tuple[str, ...]:
    """Tell people at both ends; what was said."""
    from .model.incoming import Todo
    from .report import received

    key = f"{decision.group}.pagerduty.{incoming.id}"
    match decision.todo:
        case Todo.REFRESH:
            if model.pagerduty.routing_key is None:
                return ("without a routing key the incident cannot be told where the issue is",)
            desk.annotate(model, issue, incoming, now)
            return ("the issue has fresh evidence, and the incident its address",)
        case Todo.ASSIGN:
            assigned = bool(person.login) and desk.assign(model, issue, person.login)
            if text := received.acknowledged(person, incoming.agent, assigned):
                desk.say(model, issue, key, text)
            return (f"assigned to {person.login}" if assigned else person.unknown or "GitHub did not assign it",)
        case Todo.ASK:
            desk.say(model, issue, key, received.why_resolved(person, incoming.agent))
            return ("the issue asks for a reason",)
        case _:
            return (f"{incoming.verb} was asked for: the issue has the answer",)
