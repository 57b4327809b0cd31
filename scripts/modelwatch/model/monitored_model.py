"""One monitored model: where its metrics come from, who owns it, and what is done about its alerts.

``config`` documents each key where it declares it; here is what it does not say. Lengths of time are in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from urllib.parse import urlsplit

from ..timeutil import DAY, HOUR, WEEK
from .alert import CANARY_FAILED, FREQUENT_ROLLBACKS, RETRAINING_FAILED, ROLLBACK_FAILED
from .business import BusinessSpec
from .calendar import CalendarSpec
from .pagerduty_setup import EscalationPolicy, EventRule, Urgency, WebhookSpec
from .prediction_log import MeasureSpec
from .rule import Direction, FalseAlarmBudget, Mode, Rule
from .secret import Secret
from .self_monitoring import HeartbeatSpec, WatchdogSpec
from .series import Labels
from .severity import Severity
from .wandb_setup import WandbSetupSpec
from .working_hours import WorkingHours

PROPOSED_BY_DEFAULT = frozenset({"rollback", "degrade", "promote"})


@dataclass(frozen=True, slots=True)
class WandbSpec:
    """W&B runs to read, through the API (``entity``/``project``) or from offline run directories (``offline``)."""

    entity: str = ""
    project: str = ""
    tags: tuple[str, ...] = ()
    job_type: str = ""
    group: str = ""
    filters: str = ""
    """Further filters: a JSON object in the language of ``wandb.Api().runs``."""
    version: str = ""
    """The key of the W&B run's config that holds the model version (dots reach into it)."""
    time: str = ""
    """The history key of the event time (seconds or ISO); by default W&B's own log time, ``_timestamp``."""
    base_url: str = ""
    offline: str = ""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A CSV or Parquet file (or a folder or glob of them) of metrics: one row per time, columns are keys."""

    path: str
    time: str = "time"
    version: str = ""
    timezone: str = ""
    """Of times that name none; UTC if empty."""


@dataclass(frozen=True, slots=True)
class PagerDutySpec:
    routing_key: Secret | None = None
    token: Secret | None = None
    service: str = ""
    """Shown as the component; the routing key decides where the page goes."""
    events_url: str = ""
    api_url: str = ""
    key_name: str = ""
    """The variable of ``routing_key``, whether it is set or not."""
    escalation: EscalationPolicy | None = None
    urgency: Urgency = Urgency.SEVERITY
    event_rules: tuple[EventRule, ...] = ()
    webhook: WebhookSpec | None = None
    managed_as: str = ""
    people: tuple[tuple[str, str], ...] = ()
    """(address or id of a user there, login at GitHub)."""

    @property
    def missing_key_reason(self) -> str:
        """Why nothing can be sent to PagerDuty; empty where there is a routing key."""
        if self.routing_key is not None:
            return ""
        if self.key_name:
            return f"the environment variable {self.key_name}, the PagerDuty routing key, is not set"
        return "no PagerDuty routing key is configured for this model (`pagerduty.routing_key`)"


class MessageEvent(StrEnum):
    """What a message can be about."""

    OPENED = "opened"
    """Also fired again soon after closing."""
    WORSE = "worse"
    PROPOSAL = "proposal"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class MessagesSpec:
    to: tuple[Secret, ...] = ()
    on: tuple[MessageEvent, ...] = tuple(MessageEvent)


@dataclass(frozen=True, slots=True)
class FlappingSpec:
    """How a group that fires again within 24 h of closing is damped, see ``FlapRecord``."""

    pages: int = 3
    """The most pages of one group in 24 h."""
    page_after: float = 8 * HOUR
    quiet: float = 12 * HOUR


@dataclass(frozen=True, slots=True)
class GitHubSpec:
    repository: str = ""
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    """Logins; a team as owner is mentioned instead, since issues cannot be assigned to teams."""
    authors: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    api_url: str = ""

    @property
    def max_inputs(self) -> int:
        """How many inputs a workflow_dispatch can have: 25 in GitHub's cloud, 10 on GitHub Enterprise Server (by its
        own description of the API, 3.17 to 3.19)."""
        try:
            host = urlsplit(self.api_url).hostname or "api.github.com"
        except ValueError:  # the environment names no address; the client says so
            host = ""
        return 25 if host == "api.github.com" or host.endswith(".ghe.com") else 10


@dataclass(frozen=True, slots=True)
class WorkflowSpec:
    """A workflow that a tier's ``do`` can start by the verb ``name``, within this repository or in another one."""

    name: str
    file: str
    """``retrain.yml``; empty for a repository_dispatch."""
    repository: str = ""
    event_type: str = ""
    ref: str = ""
    mode: Mode = Mode.ACT
    cooldown: float = DAY
    budget: int = 4
    budget_period: float = 30 * DAY
    inputs: tuple[tuple[str, str], ...] = ()
    automatic: float = 2 * HOUR
    settle: float = 2 * HOUR
    remind: float = 2 * HOUR
    """After this time (seconds) the on-call is reminded of a proposal, once; 0: never."""


@dataclass(frozen=True, slots=True)
class WeeklyWindow:
    """A recurring stretch of the week in UTC: ``days`` 0 (Monday) to 6, from ``start`` to ``end`` seconds of the day.

    Where ``end <= start`` it reaches into the next day.
    """

    days: tuple[int, ...]
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Matcher:
    """Matches where every part that is given is equal; ``labels`` must all be there."""

    model: str = ""
    rule: str = ""
    kind: str = ""
    labels: Labels = ()


@dataclass(frozen=True, slots=True)
class Silence:
    """Mutes messages and dispatches, closes nothing. ``until`` in seconds (UTC); ``window`` makes it recurring."""

    match: Matcher
    until: float
    owner: str
    reason: str
    start: float = 0.0
    window: WeeklyWindow | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert that matches ``source`` fires, alerts of the same model that match ``target`` are muted."""

    source: Matcher
    target: Matcher
    min_severity: Severity = Severity.WARNING


DEFAULT_INHIBITIONS = (
    Inhibition(Matcher(kind="data-quality"), Matcher(kind="data-drift")),
    Inhibition(Matcher(kind="data-quality"), Matcher(kind="prediction-drift")),
    Inhibition(Matcher(kind="data-quality"), Matcher(kind="label-drift")),
)


@dataclass(frozen=True, slots=True)
class BuiltInRule:
    """Severity and actions of a rule that modelwatch adds to the configured ones."""

    severity: Severity = Severity.WARNING
    do: tuple[str, ...] = ("issue",)


@dataclass(frozen=True, slots=True)
class OutageSpec(BuiltInRule):
    """What is done when a source cannot be read for longer than ``after`` (seconds)."""

    severity: Severity = Severity.ERROR
    do: tuple[str, ...] = ("issue", "page")
    after: float = 2 * HOUR


RELEASE_RULE_DEFAULTS = {
    ROLLBACK_FAILED: BuiltInRule(Severity.CRITICAL, ("issue", "page")),
    RETRAINING_FAILED: BuiltInRule(),
    CANARY_FAILED: BuiltInRule(),
    FREQUENT_ROLLBACKS: BuiltInRule(Severity.ERROR),
}
"""Severity and actions of the built-in rules about the moves of a release."""


@dataclass(frozen=True, slots=True)
class GateSpec:
    """How a candidate is judged against the champion."""

    holdout: str = ""
    recent: str = ""
    metric: str = "accuracy"
    better: Direction = Direction.HIGHER
    alpha: float = 0.05
    margin: float = 0.01
    segments: tuple[str, ...] = ()
    least: int = 100
    latency: str = ""
    """Column of the latency (any unit)."""
    latency_margin: float = 0.1


@dataclass(frozen=True, slots=True)
class CanarySpec:
    percent: float = 10.0
    length: float = DAY
    least: int = 1000


@dataclass(frozen=True, slots=True)
class ReleaseSpec:
    """``release:`` of one model. Commands are run by bash in the workflow of the user's repository."""

    artifact: str
    """``entity/project/collection`` in W&B, or a registry's path."""
    type: str = "model"
    train: str = ""
    deploy: str = ""
    degrade: str = ""
    check: str = ""
    check_timeout: float = 600.0
    data: str = "data_version"
    window: float = 180 * DAY
    every: str = ""
    gate: GateSpec = field(default_factory=GateSpec)
    canary: CanarySpec = field(default_factory=CanarySpec)
    promote: Mode = Mode.PROPOSE
    keep: int = 3
    most: int = 2
    most_period: float = 30 * DAY
    stakeholders: tuple[str, ...] = ()
    webhook: Secret | None = None


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """The most changes of a kind in one evaluation; further changes are refused and reported."""

    issues: int = 20
    pages: int = 10
    dispatches: int = 5


@dataclass(frozen=True, slots=True)
class Model:
    """One monitored model."""

    name: str
    rules: tuple[Rule, ...]
    owner: str = ""
    wandb: WandbSpec | None = None
    table: TableSpec | None = None
    measure: MeasureSpec | None = None
    release: ReleaseSpec | None = None
    pagerduty: PagerDutySpec = field(default_factory=PagerDutySpec)
    github: GitHubSpec = field(default_factory=GitHubSpec)
    workflows: tuple[WorkflowSpec, ...] = ()
    silences: tuple[Silence, ...] = ()
    inhibitions: tuple[Inhibition, ...] = DEFAULT_INHIBITIONS
    issue_mode: Mode = Mode.ACT
    page_mode: Mode = Mode.ACT
    history: float = 30 * DAY
    """How far back alerts are recomputed at every evaluation."""
    silent: BuiltInRule = field(default_factory=BuiltInRule)
    improvement: BuiltInRule = field(default_factory=lambda: BuiltInRule(Severity.INFO, ()))
    implausible: BuiltInRule = field(default_factory=BuiltInRule)
    gone: BuiltInRule = field(default_factory=BuiltInRule)
    divergence: BuiltInRule = field(default_factory=BuiltInRule)
    outage: OutageSpec = field(default_factory=OutageSpec)
    links: tuple[tuple[str, str], ...] = ()
    """The team's own dashboards (URLs) and commands by name, shown on issue, page and runbook."""
    dashboard: str = ""
    """Where the site of ``modelwatch dashboard`` is published (URL); empty: nowhere."""
    runbook_base: str = ""
    """URL (as written also a folder of the repository) under which the runbook of a kind is found as ``<kind>.md``."""
    where: str = ""
    messages: MessagesSpec = field(default_factory=MessagesSpec)
    flapping: FlappingSpec = field(default_factory=FlappingSpec)
    hours: WorkingHours | None = None
    """``None``: every page is sent at once."""
    false_alarms: FalseAlarmBudget | None = field(default_factory=FalseAlarmBudget)
    """Shared by its rules, their segments and their tiers; ``None``: every window is decided alone, at 95 %."""
    timezone: str = ""
    """Empty: UTC."""
    calendar: CalendarSpec | None = None
    depends_on: tuple[str, ...] = ()
    """Names of the models whose output it reads."""
    business: BusinessSpec | None = None
    wandb_setup: WandbSetupSpec = field(default_factory=WandbSetupSpec)
    drill: bool = False
    """Whether it exists for drills alone: everything that people see of it is marked."""

    def with_whole_history(self, now: float) -> Model:
        """This model with a history that begins at a whole week (of a short one: day, or hour) since 1970, and is at
        least as long as it says. So all evaluations of one week begin with the same data: what one has found, the next
        does not lose because the oldest hour has left the history."""
        length = self.whole_history(now)
        return self if length == self.history else replace(self, history=length)

    def whole_history(self, now: float) -> float:
        """The length (seconds) of such a history."""
        step = next((step for step in (WEEK, DAY, HOUR) if step <= self.history / 4), 0.0)
        # Half a second more, since ``now - history`` has to come out as no later than the beginning.
        return now - (now - self.history) // step * step + 0.5 if step else self.history

    def workflow(self, verb: str) -> WorkflowSpec | None:
        return next((workflow for workflow in self.workflows if workflow.name == verb), None)

    def runbook_address(self, kind: str) -> str:
        """Empty where the model has no runbooks of its own."""
        return f"{self.runbook_base.rstrip('/')}/{kind}.md" if self.runbook_base else ""

    def wandb_url(self, env: Mapping[str, str]) -> str:
        """The address of the model's W&B server, for a model without ``wandb:`` too; empty for the public server."""
        return (self.wandb.base_url if self.wandb else "") or env.get("WANDB_BASE_URL", "")


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration: one file, or a folder of them."""

    models: tuple[Model, ...]
    digest: str
    blast_radius: BlastRadius = field(default_factory=BlastRadius)
    warnings: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()
    """Every secret that was read or that the environment has: what the redactor masks."""
    heartbeat: HeartbeatSpec | None = None
    watchdog: WatchdogSpec | None = None
    all_models: tuple[str, ...] = ()
    """The names of all models of the configuration, where ``models`` can be some of them."""

    @property
    def is_partial(self) -> bool:
        """Whether some of its models are left out, as in a shard."""
        return len(self.models) < len(self.all_models)

    def model(self, name: str) -> Model | None:
        return next((model for model in self.models if model.name == name), None)
