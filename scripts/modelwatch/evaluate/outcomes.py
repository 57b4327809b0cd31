"""From compared windows to findings: the outcome of every row, and its cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..model.finding import Cause, Outcome
from ..model.rule import Interval, Rule, Tier
from .baseline import Baseline
from .columns import Bools, Floats, Ints
from .measure import WindowStats, is_no_proportion
from .tiers import BaselineComparison, TierDecision, check_limit, compare_with_baseline, decide_tier, is_improvement

OutcomeCodes = tuple[float, float]


def _codes(outcome: Outcome, cause: Cause = Cause.NONE) -> OutcomeCodes:
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
class Outcomes:
    """What is decided of every row, in codes."""

    outcome: Floats
    severity: Floats
    clear: Bools
    improved: Bools
    cause: Floats

    def mark_undecided(self, mask: Bools, cause: Cause) -> None:
        """What these rows would have said does not count, for this cause."""
        code, why = _codes(Outcome.UNDECIDED, cause)
        self.outcome[mask], self.cause[mask], self.severity[mask] = code, why, -1.0
        self.clear[mask] = self.improved[mask] = False


@dataclass(frozen=True, slots=True, eq=False)
class RowContext:
    """What is known of a row besides its statistic."""

    version: Ints
    """Index into ``versions``, -1 for unknown."""
    versions: tuple[str, ...]
    is_new: Bools | None = None
    """The segment has not been there for a full window."""
    only_bad: Bools | None = None
    """The window holds points, but none of them is finite."""


def decide_outcomes(rule: Rule, stat: WindowStats, reference: Baseline, around: RowContext) -> Outcomes:
    """The outcome of every row. The first of these that applies is its cause: no data, a new segment, too few points,
    too small a count, no proportion, a limit passed for certain, one passed but not cleared, no baseline."""
    rows = compare_with_baseline(stat, reference)
    verdict, better = _decide_by_version(rule, rows, around)
    outcome = np.full(len(stat.value), _OK[0])
    cause = np.full(len(stat.value), _OK[1])
    # Later lines overrule earlier ones.
    for mask, (result, why) in (
        (verdict.unknown, _NO_BASELINE),
        (verdict.passed, _NOT_CLEARED),
        (verdict.severity >= 0, _BREACH),
        *_unreliable_rows(rule, stat),
        (around.is_new, _NEW_SEGMENT),
        (np.isnan(stat.value), _NO_POINTS),
        (around.only_bad, _ONLY_BAD),
    ):
        if mask is not None:
            outcome[mask] = result
            cause[mask] = why
    fine = outcome == _OK[0]
    severity = np.where(outcome == _BREACH[0], verdict.severity, -1.0)
    return Outcomes(outcome, severity, fine & _has_recovered(rule, rows), fine & better, cause)


def _unreliable_rows(rule: Rule, stat: WindowStats) -> list[tuple[Bools, OutcomeCodes]]:
    """Why a window's value says nothing. Later ones overrule earlier ones."""
    doubts: list[tuple[Bools, OutcomeCodes]] = []
    if rule.interval is Interval.WILSON:
        doubts.append((is_no_proportion(stat.value), _NOT_A_PROPORTION))
    if rule.min_weight > 0:
        # An unknown count is not known to be large enough.
        doubts.append((~(stat.n >= rule.min_weight), _TOO_SMALL))
    fewest = max(rule.min_points, 2) if rule.interval is Interval.NORMAL else rule.min_points
    if fewest > 1:
        doubts.append((stat.points < fewest, _TOO_FEW))
    return doubts


def _has_recovered(rule: Rule, rows: BaselineComparison) -> Bools:
    """Beyond ``recover``, which must be certain; by default reaching no tier is enough."""
    if rule.recover is None:
        return np.ones(len(rows.value), np.bool_)
    held = check_limit(rule.recover, rows, rule.better)
    return ~held.passed & ~held.unknown


def _decide_by_version(rule: Rule, rows: BaselineComparison, around: RowContext) -> tuple[TierDecision, Bools]:
    """Verdict and improvement under the tiers of the version in each window."""
    if not rule.overrides:
        return _decide_tiers(rule, rule.tiers, rows)
    verdict, better = _decide_tiers(rule, rule.tiers, rows)
    for place, version in enumerate(around.versions):
        tiers = rule.tiers_for(version)
        here = around.version == place
        if tiers is rule.tiers or not here.any():
            continue
        other, gained = _decide_tiers(rule, tiers, rows)
        verdict = TierDecision(
            np.where(here, other.severity, verdict.severity),
            np.where(here, other.passed, verdict.passed),
            np.where(here, other.unknown, verdict.unknown),
        )
        better = np.where(here, gained, better)
    return verdict, better


def _decide_tiers(rule: Rule, tiers: Sequence[Tier], rows: BaselineComparison) -> tuple[TierDecision, Bools]:
    return decide_tier(tiers, rows, rule.better), is_improvement(rule, tiers, rows)
