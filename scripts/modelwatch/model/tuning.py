"""The words of tuning: a budget of false alerts, one setting of a rule, what it would have alerted, the suggestion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from ..timeutil import WEEK
from .rule import Rule


@dataclass(frozen=True, slots=True)
class AlertBudget:
    """At most ``alerts`` false alerts in ``period`` seconds, on average."""

    alerts: float
    period: float

    @property
    def rate(self) -> float:
        """False alerts a second."""
        return self.alerts / self.period

    @property
    def interval(self) -> float:
        """Mean seconds between two false alerts."""
        return self.period / self.alerts


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One key of a rule with another value."""

    path: tuple[str, ...]
    """Below the rule: ``("tiers", "warning", "drop")``, ``("window",)``."""
    before: str
    """As a configuration writes it; empty where the rule does not have it."""
    after: str


@dataclass(frozen=True, slots=True)
class Setting:
    """One candidate of a tuning grid."""

    rule: Rule
    """The rule with this setting."""
    changes: tuple[SettingChange, ...]
    """What differs from the present rule; none: it is the present setting."""
    scale: float = 1.0
    """How much further out its mildest limit lies than at present, of its distance from health."""


@dataclass(frozen=True, slots=True)
class IncidentDelay:
    """When an incident was found."""

    incident: str
    start: float
    delay: float | None
    """Seconds from its start to the first alert; ``None``: it was missed."""
    longest: float
    """Seconds that an alert had time to find it."""

    @property
    def seconds(self) -> float:
        """The delay; of a missed one the longest possible."""
        return self.longest if self.delay is None else self.delay


@dataclass(frozen=True)
class SettingScore:
    """What a setting would have alerted in one span."""

    since: float
    until: float
    exposure: float
    """Seconds of the span that lie outside of incidents and their margins."""
    alerts: int
    false_alerts: int
    """Outside of incidents and their margins."""
    delays: tuple[IncidentDelay, ...]

    @property
    def missed(self) -> int:
        return sum(found.delay is None for found in self.delays)

    @cached_property
    def mean_delay(self) -> float | None:
        """Seconds, with the longest possible for what was missed; ``None`` without incidents."""
        return sum(found.seconds for found in self.delays) / len(self.delays) if self.delays else None

    @property
    def mean_found_delay(self) -> float | None:
        """Seconds, of the incidents that were found; ``None``: none was."""
        known = [found.delay for found in self.delays if found.delay is not None]
        return sum(known) / len(known) if known else None

    @property
    def alerts_a_week(self) -> float:
        return self.alerts * WEEK / max(self.until - self.since, 1.0)


@dataclass(frozen=True, slots=True)
class TriedSetting:
    """A setting and its score on the tuning span."""

    setting: Setting
    score: SettingScore
    within_budget: bool
    """Whether the tuning span, or the promise of the detectors, shows the budget kept."""
    on_curve: bool = False
    """Whether no other setting has both fewer alerts and a shorter delay."""


@dataclass(frozen=True, slots=True)
class HeldOutScore:
    """A score on the span that nothing was chosen by."""

    score: SettingScore
    rate_upper: float
    """Upper 95 % bound (Garwood, one-sided) of the false alerts a second."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What tuning one rule gave."""

    model: str
    rule: str
    where: str
    """Of the rule in the configuration: ``file:line:column``."""
    budget: AlertBudget | None
    tried: tuple[TriedSetting, ...]
    """The present setting first; none where nothing was tried."""
    reason: str
    """Why this setting, or why none: one sentence."""
    chosen: Setting | None = None
    """``None``: nothing is suggested. Without changes: the present setting is the one to keep."""
    chosen_held_out: HeldOutScore | None = None
    present_held_out: HeldOutScore | None = None
    margin: float = 0.0
    """Seconds after the end of an incident in which an alert is not called false."""
    notes: tuple[str, ...] = ()

    @property
    def curve(self) -> tuple[TriedSetting, ...]:
        """From the fewest alerts to the shortest delay."""
        on_curve = [tried for tried in self.tried if tried.on_curve]
        return tuple(sorted(on_curve, key=lambda tried: (tried.score.alerts, -(tried.score.mean_delay or 0.0))))

    @property
    def changes_something(self) -> bool:
        return self.chosen is not None and bool(self.chosen.changes)


def mark_curve(tried: tuple[TriedSetting, ...]) -> tuple[TriedSetting, ...]:
    """``tried`` with the Pareto frontier marked: of fewer alerts against less missed, then found sooner. Of equal ones
    the first."""
    order = sorted(range(len(tried)), key=lambda place: (tried[place].score.alerts, *_lateness(tried[place]), place))
    best, marked = None, set()
    for place in order:
        lateness = _lateness(tried[place])
        if best is None or lateness < best:
            best = lateness
            marked.add(place)
    return tuple(replace(one, on_curve=place in marked) for place, one in enumerate(tried))


def _lateness(tried: TriedSetting) -> tuple[int, float]:
    """Without incidents a setting is the later, the further out its limit lies."""
    delay = tried.score.mean_delay
    return tried.score.missed, tried.setting.scale if delay is None else delay
