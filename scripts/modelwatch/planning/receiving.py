"""What an event from PagerDuty asks for: a pure decision, and the command that a pressed button stands for."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from ..model.alert import BUILT_IN, group_key
from ..model.incoming import Decision, Incoming, Person, Todo
from ..model.plan import Command, Observed
from ..model.watched import Config

PRESSED = "incident.workflow.started"
_FOLLOWS = {
    "incident.triggered": (Todo.REFRESH, "the incident was triggered"),
    "incident.reopened": (Todo.REFRESH, "the incident was reopened"),
    "incident.acknowledged": (Todo.ASSIGN, "the incident was acknowledged"),
    "incident.resolved": (Todo.ASK, "a person resolved the incident"),
    PRESSED: (Todo.COMMAND, "a person pressed a button"),
}


def decide(incoming: Incoming, config: Config) -> Decision:
    """What is to be done; IGNORE always says why."""
    if not incoming.key:
        return _ignore("the incident has no key, so that nobody can say whether it is ours")
    ours = {
        group_key(model.name, rule): (model.name, rule)
        for model in config.models
        for rule in (*(rule.name for rule in model.rules), *sorted(BUILT_IN))
    }
    if incoming.key not in ours:
        return _ignore("the incident is not ours: no rule of this configuration has its key")
    if incoming.type not in _FOLLOWS:
        return _ignore("nothing follows from events of this type")
    todo, reason = _FOLLOWS[incoming.type]
    if todo is Todo.ASK and not incoming.by_person:
        return _ignore("the incident was not resolved by a person")
    if todo is Todo.COMMAND and not (incoming.verb and incoming.by_person):
        why = "no person pressed the button" if incoming.verb else "the button stands for no verb"
        return _ignore(why)
    model, rule = ours[incoming.key]
    return Decision(todo, reason, model, rule, incoming.key)


def _ignore(reason: str) -> Decision:
    return Decision(Todo.IGNORE, reason)


def command_of(incoming: Incoming, person: Person, refused: str) -> Command:
    """As if ``person`` had written the verb on the issue: guards and approvals are those of a comment."""
    return Command(
        comment=command_id(incoming.id),
        author=person.login or f"PagerDuty user {incoming.agent or 'unknown'}",
        at=incoming.occurred,
        verb=incoming.verb,
        argument="",
        allowed=not refused,
        refused=refused,
    )


def command_id(event: str) -> int:
    """Negative, so that it is no comment's."""
    return -1 - int(hashlib.sha256(event.encode()).hexdigest()[:12], 16)


STALE = 0.0
"""When the evidence of an issue was written that is to be written anew whatever its age."""


def with_stale_evidence(observed: Observed, group: str) -> Observed:
    """``observed`` in which the evidence of ``group`` is out of date."""
    issues = tuple(
        replace(issue, register=replace(issue.register, told=STALE))
        if issue.group == group and issue.register is not None
        else issue
        for issue in observed.issues
    )
    return replace(observed, issues=issues)


def with_command(observed: Observed, group: str, command: Command) -> Observed:
    """``observed`` in which every open issue of ``group`` bears ``command``."""
    issues = tuple(
        replace(issue, commands=(*issue.commands, command))
        if issue.group == group and issue.state == "open" and issue.register is not None
        else issue
        for issue in observed.issues
    )
    return replace(observed, issues=issues)
