"""The plan: desired minus observed, as data. Every change and every non-change carries its reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .alert import FORMAT, Group
from .past_episode import PastEpisodes
from .recent_change import RecentChanges
from .register import Register
from .release import Registry
from .severity import Severity
from .target import Target

UNOBSERVABLE = "unobservable"
"""``Skip.guard`` where what exists at a target cannot be read."""


HEARTBEAT_FAILED = "failed"
"""``Change.about`` of a heartbeat that says that the evaluation could not do all that it had to."""
STEP_PREFIX = "step:"
"""How ``Change.about`` begins where the next step is reported."""


class ChangeKind(StrEnum):
    OPEN_ISSUE = "open-issue"
    UPDATE_ISSUE = "update-issue"
    REOPEN_ISSUE = "reopen-issue"
    CLOSE_ISSUE = "close-issue"
    CLOSE_DUPLICATE = "close-duplicate"
    TRIGGER_INCIDENT = "trigger-incident"
    RESOLVE_INCIDENT = "resolve-incident"
    ACKNOWLEDGE_INCIDENT = "acknowledge-incident"
    """A person acknowledged or silenced the alert on its issue."""
    TELL_INCIDENT = "tell-incident"
    """What became of a workflow, or the next step where it is another than on the page, as a change event: it appears
    beside the incident and notifies nobody."""
    DISPATCH_WORKFLOW = "dispatch-workflow"
    SEND_MESSAGE = "send-message"
    SEND_HEARTBEAT = "send-heartbeat"
    """The delivery of the watchdog."""

    @property
    def target(self) -> Target:
        match self:
            case (
                ChangeKind.TRIGGER_INCIDENT
                | ChangeKind.RESOLVE_INCIDENT
                | ChangeKind.ACKNOWLEDGE_INCIDENT
                | ChangeKind.TELL_INCIDENT
            ):
                return Target.PAGE
            case ChangeKind.DISPATCH_WORKFLOW:
                return Target.DISPATCH
            case ChangeKind.SEND_MESSAGE:
                return Target.MESSAGE
            case ChangeKind.SEND_HEARTBEAT:
                return Target.HEARTBEAT
            case _:
                return Target.ISSUE


@dataclass(frozen=True, slots=True)
class ObservedIssue:
    """An issue with our marker. ``register`` is ``None`` where it is not trusted or not readable."""

    number: int
    url: str
    group: str
    state: str
    """``open`` or ``closed``."""
    state_reason: str
    """``completed``, ``not_planned``, ``reopened``, ``duplicate`` or empty."""
    closed_at: float | None
    created_at: float
    author: str
    body_digest: str
    """SHA-256 of the body as it was observed: the precondition of every change to it."""
    register: Register | None
    register_error: str = ""
    """Why the register cannot be used: forged author, unreadable JSON, newer format."""
    commands: tuple[Command, ...] = ()
    last_comment: int = 0
    """Id of the newest comment that was read; 0 where none was."""
    comments_left_out: bool = False
    """Whether there were more new comments than are read."""
    is_public: bool = False
    """Whether everybody can comment; found out only where strangers gave commands."""
    closed_by: str = ""
    """Login of who closed it, where that was somebody else than modelwatch."""
    closed_by_bot: bool = False
    closer_may_mute: bool = False
    """Whether who closed it is on the list of people, or the owner."""
    trusted: bool = True
    """Whether its author is a configured one. An untrusted author's issue is ignored; a trusted one whose register
    cannot be read blocks its group."""

    @property
    def is_under_way(self) -> bool:
        """Whether it is open, or a person closed it while its alert fired: then the alert can still fire."""
        return self.state == "open" or (
            self.register is not None and self.register.closed is None and self.state_reason != "duplicate"
        )


@dataclass(frozen=True, slots=True)
class Command:
    """A person's comment ``/modelwatch <verb> ...`` on an issue, not yet answered."""

    comment: int
    author: str
    at: float
    verb: str
    argument: str
    allowed: bool
    """Whether it is carried out: its author is on the configured list, and it is well formed."""
    refused: str = ""
    """Why not, where it is not."""
    invalid: bool = False
    """Whether it is not carried out because of how it was written; else somebody or something refused it."""
    by_stranger: bool = False
    """Whether its author is not on the list: all of them get one answer."""


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """A workflow run with a dispatch key in its name."""

    id: int
    url: str
    key: str
    verb: str
    model: str
    status: str
    """GitHub's: queued, in_progress, completed, waiting, ..."""
    conclusion: str
    created_at: float
    ended_at: float | None = None
    """When it last changed, once it is completed."""
    attempt: int = 1
    """GitHub's count: a person can run it again."""
    by: str = ""
    """Who started it, or ran it again last; empty where GitHub does not say."""


@dataclass(frozen=True, slots=True)
class ObservedIncident:
    """An incident of a group, seen through REST: the newest of one of its alerts."""

    group: str
    status: str
    """``triggered``, ``acknowledged`` or ``resolved``."""
    url: str
    created_at: float
    changed_at: float
    by_person: bool
    """Whether a person, not a service, made the last status change."""
    by: str = ""
    """The name of who made it."""
    severity: Severity | None = None
    """Of its alert; read only where no register says it."""

    @property
    def is_open(self) -> bool:
        return self.status != "resolved"


@dataclass(frozen=True, slots=True)
class ObservationError:
    """A target that cannot be observed."""

    target: Target
    reason: str
    workflow: str = ""
    """The only workflow whose runs cannot be observed; empty: all of the target."""


@dataclass(frozen=True, slots=True)
class ModelObservation:
    """What exists at the targets of one model."""

    model: str
    issues: tuple[ObservedIssue, ...] = ()
    runs: tuple[ObservedRun, ...] = ()
    incidents: tuple[ObservedIncident, ...] | None = None
    """``None`` where there is no REST token: then the register's page record is what we know."""
    errors: tuple[ObservationError, ...] = ()
    registry: Registry | None = None
    """Versions and moves at W&B; ``None`` where the model has no ``release:``, or the plan does not need it."""
    registry_error: str = ""
    """Why the registry cannot be read, where the plan needs it."""
    recent_changes: tuple[tuple[str, RecentChanges], ...] = ()
    """By group: what changed before it began, of those that begin to fire."""
    past_episodes: tuple[tuple[str, PastEpisodes], ...] = ()
    """By group: its earlier episodes, of those that begin to fire or get worse."""

    def error_for(self, target: Target, workflow: str = "") -> str:
        """Why ``target``, or the runs of one ``workflow``, cannot be observed; the empty string where it can."""
        errors = (error for error in self.errors if error.target is target and error.workflow in ("", workflow))
        return next((error.reason for error in errors), "")


@dataclass(frozen=True, slots=True)
class Precondition:
    """What must still be so just before the change; anything else refuses this change alone."""

    issue: int | None = None
    """Number of the issue; ``None``: that there is none for the group's episode."""
    body_digest: str = ""
    issue_state: str = ""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The contract of a dispatched workflow: these inputs, and ``run-name: modelwatch <verb> <model> <key>``."""

    key: str
    verb: str
    workflow: str
    repository: str
    event_type: str
    ref: str
    model: str
    version: str
    target_version: str
    reason: str
    inputs: tuple[tuple[str, str], ...] = ()
    """Fixed extra inputs; the issue's URL is added when it is known."""


ANSWER = "command"
"""``Note.topic`` of the answer to a command: it is posted when the register says that the command was answered."""


@dataclass(frozen=True, slots=True)
class Note:
    """A comment on the issue; ``key`` is in it as a hidden marker, so that it is never posted twice."""

    key: str
    topic: str
    """``opened``, ``worse``, ``better``, ``recovered``, ``reopened``, ``workflow``, ``proposal``, ``command``, ..."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One intended difference at one target."""

    kind: ChangeKind
    model: str
    group: str
    reason: str
    severity: Severity
    expect: Precondition = Precondition()
    register: Register | None = None
    """ISSUE changes: the new register."""
    notes: tuple[Note, ...] = ()
    dispatch: Dispatch | None = None
    repository: str = ""
    about: str = ""
    """TELL_INCIDENT: key of the dispatch that ended, or ``STEP_PREFIX`` and the digest of the next step. SEND_MESSAGE:
    key of the message. SEND_HEARTBEAT: empty, or ``HEARTBEAT_FAILED``. TRIGGER_INCIDENT: ``dedup_key`` of a further
    alert; empty for the group's own."""

    @property
    def id(self) -> str:
        """Unique within a plan."""
        what = self.dispatch.key if self.dispatch else self.about or self.group
        number = f"#{self.expect.issue}" if self.expect.issue else ""
        return f"{self.kind}:{what}{number}"


@dataclass(frozen=True, slots=True)
class Skip:
    """A non-change: what was not done, and why."""

    what: str
    """A ``ChangeKind``, or a verb of a ``do`` list."""
    model: str
    group: str
    reason: str
    guard: str = ""
    """The guard that refused: ``cooldown``, ``budget``, ``blast-radius``, ``data-quality``, ``silence``, ..."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The content of ``plan.json``."""

    at: float
    """When it was made (seconds, UTC)."""
    config: str
    changes: tuple[Change, ...]
    """In the order in which they are applied; the changes of one group stand together."""
    skips: tuple[Skip, ...]
    groups: tuple[Group, ...]
    """The groups that the changes are about: the evidence for the texts."""
    troubles: tuple[tuple[str, str], ...] = ()
    """``(model, what could not be observed or read)``."""
    heartbeat: Change | None = None
    """Sent after all other changes, if nothing failed before it. It is not among ``changes``: it changes nothing that
    people see."""
    format: int = FORMAT


class ChangeResult(StrEnum):
    DONE = "done"
    ALREADY = "already"
    """Satisfied before we came."""
    REFUSED = "refused"
    """The target differs from what the plan expected."""
    FAILED = "failed"
    NOT_ASKED = "not-asked"
    """Left out by ``--only``."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of what became of one change."""

    change: str
    kind: ChangeKind
    model: str
    group: str
    result: ChangeResult
    at: float
    detail: str = ""
    """Why it was refused or failed."""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Receipts:
    """The content of ``receipts.json``."""

    at: float
    plan: str
    """The plan's digest."""
    receipts: tuple[Receipt, ...]
    heartbeat: Receipt | None = None
    """Never counts as a failure of the evaluation."""
    format: int = FORMAT

    @property
    def has_failures(self) -> bool:
        """Whether a change failed or was refused."""
        return any(receipt.result in (ChangeResult.FAILED, ChangeResult.REFUSED) for receipt in self.receipts)
