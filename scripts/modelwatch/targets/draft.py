"""The draft of one group's plan, which the targets fill in turn, and the limits that all groups share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from ..model.alert import AlertState, Group, SeverityChange
from ..model.ledger import LedgerEntry
from ..model.monitored_model import BlastRadius, Model
from ..model.plan import (
    UNOBSERVABLE,
    Change,
    ChangeKind,
    Dispatch,
    ModelObservation,
    Note,
    ObservedIncident,
    ObservedIssue,
    Precondition,
    Skip,
)
from ..model.register import (
    ESCALATED,
    MAX_REMEMBERED,
    STUCK,
    CallRecord,
    DispatchRecord,
    FlapRecord,
    PageRecord,
    Register,
)
from ..model.rule import Rule
from ..model.severity import Severity

REFUSED_PREFIX = "refused: "
INVALID_PREFIX = "invalid: "
"""Of the answer to a command: refused by a guard, or because of who gave it; or not written as commands are."""


class Situation(Enum):
    """The situation of a group, by its issue and the judgement; each target plans by it."""

    NOTHING_TO_DO = auto()
    FIRING = auto()
    MUTED = auto()
    """Firing, but muted by ``draft.guard``."""
    NO_ACTIONS = auto()
    """Firing at a tier without actions, and no issue is open."""
    WITHOUT_ISSUE = auto()
    """Firing, and its issue cannot be written (``draft.guard``): nothing remembers what is done."""
    RECOVERED = auto()
    """Recovery is confirmed: the incident is resolved, then the issue closed."""
    UNPROVEN = auto()
    """Not firing, but recovery is not confirmed."""
    FOLLOWING = auto()
    """Firing, and another group leads the cause that they share."""
    CLOSED = auto()
    """modelwatch closed the issue before."""
    NO_ISSUE = auto()
    """Not firing, and without an issue."""


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


def _last_change(series: Sequence[Sequence[SeverityChange]], severity: Severity) -> float | None:
    """When the worst of these became ``severity``; ``None`` where it is another one."""
    levels: list[Severity | None] = [None] * len(series)
    worst: Severity | None = None
    since = 0.0
    changes = [(step.time, place, step.severity) for place, steps in enumerate(series) for step in steps]
    changes.sort(key=lambda change: change[:2])
    for place, (time, which, level) in enumerate(changes):
        levels[which] = level
        if place + 1 < len(changes) and changes[place + 1][0] == time:
            continue  # what changes at the same time counts together
        now = max((one for one in levels if one is not None), default=None)
        if now is not worst:
            worst, since = now, time
    return since if worst is severity else None


def _limit_refusal(count: int, limit: int, what: str) -> str:
    if count < limit:
        return ""
    return f"blast radius: this evaluation already has {count} {what}; the rest waits for the next one"


@dataclass(slots=True)
class GroupPlan:
    """One group while it is planned. ``register`` is the draft of what the issue will hold."""

    group: Group
    model: Model
    observed: ModelObservation
    now: float
    counter: BlastRadiusCounter
    model_groups: Sequence[Group]
    """Every group of this model."""
    groups: Mapping[str, Group] = field(default_factory=dict)
    """Every group of every model, by its key."""
    configured: AbstractSet[str] = frozenset()
    """Keys of the groups of every configured rule."""
    leader: GroupPlan | None = None
    """The group that leads the cause that this one shares; it is planned before."""
    followers: list[GroupPlan] = field(default_factory=list)
    """The groups that this one leads; they fire, and nothing mutes them."""
    shared_cause: str = ""
    """What they have in common."""
    has_recovered_with_leader: bool = False
    """Whether the issue of a leader says that this group, which it led, has recovered."""
    asking: Group | None = None
    """The group whose tier asks for the workflow that is planned now; by default the draft's own."""
    issue: ObservedIssue | None = None
    previous_register: Register | None = None
    """The register on the issue, before this plan."""
    register: Register | None = None
    blocked_reason: str = ""
    """Why the issue cannot be written: then nothing is opened, closed or dispatched, but pages are still sent."""
    blocking_guard: str = UNOBSERVABLE
    """The guard that blocks it."""
    situation: Situation = Situation.NOTHING_TO_DO
    guard: str = ""
    """The guard that mutes the group, or keeps its issue from being written."""
    guard_reason: str = ""
    issue_change: ChangeKind = ChangeKind.UPDATE_ISSUE
    """How the issue changes, when FIRING."""
    issue_reason: str = ""
    notes: list[Note] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    """What belongs into the ledger and cannot be seen in the register."""
    troubles: list[str] = field(default_factory=list)
    """What cannot be done this time, to be shown on the issue."""
    failures: list[str] = field(default_factory=list)
    """Why the issue cannot be used, where that was not foreseen."""
    changes: list[Change] = field(default_factory=list)
    """In the order in which they were planned."""
    skips: list[Skip] = field(default_factory=list)

    @property
    def firing(self) -> bool:
        return self.group.state is AlertState.FIRING

    @property
    def rule(self) -> Rule | None:
        """The configured rule of the group; ``None`` where modelwatch raises it itself."""
        return next((rule for rule in self.model.rules if rule.name == self.group.rule), None)

    @property
    def severity(self) -> Severity:
        """The worst of the group and of those that it leads."""
        if self.group.severity is not None:
            return max([self.group.severity, *(follower.severity for follower in self.followers)])
        return self.register.severity if self.register else Severity.INFO

    @property
    def severity_text(self) -> str:
        """``nulls is error``: who is as bad as the whole; where that is one that it leads, with its name."""
        members = (self, *self.followers)
        worst = next((one for one in members if one.group.severity is self.severity), self)
        other = f"{worst.group.model} " if worst.group.model != self.group.model else ""
        return f"{other}{worst.group.rule} is {self.severity}"

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions of the tiers that hold, its own first. Of another model's group only issue and page count: its
        workflows change that model, and the cause is here."""
        verbs = list(self.group.do)
        for follower in self.followers:
            own = follower.group.model == self.group.model
            verbs += [verb for verb in follower.group.do if own or verb in ("issue", "page")]
        return tuple(dict.fromkeys(verbs))

    @property
    def acting_groups(self) -> tuple[Group, ...]:
        """The groups whose workflows are started here: its own, and those that it leads of the same model."""
        own = (follower.group for follower in self.followers if follower.group.model == self.group.model)
        return (self.group, *own)

    @property
    def asking_group(self) -> Group:
        return self.asking or self.group

    @property
    def issue_open(self) -> bool:
        return self.issue is not None and self.issue.state == "open"

    @property
    def closed_elsewhere(self) -> bool:
        """Whether somebody else than modelwatch closed the issue."""
        closed = self.issue is not None and self.issue.state == "closed"
        return closed and self.register is not None and self.register.closed is None

    @property
    def closed_by_person(self) -> bool:
        return self.closed_elsewhere and self.issue is not None and not self.issue.closed_by_bot

    @property
    def is_escalated(self) -> bool:
        """Whether this episode pages, whatever the tier's actions."""
        calls = self.register.calls if self.register else ()
        stuck = any(call.key.startswith(f"{STUCK}.") for call in calls)
        return stuck or any(record.settled == ESCALATED for record in self.dispatches)

    @property
    def severity_since(self) -> float:
        """When the severity last changed: the same time however often this is planned."""
        records = self.register.followers if self.register else ()
        led = {follower.group.key: follower.group for follower in self.followers}
        led |= {one.group: self.groups[one.group] for one in records if one.group in self.groups}
        alerts = [alert for group in (self.group, *led.values()) for alert in group.alerts if not alert.mutes]
        return _last_change([alert.steps for alert in alerts], self.severity) or self.group.newest

    @property
    def dispatches(self) -> tuple[DispatchRecord, ...]:
        """Those of the episode."""
        return self.register.dispatches if self.register else ()

    @property
    def page(self) -> PageRecord | None:
        return self.register.page if self.register else None

    @property
    def flap(self) -> FlapRecord | None:
        return self.register.flap if self.register else None

    @property
    def incident(self) -> ObservedIncident | None:
        """The group's newest incident, an open one before others, where REST was asked and knows one."""
        incidents = [incident for incident in self.observed.incidents or () if incident.group == self.group.key]
        return max(incidents, key=lambda incident: (incident.is_open, incident.created_at), default=None)

    @property
    def due_calls(self) -> tuple[CallRecord, ...]:
        """What a person was not notified of yet."""
        calls = self.register.calls if self.register else ()
        return tuple(call for call in calls if self.page is None or call.at > self.page.at)

    def block(self, reason: str) -> None:
        """Begin again without the issue, which cannot be used for ``reason``."""
        self.blocked_reason, self.blocking_guard, self.register = reason, UNOBSERVABLE, None
        self.notes, self.entries, self.troubles, self.changes, self.skips = [], [], [], [], []

    def add_skip(self, what: str | ChangeKind, reason: str, guard: str = "") -> None:
        self.skips.append(Skip(str(what), self.group.model, self.group.key, reason, guard))

    def add_note(self, topic: str, discriminator: object, detail: str = "") -> None:
        if self.register is not None:
            key = f"{self.group.key}.{self.register.episode}.{topic}.{discriminator}"
            self.notes.append(Note(key, topic, detail))

    def add_change(self, kind: ChangeKind, reason: str, **fields: object) -> None:
        """Add a change. By default it expects the same issue with any text: the plan's issue change comes first."""
        change = Change(
            kind,
            self.group.model,
            self.group.key,
            reason,
            self.severity,
            Precondition(self.issue.number if self.issue else None),
            repository=self.model.github.repository,
        )
        self.changes.append(replace(change, **fields))  # type: ignore[arg-type]

    def update_register(self, **fields: object) -> None:
        if self.register is not None:
            self.register = replace(self.register, **fields)  # type: ignore[arg-type]

    def call_person(self, key: str, reason: str) -> bool:
        """A person has to be notified of ``reason``, once for each ``key``; whether that is new."""
        register = self.register
        if register is None or any(call.key == key for call in register.calls):
            return False
        call = CallRecord(key, reason[:300], self.now)
        self.update_register(calls=(*register.calls, call)[-MAX_REMEMBERED:])
        return True

    def put_dispatch(self, record: DispatchRecord) -> None:
        """Add a dispatch record to the draft, or replace the one with its key."""
        if self.register is not None:
            records = {old.key: old for old in self.register.dispatches} | {record.key: record}
            self.update_register(dispatches=tuple(records.values())[-MAX_REMEMBERED:])
