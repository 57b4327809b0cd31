"""Rules that modelwatch adds to the configured ones, as tracks: silence, lost segments, sudden improvements,
implausible values, and failed moves of a release.

A derived track goes through the same state machine as any other. Where it has no breach anywhere in the history, its
proof of health is enough.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

from ..model.alert import (
    CANARY_FAILED,
    FREQUENT_ROLLBACKS,
    IMPLAUSIBLE_METRIC,
    MONITORING_SILENT,
    RETRAINING_FAILED,
    ROLLBACK_FAILED,
    SEGMENT_GONE,
    SUDDEN_IMPROVEMENT,
    HealthyStreak,
    fingerprint,
)
from ..model.finding import Cause, Grid, Outcome, Track
from ..model.keys import KeyPattern
from ..model.monitored_model import RELEASE_RULE_DEFAULTS, BuiltInRule, Model, ReleaseSpec
from ..model.release import Move, MoveState, MoveVerb
from ..model.rule import Rule, Tier
from ..model.series import Labels
from ..model.unit import can_be_withheld
from ..timeutil import DAY, HOUR, format_utc
from .state_machine import clear_times

SILENT_AFTER = 3
"""Findings in a row that are undecided about new points, or have no data."""
GONE_AFTER = 3
"""Windows in a row without a point."""
HOLD = 2

_OK, _BREACH, _UNDECIDED = Outcome.OK.code, Outcome.BREACH.code, Outcome.UNDECIDED.code
_DECIDED = bytes(_OK if code in (_OK, _BREACH) else _UNDECIDED for code in range(256))
_IS_OK = bytes(code == _OK for code in range(256))
_NOTHING = 0xFF
"""-1 in a column of signed bytes."""
_SILENT_RUN = re.compile(rb"[%c%c]+" % (Outcome.UNDECIDED.code, Outcome.NO_DATA.code))
_NEVER_WATCHED = (Cause.NO_DATA_YET.code, Cause.NOTHING_WATCHED.code)
_ABSENT = (Cause.NO_POINTS.code, *_NEVER_WATCHED)
_ABSENT_RUN = re.compile(b"[%c%c%c]+" % _ABSENT)
_UNKNOWN_DAY, _ZERO_BASELINE = Cause.UNKNOWN_DAY.code, Cause.ZERO_BASELINE.code


@dataclass(frozen=True, slots=True)
class HealthyRule:
    """A built-in rule, and the proof of health of the series that it never found a breach in."""

    rule: Rule
    clear: list[HealthyStreak]


def derive_health_tracks(
    model: Model, tracks: Sequence[Track]
) -> tuple[dict[str, list[Track]], dict[str, HealthyRule]]:
    """Derived tracks by the name of their built-in rule, and by built-in rule the series without any breach.

    History can be completed later: missing rows are logged late, a reference is captured again, and yesterday's silence
    never was. Then the proof of health shows that the alert is over.
    """
    derived: dict[str, list[Track]] = {}
    healthy: dict[str, HealthyRule] = {}
    for name, source, spec, outcome, fresh in _outcomes(model, tracks):
        rule = derived_rule(name, source.rule, spec)
        labels = tuple(sorted((*source.labels, ("rule", source.rule.name))))
        if _BREACH not in outcome:
            times = clear_times(outcome, outcome.translate(_IS_OK), fresh, source.grid, 2 * HOLD)
            streak = HealthyStreak(fingerprint(source.model, name, labels), times)
            healthy.setdefault(name, HealthyRule(rule, [])).clear.append(streak)
            continue
        track = replace(
            source,
            rule=rule,
            labels=labels,
            outcome=array("b", outcome),
            severity=array("b", outcome.translate(_breach_table(spec.severity.code))),
            cause=_causes(name, source, outcome),
            clear=array("b", outcome.translate(_IS_OK)),
            improved=array("b", bytes(len(outcome))),
            fresh=fresh,
        )
        derived.setdefault(name, []).append(track)
    return derived, healthy


@cache
def _breach_table(severity: int) -> bytes:
    """From outcomes to severities: a breach has this one."""
    return bytes(severity if code == _BREACH else _NOTHING for code in range(256))


def _outcomes(model: Model, tracks: Sequence[Track]) -> Iterator[tuple[str, Track, BuiltInRule, bytes, array[int]]]:
    """(built-in rule, track, its severity and actions, an outcome for each of the track's findings, which count)."""
    unsegmented_rules = {track.rule.name for track in tracks if not track.labels}
    # Whether measurements stopped is seen by the other rules.
    withheld = {rule.name for rule in model.rules if can_be_withheld(rule.metric)}
    silenced = withheld if len(withheld) < len(model.rules) else frozenset[str]()
    for track in tracks:
        if not track.labels or track.rule.name not in unsegmented_rules:
            if track.rule.name not in silenced:
                counts = _rows_of_silence(track)
                yield MONITORING_SILENT, track, model.silent, _silence_outcome(track, counts), counts
            implausible = _implausible_outcome(track, reports_improvement=bool(model.improvement.do))
            yield IMPLAUSIBLE_METRIC, track, model.implausible, implausible, track.fresh
        if track.labels:
            # Absence is about time without points: every finding counts.
            yield SEGMENT_GONE, track, model.gone, _absence_outcome(track), array("b")
        yield SUDDEN_IMPROVEMENT, track, model.improvement, _improvement_outcome(track), track.fresh


def derived_rule(name: str, source: Rule, spec: BuiltInRule) -> Rule:
    """The rule of a derived track. Its limits are not configurable, so its digest is constant."""
    return replace(
        source,
        name=name,
        kind="data-quality" if name == SEGMENT_GONE else name,
        tiers=(Tier(spec.severity, (), spec.do),),
        overrides=(),
        for_=source.for_ if name == SUDDEN_IMPROVEMENT else 1,
        hold=HOLD,
        runbook="",
        digest=f"built-in {name}",
    )


def _rows_of_silence(track: Track) -> array[int]:
    """Which findings count: those with new points, and those without any point that was due; none listed: all."""
    fresh = track.fresh.tobytes()
    if 0 not in fresh:
        return array("b")
    counts = array("b", fresh)
    if track.overdue:
        for late in re.finditer(b"\1", track.overdue.tobytes()):
            counts[late.start()] = 1
        return counts
    for stale in re.finditer(b"\\0", fresh):
        row = stale.start()
        counts[row] = track.cause[row] in _ABSENT and not track.points[row]
    return counts


def _silence_outcome(track: Track, counts: array[int]) -> bytes:
    """Breach from the third finding in a row that counts and decides nothing, and where a point is overdue or a limit
    is a share of a baseline of 0, which no waiting decides. The time before the first point, and before it is known
    what is usual, is no silence, nor is a day of the calendar that is unknown. Findings that do not count are
    undecided. What was never logged while it was watched is a breach now, and was none before: it may
    have ended long ago, or not have begun."""
    if track.cause and track.cause[-1] in _NEVER_WATCHED:
        return bytes([_UNDECIDED]) * (len(track.outcome) - 1) + bytes([_BREACH])
    before = next((row for row, points in enumerate(track.points) if points), 0)
    before = max(before, track.cause.tobytes().rfind(bytes([Cause.TOO_YOUNG.code])) + 1)
    outcome = bytes([_UNDECIDED]) * before + track.outcome.tobytes()[before:]
    if _UNKNOWN_DAY in track.cause.tobytes():
        outcome = bytes(_OK if why == _UNKNOWN_DAY else code for code, why in zip(outcome, track.cause, strict=True))
    if not _SILENT_RUN.search(outcome, before) and 1 not in track.overdue.tobytes():
        return outcome[:before] + bytes([_OK]) * (len(outcome) - before)
    rows = [row for row in range(before, len(outcome)) if not counts or counts[row]]
    judged = bytearray([_UNDECIDED]) * len(outcome)
    for row, code in zip(
        rows, _breach_after(bytes(outcome[row] for row in rows), _SILENT_RUN, SILENT_AFTER), strict=True
    ):
        judged[row] = code
    for row in range(before, len(track.overdue)):
        if track.overdue[row] and track.cause[row] != _UNKNOWN_DAY:
            judged[row] = _BREACH
    for row in rows:
        if track.cause[row] == _ZERO_BASELINE:
            judged[row] = _BREACH
    return bytes(judged)


def _causes(name: str, source: Track, outcome: bytes) -> array[int]:
    """The causes of a derived track: where it breaches, why that is so."""
    if name == MONITORING_SILENT:
        return _silence_causes(source, outcome)
    if name != IMPLAUSIBLE_METRIC:
        return source.cause
    rows = zip(outcome, source.implausible, source.cause, strict=True)
    return array("b", (why if code == _BREACH else cause for code, why, cause in rows))


def _silence_causes(track: Track, outcome: bytes) -> array[int]:
    """The causes of ``track``; findings that are silent although their window still holds enough get their own."""
    if 1 not in track.overdue.tobytes():
        return track.cause
    overdue = Cause.OVERDUE.code
    return array(
        "b",
        (
            overdue if late and code == _BREACH and cause == Cause.NONE.code else cause
            for late, code, cause in zip(track.overdue, outcome, track.cause, strict=True)
        ),
    )


def _absence_outcome(track: Track) -> bytes:
    """Breach once three windows in a row had no point, where there had been some before, and a point is overdue by the
    segment's own cadence: a shop is closed at weekends, and a rare country comes and goes.

    The first finding without points means that one window was empty; two windows later, three were.
    """
    need = 1 + math.ceil((GONE_AFTER - 1) * track.rule.window / track.grid.step)
    points, overdue = track.points, track.overdue

    def had_data(run: re.Match[bytes]) -> bool:
        return any(points[index] for index in range(run.start()))

    outcome = bytearray(_breach_after(track.cause.tobytes(), _ABSENT_RUN, need, had_data))
    for row, code in enumerate(outcome):
        if code == _BREACH and not (overdue and overdue[row]):
            outcome[row] = _UNDECIDED
    return bytes(outcome)


def _breach_after(
    column: bytes, pattern: re.Pattern[bytes], need: int, counts: Callable[[re.Match[bytes]], bool] | None = None
) -> bytes:
    """OK outside the runs of ``pattern``; within one undecided, and breach from the ``need``-th on if it ``counts``."""
    outcome = bytearray([_OK]) * len(column)
    for run in pattern.finditer(column):
        length = run.end() - run.start()
        quiet = min(length, need - 1) if length < need or counts is None or counts(run) else length
        outcome[run.start() : run.end()] = bytes([_UNDECIDED]) * quiet + bytes([_BREACH]) * (length - quiet)
    return bytes(outcome)


def _improvement_outcome(track: Track) -> bytes:
    decided = track.outcome.tobytes().translate(_DECIDED)
    if b"\1" not in track.improved.tobytes():
        return decided
    return bytes(
        _BREACH if better and code == _OK else code for code, better in zip(decided, track.improved, strict=True)
    )


def _implausible_outcome(track: Track, *, reports_improvement: bool) -> bytes:
    """Where the rule itself breaches, or a sudden improvement has an issue, that alert says enough."""
    decided = track.outcome.tobytes().translate(_DECIDED)
    first = next((row for row, why in enumerate(track.implausible) if why), len(decided))
    if first == len(decided) or (reports_improvement and 1 in track.improved[first:]):
        return decided
    quiet = (_BREACH, Outcome.NO_DATA.code)
    rows = zip(decided, track.outcome, track.implausible, strict=True)
    return bytes(_BREACH if why and own not in quiet else code for code, own, why in rows)


def source_rule_name(labels: Labels) -> str:
    """The configured rule behind the labels of a derived track."""
    return next((value for name, value in reversed(labels) if name == "rule"), "")


def source_labels(labels: Labels) -> Labels:
    """The labels of the series behind a derived track."""
    own = list(labels)
    own.remove(("rule", source_rule_name(labels)))
    return tuple(own)


RELEASE_STEP = 900.0
_SERVING_VERBS = (
    MoveVerb.CANARY,
    MoveVerb.ABORT,
    MoveVerb.PROMOTE,
    MoveVerb.ROLLBACK,
    MoveVerb.DEGRADE,
    MoveVerb.RESTORE,
)
"""Moves that change what serves."""
ROLLBACK_TIMEOUT = HOUR
"""A rollback that has not ended after this time counts as failed."""
TRAINING_TIMEOUT = DAY
CANARY_FAILURE_AGE = DAY
"""A canary that was taken back is reported for this long: the champion serves, so nothing has to be fixed."""
MAX_MOVES_SHOWN = 5

MoveJudge = Callable[[Sequence[Move], float, ReleaseSpec], float]
"""The badness at a time, from the rule's moves intended until then, newest first; 0: none."""


def derive_release_tracks(model: Model, moves: Sequence[Move], now: float) -> dict[str, list[Track]]:
    """The one track of each built-in rule, by its name; rules without a breach in the history are left out."""
    if model.release is None or not moves:
        return {}
    last = math.floor(now / RELEASE_STEP)
    first = min(math.ceil((now - model.history) / RELEASE_STEP), last)
    grid = Grid(first * RELEASE_STEP, RELEASE_STEP, last - first + 1)
    ordered = sorted(moves, key=lambda move: -move.at)
    derived = {}
    for name, (verbs, judge) in _RELEASE_RULES.items():
        own = [move for move in ordered if move.verb in verbs]
        values = [
            judge([move for move in own if move.at <= time], time, model.release)
            for time in map(grid.time, range(grid.count))
        ]
        if any(values):
            derived[name] = [breach_track(model.name, release_rule(name), grid, values)]
    return derived


def describe_moves(name: str, moves: Sequence[Move], start: float | None) -> tuple[str, ...]:
    """The moves that an alert is about, newest first; for any other rule the moves since a day before it began."""
    newest_first = sorted(moves, key=lambda move: -move.at)
    if name in _RELEASE_RULES:
        own = [move for move in newest_first if move.verb in _RELEASE_RULES[name][0]]
        return tuple(_describe_move(move) for move in own[:MAX_MOVES_SHOWN])
    near = [
        move for move in newest_first if start is not None and move.at >= start - DAY and move.verb in _SERVING_VERBS
    ]
    return tuple(f"release: {_describe_move(move)}" for move in near[:MAX_MOVES_SHOWN])


def _describe_move(move: Move) -> str:
    to = f" to {move.destination}" if move.destination else ""
    by = f" by {move.by}" if move.by else ""
    reason = f" ({move.reason})" if move.reason else ""
    return (
        f"{format_utc(move.at)}: {move.verb}{to}{by}{reason}: {move.state}{f', {move.detail}' if move.detail else ''}"
    )


def _judge_newest(moves: Sequence[Move], time: float, _: ReleaseSpec, *, verb: MoveVerb, timeout: float) -> float:
    """Whether the newest move is of this verb, and failed or is in progress for longer than ``timeout``."""
    if not moves or moves[0].verb is not verb:
        return 0.0
    has_ended = moves[0].ended is not None and moves[0].ended <= time
    return float(moves[0].state is MoveState.FAILED if has_ended else time - moves[0].at > timeout)


def _judge_canary(moves: Sequence[Move], time: float, _: ReleaseSpec) -> float:
    newest = moves[0] if moves else None
    if newest is None or newest.ended is None or not newest.ended <= time < newest.ended + CANARY_FAILURE_AGE:
        return 0.0
    taken_back = newest.verb is MoveVerb.ABORT and newest.state is MoveState.DONE
    return float(taken_back or (newest.verb is MoveVerb.CANARY and newest.state is MoveState.FAILED))


def _judge_rollback_count(moves: Sequence[Move], time: float, spec: ReleaseSpec) -> float:
    count = sum(
        move.state is MoveState.DONE and move.ended is not None and time - spec.most_period < move.ended <= time
        for move in moves
    )
    return float(count) if count > spec.most else 0.0


_RELEASE_RULES: dict[str, tuple[tuple[MoveVerb, ...], MoveJudge]] = {
    ROLLBACK_FAILED: (
        (MoveVerb.ROLLBACK, MoveVerb.PROMOTE),
        partial(_judge_newest, verb=MoveVerb.ROLLBACK, timeout=ROLLBACK_TIMEOUT),
    ),
    RETRAINING_FAILED: (
        (MoveVerb.RETRAIN,),
        partial(_judge_newest, verb=MoveVerb.RETRAIN, timeout=TRAINING_TIMEOUT),
    ),
    CANARY_FAILED: ((MoveVerb.CANARY, MoveVerb.ABORT, MoveVerb.PROMOTE), _judge_canary),
    FREQUENT_ROLLBACKS: ((MoveVerb.ROLLBACK,), _judge_rollback_count),
}
"""By built-in rule the moves that it is about, and how they are judged."""


def release_rule(name: str) -> Rule:
    spec = RELEASE_RULE_DEFAULTS[name]
    return Rule(
        name=name,
        kind=name,
        metric=KeyPattern(f"release/{name}"),
        tiers=(Tier(spec.severity, (), spec.do),),
        window=RELEASE_STEP,
        every=RELEASE_STEP,
        hold=HOLD,
        digest=f"built-in {name}",
    )


def breach_track(model: str, rule: Rule, grid: Grid, values: Sequence[float]) -> Track:
    """The track of a built-in rule with one tier, which holds wherever a value is above 0."""
    severity = rule.tiers[0].severity
    breaches = [value > 0 for value in values]
    unknown = array("d", [math.nan]) * grid.count
    zeros = array("b", [0]) * grid.count
    return Track(
        model=model,
        rule=rule,
        labels=(),
        grid=grid,
        outcome=array("b", (_BREACH if failed else _OK for failed in breaches)),
        severity=array("b", (severity.code if failed else -1 for failed in breaches)),
        clear=array("b", (not failed for failed in breaches)),
        improved=zeros,
        cause=array("b", [Cause.NONE.code]) * grid.count,
        value=array("d", values),
        baseline=unknown,
        low=unknown,
        high=unknown,
        n=unknown,
        points=array("i", [1]) * grid.count,
        version=array("i", [-1]) * grid.count,
    )
