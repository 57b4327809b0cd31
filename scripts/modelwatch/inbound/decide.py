"""Decides what to do about an event from PagerDuty, and turns a pressed button into a command."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from ..model.alert import BUILT_IN_RULES, group_key
from ..model.monitored_model import Config
from ..model.pagerduty_event import EventAction, EventDecision, PagerDutyEvent, PagerDutyPerson
from ..model.plan import Command, ModelObservation
from ..model.register import STALE_SINCE, group_of_alert

BUTTON_PRESSED = "incident.workflow.started"
_ACTIONS = {
    "incident.triggered": (EventAction.REFRESH, "the incident was triggered"),
    "incident.reopened": (EventAction.REFRESH, "the incident was reopened"),
    "incident.acknowledged": (EventAction.ASSIGN, "the incident was acknowledged"),
    "incident.resolved": (EventAction.ASK, "the incident was resolved"),
    BUTTON_PRESSED: (EventAction.COMMAND, "a person pressed a button"),
}


def decide_action(event: PagerDutyEvent, config: Config) -> EventDecision:
    """What to do about ``event``, with the reason."""
    if not event.key:
        return _ignore("the incident has no key, so it is unknown whether it is ours")
    ours = {
        group_key(model.name, rule): (model.name, rule)
        for model in config.models
        for rule in (*(rule.name for rule in model.rules), *sorted(BUILT_IN_RULES))
    }
    group = group_of_alert(event.key)
    if group not in ours:
        return _ignore("the incident is not ours: no rule of this configuration has its key")
    if event.type not in _ACTIONS:
        return _ignore("events of this type need no action")
    action, reason = _ACTIONS[event.type]
    if action in (EventAction.ASSIGN, EventAction.ASK) and not event.by_person:
        return _ignore(f"{reason}, but not by a person")
    if action is EventAction.COMMAND and not (event.verb and event.by_person):
        return _ignore("no person pressed the button" if event.verb else "the button names no verb")
    model, rule = ours[group]
    return EventDecision(action, reason, model, rule, group)


def _ignore(reason: str) -> EventDecision:
    return EventDecision(EventAction.IGNORE, reason)


def command_from_event(event: PagerDutyEvent, person: PagerDutyPerson, refused: str) -> Command:
    """The command that ``person`` gave by pressing a button; guards and approvals are those of a comment."""
    return Command(
        comment=event_command_id(event.id),
        author=person.login or f"PagerDuty user {event.agent or 'unknown'}",
        at=event.occurred,
        verb=event.verb,
        argument="",
        allowed=not refused,
        refused=refused,
    )


def event_command_id(event: str) -> int:
    """An id for the command of ``event``: negative, unlike the id of a comment."""
    return -1 - int(hashlib.sha256(event.encode()).hexdigest()[:12], 16)


def with_request(observed: ModelObservation, group: str, command: Command | None) -> ModelObservation:
    """``observed`` with the evidence of ``group`` marked as out of date, and with ``command`` on its open issues."""
    issues = list(observed.issues)
    for place, issue in enumerate(issues):
        if issue.group == group and issue.register is not None:
            commands = (*issue.commands, command) if command and issue.state == "open" else issue.commands
            issues[place] = replace(issue, commands=commands, register=replace(issue.register, told=STALE_SINCE))
    return replace(observed, issues=tuple(issues))
