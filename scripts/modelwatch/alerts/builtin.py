"""The kinds that modelwatch raises by itself, as tracks derived from the tracks of the configured rules.

A derived track goes through the same fold as any other. Only tracks that have something to say are derived: those
with a breach anywhere in the history. Of all others the proof of health is enough.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..model.alert import MONITORING_SILENT, SEGMENT_GONE, SUDDEN_IMPROVEMENT, HealthyStreak, fingerprint
from ..model.finding import Cause, Outcome, Track
from ..model.rule import Rule, Tier
from ..model.series import Labels
from ..model.watched import BuiltInRule, Model

SILENT_AFTER = 3
"""Findings in a row that are undecided or without data."""
GONE_AFTER = 3
"""Windows in a row without a point."""
HOLD = 2

_OK, _BREACH, _UNDECIDED = Outcome.OK.code, Outcome.BREACH.code, Outcome.UNDECIDED.code
_DECIDED = bytes(_OK if code in (_OK, _BREACH) else _UNDECIDED for code in range(256))
_SILENT_RUN = re.compile(rb"[%c%c]+" % (Outcome.UNDECIDED.code, Outcome.NO_DATA.code))
_ABSENT_RUN = re.compile(b"%c+" % Cause.NO_POINTS.code)


@dataclass(frozen=True, slots=True)
class HealthyRule:
    """A built-in rule, and the proof of health of the series that it has never had anything to say about."""

    rule: Rule
    clear: tuple[HealthyStreak, ...]


def derive_health_tracks(model: Model, tracks: Sequence[Track]) -> dict[str, list[Track]]:
    """Derived tracks by the name of their built-in rule; a rule without any has nothing to say."""
    found: dict[str, list[Track]] = {}
    for name, track, asked, outcome in _outcomes(model, tracks):
        if _BREACH not in outcome:
            continue
        severity = bytes(asked.severity.code if code == _BREACH else 255 for code in range(256))
        clear = bytes(code == _OK for code in range(256))
        found.setdefault(name, []).append(
            replace(
                track,
                rule=derived_rule(name, track.rule, asked),
                labels=derived_labels(track),
                outcome=array("b", outcome),
                severity=array("b", outcome.translate(severity)),
                clear=array("b", outcome.translate(clear)),
                improved=array("b", bytes(len(outcome))),
            )
        )
    return found


def healthy_rules(model: Model, tracks: Sequence[Track]) -> dict[str, HealthyRule]:
    """By built-in rule, the series that are in no derived track.

    History may be mended: what was missing is logged late, a reference is captured again, and the silence of yesterday
    has never been. Then this is the proof that it is over.
    """
    rules: dict[str, Rule] = {}
    clear: dict[str, list[HealthyStreak]] = {}
    for name, track, asked, outcome in _outcomes(model, tracks):
        if _BREACH not in outcome:
            rules.setdefault(name, derived_rule(name, track.rule, asked))
            identity = fingerprint(track.model, name, derived_labels(track))
            clear.setdefault(name, []).append(HealthyStreak(identity, tuple(_newest_healthy_times(track, outcome))))
    return {name: HealthyRule(rule, tuple(clear[name])) for name, rule in rules.items()}


def _newest_healthy_times(track: Track, outcome: bytes) -> Iterator[float]:
    """The times of the newest decided findings, none of them a breach; newest first, up to twice ``HOLD``."""
    place = len(outcome)
    for _ in range(2 * HOLD):
        place = outcome.rfind(_OK, 0, place)
        if place < 0:
            return
        yield track.grid.time(place)


def _outcomes(model: Model, tracks: Sequence[Track]) -> Iterator[tuple[str, Track, BuiltInRule, bytes]]:
    """(built-in rule, track, what it asks for, an outcome for each of the track's findings)."""
    whole = {track.rule.name for track in tracks if not track.labels}
    for track in tracks:
        if not track.labels or track.rule.name not in whole:
            yield MONITORING_SILENT, track, model.silent, _silence_outcome(track)
        if track.labels:
            yield SEGMENT_GONE, track, model.gone, _absence_outcome(track)
        yield SUDDEN_IMPROVEMENT, track, model.improvement, _improvement_outcome(track)


def derived_labels(track: Track) -> Labels:
    """Those of the derived track: the series' own, and the rule that it comes from."""
    return tuple(sorted((*track.labels, ("rule", track.rule.name))))


def derived_rule(name: str, source: Rule, spec: BuiltInRule) -> Rule:
    """The rule of a derived track. What decides about it is not configurable, so its digest is constant."""
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


def _silence_outcome(track: Track) -> bytes:
    """Breach from the third finding in a row that decides nothing; the time before the first point is no silence."""
    before = next((row for row, points in enumerate(track.points) if points), 0)
    later = _breach_after(track.outcome.tobytes()[before:], _SILENT_RUN, SILENT_AFTER)
    return bytes([_UNDECIDED]) * before + later


def _absence_outcome(track: Track) -> bytes:
    """Breach once there has been no point for three windows, where there had been some before.

    The first finding without points says that one window was empty; two windows' length later three were.
    """
    need = 1 + math.ceil((GONE_AFTER - 1) * track.rule.window / track.grid.step)
    points = track.points

    def had_data(run: re.Match[bytes]) -> bool:
        return any(points[index] for index in range(run.start()))

    return _breach_after(track.cause.tobytes(), _ABSENT_RUN, need, had_data)


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


def source_rule_name(labels: tuple[tuple[str, str], ...]) -> str:
    """The configured rule behind the labels of a derived track."""
    return next((value for name, value in reversed(labels) if name == "rule"), "")
