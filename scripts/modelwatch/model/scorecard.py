"""The scorecard: what the alerts of a period were worth. ``None`` is unknown, everywhere; 0 was counted.

Times are seconds (UTC), lengths are seconds. An *alert* is one episode with an issue of its own. It belongs to the
period in which it began to breach; what happened to it counts whenever it happened, until the scorecard was made.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..timeutil import WEEK
from .earned_mode import EarnedMode
from .ledger import LedgerEntry
from .register import DispatchState, Register
from .severity import Severity


@dataclass(frozen=True, slots=True)
class Period:
    """``start`` is in it, ``end`` is not."""

    start: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.start

    @property
    def weeks(self) -> float:
        return self.length / WEEK

    @property
    def before(self) -> Period:
        """The period of the same length that ends where this one starts."""
        return Period(self.start - self.length, self.start)

    def contains(self, time: float) -> bool:
        return self.start <= time < self.end


@dataclass(frozen=True, slots=True)
class EpisodeRecord:
    """One issue of ours as it was read: the register, the whole ledger, and what GitHub says of the issue."""

    repository: str
    number: int
    url: str
    state: str
    """``open`` or ``closed``."""
    state_reason: str
    labels: frozenset[str]
    """Lower-case names."""
    register: Register
    entries: tuple[LedgerEntry, ...]
    """By time."""
    damage: str = ""
    """What is missing of the ledger; empty where nothing is."""
    closed_by_bot: bool = False


@dataclass(frozen=True, slots=True)
class AlertWorkflow:
    """One workflow that an alert started, or proposed."""

    key: str
    """Unique: that of the dispatch."""
    verb: str
    state: DispatchState
    at: float
    """When it was started or proposed."""
    by: str
    """The person who requested or approved it; empty where a tier started it, without anybody."""
    conclusion: str = ""
    """GitHub's word for how the workflow run ended; empty where it has not."""
    ended: float | None = None
    helped: bool = False
    """Whether it was the last success before the alert recovered, at most a day before, without a setback between."""
    url: str = ""

    @property
    def is_automatic(self) -> bool:
        """Whether it was started without a person."""
        return self.state.is_dispatched and not self.by

    @property
    def has_ended(self) -> bool:
        return self.state is DispatchState.FINISHED

    @property
    def succeeded(self) -> bool:
        return self.has_ended and self.conclusion == "success"


@dataclass(frozen=True, slots=True)
class LedgerAlert:
    """One alert, with the times that count. A time that is ``None`` did not come, or is unknown where ``gaps`` says
    that the record is not complete."""

    model: str
    rule: str
    repository: str
    number: int
    url: str
    peak: Severity
    began: float
    """When the breach began: as people marked it, else as the evaluation found it."""
    is_marked: bool
    """Whether people marked when it began."""
    detected: float
    """When it was reported: the issue was opened, or the on-call paged, whichever came first."""
    paged: float | None = None
    acknowledged: float | None = None
    """The first thing that a person did about it after it was detected."""
    mitigated: float | None = None
    """The end of the action that helped."""
    recovered: float | None = None
    pages: int = 0
    false_reason: str = ""
    """Why it counts as a false alarm; empty where it does not."""
    is_open: bool = False
    """Whether it is still under way: how it ends is unknown."""
    answered_alone: bool = False
    """Whether a workflow was started without a person, and it recovered before any person did anything."""
    followers: tuple[tuple[str, str], ...] = ()
    """(model, rule) of the alerts that shared its cause and had no page of their own."""
    workflows: tuple[AlertWorkflow, ...] = ()
    gaps: str = ""
    """What is missing of its record; empty where nothing is."""

    @property
    def is_decided(self) -> bool:
        """Whether it counts in the rate of false alarms: it is over, or was called false."""
        return not self.is_open or bool(self.false_reason)


@dataclass(frozen=True, slots=True)
class DurationFigure:
    """Lengths of time of ``n`` alerts; ``without``: alerts that have none, such as those that nobody acknowledged."""

    n: int
    median: float | None
    """The middle one, or the mean of the two in the middle; ``None`` of none."""
    p90: float | None
    """The shortest that at least nine of ten do not exceed."""
    without: int = 0


@dataclass(frozen=True, slots=True)
class ShareFigure:
    """``count`` of ``of``, with Wilson's 95 % interval, which holds for few trials and for shares near 0 and 1."""

    count: int
    of: int
    low: float | None = None
    high: float | None = None

    @property
    def share(self) -> float | None:
        return self.count / self.of if self.of else None


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """The alerts of one rule in one period."""

    model: str
    rule: str
    alerts: int
    a_week: float
    joined: int
    """Alerts that shared the cause of another one, whose issue had them."""
    false: ShareFigure
    """Of those that are decided."""
    pages: int
    recover: DurationFigure
    allowed: float | None = None
    """How many false alarms its budget allows in the period, on average; ``None``: it has no budget."""
    over_budget: bool = False
    """Whether a rule that keeps its budget had so many false alarms with a probability below 5 % (Poisson)."""


@dataclass(frozen=True, slots=True)
class WorkflowFigures:
    """What one workflow of one model did for the alerts of a period."""

    model: str
    verb: str
    started: int
    automatic: int
    """Of those, how many without a person."""
    proposed: int
    """Still waiting for an approval, or rejected."""
    success: ShareFigure
    """Of those that ended."""
    helped: ShareFigure
    """Of those that succeeded, for real alerts that have recovered."""
    too_soon: int
    """Started less than a week after the one before it, of the same model."""


@dataclass(frozen=True, slots=True)
class PeriodFigures:
    """What the alerts of one period say. Lengths of time and shares of automation are those of real alerts: neither
    false ones, nor those whose record has gaps."""

    period: Period
    alerts: int
    open: int
    """Still under way."""
    joined: int
    pages: int
    detect: DurationFigure
    acknowledge: DurationFigure
    mitigate: DurationFigure
    recover: DurationFigure
    false: ShareFigure
    """Of the alerts that are decided."""
    answered: ShareFigure
    """Answered by automation alone, of the real alerts that have recovered."""
    helped: ShareFigure
    """The automation helped, of those of them in which a workflow that no person had started ran to its end."""
    rules: tuple[RuleFigures, ...] = ()
    workflows: tuple[WorkflowFigures, ...] = ()
    incomplete: int = 0
    """Alerts whose record is not complete: they count as alerts, and in no length of time."""

    @property
    def a_week(self) -> float:
        return self.alerts / self.period.weeks


@dataclass(frozen=True, slots=True)
class Coverage:
    """What nobody watches. ``None``: it could not be read."""

    models: int = 0
    rules: int = 0
    unwatched_projects: tuple[str, ...] = ()
    """``entity/project`` at W&B that no model of the configuration reads."""
    without_runbook: tuple[tuple[str, str], ...] = ()
    """(model, rule) of rules without a page of the team: they link to the general runbook of their kind."""
    never_fired: tuple[tuple[str, str], ...] | None = None
    """(model, rule) of rules without an alert in all that was read."""
    unwatched: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(model, keys) that are logged, and that no rule reads."""
    logged: int = 0
    """Keys of the models whose keys could be read."""
    unread: tuple[tuple[str, str], ...] = ()
    """(model or entity, reason) where keys or projects could not be read."""


@dataclass(frozen=True, slots=True)
class LabelDelay:
    """How long labels take, in days, as ``measure`` logged it last."""

    model: str
    half: float | None
    """After so many days half of the labels have come."""
    most: float | None
    """After so many days 90 % have."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class WorkflowCost:
    """The runs of one workflow file in one period."""

    repository: str
    workflow: str
    runs: int
    minutes: int
    """Each run from its start to its end, rounded up to whole minutes; jobs side by side count once."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a period cost; ``None``: unknown."""

    workflows: tuple[WorkflowCost, ...] | None = None
    wandb_calls: int | None = None
    """The calls of one evaluation, as they were counted now, times the evaluations of the period."""
    calls_each: int | None = None
    problems: tuple[str, ...] = ()

    @property
    def minutes(self) -> int | None:
        return None if self.workflows is None else sum(cost.minutes for cost in self.workflows)

    @property
    def runs(self) -> int | None:
        return None if self.workflows is None else sum(cost.runs for cost in self.workflows)


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Everything that the scorecard says. ``figures`` is ``None`` where no issue could be read."""

    at: float
    period: Period
    figures: PeriodFigures | None
    before: PeriodFigures | None
    coverage: Coverage = field(default_factory=Coverage)
    labels: tuple[LabelDelay, ...] = ()
    cost: Cost = field(default_factory=Cost)
    cost_before: Cost = field(default_factory=Cost)
    problems: tuple[str, ...] = ()
    """What could not be read, or was left out, in plain words."""
    modes: tuple[EarnedMode, ...] = ()
    """Of the automations of models whose issues could be read."""
    unread: tuple[str, ...] = ()
    """Models whose issues could not be read: no figure has them."""
