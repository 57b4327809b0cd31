"""The port of a target, a place where modelwatch acts, and the state that targets share while they act."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from ..model.alert import Group
from ..model.monitored_model import GitHubSpec, Model
from ..model.plan import (
    Change,
    ChangeResult,
    Command,
    ModelObservation,
    ObservationError,
    ObservedIncident,
    ObservedIssue,
    ObservedRun,
)
from ..model.register import Register
from ..model.target import Target
from .draft import GroupPlan
from .register.client import IssueClient, IssueView
from .register.codec import future_reason
from .sessions import TargetSessions

RegisterUpdate = Callable[[Register], Register]
"""Writes the receipt of one change into a register; safe to repeat."""


@dataclass(slots=True)
class ObservationBuilder:
    """Collects what exists for one model."""

    model: Model
    groups: tuple[Group, ...] = ()
    """The model's groups in the judgement."""
    judged: bool = True
    """Without a judgement everything is observed."""
    issues: list[ObservedIssue] = field(default_factory=list)
    runs: tuple[ObservedRun, ...] = ()
    incidents: tuple[ObservedIncident, ...] | None = None
    errors: list[ObservationError] = field(default_factory=list)

    def add_error(self, reason: object, *targets: Target, workflow: str = "") -> None:
        self.errors += [ObservationError(target, str(reason), workflow) for target in targets]

    def build(self) -> ModelObservation:
        return ModelObservation(self.model.name, tuple(self.issues), self.runs, self.incidents, tuple(self.errors))


@dataclass(frozen=True, slots=True)
class ChangeOutcome:
    """The outcome of one change."""

    result: ChangeResult
    detail: str = ""
    url: str = ""
    record: RegisterUpdate | None = None
    """Records it in the register."""

    @property
    def succeeded(self) -> bool:
        return self.result in (ChangeResult.DONE, ChangeResult.ALREADY)


@dataclass(slots=True)
class GroupRun:
    """One group while its changes are applied; each target sees here what the previous ones did."""

    sessions: TargetSessions
    group: Group | None
    now: float
    planned_at: float
    run_url: str = ""
    """The workflow run that is evaluating; empty on a terminal."""
    groups: Mapping[str, Group] = field(default_factory=dict)
    """The groups of the whole plan, by key: those that this one leads are among them."""
    issue: IssueView | None = None
    """The issue that carries the group, once it is known."""
    issue_read: bool = False
    issue_problem: str = ""
    """Why GitHub could not be read or written: the page says so."""
    blocked_reason: str = ""
    """Why the issue could not be written or read: then nothing is dispatched."""
    updates: list[RegisterUpdate] = field(default_factory=list)
    """What the changes made so far write into the register."""
    writer: str = ""
    """Tells this evaluation from others at the same time."""
    written_at: float | None = None
    """When this process wrote the issue, by the clock of the sessions."""
    claimed: bool = False
    """The issue is known to be ours: no other evaluation acts on it."""
    sent_ahead: AbstractSet[str] = frozenset()
    """The ids of changes that were made before their turn: only the link to the issue is missing."""
    unfinished: str = ""
    """What this evaluation could not do, once all other changes are applied."""
    superseded: bool = False
    """Another evaluation has written the issue at the same time, and acts on it: nothing is recorded here."""

    @property
    def register(self) -> Register | None:
        """The register on the issue, where it is believed."""
        register = self.issue.register_block.register if self.issue else None
        return None if register is None or future_reason(register, self.now) else register

    @property
    def issue_url(self) -> str:
        return self.issue.url if self.issue else ""

    def github_spec(self, change: Change) -> GitHubSpec:
        return self.sessions.github_spec(change.model, change.repository)

    def issue_client(self, change: Change) -> IssueClient:
        """The issues of the group's repository. Raises UserError where none is configured."""
        return self.sessions.issue_client(self.github_spec(change), change.repository)

    def update(self, register: Register) -> Register:
        """``register`` with the receipts of everything done so far."""
        for update in self.updates:
            register = update(register)
        return register

    def model(self, name: str) -> Model | None:
        return self.sessions.config.model(name)

    def redact(self, text: str) -> str:
        return self.sessions.redactor.redact_text(text)


def _do_nothing(*_: object) -> None:
    """The step of a target that does not need it."""


@dataclass(frozen=True, slots=True)
class TargetPort:
    """A place where modelwatch acts, such as GitHub issues, as the functions of its steps.

    Targets do not import each other: they communicate through the draft (``GroupPlan``) while a plan is made, and
    through ``GroupRun`` while it is applied.
    """

    name: Target
    apply: Callable[[Change, GroupRun], ChangeOutcome]
    """Makes the change, once. Raises UserError and ServiceError."""
    describe: Callable[[Change], str]
    """What the change does, for the trouble on the issue when it fails."""
    observe: Callable[[TargetSessions, Sequence[ObservationBuilder], float | None], None] = _do_nothing
    """Adds what exists to the models, which share a repository; what cannot be observed is an error there."""
    sync: Callable[[GroupPlan], None] = _do_nothing
    """Writes into the draft what happened at the target since the register was written."""
    answer: Callable[[GroupPlan, Command], str | None] = _do_nothing
    """Applies a person's command and returns the answer; empty, or ``None``, for a verb of another target."""
    prepare: Callable[[GroupPlan], None] = _do_nothing
    """Writes into the draft what the other targets need to know before they plan."""
    plan: Callable[[GroupPlan], None] = _do_nothing
    """Adds the changes that the situation requires, and a reason for each that is skipped."""
