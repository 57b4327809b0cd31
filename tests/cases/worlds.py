"""The ``observed.json`` of cases in which something was done before: planned earlier, taken to have been applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from modelwatch.model.alert import group_key
from modelwatch.model.plan import ChangeKind, ModelObservation, ObservedIssue, ObservedRun
from modelwatch.model.register import DispatchState, PageRecord, Register

from .play import HERE, ISSUE_URL, NOW, Case

HOUR = 3600.0
RUNS = "https://github.com/acme/churn-model/actions/runs"
Before = dict[str, tuple[float, Callable[[Register], Register]]]


def paged(register: Register) -> Register:
    return replace(register, page=PageRecord("triggered", register.severity, register.told or NOW))


def retrained(register: Register) -> Register:
    """What was intended has been dispatched, and is under way."""
    sent = tuple(
        replace(record, state=DispatchState.SENT, run_id=4700, url=f"{RUNS}/4700") for record in register.dispatches
    )
    return replace(register, dispatches=sent)


WORLDS: Before = {
    "recovering": (NOW - 20 * HOUR, paged),
    "recovered": (NOW - 30 * HOUR, paged),
    "worse": (NOW - 12 * HOUR, retrained),
}
"""Case to the time of the evaluation that opened its issue, and what became of the register afterwards."""


def make_worlds() -> None:
    for name, (then, after) in WORLDS.items():
        path = HERE / name / "observed.json"
        path.unlink(missing_ok=True)
        write(path, observed(Case(HERE / name, then), then, after))


def observed(case: Case, then: float, after: Callable[[Register], Register]) -> ModelObservation:
    opened = next(change for change in case.plan.changes if change.kind is ChangeKind.OPEN_ISSUE)
    if opened.register is None:
        raise ValueError(f"{case.folder.name}: the issue has no register")
    register = after(opened.register)
    issue = ObservedIssue(
        number=17,
        url=ISSUE_URL,
        group=group_key("churn", "accuracy"),
        state="open",
        state_reason="",
        closed_at=None,
        created_at=then,
        author="github-actions[bot]",
        body_digest="0" * 64,
        register=register,
    )
    runs = tuple(
        ObservedRun(4700, record.url, record.key, record.verb, "churn", "completed", "success", then + 60)
        for record in register.dispatches
        if record.state is DispatchState.SENT
    )
    return ModelObservation("churn", (issue,), runs)


def write(path: Path, found: ModelObservation) -> None:
    path.write_text(msgspec.json.format(msgspec.json.encode([found]), indent=1).decode() + "\n", "utf-8")
