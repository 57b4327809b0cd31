"""What planning has in hand: one group at a time (Work), and what the whole evaluation may still do (Ledger)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..model.alert import AlertState, Group
from ..model.monitored_model import BlastRadius, Model
from ..model.plan import (
    Change,
    ChangeKind,
    Dispatch,
    ModelObservation,
    Note,
    ObservedIncident,
    ObservedIssue,
    ObservedRun,
    Precondition,
    Skip,
)
from ..model.register import DispatchRecord, Register
from ..model.severity import Severity

MAX_REMEMBERED = 20
"""Dispatches and commands that a register remembers."""


@dataclass(slots=True)
class BlastRadiusCounter:
    """Counts of one evaluation, across all models."""

    limit: BlastRadius
    issues: int = 0
    pages: int = 0
    dispatches: list[Dispatch] = field(default_factory=list)

    def issue_refusal(self) -> str:
        return _limit_refusal(self.issues, self.limit.issues, "issues opened")

    def page_refusal(self) -> str:
        return _limit_refusal(self.pages, self.limit.pages, "pages")

    def dispatch_refusal(self) -> str:
        return _limit_refusal(len(self.dispatches), self.limit.dispatches, "dispatches")


def _limit_refusal(count: int, limit: int, what: str) -> str:
    if count < limit:
        return ""
    return f"blast radius: this evaluation already has {count} {what}; the rest waits for the next one"


@dataclass(slots=True)
class GroupPlan:
    """One group while it is planned. ``register`` is the draft: what the issue shall say."""

    group: Group
    model: Model
    observed: ModelObservation
    now: float
    counter: BlastRadiusCounter
    model_groups: Sequence[Group]
    """Every group of this model."""
    issue: ObservedIssue | None = None
    previous_register: Register | None = None
    """What the issue says, with what its duplicates know."""
    register: Register | None = None
    blocked_reason: str = ""
    """Why the issue cannot be touched: then nothing is opened, closed or dispatched, but pages still go."""
    blocking_guard: str = "unobservable"
    """What blocks it."""
    notes: list[Note] = field(default_factory=list)
    intents: list[Dispatch] = field(default_factory=list)
    page_changes: list[Change] = field(default_factory=list)
    escalation: str = ""
    """Why a person is paged now, whatever the tier asks for."""
    troubles: list[str] = field(default_factory=list)
    """What cannot be done this time, for the issue to say."""
    changes: list[Change] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)

    @property
    def firing(self) -> bool:
        return self.group.state is AlertState.FIRING

    @property
    def severity(self) -> Severity:
        if self.group.severity is not None:
            return self.group.severity
        return self.register.severity if self.register else Severity.INFO

    @property
    def issue_open(self) -> bool:
        return self.issue is not None and self.issue.state == "open"

    @property
    def runs(self) -> tuple[ObservedRun, ...]:
        return self.observed.runs

    @property
    def incident(self) -> ObservedIncident | None:
        """The group's newest incident, where REST was asked and knows one."""
        found = [i for i in self.observed.incidents or () if i.group == self.group.key]
        return max(found, key=lambda incident: incident.created_at, default=None)

    def add_skip(self, what: str | ChangeKind, reason: str, guard: str = "") -> None:
        self.skips.append(Skip(str(what), self.group.model, self.group.key, reason, guard))

    def add_note(self, topic: str, discriminator: object, detail: str = "") -> None:
        if self.register is not None:
            key = f"{self.group.key}.{self.register.episode}.{topic}.{discriminator}"
            self.notes.append(Note(key, topic, detail))

    def make_change(self, kind: ChangeKind, reason: str, **fields: object) -> Change:
        plain = Change(kind, self.group.model, self.group.key, reason, self.severity)
        made = replace(plain, repository=self.model.github.repository)
        return replace(made, **fields)  # type: ignore[arg-type]

    def expect_unchanged(self) -> Precondition:
        """The issue just as it was observed."""
        if self.issue is None:
            return Precondition()
        return Precondition(self.issue.number, self.issue.body_digest, self.issue.state)

    def expect_same_issue(self) -> Precondition:
        """For a change that comes after the issue change of the same plan."""
        return Precondition(self.issue.number) if self.issue else Precondition()

    def update_register(self, **fields: object) -> None:
        if self.register is not None:
            self.register = replace(self.register, **fields)  # type: ignore[arg-type]

    def put_dispatch(self, record: DispatchRecord) -> None:
        """Add a dispatch record to the draft, or replace the one with its key."""
        if self.register is None:
            return
        records = list(self.register.dispatches)
        for place, old in enumerate(records):
            if old.key == record.key:
                records[place] = record
                break
        else:
            records.append(record)
        self.update_register(dispatches=tuple(records[-MAX_REMEMBERED:]))
