"""What the detectors of a rule test: for each limit the hypothesis that it is not passed, and what speaks against it.

A limit that compares with the baseline: the metric is worse by at most a margin of it, against changes of one to five
limits; of means also against changes of any size. A static limit is the hypothesis itself. Each point gives an e-value,
as its sampling model says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..model.drift import drift_spec
from ..model.rule import (
    FALL_LIMITS,
    RISE_LIMITS,
    STATIC_LIMITS,
    Direction,
    Limit,
    LimitKind,
    Rule,
    SamplingModel,
    Tier,
)
from ..stats.arrays import Bools, Floats
from ..stats.e_detector import (
    count_log_e,
    location_log_e,
    most_location_log_e,
    most_proportion_log_e,
    proportion_log_e,
    tail_log_e,
)
from .samples import INSIDE, Samples, inside

MARGIN = 0.3
"""A change up to this share of the mildest limit is no news: slow trends and moods of the data stay inside."""
MAX_MARGIN = 0.5
"""A severer tier has to be worse than the tier below it, but never than more of its own limit."""
ANCHOR_SHARE = 0.1
"""The part of a tier's budget that is for the comparison with an anchor: slow changes have time to be proven."""
CHANGES = np.array([1.0, 1.5, 2.5, 5.0])[:, None]
"""The changes that a detector looks for, in limits."""
RECOVERIES = np.array([0.0, 0.25, 0.5, 0.75])[:, None]
"""What is left of the change after a recovery, in limits."""
STATIC_CHANGES = np.array([0.05, 0.2, 0.5, 2.0])[:, None]
"""The distances from a static limit that a detector looks for: of proportions in parts of the limit's distance from 0
or 1, of counts of the limit itself, of means in standard deviations of a point."""
STATIC_RECOVERIES = -STATIC_CHANGES[:3]
TOLERANCE = 1e-9
"""Relative: a change that equals the limit but for rounding passes it (0.9 to 0.882 is a drop of 2 %)."""
QUANTILE_ODDS = np.array([2.0, 5.0, 20.0, 100.0])[:, None]
"""How much more often points lie beyond a quantile, as odds, that a detector looks for."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One limit of one tier in one direction; ``sign`` is 1 where higher is worse, -1 where lower is."""

    severity: int
    limit: Limit
    sign: float
    budget: float
    """Mean time between false alarms (seconds)."""
    margin: float = MARGIN
    """The share of the limit that has to be proven passed; 0 of a static one, which is the hypothesis itself."""

    @property
    def is_static(self) -> bool:
        return self.limit.form in STATIC_LIMITS


def is_detectable(rule: Rule) -> bool:
    """Whether some limit of a tier has a budget and can be proven from the points."""
    if drift_spec(rule.metric) is not None:
        return False
    return any(rule.can_prove(limit) for tier in rule.tiers if tier.false_alarms is not None for limit in tier.limits)


def criteria(rule: Rule, tiers: Sequence[Tier], share: float) -> list[Criterion]:
    """A detector for each limit that can be proven, of tiers that have a budget.

    ``share``: how many series share the budget, each as much as this one. Where slow changes are looked for, too, a
    part of it is left to them.
    """
    found = _criteria(rule, tiers, share)
    if not rule.has_anchor:
        return found
    return [test if test.is_static else replace(test, budget=test.budget / (1 - ANCHOR_SHARE)) for test in found]


def anchor_criteria(rule: Rule, tiers: Sequence[Tier], share: float) -> list[Criterion]:
    """The detectors of the comparison with an anchor: what is old may have ceased to be comparable, so half of each
    limit has to be proven passed."""
    return [
        replace(test, budget=test.budget / ANCHOR_SHARE, margin=MAX_MARGIN)
        for test in (_criteria(rule, tiers, share) if rule.has_anchor else ())
        if not test.is_static
    ]


def _criteria(rule: Rule, tiers: Sequence[Tier], share: float) -> list[Criterion]:
    chosen = [
        (tier, limit, sign)
        for tier in tiers
        if tier.false_alarms is not None
        for limit in tier.limits
        if rule.can_prove(limit)
        for sign in _signs(limit.form, rule.better)
    ]
    together = {tier.severity: sum(other is tier for other, _, _ in chosen) for tier, _, _ in chosen}
    return [
        Criterion(
            tier.severity.code,
            limit,
            sign,
            (tier.false_alarms or 0.0) * share * together[tier.severity],
            _margin(tier, limit, tiers),
        )
        for tier, limit, sign in chosen
    ]


def _margin(tier: Tier, limit: Limit, tiers: Sequence[Tier]) -> float:
    """How much of the limit has to be proven passed: as much as the milder tiers allow."""
    if limit.form in STATIC_LIMITS:
        return 0.0
    below = [other for milder in tiers if milder.severity < tier.severity for other in milder.limits]
    largest = max((other.value for other in below if other.form is limit.form), default=0.0)
    return min(max(MARGIN, largest / limit.value), MAX_MARGIN) if limit.value > 0 else MARGIN


def _signs(form: LimitKind, better: Direction | None) -> tuple[float, ...]:
    if form in FALL_LIMITS or (form is LimitKind.SIGMA and better is Direction.HIGHER):
        return (-1.0,)
    if form in RISE_LIMITS or (form is LimitKind.SIGMA and better is Direction.LOWER):
        return (1.0,)
    return (-1.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Hypotheses:
    """The criteria of a series, in columns: (criteria, points); of several series (criteria, series, points)."""

    samples: Samples
    sign: Floats
    margin: Floats
    is_static: Bools
    """One for each criterion, in as many dimensions as the columns."""
    centre: Floats
    """What the distance is counted from: what is expected, or the static limit."""
    distance: Floats
    """How far from it the limit lies, where it compares with the baseline; else how far away is looked."""
    doubt: Floats
    """How far the centre may be off towards the limit."""
    known: Bools

    def begin_log_e(self) -> Floats:
        """log e of each point against "the limit is not passed": (criteria, alternatives, points)."""
        is_static, sign = self.is_static[:, None], self.sign[:, None]
        distance, doubt = self.distance[:, None], self.doubt[:, None]
        least = self.margin[:, None]
        sought = np.where(is_static, STATIC_CHANGES, CHANGES)
        change = _Change(self.centre[:, None], sign, least * distance + doubt, sought * distance + doubt, is_static)
        return _log_e(self.samples, change, self.known[:, None])

    def most_log_e(self) -> Floats:
        """At least the sum of log e over any points and alternatives, of each criterion (and series): what most points
        of a healthy series need no alternatives for. Infinite where nothing is known that cheap."""
        samples = self.samples
        if samples.model not in (SamplingModel.PROPORTION, SamplingModel.MEAN):
            return np.full(self.known.shape[:-1], np.inf)
        bound = self.centre + self.sign * (self.margin * self.distance + self.doubt)
        bound = inside(bound) if samples.is_proportion else bound
        apart = self.sign * (samples.values - bound)
        beyond = (apart > 0) & self.known
        test, *point = np.nonzero(beyond)
        of_point = tuple(point)
        if samples.is_proportion:
            most = most_proportion_log_e(samples.values[of_point], samples.trials[of_point], bound[beyond])
        else:
            most = most_location_log_e(apart[beyond] / samples.spread[of_point])
        place = np.ravel_multi_index((test, *point[:-1]), beyond.shape[:-1])
        total: Floats = np.bincount(place, most, beyond[..., 0].size).reshape(beyond.shape[:-1]).astype(np.float64)
        return total

    def end_log_e(self, place: int, back: Floats) -> Floats:
        """log e of each point against "the limit is passed", of one criterion: (alternatives, points).

        ``back``: how far from the centre recovery counts.
        """
        static, sign = bool(self.is_static[place, 0]), -float(self.sign[place, 0])
        back = back if static else back * self._busyness(place)
        doubt = np.zeros(1) if static else _doubt(self.samples, np.array(sign))
        bound = np.zeros(1) if static else -back
        sought = -STATIC_RECOVERIES * self.distance[place] if static else -RECOVERIES * back
        change = _Change(self.centre[place], np.array(sign), bound + doubt, sought + doubt, np.array(static))
        return _log_e(self.samples, change, self.known[place])

    def _busyness(self, place: int) -> Floats:
        """How much is expected of each point, as a share of the level: what is lost of counts is a share of each hour.

        Else a night that brings less than a tenth of the usual orders would prove that no tenth of them is lost.
        """
        samples, centre = self.samples, self.centre[place]
        if samples.model is not SamplingModel.COUNT:
            return np.ones(1)
        share = np.where((samples.level > 0) & (centre > 0), centre / samples.level, 1.0)
        return share if samples.is_signed is None else np.where(samples.is_signed, 1.0, share)

    def excess(self, place: int) -> Floats:
        """How far each point lies beyond the limit of one criterion, in the metric's unit; of quantiles how much larger
        the share of points beyond it is than that of the quantile. 0 where the limit is unknown.

        As in ``tiers``, a limit that compares with the baseline is passed by what equals it, but for rounding, and a
        static one only by what lies beyond.
        """
        sign, known = self.sign[place], self.known[place]
        is_static = self.is_static[place]
        centre = np.where(known, self.centre[place], 0.0)
        reach = np.where(is_static, 0.0, self.distance[place])
        rounding = np.where(is_static, 0.0, TOLERANCE * np.maximum(np.abs(centre), reach))
        beyond = sign * (self.samples.values - centre) - reach + rounding
        if self.samples.model is SamplingModel.QUANTILE:
            is_beyond = np.where(is_static, beyond > 0, beyond >= 0)
            beyond = is_beyond - self.samples.share_beyond(sign, np.zeros(1))
        return np.where(known, beyond, 0.0)


def form_hypotheses(samples: Samples, tests: Sequence[Criterion]) -> Hypotheses:
    """The hypotheses of these criteria at each point."""
    shape = (len(tests), *(1 for _ in samples.values.shape))
    sign = np.array([test.sign for test in tests]).reshape(shape)
    margin = np.array([test.margin for test in tests]).reshape(shape)
    static = np.array([test.is_static for test in tests]).reshape(shape)
    centre = np.stack([_centre(test, samples) for test in tests])
    distance = np.stack([distance_to_limit(test.limit, samples) for test in tests])
    known = np.isfinite(distance) & (distance > 0) & np.isfinite(centre) & np.isfinite(samples.spread)
    known &= np.isfinite(samples.trials)
    known &= ~samples.is_too_young
    doubt = np.where(static, 0.0, _doubt(samples, sign))
    return Hypotheses(samples, sign, margin, static, centre, np.where(known, distance, 1.0), doubt, known)


def _centre(test: Criterion, samples: Samples) -> Floats:
    if not test.is_static:
        return samples.expected
    pattern = 0.0 if samples.model is SamplingModel.QUANTILE else samples.pattern
    return test.limit.value + pattern + np.zeros(samples.values.shape)


def distance_to_limit(limit: Limit, samples: Samples) -> Floats:
    """How far from what is expected the limit lies at each point; of a static one the scale of what lies beyond it."""
    if limit.form in (LimitKind.DROP, LimitKind.RISE):
        return limit.value * np.abs(samples.level)
    if limit.form is LimitKind.SIGMA:
        return limit.value * samples.sigma
    if limit.form not in STATIC_LIMITS:
        return np.full(samples.values.shape, limit.value)
    if samples.model is SamplingModel.MEAN:
        return np.maximum(samples.spread, INSIDE * max(abs(limit.value), INSIDE))
    scale = min(limit.value, 1 - limit.value) if samples.model is SamplingModel.PROPORTION else abs(limit.value)
    return np.full(samples.values.shape, scale or 1.0)


def change_log_e(samples: Samples, sign: float, bound: Floats, changes: Floats) -> Floats:
    """log e of the hypothesis that the change from what is expected, in the direction of ``sign``, is at most
    ``bound``: (changes, points)."""
    direction = np.array(sign)
    doubt = _doubt(samples, direction)
    change = _Change(samples.expected, direction, bound + doubt, changes + doubt, np.array(False))
    return _log_e(samples, change, np.ones(len(samples.times), np.bool_))


def static_log_e(samples: Samples, test: Criterion) -> Floats:
    """log e of each point against "the metric is not beyond this static limit": (alternatives, points)."""
    distance = distance_to_limit(test.limit, samples)
    centre = np.full(len(samples.times), test.limit.value)
    change = _Change(centre, np.array(test.sign), np.zeros(1), STATIC_CHANGES * distance, np.array(True))
    return _log_e(samples, change, np.ones(len(samples.times), np.bool_))


def _doubt(samples: Samples, sign: Floats) -> Floats:
    return samples.below if samples.above is samples.below else np.where(sign > 0, samples.above, samples.below)


@dataclass(frozen=True, slots=True, eq=False)
class _Change:
    """From where, in which direction, how far at most, and the distances that speak against that."""

    centre: Floats
    sign: Floats
    bound: Floats
    sought: Floats
    is_static: Bools


def _log_e(samples: Samples, change: _Change, known: Bools) -> Floats:
    bound, sought = (change.centre + change.sign * distance for distance in (change.bound, change.sought))
    match samples.model:
        case SamplingModel.PROPORTION:
            bound, sought = inside(bound), inside(sought)
            log_e = proportion_log_e(samples.values * samples.trials, samples.trials, bound, sought)
        case SamplingModel.COUNT:
            log_e = _log_e_of_counts(samples, change, bound, sought)
        case SamplingModel.QUANTILE:
            log_e = _log_e_of_quantile(samples, change, bound)
        case SamplingModel.MEAN:
            log_e = _log_e_of_means(samples, change, bound, sought)
    return log_e if known.all() else np.where(known, log_e, 0.0)


def _log_e_of_means(samples: Samples, change: _Change, bound: Floats, sought: Floats) -> Floats:
    """The last alternative is a change of any size."""
    spread = np.maximum(samples.spread, INSIDE * np.abs(change.sought).max(axis=-2, keepdims=True))
    excess = change.sign * (samples.values - bound) / spread
    log_e = location_log_e(excess, change.sign * (sought - bound) / spread)
    return np.concatenate([log_e, tail_log_e(excess)], axis=-2)


def _log_e_of_counts(samples: Samples, change: _Change, bound: Floats, sought: Floats) -> Floats:
    """Poisson where counts and rates are positive; what can be negative is decided like a mean."""
    least = INSIDE * np.maximum(np.abs(change.centre), INSIDE)
    rate, rates = np.maximum(bound, least), np.maximum(sought, least)
    log_e = count_log_e(np.maximum(samples.values, 0.0), samples.trials, rate, rates)
    is_mean = change.centre <= 0
    if samples.is_signed is not None:
        is_mean = is_mean | samples.is_signed
    if not is_mean.any():
        return log_e
    as_means = _log_e_of_means(samples, change, bound, sought)
    return np.where(is_mean, as_means, np.concatenate([log_e, log_e[..., -1:, :]], axis=-2))


def _log_e_of_quantile(samples: Samples, change: _Change, bound: Floats) -> Floats:
    """Whether more points lie beyond the bound than the quantile leaves."""
    beyond = (change.sign * (samples.values - bound) > 0) * samples.trials
    share = samples.share_beyond(change.sign, np.where(change.is_static, samples.pattern, samples.effect))
    odds = QUANTILE_ODDS * share / (1 - share)
    return proportion_log_e(beyond, samples.trials, share, inside(odds / (1 + odds)))
