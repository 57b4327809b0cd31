"""From compared windows to findings: the outcome of every row, and its cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..model.finding import Cause, Outcome
from ..model.rule import Interval, Rule, Tier
from .baseline import Reference
from .columns import Bools, Floats, Ints
from .measure import Stat, no_share
from .tiers import Comparison, Verdict, compare, improved, judge, passes

Codes = tuple[float, float]


def _codes(outcome: Outcome, cause: Cause = Cause.NONE) -> Codes:
    return float(outcome.code), float(cause.code)


_OK = _codes(Outcome.OK)
_BREACH = _codes(Outcome.BREACH)
_NO_BASELINE = _codes(Outcome.UNDECIDED, Cause.NO_BASELINE)
_NOT_CLEARED = _codes(Outcome.UNDECIDED, Cause.NOT_CLEARED)
_NOT_A_PROPORTION = _codes(Outcome.UNDECIDED, Cause.NOT_A_PROPORTION)
_TOO_SMALL = _codes(Outcome.UNDECIDED, Cause.TOO_SMALL_COUNT)
_TOO_FEW = _codes(Outcome.UNDECIDED, Cause.TOO_FEW_POINTS)
_NEW_SEGMENT = _codes(Outcome.UNDECIDED, Cause.NEW_SEGMENT)
_NO_POINTS = _codes(Outcome.NO_DATA, Cause.NO_POINTS)
_ONLY_BAD = _codes(Outcome.NO_DATA, Cause.ONLY_BAD_VALUES)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What is decided of every row, in codes."""

    outcome: Floats
    severity: Floats
    clear: Bools
    improved: Bools
    cause: Floats

    def undecide(self, mask: Bools, cause: Cause) -> None:
        """What these rows would have said does not count, for this cause."""
        code, why = _codes(Outcome.UNDECIDED, cause)
        self.outcome[mask], self.cause[mask], self.severity[mask] = code, why, -1.0
        self.clear[mask] = self.improved[mask] = False


@dataclass(frozen=True, slots=True, eq=False)
class Circumstances:
    """What is known of a row besides its statistic."""

    version: Ints
    """Index into ``versions``, -1 for unknown."""
    versions: tuple[str, ...]
    new: Bools | None = None
    """The segment has not been there for a full window."""
    only_bad: Bools | None = None
    """The window holds points, but none of them is finite."""


def decide(rule: Rule, stat: Stat, reference: Reference, around: Circumstances) -> Rows:
    """The outcome of every row. The first of these that applies is its cause: no data, a new segment, too few points,
    too small a count, no proportion, a limit passed for certain, one passed but not cleared, no baseline."""
    rows = compare(stat, reference)
    verdict, better = _by_version(rule, rows, around)
    outcome = np.full(len(stat.value), _OK[0])
    cause = np.full(len(stat.value), _OK[1])
    # Later lines overrule earlier ones.
    for mask, (result, why) in (
        (verdict.unknown, _NO_BASELINE),
        (verdict.passed, _NOT_CLEARED),
        (verdict.reached >= 0, _BREACH),
        *_doubts(rule, stat),
        (around.new, _NEW_SEGMENT),
        (np.isnan(stat.value), _NO_POINTS),
        (around.only_bad, _ONLY_BAD),
    ):
        if mask is not None:
            outcome[mask] = result
            cause[mask] = why
    fine = outcome == _OK[0]
    severity = np.where(outcome == _BREACH[0], verdict.reached, -1.0)
    return Rows(outcome, severity, fine & _recovered(rule, rows), fine & better, cause)


def _doubts(rule: Rule, stat: Stat) -> list[tuple[Bools, Codes]]:
    """Why a window's value says nothing. Later ones overrule earlier ones."""
    doubts: list[tuple[Bools, Codes]] = []
    if rule.interval is Interval.WILSON:
        doubts.append((no_share(stat.value), _NOT_A_PROPORTION))
    if rule.min_weight > 0:
        # An unknown count is not known to be large enough.
        doubts.append((~(stat.n >= rule.min_weight), _TOO_SMALL))
    fewest = max(rule.min_points, 2) if rule.interval is Interval.NORMAL else rule.min_points
    if fewest > 1:
        doubts.append((stat.points < fewest, _TOO_FEW))
    return doubts


def _recovered(rule: Rule, rows: Comparison) -> Bools:
    """Beyond ``recover``, which must be certain; by default reaching no tier is enough."""
    if rule.recover is None:
        return np.ones(len(rows.value), np.bool_)
    held = passes(rule.recover, rows, rule.better)
    return ~held.passed & ~held.unknown


def _by_version(rule: Rule, rows: Comparison, around: Circumstances) -> tuple[Verdict, Bools]:
    """Verdict and improvement under the tiers of the version in each window."""
    if not rule.overrides:
        return _one(rule, rule.tiers, rows)
    verdict, better = _one(rule, rule.tiers, rows)
    for place, version in enumerate(around.versions):
        tiers = rule.tiers_for(version)
        here = around.version == place
        if tiers is rule.tiers or not here.any():
            continue
        other, gained = _one(rule, tiers, rows)
        verdict = Verdict(
            np.where(here, other.reached, verdict.reached),
            np.where(here, other.passed, verdict.passed),
            np.where(here, other.unknown, verdict.unknown),
        )
        better = np.where(here, gained, better)
    return verdict, better


def _one(rule: Rule, tiers: Sequence[Tier], rows: Comparison) -> tuple[Verdict, Bools]:
    return judge(tiers, rows, rule.better), improved(rule, tiers, rows)
