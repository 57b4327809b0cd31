"""When one criterion of a series holds, point by point: from proof and estimate until the opposite is proven."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..model.rule import STATIC_LIMITS, Rule, SamplingModel
from ..stats.arrays import Bools, Floats, Ints
from ..stats.e_detector import best_start, log_end_starts, log_evidence
from .hypotheses import Hypotheses, distance_to_limit
from .samples import Samples

RECOVERY_ODDS = 20.0
"""Evidence that ends a tier: wrongly after 19 days on average at the soonest, see ``log_end_starts``."""
WORSENED_ODDS = 1e4
"""How much likelier two levels have to be than one since the metric began to be worse."""
RECOVERY_POINTS = 12
"""A quantile has recovered no sooner than within so many points."""
PRIOR_POINTS = 24
"""Points of the least failure of a quantile, as which a failure begins."""


class CriterionWatch:
    """One criterion, point by point."""

    def __init__(self, hypotheses: Hypotheses, place: int, rule: Rule, log_e: Floats, mildest: Floats) -> None:
        """``log_e``: of this criterion; ``mildest``: of the mildest tier's."""
        samples = hypotheses.samples
        self._times = samples.times
        self._log_e, self._mildest = log_e, mildest
        self._is_quantile = samples.model is SamplingModel.QUANTILE
        self._onset = 0
        """Of what holds."""
        precision = np.where(hypotheses.known[place], samples.spread, np.inf) ** -2.0
        apart = np.where(precision > 0, samples.values - hypotheses.centre[place], 0.0)
        self._precision, self._apart = (
            np.concatenate([[0.0], np.cumsum(column)]) for column in (precision, precision * apart)
        )
        self._excess = hypotheses.excess(place)
        exposure = np.where(hypotheses.known[place], samples.exposure, 0.0)
        self._beyond = np.concatenate([[0.0], np.cumsum(exposure * self._excess)])
        if self._is_quantile:
            # That the share of points beyond is healthy takes long to prove: the window's own value decides, too.
            first = np.searchsorted(samples.times, samples.times - rule.window, side="right")
            self._share = samples.share_beyond(hypotheses.sign[place], np.zeros(1))
            self._is_beyond = np.where(hypotheses.known[place], self._excess + self._share > 0.5, np.nan)
            self._oldest = np.maximum(np.minimum(first, np.arange(len(first)) + 1 - RECOVERY_POINTS), 0)
            return
        change = hypotheses.distance[place]
        self._log_recovered = hypotheses.end_log_e(place, _recovery_change(rule, samples, change))

    def hold(self, log_start: Floats, restarts: Sequence[int]) -> tuple[Bools, Sequence[tuple[int, int]]]:
        """Where it holds, and each point at which it begins to, with the point since which that is likeliest so.
        ``log_start`` is in budgets, so that the alarm is at log M = 0."""
        count = len(log_start)
        onsets: list[tuple[int, int]] = []
        holds = np.zeros(count, np.bool_)
        held = False
        for begin, end in zip([0, *restarts], [*restarts, count], strict=True):
            at = begin
            while at < end:
                turns = self._recovered(at, end) if held else self._reached(log_start, at, end)
                stop = at + int(turns.argmax()) if turns.any() else end
                holds[at:stop] = held
                if stop < end:
                    held = not held
                    holds[stop] = held
                    if held:
                        self._onset = at + int(best_start(self._log_e[0, at : stop + 1])[-1])
                        onsets.append((stop, self._onset))
                at = stop + 1
        return holds, onsets

    def likely_starts(self, begin: int, end: int) -> Ints:
        """At each point the first one of what the change is estimated from: where the metric began to be worse at all,
        or, if two levels are likelier by far than one, where it began to be so much worse.

        A change between the limits of two tiers speaks now for one, now for the other; taken from the best moment, its
        estimate would sooner or later reach the severer limit by chance. A point may hold the moment of the change, so
        the first one does not count where what follows is likelier without it.
        """
        own = begin + best_start(self._log_e[0, begin:end])
        if self._is_quantile:
            return own
        first = np.minimum(own, begin + best_start(self._mildest[begin:end]))
        edges = np.stack([first, own, np.arange(begin, end) + 1])
        precision, apart = np.diff(self._precision[edges], axis=0), np.diff(self._apart[edges], axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            levels = apart / precision
            gain = (levels[1] - levels[0]) ** 2 / (1 / precision).sum(axis=0) / 2
        return np.where(gain >= np.log(WORSENED_ODDS), own, np.minimum(own, first + 1))

    def _reached(self, log_start: Floats, begin: int, end: int) -> Bools:
        """Where the margin is proven passed, and the mean change since the likely start reaches the limit."""
        starts = self.likely_starts(begin, end)
        estimated = self._beyond[begin + 1 : end + 1] >= self._beyond[starts]
        reached: Bools = estimated & (log_evidence(self._log_e[:, begin:end], log_start[begin:end]) >= 0)
        return reached

    def _recovered(self, begin: int, end: int) -> Bools:
        log_start = log_end_starts(self._times[begin - 1 : end] - self._times[begin - 1])
        log_e = self._log_quantile_recovered(begin, end) if self._is_quantile else self._log_recovered[:, begin:end]
        recovered: Bools = log_evidence(log_e, log_start) >= np.log(RECOVERY_ODDS)
        if self._is_quantile:
            recovered &= self._beyond[begin + 1 : end + 1] <= self._beyond[self._oldest[begin:end]]
        return recovered

    def _log_quantile_recovered(self, begin: int, end: int) -> Floats:
        """log of how much likelier each point is with as many beyond the quantile as are healthy than with as many as
        there were in the failure so far, at least twice the odds: (1, points). Those that proved it may have been many
        by chance, so it begins with points of the least failure."""
        beyond, share = self._is_beyond[self._onset : end], self._share
        known = np.isfinite(beyond)
        seen, count = (np.append(0.0, np.cumsum(column)[:-1]) for column in (np.where(known, beyond, 0.0), known))
        least = 2 * share / (1 + share)
        failing = np.maximum((seen + PRIOR_POINTS * least) / (count + PRIOR_POINTS), least)
        log_e = np.where(beyond > 0, np.log(share / failing), np.log((1 - share) / (1 - failing)))
        return np.where(known, log_e, 0.0)[None, begin - self._onset :]


def _recovery_change(rule: Rule, samples: Samples, change: Floats) -> Floats:
    """How far from what is expected recovery counts."""
    if rule.recover is None or rule.recover.form in STATIC_LIMITS:
        return change
    back = distance_to_limit(rule.recover, samples)
    return np.where(np.isfinite(back) & (back > 0), back, change)
