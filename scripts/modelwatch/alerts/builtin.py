"""The kinds that modelwatch raises by itself, as tracks derived from the tracks of the configured rules.

A derived track goes through the same fold as any other. Only tracks that have something to say are derived: those
with a breach anywhere in the history, so that the proof of their recovery is there as well.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..model.alert import GONE, IMPROVEMENT, SILENT
from ..model.finding import Cause, Outcome, Track
from ..model.rule import Rule, Tier
from ..model.watched import BuiltIn, Model

SILENT_AFTER = 3
"""Findings in a row that are undecided or without data."""
GONE_AFTER = 3
"""Windows in a row without a point."""
HOLD = 2

_OK, _BREACH, _UNDECIDED = Outcome.OK.code, Outcome.BREACH.code, Outcome.UNDECIDED.code
_SILENT_RUN = re.compile(rb"[%c%c]+" % (Outcome.UNDECIDED.code, Outcome.NO_DATA.code))
_ABSENT_RUN = re.compile(b"%c+" % Cause.NO_POINTS.code)


def derive(model: Model, tracks: Sequence[Track]) -> dict[str, list[Track]]:
    """Derived tracks by the name of their built-in rule; a rule without any has nothing to say."""
    whole = {track.rule.name for track in tracks if not track.labels}
    found: dict[str, list[Track]] = {}
    for track in tracks:
        if not track.labels or track.rule.name not in whole:
            _add(found, SILENT, _silent(track), track, model.silent)
        if track.labels:
            _add(found, GONE, _gone(track), track, model.gone)
        _add(found, IMPROVEMENT, _improved(track), track, model.improvement)
    return found


def _add(found: dict[str, list[Track]], name: str, outcome: bytes | None, track: Track, asked: BuiltIn) -> None:
    if outcome is None or _BREACH not in outcome:
        return
    severity = bytes(asked.severity.code if code == _BREACH else 255 for code in range(256))
    clear = bytes(code == _OK for code in range(256))
    found.setdefault(name, []).append(
        replace(
            track,
            rule=rule_of(name, track.rule, asked),
            labels=tuple(sorted((*track.labels, ("rule", track.rule.name)))),
            outcome=array("b", outcome),
            severity=array("b", outcome.translate(severity)),
            clear=array("b", outcome.translate(clear)),
            improved=array("b", bytes(len(outcome))),
        )
    )


def rule_of(name: str, source: Rule, asked: BuiltIn) -> Rule:
    """The rule of a derived track. What decides about it is not configurable, so its digest is constant."""
    return replace(
        source,
        name=name,
        kind="data-quality" if name == GONE else name,
        tiers=(Tier(asked.severity, (), asked.do),),
        overrides=(),
        for_=source.for_ if name == IMPROVEMENT else 1,
        hold=HOLD,
        runbook="",
        digest=f"built-in {name}",
    )


def _silent(track: Track) -> bytes | None:
    """Breach from the third finding in a row that decides nothing; the time before the first point is no silence."""
    before = next((row for row, points in enumerate(track.points) if points), 0)
    later = _after(track.outcome.tobytes()[before:], _SILENT_RUN, SILENT_AFTER)
    return None if later is None else bytes([_UNDECIDED]) * before + later


def _gone(track: Track) -> bytes | None:
    """Breach once there has been no point for three windows, where there had been some before.

    The first finding without points says that one window was empty; two windows' length later three were.
    """
    need = 1 + math.ceil((GONE_AFTER - 1) * track.rule.window / track.grid.step)
    points = track.points

    def had_data(run: re.Match[bytes]) -> bool:
        return any(points[index] for index in range(run.start()))

    return _after(track.cause.tobytes(), _ABSENT_RUN, need, had_data)


def _after(
    column: bytes, pattern: re.Pattern[bytes], need: int, counts: Callable[[re.Match[bytes]], bool] | None = None
) -> bytes | None:
    """OK outside the runs of ``pattern``; within one undecided, and breach from the ``need``-th on if it ``counts``."""
    runs = list(pattern.finditer(column))
    if not any(run.end() - run.start() >= need for run in runs):
        return None
    outcome = bytearray([_OK]) * len(column)
    for run in runs:
        length = run.end() - run.start()
        quiet = min(length, need - 1) if length < need or counts is None or counts(run) else length
        outcome[run.start() : run.end()] = bytes([_UNDECIDED]) * quiet + bytes([_BREACH]) * (length - quiet)
    return bytes(outcome)


def _improved(track: Track) -> bytes | None:
    improved = track.improved.tobytes()
    if b"\1" not in improved:
        return None
    return bytes(
        _UNDECIDED if code not in (_OK, _BREACH) else (_BREACH if better else _OK)
        for code, better in zip(track.outcome, improved, strict=True)
    )


def source_rule(labels: tuple[tuple[str, str], ...]) -> str:
    """The configured rule behind the labels of a derived track."""
    return next((value for name, value in reversed(labels) if name == "rule"), "")
