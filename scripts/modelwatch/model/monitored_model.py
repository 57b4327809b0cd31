"""One watched model: where its metrics come from, who owns it, and what may be done about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..timeutil import DAY, HOUR
from .alert import CANARY_FAILED, FREQUENT_ROLLBACKS, RETRAINING_FAILED, ROLLBACK_FAILED
from .pagerduty_setup import EscalationPolicy, EventRule, Urgency, WebhookSpec
from .prediction_log import MeasureSpec
from .release import ReleaseSpec
from .rule import Mode, Rule
from .secret import Secret
from .series import Labels
from .severity import Severity

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
    """A CSV or Parquet file (or glob) of metrics: one row per time, columns are keys."""

    path: str
    time: str = "time"
    version: str = ""


@dataclass(frozen=True, slots=True)
class PagerDutySpec:
    routing_key: Secret | None = None
    token: Secret | None = None
    """REST token, read-only is enough: lets incidents be observed instead of remembered."""
    service: str = ""
    """Shown as the component; the routing key decides where the page goes."""
    events_url: str = ""
    api_url: str = ""
    key_name: str = ""
    """The variable of ``routing_key``, whether it is set or not."""
    escalation: EscalationPolicy | None = None
    """Where it is given, ``modelwatch pagerduty`` makes the service and all that follows."""
    urgency: Urgency = Urgency.SEVERITY
    event_rules: tuple[EventRule, ...] = ()
    webhook: WebhookSpec | None = None
    managed_as: str = ""
    """In the mark of all that we make; by default the repository."""
    people: tuple[tuple[str, str], ...] = ()
    """(address or id of a user there, login at GitHub)."""


@dataclass(frozen=True, slots=True)
class GitHubSpec:
    repository: str = ""
    """``owner/name`` of the repository that holds the issues and workflows."""
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    """Logins; a team as owner is mentioned instead, since issues cannot be assigned to teams."""
    authors: tuple[str, ...] = ()
    """Logins whose issues are trusted as registers; empty: the token's own login only."""
    people: tuple[str, ...] = ()
    """Logins whose commands on an issue count."""
    api_url: str = ""


@dataclass(frozen=True, slots=True)
class WorkflowSpec:
    """A workflow that a tier may ask for by the verb ``name``."""

    name: str
    file: str
    """``retrain.yml``; empty for a repository_dispatch."""
    repository: str = ""
    """Another repository: then ``event_type`` is sent there as a repository_dispatch."""
    event_type: str = ""
    ref: str = ""
    """Branch; by default the repository's default branch."""
    mode: Mode = Mode.ACT
    cooldown: float = DAY
    budget: int = 4
    """At most this many dispatches of this verb for this model in ``budget_period``."""
    budget_period: float = 30 * DAY
    inputs: tuple[tuple[str, str], ...] = ()
    """Further fixed inputs."""
    automatic: float = 2 * HOUR
    """A rollback in mode act goes by itself only this long (seconds) after a deployment; later it is proposed."""
    settle: float = 2 * HOUR
    """After a rollback, promotion or degradation the metric must have recovered within this time (seconds)."""


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
    """What the kinds that modelwatch raises by itself ask for (monitoring-silent, sudden-improvement, data-quality)."""

    severity: Severity = Severity.WARNING
    do: tuple[str, ...] = ("issue",)


RELEASE_RULE_DEFAULTS = {
    ROLLBACK_FAILED: BuiltInRule(Severity.CRITICAL, ("issue", "page")),
    RETRAINING_FAILED: BuiltInRule(),
    CANARY_FAILED: BuiltInRule(),
    FREQUENT_ROLLBACKS: BuiltInRule(Severity.ERROR),
}
"""What the kinds that follow from the moves of a release ask for."""


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """At most this many changes of a sort in one evaluation; beyond it the rest is refused, and that is told."""

    issues: int = 20
    pages: int = 10
    dispatches: int = 5


@dataclass(frozen=True, slots=True)
class Model:
    """One watched model."""

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
    gone: BuiltInRule = field(default_factory=BuiltInRule)
    runbook_base: str = ""
    """URL (as written also a folder of the repository) under which the runbook of a kind is found as ``<kind>.md``."""
    where: str = ""

    def workflow(self, verb: str) -> WorkflowSpec | None:
        return next((workflow for workflow in self.workflows if workflow.name == verb), None)


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration: one file, or a folder of them."""

    models: tuple[Model, ...]
    digest: str
    blast_radius: BlastRadius = field(default_factory=BlastRadius)
    warnings: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()
    """Every secret that was read: what the redactor masks."""

    def model(self, name: str) -> Model | None:
        return next((model for model in self.models if model.name == name), None)
