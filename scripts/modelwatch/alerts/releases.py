"""The kinds that follow from the moves of a release: a rollback, a retraining or a canary that failed, and too many
rollbacks. What W&B remembers of the moves is judged time by time, so that these alerts fold like any other."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from ..model.alert import CANARY_FAILED, FREQUENT_ROLLBACKS, RETRAINING_FAILED, ROLLBACK_FAILED
from ..model.finding import Cause, Grid, Outcome, Track
from ..model.keys import KeyPattern
from ..model.release import Move, MoveState, MoveVerb, ReleaseSpec
from ..model.rule import DAY, HOUR, Rule, Tier
from ..model.watched import RELEASE_RULE_DEFAULTS, Model

RELEASE_STEP = 900.0
RELEASE_HOLD = 2
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
"""A rollback that has not ended after so many seconds counts as failed."""
TRAINING_TIMEOUT = DAY
CANARY_FAILURE_AGE = DAY
"""A canary that was taken back is news for so many seconds: the champion serves, nothing has to be mended."""
MAX_MOVES_SHOWN = 5

MoveJudge = Callable[[Sequence[Move], float, ReleaseSpec], float]
"""How bad it is at a time, by the moves intended until then, newest first; 0: not at all."""


def derive_release_tracks(model: Model, moves: Sequence[Move], now: float) -> dict[str, list[Track]]:
    """By name of the built-in rule its one track; a rule with nothing to say in the history has none."""
    if model.release is None or not moves:
        return {}
    last = math.floor(now / RELEASE_STEP)
    first = min(math.ceil((now - model.history) / RELEASE_STEP), last)
    grid = Grid(first * RELEASE_STEP, RELEASE_STEP, last - first + 1)
    ordered = sorted(moves, key=lambda move: -move.at)
    found = {}
    for name, judge in _MOVE_JUDGES.items():
        values = [
            judge([move for move in ordered if move.at <= time], time, model.release)
            for time in (grid.time(row) for row in range(grid.count))
        ]
        if any(values):
            found[name] = [_release_track(model, name, grid, values)]
    return found


def describe_moves(name: str, moves: Sequence[Move], start: float | None) -> tuple[str, ...]:
    """The moves that an alert is about, in words, newest first; of any other rule those since a day before it began."""
    newest_first = sorted(moves, key=lambda move: -move.at)
    if name in _VERBS_OF_RULE:
        return tuple(
            _describe_move(move)
            for move in [one for one in newest_first if one.verb in _VERBS_OF_RULE[name]][:MAX_MOVES_SHOWN]
        )
    near = [
        move for move in newest_first if start is not None and move.at >= start - DAY and move.verb in _SERVING_VERBS
    ]
    return tuple(f"release: {_describe_move(move)}" for move in near[:MAX_MOVES_SHOWN])


def _describe_move(move: Move) -> str:
    at = datetime.fromtimestamp(move.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    to = f" to {move.target}" if move.target else ""
    by = f" by {move.by}" if move.by else ""
    reason = f" ({move.reason})" if move.reason else ""
    return f"{at}: {move.verb}{to}{by}{reason}: {move.state}{f', {move.detail}' if move.detail else ''}"


def _open_seconds(move: Move, time: float) -> float:
    """Seconds that it had been under way at ``time``; 0 where it had ended."""
    return 0.0 if move.ended is not None and move.ended <= time else time - move.at


def _has_failed(move: Move, time: float) -> bool:
    return move.state is MoveState.FAILED and move.ended is not None and move.ended <= time


def _judge_rollback(moves: Sequence[Move], time: float, _: ReleaseSpec) -> float:
    newest = next((move for move in moves if move.verb in (MoveVerb.PROMOTE, MoveVerb.ROLLBACK)), None)
    if newest is None or newest.verb is not MoveVerb.ROLLBACK:
        return 0.0
    return float(_has_failed(newest, time) or _open_seconds(newest, time) > ROLLBACK_TIMEOUT)


def _judge_retraining(moves: Sequence[Move], time: float, _: ReleaseSpec) -> float:
    newest = next((move for move in moves if move.verb is MoveVerb.RETRAIN), None)
    return float(newest is not None and (_has_failed(newest, time) or _open_seconds(newest, time) > TRAINING_TIMEOUT))


def _judge_canary(moves: Sequence[Move], time: float, _: ReleaseSpec) -> float:
    newest = next((move for move in moves if move.verb in (MoveVerb.CANARY, MoveVerb.ABORT, MoveVerb.PROMOTE)), None)
    if newest is None or newest.ended is None or not newest.ended <= time < newest.ended + CANARY_FAILURE_AGE:
        return 0.0
    taken_back = newest.verb is MoveVerb.ABORT and newest.state is MoveState.DONE
    return float(taken_back or (newest.verb is MoveVerb.CANARY and _has_failed(newest, time)))


def _judge_rollback_count(moves: Sequence[Move], time: float, spec: ReleaseSpec) -> float:
    count = sum(
        move.verb is MoveVerb.ROLLBACK
        and move.state is MoveState.DONE
        and move.ended is not None
        and time - spec.most_period < move.ended <= time
        for move in moves
    )
    return float(count) if count > spec.most else 0.0


_MOVE_JUDGES: dict[str, MoveJudge] = {
    ROLLBACK_FAILED: _judge_rollback,
    RETRAINING_FAILED: _judge_retraining,
    CANARY_FAILED: _judge_canary,
    FREQUENT_ROLLBACKS: _judge_rollback_count,
}
_VERBS_OF_RULE: dict[str, tuple[MoveVerb, ...]] = {
    ROLLBACK_FAILED: (MoveVerb.ROLLBACK, MoveVerb.PROMOTE),
    RETRAINING_FAILED: (MoveVerb.RETRAIN,),
    CANARY_FAILED: (MoveVerb.CANARY, MoveVerb.ABORT, MoveVerb.PROMOTE),
    FREQUENT_ROLLBACKS: (MoveVerb.ROLLBACK,),
}


def release_rule(name: str) -> Rule:
    asked = RELEASE_RULE_DEFAULTS[name]
    pattern = KeyPattern(f"release/{name}")
    return Rule(
        name=name,
        kind=name,
        metric=pattern,
        tiers=(Tier(asked.severity, (), asked.do),),
        window=RELEASE_STEP,
        every=RELEASE_STEP,
        hold=RELEASE_HOLD,
        digest=f"built-in {name}",
    )


def _release_track(model: Model, name: str, grid: Grid, values: Sequence[float]) -> Track:
    severity = RELEASE_RULE_DEFAULTS[name].severity
    bad = [value > 0 for value in values]
    nothing = array("d", [math.nan]) * grid.count
    zeros = array("b", [0]) * grid.count
    return Track(
        model=model.name,
        rule=release_rule(name),
        labels=(),
        grid=grid,
        outcome=array("b", (Outcome.BREACH.code if one else Outcome.OK.code for one in bad)),
        severity=array("b", (severity.code if one else -1 for one in bad)),
        clear=array("b", (not one for one in bad)),
        improved=zeros,
        cause=array("b", [Cause.NONE.code]) * grid.count,
        value=array("d", values),
        baseline=nothing,
        low=nothing,
        high=nothing,
        n=nothing,
        points=array("i", [1]) * grid.count,
        version=array("i", [-1]) * grid.count,
    )
