"""What is true at GitHub and PagerDuty, whatever their lists show by now."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from modelwatch.model.register import DispatchState, Register
from modelwatch.targets.register.codec import parse_body

from .world import ACCOUNT, REPOSITORY, World

NOTE = re.compile(r"<!-- modelwatch:note (\S+) -->")
REMARK, PREFACE = "I look at it. The label job was late.", "Rota: call Bob after 18:00.\n\n"
"""What a person wrote: a comment, and a line above our text in the issue."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Two worlds with equal facts differ in nothing that matters to a person."""

    issues: tuple[tuple[str, str], ...]
    """State and reason of each issue."""
    incidents: tuple[tuple[str, str], ...]
    """Status and severity of each incident."""
    runs: tuple[str, ...]
    """Verb of each workflow run."""
    notes: tuple[tuple[str, int], ...]
    """Key of each note of ours, and how often it stands on the issue."""
    register: tuple[object, ...]
    people: tuple[bool, bool]
    """Whether a person's comment and line are there."""
    troubles: tuple[str, ...]
    told: tuple[str, ...] = ()
    """What PagerDuty has been told beside its incidents, each once, since an answer that was lost is asked for twice;
    but for a next step that came after the page, as one does where a fault delays what was planned with it."""


def observe(world: World) -> Facts:
    repo = world.github.standin.state.repo(REPOSITORY)
    issues = sorted(repo.issues.items.values(), key=lambda issue: issue.number)
    bodies = [issue.body or "" for issue in issues]
    comments = [comment.body for comment in repo.comments.items.values()]
    # That a page or a dispatch failed is reported where it did, once.
    failures = Counter(body for body in comments if body.startswith("**Not delivered.**"))
    texts = (body for body in comments if failures[body] != 1)
    keys = Counter(key for text in (*bodies, *texts) for key in NOTE.findall(text))
    registers = [parse_body(body).register for body in bodies if parse_body(body).group]
    first = registers[0] if registers else None
    told = {str(change.event["payload"]["summary"]) for change in world.pagerduty.standin.state.change_events}
    return Facts(
        issues=tuple((issue.state, issue.state_reason or "") for issue in issues),
        incidents=tuple((found.status, found.severity) for found in world.pagerduty.standin.state.incidents),
        runs=tuple(run.title.split()[1] for run in repo.runs.items.values()),
        notes=tuple(sorted(keys.items())),
        register=remembered(first) if first else (),
        people=(REMARK in comments, any(body.startswith(PREFACE) for body in bodies)),
        troubles=first.troubles if first else (),
        told=tuple(sorted(told - {text for text in told if "the next step is now" in text})),
    )


def remembered(register: Register) -> tuple[object, ...]:
    """What the register must say in the end; an intent that is known to be lost was nothing."""
    page = (register.page.state, str(register.page.severity)) if register.page else None
    tried = [record for record in register.dispatches if record.state is not DispatchState.LOST]
    dispatches = tuple((record.verb, str(record.state), record.run_id is not None) for record in tried)
    return (
        ("episode", register.episode),
        ("start", register.start),
        ("severity", str(register.severity)),
        ("peak", str(register.peak)),
        ("alerts", register.alerts),
        ("closed", register.closed is not None),
        ("page", page),
        ("dispatches", dispatches),
    )


def waiting(world: World) -> bool:
    """Whether an intent is still looked for."""
    repo = world.github.standin.state.repo(REPOSITORY)
    issues = (issue for issue in repo.issues.items.values() if issue.state_reason != "duplicate")
    registers = [parse_body(issue.body or "").register for issue in issues]
    return any(
        record.state is DispatchState.INTENDED
        for found in registers
        if found is not None
        for record in found.dispatches
    )


def interfere(world: World) -> None:
    """A person reads the issue, comments on it and edits its text."""
    alice = world.github.standin.person(REPOSITORY, "alice")
    repo = world.github.standin.state.repo(REPOSITORY)
    (issue,) = (issue for issue in repo.issues.items.values() if issue.login == ACCOUNT)
    alice.add_comment(issue.number, REMARK)
    alice.edit_issue(issue.number, body=PREFACE + (issue.body or ""))


def finish_runs(world: World) -> None:
    """The workflow runs that were dispatched succeed."""
    state = world.github.standin.state
    for run in list(state.repo(REPOSITORY).runs.items.values()):
        if run.status != "completed":
            state.finish_run(run.id)


def difference(wanted: Facts, found: Facts) -> list[str]:
    """Field by field, in words."""
    names = ("issues", "incidents", "runs", "notes", "register", "people", "troubles", "told")
    return [
        f"{name}: {getattr(found, name)}, not {getattr(wanted, name)}"
        for name in names
        if getattr(found, name) != getattr(wanted, name)
    ]
