"""What a file of rule tests says: tests with their series and checks. Times are seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..model.alert import AlertState
from ..model.series import Labels
from ..model.severity import Severity
from ..timeutil import HOUR

ANY_GUARD = "any"


@dataclass(frozen=True, slots=True)
class Moment:
    """A time within a test: an offset from its start, or a date."""

    seconds: float
    is_offset: bool = True

    def at(self, start: float) -> float:
        """Seconds since the epoch (UTC)."""
        return start + self.seconds if self.is_offset else self.seconds


@dataclass(frozen=True, slots=True)
class ExpectedAlert:
    """What one evaluation has to find about a rule, or about one segment of it."""

    rule: str
    severity: Severity | None = None
    """``None``: any."""
    state: AlertState = AlertState.FIRING
    labels: Labels | None = None
    """Of the segment; ``()``: the whole. ``None``: the rule as a whole, however many of its series."""


@dataclass(frozen=True, slots=True)
class StateCheck:
    """What one evaluation has to find, and what has to have happened by then."""

    at: Moment
    alerts: tuple[ExpectedAlert, ...] | None = None
    """``None``: not checked. Else no other rule may fire."""
    actions: tuple[str, ...] = ()
    """``issue``, ``page`` and verbs that have to have happened."""
    without: tuple[tuple[str, str], ...] = ()
    """``(action, guard)``: what must not have happened, and which guard has to have refused it (``ANY_GUARD``: some
    guard; empty: none has to)."""
    where: str = ""

    @property
    def moments(self) -> tuple[Moment, ...]:
        """The times that it names."""
        return (self.at,)


@dataclass(frozen=True, slots=True)
class FiringCheck:
    """A rule has to fire in a period: detectors answer after hours that depend on the noise."""

    rule: str
    by: Moment
    since: Moment | None = None
    """It must not have fired before."""
    severity: Severity | None = None
    """At least this severe."""
    labels: Labels | None = None
    where: str = ""

    @property
    def moments(self) -> tuple[Moment, ...]:
        """The times that it names."""
        return (self.by,) if self.since is None else (self.since, self.by)


@dataclass(frozen=True, slots=True)
class RecoveryCheck:
    """A rule that fired has to have recovered by then."""

    rule: str
    by: Moment
    where: str = ""

    @property
    def moments(self) -> tuple[Moment, ...]:
        """The times that it names."""
        return (self.by,)


@dataclass(frozen=True, slots=True)
class AbsenceCheck:
    """A rule must not fire."""

    rule: str
    """Empty: any rule."""
    severity: Severity | None = None
    """At least this severe."""
    since: Moment | None = None
    before: Moment | None = None
    """``None``: until the last evaluation."""
    where: str = ""

    @property
    def moments(self) -> tuple[Moment, ...]:
        """The times that it names."""
        return tuple(moment for moment in (self.since, self.before) if moment is not None)


Check = StateCheck | FiringCheck | RecoveryCheck | AbsenceCheck

DEFAULT_START = 1_767_571_200.0
"""2026-01-05, a Monday."""


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test of a model's rules. Values and versions are columns with one place for each point of time."""

    name: str
    model: str = ""
    start: float = DEFAULT_START
    every: float = HOUR
    warm_up: float | None = None
    """How long (seconds) after the start evaluations begin; ``None`` only while a test is read."""
    delay: float = 0.0
    """How long (seconds) after its time each point is logged."""
    seed: int = 0
    values: Mapping[str, tuple[float | None, ...]] | None = None
    """By W&B key; ``None`` where nothing is logged."""
    versions: tuple[str, ...] = ()
    """Empty where no version is logged."""
    checks: tuple[Check, ...] = ()
    where: str = ""
    """``file:line:column``."""

    @property
    def points(self) -> int:
        """How many times the test has."""
        return max((len(column) for column in (self.values or {}).values()), default=0)

    @property
    def first_evaluation(self) -> float:
        return self.start + (self.warm_up or 0.0)

    @property
    def end(self) -> float:
        """The last point, or the last time that a check names: a failure says what happened until then."""
        last = self.start + max(self.points - 1, 0) * self.every
        return max(
            [self.first_evaluation, last, *(moment.at(self.start) for own in self.checks for moment in own.moments)]
        )


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What became of one check."""

    check: Check
    problems: tuple[str, ...] = ()
    """Expected and found, a paragraph each; none where it passed."""


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """What became of one test."""

    test: RuleTest
    checks: tuple[CheckResult, ...]
    history: tuple[str, ...] = ()
    """What happened when, oldest first, for people who look for the reason."""
    samples: tuple[str, ...] = ()
    """The series around the first check that failed."""
    error: str = ""
    """Why it could not be run."""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.error and not any(check.problems for check in self.checks)
