"""The state machine of an alert over the findings of its track; recomputed every time, stored nowhere.

Undecided findings, findings without data and findings without new points (a look is not data) neither advance nor
reset anything: the machine does not see them. What is left is run-length encoded, so that a track that never breached
costs microseconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from ..model.alert import BUILT_IN_RULES, Alert, AlertState, HealthyStreak, NewestLevel, SeverityChange, fingerprint
from ..model.drift import drift_spec
from ..model.finding import Grid, Outcome, Track
from ..model.rule import STATIC_LIMITS, Aggregate, BaselineKind, Direction, Rule, SamplingModel
from ..model.severity import Severity
from ..timeutil import DAY

RESOLVED_RETENTION = DAY
"""A resolved alert is reported this long (seconds) after its end, and never acted on."""

CLEAR, NOT_CLEAR, REACHED, UNSEEN = 0, 1, 2, 9
"""Codes of a finding: decided and clear; decided and not clear; REACHED + severity for a breach; not decided."""

_BREACH = bytes([Outcome.BREACH.code])
_UNDECIDED = frozenset((Outcome.UNDECIDED.code, Outcome.NO_DATA.code))
_RUN = re.compile(rb"(.)\1*", re.DOTALL)


def finding_codes(track: Track) -> bytes:
    """The code of every finding, of all at once: columns of bytes are added as long numbers."""
    outcome, severity = track.outcome.tobytes(), track.severity.tobytes()
    is_clear = _number(outcome.translate(_OK_CAN_BE_CLEAR)) & _number(track.clear.tobytes())
    codes = _number(outcome.translate(_NOT_CLEAR_OR_UNSEEN))
    codes -= is_clear & _number(severity.translate(_IS_NONE))
    codes += _number(outcome.translate(_IS_BREACH)) & _number(severity.translate(_ABOVE_NOT_CLEAR))
    return codes.to_bytes(len(outcome), "little")


def _counted_codes(track: Track, codes: bytes) -> bytes:
    """``codes`` as the machine sees them: without findings that know no new points."""
    fresh = track.fresh.tobytes()
    if 0 not in fresh:
        return codes
    counted = _number(codes) & _number(fresh.translate(_IS_SET)) | _number(fresh.translate(_UNSEEN_WHERE_UNSET))
    return counted.to_bytes(len(codes), "little")


def _number(column: bytes) -> int:
    return int.from_bytes(column, "little")


_ALL = 0xFF
"""Every bit of a byte. Numbers below 0 in a column of signed bytes are above 127."""
_NOT_CLEAR_OR_UNSEEN = bytes(UNSEEN if code in _UNDECIDED else NOT_CLEAR for code in range(256))
_OK_CAN_BE_CLEAR = bytes(NOT_CLEAR - CLEAR if code == Outcome.OK.code else 0 for code in range(256))
_IS_NONE = bytes(_ALL if code > 127 else 0 for code in range(256))
_IS_BREACH = bytes(_ALL if code == Outcome.BREACH.code else 0 for code in range(256))
_ABOVE_NOT_CLEAR = bytes(REACHED + code - NOT_CLEAR if code < 128 else 0 for code in range(256))
_IS_SET = bytes(_ALL if code else 0 for code in range(256))
_UNSEEN_WHERE_UNSET = bytes(0 if code else UNSEEN for code in range(256))


def healthy_streak(track: Track) -> HealthyStreak:
    """The newest unbroken streak of decided findings with new points that are clear: its times, newest first, up to
    twice ``hold``. Where windows prove recovery, only those whose windows share no data."""
    window = proving_window(track.rule)
    times = clear_times(track.outcome, track.clear, track.fresh, track.grid, 2 * track.rule.hold, window)
    newest = track.finding(-1) if track.grid.count else None
    level = None
    if newest is not None and track.rule.baseline.kind is BaselineKind.ROLLING:
        level = _newest_level(track, newest.baseline)
    value = newest.value if newest else None
    return HealthyStreak(fingerprint(track.model, track.rule.name, track.labels), times, value, window, level)


def _newest_level(track: Track, baseline: float | None) -> NewestLevel | None:
    """By the values of the newest day, which holds all hours of a pattern; ``None``: there are none."""
    rows = 1 + math.ceil(max(0.0, DAY - track.rule.window) / track.grid.step)
    values = [value for value in track.value[-rows:] if value == value]
    return NewestLevel(track.labels, math.fsum(values) / len(values), baseline) if values else None


def proving_window(rule: Rule) -> float:
    """The length of the window, where clear findings prove recovery only by what is in their windows; 0 where points
    prove it one by one, so that findings may overlap."""
    if rule.name in BUILT_IN_RULES or rule.anomaly is not None or rule.aggregate is Aggregate.LAST:
        return 0.0
    tiers = [*rule.tiers, *(tier for override in rule.overrides for tier in override.tiers)]
    limits = [(tier, limit) for tier in tiers for limit in tier.limits]
    by_points = rule.sampling_model is not SamplingModel.QUANTILE and drift_spec(rule.metric) is None
    by_points &= rule.recover is None or rule.recover.form not in STATIC_LIMITS
    if by_points and all(tier.false_alarms is not None and rule.can_prove(limit) for tier, limit in limits):
        return 0.0
    return rule.window if rule.window > rule.every else 0.0


def clear_times(
    outcome: Sequence[int], clear: Sequence[int], fresh: Sequence[int], grid: Grid, most: int, apart: float = 0.0
) -> tuple[float, ...]:
    """The columns are those of a track; at most ``most`` times, newest first, each at least ``apart`` from the next."""
    times: list[float] = []
    for index in range(len(outcome) - 1, -1, -1):
        if outcome[index] in _UNDECIDED or (fresh and not fresh[index]):
            continue
        if outcome[index] != Outcome.OK.code or not clear[index]:
            break
        if not times or times[-1] - grid.time(index) >= apart:
            times.append(grid.time(index))
        if len(times) >= most:
            break
    return tuple(times)


def latest_alert(track: Track, now: float) -> Alert | None:
    """The newest alert of ``track``: pending, firing, or resolved within the last 24 h; ``None`` where it is quiet."""
    first = track.outcome.tobytes().find(_BREACH)
    if first < 0:
        return None
    codes = finding_codes(track)
    counted = _counted_codes(track, codes)
    machine = AlertStateMachine(track.rule)
    for code, begin, length, version in _runs(track, counted, first):
        machine.advance(code, begin, length, version)
    return _alert(track, codes, counted, machine, now)


@dataclass(frozen=True, slots=True)
class AlertStretch:
    """Findings, by their indices and both included, after which a track can have an alert."""

    first: int
    last: int
    end: float | None = None
    """Where an alert ended in it: when (seconds, UTC)."""


def alert_stretches(track: Track) -> list[AlertStretch]:
    """Where the history of ``track``, read up to any of its findings, has an alert that is pending or fires, oldest
    first. What ended stays resolved for ``RESOLVED_RETENTION``."""
    first = track.outcome.tobytes().find(_BREACH)
    if first < 0:
        return []
    machine = AlertStateMachine(track.rule)
    stretches: list[AlertStretch] = []
    begun: int | None = None
    for code, begin, length, version in _runs(track, _counted_codes(track, finding_codes(track)), first):
        was_firing = machine.firing
        machine.advance(code, begin, length, version)
        is_quiet = not machine.firing and machine.breach_since is None
        if begun is None and not is_quiet:
            begun = begin
        if begun is not None and is_quiet:
            ended = machine.end if was_firing else None
            last = begin if ended is None else ended
            stretches.append(AlertStretch(begun, last, None if ended is None else track.grid.time(ended)))
            begun = None
    if begun is not None:
        stretches.append(AlertStretch(begun, track.grid.count - 1))
    return stretches


@dataclass(frozen=True, slots=True)
class FiringPeriod:
    """One firing of a track; all numbers are indices of findings."""

    start: int
    """Where its breach began."""
    fired: int
    end: int | None
    """The finding that proved its recovery; ``None``: it fires at the end."""
    steps: tuple[tuple[int, int], ...]
    """``(index, Severity.code)`` that holds from there on."""


def firing_periods(track: Track) -> list[FiringPeriod]:
    """Every firing in the history of ``track``, oldest first. What it is at a finding does not depend on later ones."""
    first = track.outcome.tobytes().find(_BREACH)
    if first < 0:
        return []
    machine, periods = AlertStateMachine(track.rule), list[FiringPeriod]()
    for code, begin, length, version in _runs(track, _counted_codes(track, finding_codes(track)), first):
        was_firing = machine.firing
        machine.advance(code, begin, length, version)
        if was_firing and not machine.firing:
            periods.append(machine.period())
    return [*periods, machine.period()] if machine.firing else periods


def _runs(track: Track, codes: bytes, first: int) -> Iterator[tuple[int, int, int, str]]:
    """(code, first index, length, version) of the findings that count from ``first`` on; the version only matters to
    a rule that has other tiers for some version, so only such a rule's runs end where the version changes."""
    for run in _RUN.finditer(codes, first):
        code, begin, end = run[0][0], run.start(), run.end()
        if code == UNSEEN:
            continue
        if not track.rule.overrides:
            yield code, begin, end - begin, ""
            continue
        for version, rows in groupby(range(begin, end), key=track.version.__getitem__):
            first_row, *others = rows
            yield code, first_row, 1 + len(others), track.versions[version] if version >= 0 else ""


@dataclass(slots=True)
class TierState:
    """One tier as a machine with two states."""

    reaching: int = 0
    """Decided findings in a row that reach it."""
    not_reaching: int = 0
    """Decided findings in a row that do not."""
    holds: bool = False
    has_held: bool = False
    """Whether it has held in this firing."""


@dataclass(slots=True)
class AlertStateMachine:
    """The tiers of a rule and the alert over them. Times are indices into the grid."""

    rule: Rule
    tiers: dict[int, TierState] = field(default_factory=dict)
    """By ``Severity.code``."""
    breach_since: int | None = None
    clear: int = 0
    firing: bool = False
    start: int = 0
    fired: int | None = None
    end: int | None = None
    steps: list[tuple[int, int | None]] = field(default_factory=list)
    """(index, severity code that holds from there on)."""

    def advance(self, code: int, begin: int, length: int, version: str) -> None:
        """``length`` findings in a row with one code, the first at index ``begin``."""
        needs = {tier.severity.code: max(1, tier.for_ or self.rule.for_) for tier in self.rule.tiers_for(version)}
        for severity in needs:
            self.tiers.setdefault(severity, TierState())
        reached = code - REACHED
        turns = [
            turn
            for severity, tier in self.tiers.items()
            if (turn := self._advance_tier(tier, severity, reached >= severity, needs.get(severity), begin, length))
        ]
        if reached < 0:
            self.breach_since = None
        elif self.breach_since is None:
            self.breach_since = begin
        for index, severity, holds in sorted(turns):
            self._set_tier(index, severity, holds)
        before = self.clear
        self.clear = self.clear + length if code == CLEAR else 0
        if self.firing and self.clear >= self.rule.hold:
            self._resolve(begin + max(0, self.rule.hold - before - 1))

    def period(self) -> FiringPeriod:
        """The newest firing."""
        steps = tuple((index, code) for index, code in self.steps if code is not None)
        return FiringPeriod(self.start, steps[0][0] if self.fired is None else self.fired, self.end, steps)

    def _advance_tier(
        self, tier: TierState, severity: int, reaches: bool, need: int | None, begin: int, length: int
    ) -> tuple[int, int, bool] | None:
        """Advance one tier; (index, severity, holds from there on) where it changes state.

        A tier that this version does not have (``need`` is ``None``) can fall but not begin to hold.
        """
        if reaches:
            before, tier.reaching, tier.not_reaching = tier.reaching, tier.reaching + length, 0
            if not tier.holds and need is not None and tier.reaching >= need:
                return begin + max(0, need - before - 1), severity, True
            return None
        before, tier.reaching, tier.not_reaching = tier.not_reaching, 0, tier.not_reaching + length
        if tier.holds and tier.not_reaching >= self.rule.hold:
            return begin + max(0, self.rule.hold - before - 1), severity, False
        return None

    def _set_tier(self, index: int, severity: int, holds: bool) -> None:
        if holds and not self.firing:
            self.firing, self.fired, self.end, self.steps = True, index, None, []
            self.start = index if self.breach_since is None else self.breach_since
        self.tiers[severity].holds = holds
        self.tiers[severity].has_held |= holds
        holding = [code for code, tier in self.tiers.items() if tier.holds]
        # With no tier left the alert still fires, at its mildest, until it is clear: between a limit and `recover`
        # nothing is proved.
        self._record_severity(
            index, max(holding) if holding else min(code for code, tier in self.tiers.items() if tier.has_held)
        )

    def _resolve(self, index: int) -> None:
        self.firing, self.end = False, index
        self._record_severity(index, None)
        for tier in self.tiers.values():
            tier.holds, tier.has_held = False, False

    def _record_severity(self, index: int, severity: int | None) -> None:
        if self.steps and self.steps[-1][0] == index:
            self.steps.pop()
        if not self.steps or self.steps[-1][1] != severity:
            self.steps.append((index, severity))


def _alert(track: Track, codes: bytes, counted: bytes, machine: AlertStateMachine, now: float) -> Alert | None:
    """What is shown is the newest decided finding, whether it counts or not."""
    time = track.grid.time
    newest = len(codes.rstrip(bytes([UNSEEN]))) - 1
    start, fired, end, steps = machine.start, machine.fired, machine.end, machine.steps
    if not machine.firing and machine.breach_since is not None:
        state = AlertState.PENDING
        start, fired, end, steps = machine.breach_since, None, None, []
        since = counted[start:].replace(bytes([UNSEEN]), b"")
        severity, peak = since[-1] - REACHED, max(since) - REACHED
    elif fired is None or (end is not None and time(end) <= now - RESOLVED_RETENTION):
        return None
    else:
        state = AlertState.FIRING if machine.firing else AlertState.RESOLVED
        severities = [code for _, code in steps if code is not None]
        severity, peak = severities[-1], max(severities)
    return Alert(
        model=track.model,
        rule=track.rule.name,
        kind=track.rule.kind,
        labels=track.labels,
        state=state,
        severity=Severity.from_code(severity),
        peak=Severity.from_code(peak),
        start=time(start),
        fired=None if fired is None else time(fired),
        end=None if end is None else time(end),
        steps=tuple(
            SeverityChange(time(index), None if code is None else Severity.from_code(code)) for index, code in steps
        ),
        finding=track.finding(newest),
        worst=track.finding(_worst_index(track, codes, start, newest if end is None else end)),
    )


def _worst_index(track: Track, codes: bytes, begin: int, end: int) -> int:
    """Index of the breach with the largest change between ``begin`` and ``end`` that chance does not explain: by the
    end of the interval which is less bad, since the first points of a version that was put back are few, and may look
    worse than the one before. The first of equals.

    All are measured from the newest baseline: one that follows the metric, or gives way to another, would make an
    earlier change look larger than that of a worse value. Baselines that differ by the time of the week or the year
    are each finding's own; there the severer tier comes first.
    """
    breaches = [index for index in range(begin, end + 1) if codes[index] not in (CLEAR, NOT_CLEAR, UNSEEN)]
    if not breaches:
        return begin
    if track.rule.has_steady_baseline:
        level = track.baseline[breaches[-1]]
        return max(breaches, key=lambda index: _sure_badness(track, index, level))
    return max(breaches, key=lambda index: (codes[index], _sure_badness(track, index, track.baseline[index])))


def _sure_badness(track: Track, index: int, level: float) -> float:
    """The change from ``level`` by the end of the interval that is less bad; by the value where none is known."""
    low, high = track.low[index], track.high[index]
    if low != low or high != high:
        return _badness(track, track.value[index], level)
    if track.rule.better is None and low < level < high:
        return 0.0
    return min(_badness(track, low, level), _badness(track, high, level))


def badness(track: Track, index: int) -> float:
    """The change in the direction that is worse, relative where there is a baseline; -inf where nothing is known."""
    return _badness(track, track.value[index], track.baseline[index])


def _badness(track: Track, value: float, baseline: float) -> float:
    if value != value:
        return float("-inf")
    difference = value if baseline != baseline else (value - baseline) / (abs(baseline) or 1.0)
    match track.rule.better:
        case Direction.HIGHER:
            return -difference
        case Direction.LOWER:
            return difference
        case None:
            return abs(difference)
