"""Drift out of histograms: per feature and window the statistic against the reference, and whether chance did it.

A window is its histograms merged; the reference a rolling stretch before it, or the same hours of the week. The value
that tiers are held against is the effect. It stands without an interval where it is significant after correction for
the number of features (Benjamini and Hochberg), even at the least that the bins allow; else its interval reaches down
to 0, so that a limit that is passed is not cleared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..model.drift import Drifting
from ..model.rule import DAY, BaselineKind, Rule
from ..model.series import Histograms, Series
from ..stats.drift import counts as of_counts
from ..stats.drift import ordered as of_order
from ..stats.drift.measures import BY_BINS, method_of
from ..stats.drift.result import RELIABLE
from ..stats.fdr import adjusted
from ..stats.limits import RATE, null_of
from .columns import Bools, Floats, doubles, nans
from .histograms import FINE, Below, common_points, lay, nearest
from .measure import Stat
from .points import clean
from .service import Service
from .windows import Spans, spans_of

WEEK = 7 * DAY
BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One feature over the evaluation times."""

    stat: Stat
    small: Bools
    """A side holds fewer than 100 values."""
    unknown: Bools
    """There is no reference."""


@dataclass(frozen=True, slots=True, eq=False)
class _Raw:
    effect: Floats
    p_value: Floats
    n: Floats
    points: Floats
    small: Bools
    unknown: Bools


def measure(
    rule: Rule, asked: Drifting, features: Sequence[Histograms], service: Service, times: Floats, now: float
) -> list[Measured]:
    """Every feature at every evaluation time; p-values are corrected over the features, time by time."""
    method = method_of(asked.method)
    raw = [_feature(rule, method, one, service, times, now) for one in features]
    if not raw:
        return []
    corrected = adjusted(np.array([one.p_value for one in raw]), axis=0)
    return [_measured(one, q) for one, q in zip(raw, corrected, strict=True)]


def _measured(raw: _Raw, q: Floats) -> Measured:
    with np.errstate(invalid="ignore"):
        real = q <= RATE
    low = np.where(real | np.isnan(raw.effect), np.nan, 0.0)
    high = np.where(np.isnan(low), np.nan, raw.effect)
    # Without a reference there is a window still: its value is unknown, not missing.
    value = np.where(raw.unknown & (raw.n > 0), 0.0, raw.effect)
    return Measured(Stat(value, raw.n, raw.points.astype(np.int64), low, high), raw.small, raw.unknown)


def _feature(rule: Rule, method: str, one: Histograms, service: Service, times: Floats, now: float) -> _Raw:
    rows = _usable(one, service, now)
    at = np.asarray(one.times)[rows]
    spans = spans_of(at, times - rule.window, times, service.start_of(times))
    before = _reference(rule, at, times)
    if not len(rows):
        none, no = nans(len(times)), np.zeros(len(times), np.bool_)
        return _Raw(none, none, none, np.zeros(len(times)), no, no)
    places = rows.tolist()
    ends = common_points(one, places, BINS if method in BY_BINS else FINE)
    laid = lay(one, places, ends)
    current = laid.sums([slice(lo, hi) for lo, hi in zip(spans.lo, spans.hi, strict=True)])
    reference = _merged(
        [laid.sums([slice(lo, hi) for lo, hi in zip(s.lo, s.hi, strict=True)]) for s in before], laid, times
    )
    effect, p_value = _compare(method, reference, current, ends)
    there = (current.n > 0) & (reference.n > 0)
    small = there & ((current.n < RELIABLE) | (reference.n < RELIABLE))
    n = np.where(current.n > 0, current.n, np.nan)
    p_value = np.where(there & ~small, p_value, np.nan)
    unknown = (current.n > 0) & (reference.n <= 0)
    return _Raw(np.where(there, effect, np.nan), p_value, n, spans.counts.astype(np.float64), small, unknown)


def _usable(one: Histograms, service: Service, now: float) -> np.ndarray:
    """Rows of the version that served, not from the future: as for points."""
    ticket = Series(
        one.name,
        one.labels,
        one.times,
        doubles(np.arange(len(one), dtype=np.float64)),
        None,
        one.versions,
        one.version_of,
    )
    return clean(ticket, service, now).values.astype(np.int64)


def _reference(rule: Rule, at: Floats, times: Floats) -> list[Spans]:
    """The stretches of histograms that make up the reference of each time."""
    spec = rule.baseline
    if spec.kind is BaselineKind.ROLLING:
        end = times - rule.window - max(rule.window, WEEK)
        return [spans_of(at, end - spec.length, end)]
    if spec.kind is BaselineKind.SEASONAL:
        back = [times - WEEK * week for week in range(1, int(spec.length // WEEK) + 1)]
        return [spans_of(at, then - rule.window, then) for then in back]
    return []


def _merged(parts: list[Below], laid: Below, times: Floats) -> Below:
    if not parts:
        nothing = np.zeros((len(times), laid.even.shape[1]))
        return Below(nothing, nothing, nothing, np.zeros(len(times)))
    columns = ("even", "least", "most", "n")
    return Below(*(np.sum([getattr(part, name) for part in parts], axis=0) for name in columns))


def _compare(method: str, reference: Below, current: Below, ends: Floats) -> tuple[Floats, Floats]:
    """Effect, and the p-value of the least that the bins allow."""
    n, m = reference.n, current.n
    with np.errstate(all="ignore"):
        r = np.diff(reference.even, axis=1, prepend=0.0)
        c = np.diff(current.even, axis=1, prepend=0.0)
        least = np.diff(nearest(reference, current), axis=1, prepend=0.0) * m[:, None]
        value, sure = _value(method, r, c, ends), _value(method, r, least, ends)
        total = r.sum(axis=0)
        null = null_of(method, total, float(np.nanmedian(n)), float(np.nanmedian(m)), points=ends, lines=True)
        return _effect(method, value, n, m, r, ends), null.p_value(sure, n, m)


def _value(method: str, r: Floats, c: Floats, ends: Floats) -> Floats:
    if method in BY_BINS:
        return BY_BINS[method](r, c)
    if method == "cramer_von_mises":
        return of_order.cramer_von_mises(r, c, lines=True)
    gap = of_order.gaps(r, c)
    return of_order.kolmogorov_smirnov(gap) if method == "ks" else of_order.wasserstein_lines(gap, ends)


def _effect(method: str, value: Floats, n: Floats, m: Floats, r: Floats, ends: Floats) -> Floats:
    if method == "chi_square":
        return of_counts.cohens_w(value, n, m)
    if method == "cramer_von_mises":
        return value * (n + m) / (n * m)
    if method == "wasserstein":
        middles = (ends + np.append(ends[0], ends[:-1])) / 2
        share = r / n[:, None]
        mean = (share * middles).sum(axis=1)
        spread = np.sqrt((share * (middles - mean[:, None]) ** 2).sum(axis=1))
        return np.asarray(np.where(spread > 0, value / spread, np.where(value > 0, np.inf, 0.0)))
    return value
