"""People decide: a proposal is approved or rejected, or a workflow is asked for on the issue.

Whatever a person asks for goes through the same guards as what a tier asks for; only the mode ``propose`` is answered
by the asking itself. The answer names what it is about.
"""

from __future__ import annotations

from dataclasses import replace

from ..model.plan import Command
from ..model.register import DispatchRecord, ReceiptState
from ..model.rule import Mode
from . import dispatches
from .target import why_not
from .work import Work

UNDER_WAY = (ReceiptState.INTENDED, ReceiptState.SENT)
TO_A_VERSION = ("rollback", "promote")
"""Verbs that take a version as their argument."""


def approve(work: Work, command: Command) -> str:
    """Start the proposal that the command names; without a name the only one there is."""
    record, refused = _named(work, command)
    if record is None:
        return refused
    target = record.target_version
    return _start(work, command, record.verb, target, f"{command.author} approved {record.name}")


def reject(work: Work, command: Command) -> str:
    record, refused = _named(work, command)
    if record is None:
        return refused
    work.put(replace(record, state=ReceiptState.REJECTED, by=command.author))
    return f"{command.author} rejected {record.name}: it is not proposed again in this episode"


def ask(work: Work, command: Command) -> str:
    """Start a workflow that no tier has asked for, or not yet."""
    verb, words = command.verb, command.argument.split()
    version = words[0] if words and verb in TO_A_VERSION else ""
    if verb == "promote" and not version:
        return "refused: say which version: `promote <version>`"
    if version and verb == "rollback":
        refused = _not_a_target(work, version)
        if refused:
            return f"refused: {refused}"
    if version and verb == "promote" and (refused := _unknown(work, version)):
        return f"refused: {refused}"
    target, why_none = (version, "") if version or verb != "rollback" else dispatches.target_of(work)
    return _start(work, command, verb, target, f"{command.author} asked for {verb}", why_none)


def _start(work: Work, command: Command, verb: str, target: str, told: str, why_none: str = "") -> str:
    workflow = work.model.workflow(verb)
    if workflow is not None and workflow.mode is Mode.OBSERVE:
        return f"refused: workflow {verb!r} is in mode observe"
    to = f" to {target}" if target else ""
    name, refused = dispatches.start(work, verb, target, command.author, why_none)
    return f"refused: {refused}" if refused else f"{told}: {name}{to} is dispatched"


def _named(work: Work, command: Command) -> tuple[DispatchRecord | None, str]:
    """The open proposal that is meant, or why there is none."""
    records = work.register.dispatches if work.register else ()
    proposed = {record.name: record for record in records if record.state is ReceiptState.PROPOSED}
    names = ", ".join(f"`{name}`" for name in proposed)
    word = (command.argument.split() or [""])[0].lower()
    if word in proposed:
        return proposed[word], ""
    known = next((record for record in records if record.name == word), None)
    if known is not None:
        state = "was rejected" if known.state is ReceiptState.REJECTED else "has been started already"
        return None, f"refused: {known.name} {state}{f' by {known.by}' if known.by else ''}"
    if not proposed:
        return None, f"refused: {_nothing_open(records)}"
    if word and not _is_prose(word):
        return None, f"refused: there is no proposal {word!r} here; what is proposed: {names}"
    if len(proposed) > 1:
        return None, f"refused: several things are proposed; say which: {names}"
    return next(iter(proposed.values())), ""


def _nothing_open(records: tuple[DispatchRecord, ...]) -> str:
    newest = next((record for record in reversed(records) if record.state in UNDER_WAY), None)
    return f"{newest.name} is under way already" if newest else "nothing is proposed here"


def _is_prose(word: str) -> bool:
    """A first word such as "because" is the beginning of a reason, and names no proposal."""
    return "." not in word


def _not_a_target(work: Work, text: str) -> str:
    """Why nobody goes back to the version that a person named."""
    registry, healthy = work.observed.registry, work.group.evidence.previous
    if registry is None:
        if work.observed.registry_trouble:
            return f"the registry cannot be read: {work.observed.registry_trouble}"
        known = ", ".join(healthy) or "none"
        return "" if text in healthy else f"version {text!r} is not known to have been healthy; what is: {known}"
    version = registry.version(text)
    if version is None:
        return _unknown(work, text)
    why = why_not(version, registry, work.group.evidence.version, healthy)
    return f"{version.title} {why}" if why else ""


def _unknown(work: Work, text: str) -> str:
    """That the registry has no such version; empty where it has, or where there is none to ask."""
    registry = work.observed.registry
    if registry is None or registry.version(text) is not None:
        return ""
    known = ", ".join(one.title for one in registry.versions[:5]) or "none"
    return f"there is no version {text!r}; the newest are: {known}"
