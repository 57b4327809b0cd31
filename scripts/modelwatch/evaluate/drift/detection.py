"""Which drift is proven at each evaluation time: e-detectors of every feature under the rule's budget of false alarms.

History is cut into batches at fixed times of day, so that each counts once, however often anybody looks and however
windows overlap. A batch is an e-value against "no further from the reference than ``MARGIN`` of the limit", its counts
divided by how much more the shares vary from batch to batch than counts do. Hours, days and whole windows are batches
of three detectors, whose mean is one again. A tier holds where its limit is proven (e-BH over features and references)
and the window's effect passes it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...model.drift import MIN_EFFECT
from ...model.rule import BaselineSpec, Limit, LimitKind, Rule, Tier
from ...stats.arrays import Bools, Floats
from ...stats.drift.e_values import (
    adjust_evidence,
    capped_log_evidence,
    divergence,
    log_mean,
    noncentral_log_ratio,
    reference_error,
)
from ...stats.drift.methods import MIN_RELIABLE_COUNT
from ...timeutil import DAY, HOUR
from ..criterion_watch import RECOVERY_ODDS
from ..deployments import VersionTimeline
from ..detection import Detection
from ..windows import RowRanges
from .rebinning import CumulativeCounts
from .references import BinnedSides, FeatureWindows, ReferenceLookup, bin_sides
from .statistics import homogeneity

MARGIN = 0.4
"""A divergence up to that of this share of a limit is no drift."""
BATCHES = (6 * HOUR, DAY)
"""Lengths of batches, where the window is no shorter; the window itself is the third."""
SOUGHT = np.array([1.0, 2.0, 5.0, 20.0])[:, None]
"""The divergences that a detector looks for, in those of the limit."""
PAIRS = 42
"""Pairs of neighbouring batches from which the dispersion is measured."""
SPANS = (1, 3)
"""Batches on either side of such a pair: the longer ones see what neighbours have in common."""
PRIOR_DISPERSION, PRIOR_PAIRS = 1.2, 3.0
"""What is assumed before anything is known, and for how many pairs it counts."""
DIRECTIONS = 2.0
"""What shares vary by from batch to batch lies in so many directions, not in all: a mean wanders, say."""
MAX_RATIO = 16.0
"""A pair counts at most this many medians: one jump is no noise."""
REFERENCE_RATE = 0.01
"""In this share of rules some reference is further from its source than is allowed for."""


@dataclass(frozen=True, slots=True)
class DriftCriterion:
    """One limit of one tier."""

    severity: int
    limit: float
    budget: float
    """Mean time between false alarms (seconds)."""


@dataclass(frozen=True, slots=True, eq=False)
class ComparedFeature:
    """One feature and how far its windows are from each reference."""

    windows: FeatureWindows
    method: str
    effects: Floats
    """(references, evaluation times)."""


@dataclass(frozen=True, slots=True, eq=False)
class DriftProof:
    """What is proven of one feature."""

    proven: Bools
    """Whether some limit is, against each reference: (references, evaluation times)."""
    detection: Detection | None
    """The tiers that hold; ``None`` in a rule about the share of features, whose tiers are decided by that."""


def is_budgeted(rule: Rule) -> bool:
    """Whether some tier has a budget; a rule that states a rate for each window keeps that."""
    if rule.false_alarms is not None:
        return False
    if rule.across is not None:
        return any(tier.false_alarms is not None for tier in rule.tiers)
    return any(map(_budgeted_limits, rule.tiers))


def detect_drift(
    rule: Rule, known: ReferenceLookup, features: Sequence[ComparedFeature], timeline: VersionTimeline
) -> list[DriftProof]:
    """One proof for each feature; all have the same evaluation times."""
    sets = dict.fromkeys([rule.tiers, *(override.tiers for override in rule.overrides)])
    if rule.across is not None:
        criteria = {rule.tiers: _share_criteria(rule, MIN_EFFECT[known.spec.method])}
    else:
        criteria = {tiers: _tier_criteria(tiers) for tiers in sets}
    together = [test for tests in criteria.values() for test in tests]
    proven = _prove(rule, known, features, together)
    proofs = []
    for feature, one in zip(features, proven, strict=True):
        some = one.any(axis=0)
        if rule.across is not None:
            proofs.append(DriftProof(some, None))
            continue
        severity, first = {}, 0
        for tiers, tests in criteria.items():
            severity[tiers] = _highest_tier(tests, one[first : first + len(tests)], feature.effects)
            first += len(tests)
        version = timeline.version_at(feature.windows.times)
        row = severity[rule.tiers]
        for place, name in enumerate(timeline.versions):
            row = np.where(version == place, severity[rule.tiers_for(name)], row)
        limits = frozenset(limit for tiers in sets for tier in tiers for limit in _budgeted_limits(tier))
        proofs.append(DriftProof(some, Detection(row, limits)))
    return proofs


def _tier_criteria(tiers: Sequence[Tier]) -> list[DriftCriterion]:
    """A detector for each limit of tiers that have a budget; limits of one tier share it."""
    found = []
    for tier in tiers:
        limits = _budgeted_limits(tier)
        budget = (tier.false_alarms or 0.0) * len(limits)
        found += [DriftCriterion(tier.severity.code, limit.value, budget) for limit in limits]
    return found


def _budgeted_limits(tier: Tier) -> list[Limit]:
    """Those that are decided here."""
    if tier.false_alarms is None:
        return []
    return [limit for limit in tier.limits if limit.form is LimitKind.ABOVE and limit.value > 0]


def _share_criteria(rule: Rule, least: float) -> list[DriftCriterion]:
    """Whether one of the features has drifted, at the budget of the rarest tier."""
    return [DriftCriterion(0, least, max(tier.false_alarms or 0.0 for tier in rule.tiers))]


def _highest_tier(tests: Sequence[DriftCriterion], proven: Bools, effects: Floats) -> Floats:
    """The code of the most severe tier whose limit is proven and passed against some reference; -1 for none."""
    severity = np.full(effects.shape[1], -1.0)
    for test, one in zip(tests, proven, strict=True):
        with np.errstate(invalid="ignore"):
            holds = (one & (effects > test.limit)).any(axis=0)
        np.maximum(severity, float(test.severity), out=severity, where=holds)
    return severity


def _prove(
    rule: Rule, known: ReferenceLookup, features: Sequence[ComparedFeature], criteria: Sequence[DriftCriterion]
) -> Bools:
    """Whether each criterion is proven: (features, criteria, references, evaluation times)."""
    specs = (rule.baseline, *rule.also)
    tests = len(features) * len(specs)
    evidence = [_log_evidence(rule, spec, known, feature, criteria, tests) for feature in features for spec in specs]
    adjusted = adjust_evidence(np.array(evidence))
    budget = np.log([test.budget for test in criteria])[:, None]
    proven = (adjusted >= budget).reshape(len(features), len(specs), *adjusted.shape[1:])
    return np.asarray(np.swapaxes(proven, 1, 2))


def _log_evidence(
    rule: Rule,
    spec: BaselineSpec,
    known: ReferenceLookup,
    feature: ComparedFeature,
    criteria: Sequence[DriftCriterion],
    tests: int,
) -> Floats:
    """log M of each criterion at each evaluation time, averaged over the lengths of batches."""
    windows = feature.windows
    categorical = known.spec.is_categorical(windows.histograms.name)
    lengths = sorted({min(length, rule.window) for length in (*BATCHES, rule.window)})
    evidence = np.full((len(lengths), len(criteria), len(windows.times)), -np.inf)
    for place, length in enumerate(lengths):
        ends = np.unique(np.ceil(windows.at / length) * length)
        begin = windows.times[0] - rule.every
        ends = ends[(ends > begin - 2 * PAIRS * length) & (ends <= windows.times[-1])]
        if not len(ends):
            continue
        both = bin_sides(spec, replace(windows, window=length, times=ends), known, "chi_square")
        batches = _batches(both, ends, categorical, tests).after(begin)
        row = np.searchsorted(batches.ends, windows.times, side="right")
        after = np.full((len(criteria), len(batches.ends) + 1), -np.inf)
        after[:, 1:] = _detect(batches, feature.method, criteria, tests, max(length, DAY))
        evidence[place] = after[:, row]
    return log_mean(evidence, 0)


@dataclass(frozen=True, slots=True, eq=False)
class _Batches:
    """The batches that count, as chi-square statistics."""

    ends: Floats
    statistic: Floats
    df: Floats
    size: Floats
    """Noncentrality for each unit of divergence; the dispersion is in it, and in ``statistic``."""
    error: Floats
    """The divergence that the reference may bring with it."""

    def after(self, begin: float) -> _Batches:
        """Those that end after ``begin``."""
        chosen = self.ends > begin
        columns = (self.ends, self.statistic, self.df, self.size, self.error)
        return _Batches(*(column[chosen] for column in columns))


def _batches(both: BinnedSides, ends: Floats, categorical: bool, tests: int) -> _Batches:
    n, m = both.reference.n, both.current.n
    statistic, df = homogeneity(both.reference, both.current, categorical)
    dispersion = 1 + (_dispersion(both.current, categorical) - 1) * np.maximum(df, DIRECTIONS) / DIRECTIONS
    usable = (n >= MIN_RELIABLE_COUNT) & (m >= MIN_RELIABLE_COUNT) & (df > 0) & np.isfinite(statistic)
    with np.errstate(all="ignore"):
        size, error = n * m / (n + m) / dispersion, reference_error(df, tests, REFERENCE_RATE) * dispersion / n
    columns = (ends, statistic / dispersion, df, size, error)
    return _Batches(*(column[usable] for column in columns))


def _detect(batches: _Batches, method: str, criteria: Sequence[DriftCriterion], tests: int, longest: float) -> Floats:
    """log M of each criterion after each batch."""
    if not len(batches.ends):
        return np.empty((len(criteria), 0))
    elapsed = np.minimum(np.diff(batches.ends, prepend=batches.ends[0] - longest), longest)
    evidence = []
    for test in criteria:
        limit, margin = divergence(method, test.limit), divergence(method, MARGIN * test.limit)
        least, sought = batches.size * (margin + batches.error), batches.size * (SOUGHT * limit + batches.error)
        log_e = noncentral_log_ratio(batches.statistic, batches.df, least, sought)
        cap = math.log(test.budget * tests * len(SOUGHT) * RECOVERY_ODDS)
        evidence.append(log_mean(capped_log_evidence(log_e, np.log(elapsed), cap), 0))
    return np.array(evidence)


def _dispersion(batches: CumulativeCounts, categorical: bool) -> Floats:
    """How much more the shares of batches vary than counts do, as is known before each batch; at least 1."""
    count = len(batches.n)
    dispersion, largest = np.full(count, PRIOR_DISPERSION), np.ones(count)
    for span in SPANS:
        ratios = np.full(count, np.nan)
        if count >= 2 * span:
            middle = np.arange(span, count - span + 1)
            pairs_of = [RowRanges(middle - span, middle), RowRanges(middle, middle + span)]
            earlier, later = batches.sum_windows(pairs_of)
            statistic, df = homogeneity(earlier, later, categorical)
            with np.errstate(all="ignore"):
                ratios[2 * span - 1 :] = np.where(df > 0, statistic / df, np.nan)
        recent = _recent(ratios)
        capped, some = np.full(recent.shape, np.nan), np.isfinite(recent).any(axis=1)
        if some.any():
            capped[some] = np.minimum(recent[some], MAX_RATIO * np.nanmedian(recent[some], axis=1, keepdims=True))
        pairs = np.isfinite(recent).sum(axis=1) / span
        known = np.nansum(capped, axis=1) / span
        dispersion = (known + PRIOR_PAIRS * dispersion) / (pairs + PRIOR_PAIRS)
        largest = np.fmax(largest, dispersion)
    return largest


def _recent(ratios: Floats) -> Floats:
    """Of each batch the ``PAIRS`` ratios before its own, as a row; NaN where there are none."""
    padded = np.concatenate([np.full(PAIRS, np.nan), ratios[:-1]]) if len(ratios) else np.empty(PAIRS)
    return np.lib.stride_tricks.sliding_window_view(padded, PAIRS)[: len(ratios)]
