"""Answers the commands that approve or reject a proposal, or request a workflow.

A request goes through the same guards as a tier's action; only the mode ``propose`` no longer holds it back.
"""

from __future__ import annotations

from dataclasses import replace

from ...model.plan import Command
from ...model.register import DispatchRecord, DispatchState
from ...report.rollback_choice import NO_HEALTHY_VERSION, unfit_reason
from ..draft import INVALID_PREFIX, REFUSED_PREFIX, GroupPlan
from . import plan

WORKFLOW_VERBS = ("retrain", "rollback", "promote", "degrade", "restore")
"""Workflows that a comment can start."""
VERSION_VERBS = ("rollback", "promote")
"""Verbs that take a version as their argument."""


def answer_workflow_command(draft: GroupPlan, command: Command) -> str:
    """Apply ``command`` and return the answer; empty for a verb of another target."""
    match command.verb:
        case "approve" | "reject":
            return _answer_proposal(draft, command)
        case verb if verb in WORKFLOW_VERBS:
            return request_workflow(draft, command)
        case _:
            return ""


def _answer_proposal(draft: GroupPlan, command: Command) -> str:
    """Start or reject the proposal that the command names, or the only one."""
    record, refusal = _find_proposal(draft, command)
    if record is None:
        return refusal
    if command.at < record.at:
        return f"{REFUSED_PREFIX}{record.name} was proposed after that; look at it, and answer again"
    if command.verb == "approve":
        message = f"{command.author} approved {record.name}"
        return _start_workflow(draft, command, record.verb, record.target_version, message)
    draft.put_dispatch(replace(record, state=DispatchState.REJECTED, at=command.at, by=command.author))
    return f"{command.author} rejected {record.name}: it is not proposed again in this episode"


def request_workflow(draft: GroupPlan, command: Command) -> str:
    """Start a workflow without a proposal."""
    verb, words = command.verb, command.argument.split()
    version = words[0] if words and verb in VERSION_VERBS else ""
    if verb == "promote" and not version:
        return f"{INVALID_PREFIX}say which version: `promote <version>`"
    if version and (unknown := _unknown_version_reason(draft, version)):
        return f"{INVALID_PREFIX}{unknown}"
    if version and verb == "rollback" and (refused := _target_refusal(draft, version)):
        return f"{REFUSED_PREFIX}{refused}"
    target, no_target_reason = (version, "") if version or verb != "rollback" else plan.choose_target_version(draft)
    return _start_workflow(draft, command, verb, target, f"{command.author} requested {verb}", no_target_reason)


def _start_workflow(
    draft: GroupPlan, command: Command, verb: str, target: str, message: str, no_target_reason: str = ""
) -> str:
    to = f" to {target}" if target else ""
    name, refused = plan.start_requested(draft, verb, target, command.author, no_target_reason)
    return f"{REFUSED_PREFIX}{refused}" if refused else f"{message}: {name}{to} is dispatched"


def _find_proposal(draft: GroupPlan, command: Command) -> tuple[DispatchRecord | None, str]:
    """The open proposal that the command names, or the answer where there is none."""
    records = draft.dispatches
    proposed = {record.name: record for record in records if record.state is DispatchState.PROPOSED}
    names = ", ".join(f"`{name}`" for name in proposed)
    word = (command.argument.split() or [""])[0].lower()
    if word in proposed:
        return proposed[word], ""
    known = next((record for record in records if record.name == word), None)
    if known is not None:
        rejected = known.state is DispatchState.REJECTED
        state = "was rejected" if rejected else "has been started already"
        other = _anew_clause(draft, command, known) if rejected else ""
        return None, f"{REFUSED_PREFIX}{known.name} {state}{f' by {known.by}' if known.by else ''}{other}"
    if not proposed:
        newest = next((record for record in reversed(records) if record.state.is_open), None)
        reason = f"{newest.name} is under way already" if newest else "nothing is proposed here"
        return None, f"{REFUSED_PREFIX}{reason}"
    if "." in word:  # else it begins a reason, such as "because"
        return None, f"{INVALID_PREFIX}there is no proposal {word!r} here; proposed: {names}"
    if len(proposed) > 1:
        return None, f"{INVALID_PREFIX}several workflows are proposed; name one: {names}"
    return next(iter(proposed.values())), ""


def _anew_clause(draft: GroupPlan, command: Command, rejected: DispatchRecord) -> str:
    """The command that starts what was rejected; empty where that would be refused, too."""
    _, refusal = plan.request_refusal(draft, rejected.verb, rejected.target_version, command.author)
    if refusal:
        return ""
    return f"; to start it anyway, comment `/modelwatch {f'{rejected.verb} {rejected.target_version}'.rstrip()}`"


def _target_refusal(draft: GroupPlan, text: str) -> str:
    """Why the version that a person named cannot be rolled back to; empty where it can."""
    registry, evidence = draft.observed.registry, draft.group.evidence
    healthy = evidence.previous
    if registry is None:
        if draft.observed.registry_error:
            return f"the registry cannot be read: {draft.observed.registry_error}"
        if not healthy:
            return NO_HEALTHY_VERSION
        if text in healthy:
            return ""
        return f"version {text!r} is not on record as healthy; these are: {', '.join(healthy)}"
    version = registry.version(text)
    reason = unfit_reason(version, registry, evidence.version, evidence.health) if version else ""
    return f"{version.title} {reason}" if version and reason else ""


def _unknown_version_reason(draft: GroupPlan, text: str) -> str:
    """Why the version cannot be meant: the registry has none of this name. Else, or without a registry, empty."""
    registry = draft.observed.registry
    if registry is None or registry.version(text) is not None:
        return ""
    titles = ", ".join(version.title for version in registry.versions[:5]) or "none"
    return f"there is no version {text!r}; the newest are: {titles}"
