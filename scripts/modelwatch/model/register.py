"""The register of a group: the small JSON in its issue that says what was intended and what was done."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from .ledger import MODELWATCH, PAGERDUTY, Ledger
from .past_episode import PastEpisodes
from .recent_change import RecentChanges
from .severity import Severity

PAGE_TRIGGERED, PAGE_RESOLVED = "triggered", "resolved"
"""``PageRecord.state``."""
ACKNOWLEDGED = "acknowledged"
"""``PageRecord.status``."""
DATA_IN_DOUBT_PREFIX = "data quality is in doubt:"
"""How the reason begins for which a retraining waits; what fires follows."""
ESCALATED = "escalated"
"""``DispatchRecord.settled`` of a workflow run that did not bring the metric back."""
STUCK = "stuck"
"""How the key of a call about a workflow run begins that does not end."""
FALSE_POSITIVE = "false-positive"
"""``Register.verdict``."""
MAX_REMEMBERED = 20
"""Dispatches and ids of comments that a register remembers."""
MAX_REMEMBERED_BUTTONS = 10
MAX_ALERTS = 100
"""Alerts of one group at PagerDuty, each with a key of its own; further pages trigger the last one again."""
STALE_SINCE = 0.0
"""``Register.told`` of an issue whose evidence must be written again, whatever its age."""


class DispatchState(StrEnum):
    """How far a dispatch came."""

    INTENDED = "intended"
    """Written before the dispatch: it may not have been sent."""
    SENT = "sent"
    PROPOSED = "proposed"
    FINISHED = "finished"
    """The workflow run ended; ``conclusion`` says how."""
    LOST = "lost"
    """The intent was never found among the workflow runs."""
    REJECTED = "rejected"
    """Somebody rejected the proposal."""

    @property
    def is_open(self) -> bool:
        """Whether a workflow run may be under way."""
        return self in (DispatchState.INTENDED, DispatchState.SENT)

    @property
    def is_dispatched(self) -> bool:
        """Whether it counts as dispatched: an intent may have been, a lost one was not and a proposal is none."""
        return self.is_open or self is DispatchState.FINISHED


@dataclass(frozen=True, slots=True)
class DispatchRecord:
    """One dispatch: intent, receipt and outcome in one line. ``key`` is ``group.episode.verb.attempt``."""

    key: str
    verb: str
    state: DispatchState
    at: float
    """When it was intended or proposed; of a proposal, when a person then approved, started or rejected it."""
    url: str = ""
    run_id: int | None = None
    conclusion: str = ""
    version: str = ""
    target_version: str = ""
    by: str = ""
    """The person who requested, approved, started or rejected it; empty where a tier did."""
    ended: float | None = None
    """When its workflow run ended."""
    told: bool = False
    """Whether the end was reported to the incident."""
    run_attempt: int = 1
    """How often its workflow ran, as far as was seen: a person can run it again."""
    settled: str = ""
    """What became of the metric after it: ``escalated`` where it did not recover in time, or the workflow failed."""

    @property
    def name(self) -> str:
        """Its short name: ``rollback.1``."""
        return f"{self.verb}.{self.key.rpartition('.')[2]}"

    @property
    def run_name(self) -> str:
        """The name of its last run, which ends like its own: ``rollback.1``, and after a person ran it again
        ``again-2.rollback.1``."""
        return self.name if self.run_attempt == 1 else f"again-{self.run_attempt}.{self.name}"


@dataclass(frozen=True, slots=True)
class PageRecord:
    """The last event that PagerDuty got about the group."""

    state: str
    """``triggered`` or ``resolved``."""
    severity: Severity
    at: float
    url: str = ""
    alerts: int = 1
    """How many alerts were opened, each with a key of its own: see ``alert_keys``."""
    status: str = ""
    """``acknowledged``, or ``resolved`` by a person, as PagerDuty has it; empty: neither, as far as is known."""
    status_by: str = ""
    """Who did that; empty where it is not known."""
    status_at: float | None = None
    page_times: tuple[float, ...] = ()
    """When the group was paged while it flapped (seconds, UTC), in the 24 h before the last event; oldest first."""

    @property
    def status_person(self) -> str:
        """The person whose status it is; empty where nobody is known, or it was a service."""
        return "" if self.status_by in (MODELWATCH, PAGERDUTY) else self.status_by

    @property
    def known_since(self) -> float:
        """When the on-call was last notified, or acknowledged it (seconds, UTC)."""
        return self.at if self.status != ACKNOWLEDGED or self.status_at is None else max(self.at, self.status_at)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """Something beside a severity that a person has to be notified of; ``key`` is unique in the episode."""

    key: str
    """``escalated.rollback.1``, ``stuck.rollback.1``, ``reminder.rollback.1``, ``expired.1790000000``,
    ``unmuted.7``, ``withdrawn.7``."""
    reason: str
    at: float


def alert_keys(group: str, count: int) -> tuple[str, ...]:
    """The ``dedup_key`` of each alert of a group, oldest first: the group's own, then ``<group>.2`` and so on.

    PagerDuty notifies nobody of a further trigger of an acknowledged alert, so what a person has to be notified of anew
    opens another one.
    """
    return (group, *(f"{group}.{number}" for number in range(2, min(count, MAX_ALERTS) + 1)))


def group_of_alert(key: str) -> str:
    """The group of an alert's ``dedup_key``."""
    return key.partition(".")[0]


class MessageState(StrEnum):
    INTENDED = "intended"
    TAKEN = "taken"
    """About to be sent, or sent: it is never sent again."""


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """One message to chat and mail; ``key`` says which change it is about."""

    key: str
    state: MessageState
    at: float


@dataclass(frozen=True, slots=True)
class DeliveryFailure:
    """A page, a dispatch or a message that failed, and was not delivered since."""

    what: str
    """In our words: ``notifying PagerDuty``."""
    since: float


@dataclass(frozen=True, slots=True)
class Impact:
    """How bad an episode was at its worst."""

    where: str
    """The segment; empty for the whole."""
    value: float
    baseline: float | None
    change: float | None
    """Relative to the baseline."""
    unit: str = ""
    rows: float | None = None
    """Rows judged since it began, where they are counted."""
    alert: str = ""
    """Fingerprint of the alert; empty: not known, in a register of 0.1."""


@dataclass(frozen=True, slots=True)
class FlapRecord:
    """A group that fired again within 24 h of closing: from then on, its episode is one flap."""

    fired: int
    """How often it has fired in this episode, the first time included."""
    since: float
    """When it first began to fire (seconds, UTC)."""
    last: float
    """When it was last seen to fire again."""
    quiet_until: float | None = None
    """While it does not fire: healthy evaluations prove recovery only after this time."""


@dataclass(frozen=True, slots=True)
class FollowerRecord:
    """Another group with the same cause, which the group of the issue leads: it has no page of its own."""

    group: str
    """Its key."""
    model: str
    rule: str
    kind: str
    severity: Severity
    start: float
    """When it began to fire (seconds, UTC)."""
    alerts: tuple[str, ...] = ()
    """Fingerprints of its alerts: each must be proved clear before the issue closes."""
    page: bool = False
    """Whether its tier pages."""
    issue: str = ""
    """Address of its own issue, where it had one before."""
    ended: float | None = None
    """When it had provably recovered."""


OMITTED_FIELDS = (
    '"messages":[],',
    '"alerts":1,',
    '"status":"",',
    '"status_by":"",',
    ',"status_at":null',
    ',"page_times":[]',
    '"flap":null,',
    '"calls":[],',
    '"ack_by":"",',
    '"verdict_by":"",',
    '"impact":null,',
    '"recent_changes":{"changes":[],"problems":[]},',
    '"past_episodes":{"count":0,"since":null,"episodes":[],"patterns":[],"complete":true,"problem":""},',
    ',"comment_ids":[]',
    '"ledger":{"recent":[],"archived":0,"digest":"","url":"","lost":0,"moves_until":0.0},',
    '"undelivered":[],',
    '"followers":[],',
    '"shared_cause":"",',
    '"leading_issue":"",',
    '"title":"",',
    '"muted_severity":null,',
    '"onset":null,',
    '"shown":"",',
    '"step":"",',
    '"last_comment":0,',
    '"page_after":null,',
    '"settings":"",',
    '"writer":"",',
    ',"alert":""',
    '"run_attempt":1,',
)
"""Left out of the JSON of a register: those of 0.1 have no such fields, and a plan of then keeps its digest."""


@dataclass(frozen=True, slots=True)
class Register:
    """State of one group as its issue keeps it."""

    group: str
    model: str
    rule: str
    episode: int
    start: float
    """Never moves within an episode."""
    severity: Severity
    """The severity that the issue shows: the present one while it fires, muted or not."""
    peak: Severity
    config: str
    """Digest of the rule when this was written."""
    config_since: float
    """Proof of recovery counts from here: when the digest last changed (or the episode began)."""
    alerts: tuple[str, ...] = ()
    """Fingerprints of the alerts that fired in this episode: each must be proved clear before closing."""
    page: PageRecord | None = None
    dispatches: tuple[DispatchRecord, ...] = ()
    """Newest last; the latest 20 are kept."""
    closed: float | None = None
    """When modelwatch closed the issue; ``None`` while open (or closed by a person)."""
    reopened: float | None = None
    """When a person reopened what modelwatch had closed: then recovery must be proved twice over."""
    silence_until: float | None = None
    silence_reason: str = ""
    silence_by: str = ""
    commands: tuple[int, ...] = ()
    """Ids of the commands already answered, of comments and (negative) of buttons; the latest 20 and 10 are kept."""
    last_comment: int = 0
    """Id of the newest comment that was read: what came before it was handled. A register of 0.1 does not say it."""
    ack_until: float | None = None
    """A person acknowledged it, or closed the issue while it fired: until then, or until it gets worse."""
    muted_until_recovery: bool = False
    """A person who may command closed it as "not planned": until then, or until it gets worse."""
    muted_severity: Severity | None = None
    """While something mutes it: the severity that the issue showed when that began, or a person last muted it."""
    refired: float | None = None
    """When it fired again within 24 h of closing: what was tried in this episode is not tried again."""
    flap: FlapRecord | None = None
    told: float | None = None
    """When the body was last written with fresh evidence."""
    troubles: tuple[str, ...] = ()
    """What failed last time (PagerDuty down, ...); shown on the issue."""
    undelivered: tuple[DeliveryFailure, ...] = ()
    """What a comment has reported; forgotten when it is delivered, or the issue closes."""
    messages: tuple[MessageRecord, ...] = ()
    """Newest last; the latest 20 are kept."""
    followers: tuple[FollowerRecord, ...] = ()
    """The groups that this one leads, and has led in this episode."""
    shared_cause: str = ""
    """What they have in common, as a clause."""
    leading_issue: str = ""
    """Address of the issue that leads this one."""
    title: str = ""
    """What the title says after the model's name; it changes only with the severity or the cause."""
    page_after: float | None = None
    """The page waits for working hours, which begin then (seconds, UTC)."""
    verdict: str = ""
    """Somebody's verdict on the alert: ``FALSE_POSITIVE``, or empty."""
    calls: tuple[CallRecord, ...] = ()
    """What a person had to be notified of in this episode, oldest first."""
    ack_by: str = ""
    """Who acknowledged it, or how; empty where that is not known."""
    verdict_by: str = ""
    impact: Impact | None = None
    ledger: Ledger = field(default_factory=Ledger)
    recent_changes: RecentChanges = field(default_factory=RecentChanges)
    """What changed before the episode began."""
    past_episodes: PastEpisodes = field(default_factory=PastEpisodes)
    """The episodes before this one, as they were known when it began or got worse."""
    onset: float | None = None
    """Since when the metric has changed, as the issue says: kept while it is as plausible as any other time."""
    shown: str = ""
    """The numbers that the issue shows and a reader acts on, apart by spaces: see ``shown_numbers``."""
    step: str = ""
    """Digest of the next step that the issue shows."""
    settings: str = ""
    """``Rule.settings`` when this was written: shows whether only what its files contain has changed since."""
    writer: str = ""
    """Token of the evaluation that wrote it last: of several at the same time only that one acts."""
    format: int = 1

    @property
    def began(self) -> float:
        """When the group last began to fire, or was reopened by a person."""
        return max(time for time in (self.start, self.refired, self.reopened) if time is not None)

    @property
    def known_severity(self) -> Severity:
        """The severity that people know of: worse is what is beyond it."""
        return self.severity if self.muted_severity is None else self.muted_severity

    @property
    def proof_since(self) -> float:
        """Recovery is proven by what comes after this."""
        return max(self.start, self.config_since, self.reopened or self.start)

    @property
    def read_until(self) -> int:
        """Every comment up to the one with this id was handled: their ids ascend."""
        return max(self.last_comment, *self.commands, 0)

    def is_answered(self, command: int) -> bool:
        """Whether the command of this comment, or of this button (a negative id), was answered."""
        return command in self.commands or 0 < command <= self.read_until

    def leads(self, group: str) -> bool:
        """Whether the group with this key fires and is led by this one."""
        return any(record.group == group for record in self.firing_followers)

    @property
    def firing_followers(self) -> tuple[FollowerRecord, ...]:
        return tuple(record for record in self.followers if record.ended is None)


def remember_command(answered: tuple[int, ...], comment: int) -> tuple[int, ...]:
    """The latest comments, ascending; before them the buttons pressed at PagerDuty, newest last, by negative ids."""
    buttons = [number for number in answered if number < 0 and number != comment] + ([comment] if comment < 0 else [])
    comments = sorted({number for number in (*answered, comment) if number >= 0})
    return (*buttons[-MAX_REMEMBERED_BUTTONS:], *comments[-MAX_REMEMBERED:])
