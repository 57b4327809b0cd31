"""Business metrics that got worse although no technical metric did, or although one even got better: as tracks.

Either the model does its task and the task does not earn any more, or something that nobody measures got worse. That
is only known once the technical metrics had the time to show it: whole windows after the business metric's alarm.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor

from ..model.alert import BUSINESS_DIVERGENCE
from ..model.finding import Cause, Outcome, Track
from ..model.monitored_model import Model
from ..timeutil import DAY
from .builtin_rules import derived_rule

BUSINESS_KIND = "business-metric"
QUALITY_KINDS = frozenset({"accuracy-drop", "calibration", "concept-drift", "segment-drop"})
"""An improvement of these, while the business metric falls, says that they measure the wrong thing."""
WITHIN = 2 * DAY
"""Seconds before the business metric's window in which what got worse explains it."""

_OK, _BREACH, _UNDECIDED = Outcome.OK.code, Outcome.BREACH.code, Outcome.UNDECIDED.code
_IS_UNSURE = frozenset({Cause.NOT_CLEARED.code})
"""A limit is passed, and not proven yet: neither fine nor an explanation."""


def derive_divergence_tracks(model: Model, tracks: Sequence[Track]) -> dict[str, list[Track]]:
    """A track for the whole of each rule about a business metric, by the name of the built-in rule; none for a model
    without technical metrics."""
    technical = [track for track in tracks if track.rule.kind != BUSINESS_KIND and track.grid.count]
    business = [track for track in tracks if track.rule.kind == BUSINESS_KIND and not track.labels]
    if not any(not track.labels for track in technical):
        return {}
    derived = [_derive(model, track, technical) for track in business if track.grid.count]
    return {BUSINESS_DIVERGENCE: derived} if derived else {}


def _derive(model: Model, source: Track, technical: Sequence[Track]) -> Track:
    outcomes, causes = array("b"), array("b")
    onset: float | None = None
    for row, code in enumerate(source.outcome):
        time = source.grid.time(row)
        if code == _OK:
            onset = None
        elif code == _BREACH and onset is None:
            onset = time
        cause = _judge(source, technical, onset, time) if code == _BREACH and onset is not None else None
        if code != _BREACH:
            outcomes.append(_OK if code == _OK else _UNDECIDED)
        else:
            outcomes.append(_UNDECIDED if cause is None else _OK if cause is Cause.NONE else _BREACH)
        causes.append((cause or Cause.NONE).code)
    severity = model.divergence.severity.code
    return replace(
        source,
        rule=derived_rule(BUSINESS_DIVERGENCE, source.rule, model.divergence),
        labels=(("rule", source.rule.name),),
        outcome=outcomes,
        severity=array("b", (severity if code == _BREACH else -1 for code in outcomes)),
        clear=array("b", (code == _OK for code in outcomes)),
        improved=array("b", bytes(len(outcomes))),
        cause=causes,
        implausible=array("b"),
        signal=array("b"),
    )


def _judge(source: Track, technical: Sequence[Track], onset: float, time: float) -> Cause | None:
    """Why the business metric diverges at ``time``, ``Cause.NONE`` if it does not; ``None`` while nobody knows."""
    began = onset - source.rule.window
    spans = [(track, _rows(track, began - WITHIN, time)) for track in technical]
    if any(_BREACH in track.outcome[rows.first : rows.end] for track, rows in spans):
        return Cause.NONE
    if any(rows.end and track.cause[rows.end - 1] in _IS_UNSURE for track, rows in spans):
        return None
    for track in technical:
        rows = _rows(track, began, time)
        if track.rule.kind in QUALITY_KINDS and 1 in track.improved[rows.first : rows.end]:
            return Cause.TECHNICAL_BETTER
    proofs = [_is_fine(track, onset, time) for track in technical if not track.labels]
    return Cause.TECHNICAL_FINE if any(proofs) and None not in proofs else None


def _is_fine(track: Track, onset: float, time: float) -> bool | None:
    """Whether a decided finding of a window after ``onset`` says so; ``None``: not yet. A rule that decided nothing in
    the two days before says nothing, and is not waited for."""
    after = onset + track.rule.window + track.rule.total_lag
    recent, proof = _rows(track, onset - WITHIN, time), _rows(track, after, time)
    if _OK not in track.outcome[recent.first : recent.end]:
        return False
    return True if _OK in track.outcome[proof.first : proof.end] else None


@dataclass(frozen=True, slots=True)
class _Rows:
    first: int
    end: int


def _rows(track: Track, since: float, until: float) -> _Rows:
    """The findings from ``since`` to ``until``, both included."""
    grid = track.grid
    first = max(0, ceil((since - grid.start) / grid.step))
    return _Rows(min(first, grid.count), max(0, min(grid.count, floor((until - grid.start) / grid.step) + 1)))
