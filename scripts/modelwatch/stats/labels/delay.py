"""When labels come: the delay's distribution and the age at which a cohort has its labels (Kaplan and Meier 1958), from
counts by age.

A row without a label is censored at its age, so that a delay that grows shows before the labels come. Some labels never
come: quantiles are of those that do, whose share is what the curve of all cohorts ends at. The newest curve is of one
period of the calendar, as in a period life table (Brenner and Gefeller 1996): at each age it looks at the rows that
were waiting at that age during the period, and not at what was usual for older rows. By class it is the cumulative
incidence (Aalen and Johansen 1978), since slow positives must not hide behind fast negatives.

Where fewer rows get a label at all than before, that curve never reaches the quantiles of the labels that come: it has
a plateau, as where a part of the patients is cured (Maller and Zhou 1992). So the newest delays are those of the labels
that came (Lagakos, Barraj and De Gruttola 1988): at each age, of the labels that a cohort had by then, the share that
came just then. How many rows have none plays no part. Such a curve follows delays that grow slowly: where labels
provably come later than usual, or hardly any comes, rows that wait count as late.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...timeutil import DAY
from ..arrays import Bools, Floats, Ints
from ..intervals import z_value
from ..profile.delays import BINS, DELAY_EDGES, DelayProfile

MIN_ROWS = 30
"""A curve goes as far as so many rows were observed."""
MATURE_SHARE = 0.95
"""Of the labels of each class that will come: with so many a cohort is mature."""
POOLED_SHARE = 0.85
"""The same for a cohort of usual age together with the week before it, below which labels came more slowly."""
POOL = 7 * DAY
PROOF = z_value(0.9998)
"""Single cohorts are judged by so many standard errors: of those that lie at the limit, one in 10,000 is beyond it."""
OUTAGE = 0.25
"""Labels stopped where a smaller share of the usual ones came recently, rather than longer delays."""
USUAL_EXCEPTION = 0.05
"""A cohort has too few labels only if so small a share of the older cohorts had fewer."""
MIN_CLASS_LABELS = 30
"""Rarer classes do not decide about maturity, nor those that are"""
MIN_CLASS_SHARE = 0.01
"""a smaller share of the labels."""
MIN_SPAN = 1.5
"""A log must reach back so many times the age of maturity, or that age is not known yet."""
NEVER = 0.02
"""Where a larger share of rows has no label, only time can tell those that never come from slow ones:"""
PATIENCE = 30 * DAY
"""the log must reach back so long."""
MIN_PERIOD = 7 * DAY
"""Of the newest curve: a week, since many labels come on workdays only,"""
MAX_PERIOD = 45 * DAY
"""longer where labels come in batches, and never longer than this."""
BATCH_GAPS = 1.35
"""The period is so many times the longest time without labels, which bins make look shorter."""
SHARES_COMPARED = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""Whether labels come late is asked at the ages by which such shares of the usual ones have come."""
QUIET_SHARE = 0.05
"""A day with fewer labels than this share of the mean is a day without."""
HISTORY = 180 * DAY
"""Older cohorts do not count."""

_LOWER: Floats = np.append(0.0, DELAY_EDGES)
"""Where each bin begins, seconds."""
_UPPER: Floats = np.append(DELAY_EDGES, np.inf)
_WIDTHS: Floats = np.append(DELAY_EDGES, np.inf) - _LOWER


@dataclass(frozen=True, slots=True)
class Cohort:
    """The rows of one stretch of time, ``begin`` to ``end`` (seconds, UTC)."""

    begin: float
    end: float
    delays: DelayProfile


@dataclass(frozen=True, slots=True)
class Quantile:
    """An age (seconds) with its 95 % interval; ``high`` is infinite where no row has been waiting long enough."""

    value: float
    low: float
    high: float
    is_reached: bool = True
    """False: labels take longer than ``value``, the age of the oldest rows that were observed."""


@dataclass(frozen=True, slots=True, eq=False)
class DelayCurve:
    """How labels come with age; all columns by bin of ``DELAY_EDGES``, at its upper end."""

    labelled: Floats
    """The share of rows that have a label: one minus the Kaplan-Meier estimate."""
    low: Floats
    """Of ``labelled``, 95 %, by the logarithm of the cumulative hazard (Kalbfleisch and Prentice 1980, 1.3)."""
    high: Floats
    by_class: Floats
    """``[classes, bins]``: the share of rows that have a label of the class."""
    bins: int
    """So many bins were observed; later ones hold what the last of them held."""
    rows: float
    """That were observed."""

    @property
    def span(self) -> float:
        """The age (seconds) up to which it is known."""
        return float(DELAY_EDGES[self.bins - 1]) if self.bins else 0.0

    @property
    def coverage(self) -> float:
        """The share of rows whose label comes, as far as was observed."""
        return float(self.labelled[self.bins - 1]) if self.bins else math.nan

    def missing_at(self, age: float) -> float:
        """The share of rows without a label at an age (seconds); NaN beyond what was observed."""
        if not self.bins or age > self.span * (1 + 1e-9):
            return math.nan
        return 1.0 - float(np.interp(age, np.append(0.0, DELAY_EDGES), np.append(0.0, self.labelled[:-1])))

    def quantile(self, share: float, coverage: float | None = None) -> Quantile:
        """The age by which ``share`` of the labels that come (``coverage`` of all rows) have come, linear within a bin.
        The interval is Brookmeyer and Crowley's (1982); it takes ``coverage`` as exact."""
        wanted = share * (self.coverage if coverage is None else coverage)
        value, is_reached = self._age_of(self.labelled, wanted)
        low, _ = self._age_of(self.high, wanted)
        high, is_bounded = self._age_of(self.low, wanted)
        return Quantile(value, min(low, value), high if is_bounded else math.inf, is_reached)

    def class_age(self, place: int, share: float, coverage: float | None = None) -> float:
        """The age (seconds) by which ``share`` of the labels of a class have come, of those that were observed or of
        ``coverage``, the share of rows that get this class."""
        all_of_class = float(self.by_class[place, self.bins - 1]) if coverage is None else coverage
        return self._age_of(self.by_class[place], share * all_of_class)[0]

    def _age_of(self, column: Floats, wanted: float) -> tuple[float, bool]:
        """The age at which a share is reached, else the last one that was observed."""
        known = column[: self.bins]
        place = int(np.searchsorted(np.maximum.accumulate(known), wanted * (1 - 1e-12), side="left"))
        if place >= len(known):
            return self.span, False
        before = float(known[place - 1]) if place else 0.0
        part = (wanted - before) / (float(known[place]) - before) if known[place] > before else 1.0
        return float(_LOWER[place] + min(max(part, 0.0), 1.0) * _WIDTHS[place]), True


def delay_curve(known: Floats, at_risk: Floats, observed: Floats) -> DelayCurve:
    """The curve of counts by bin. ``known``: labels, ``[classes, bins]``; ``at_risk``: rows that were waiting when the
    bin began; ``observed``: rows that were old enough to have been waiting through it, labelled or not."""
    events = known.sum(axis=0)
    is_observed = observed >= MIN_ROWS
    bins = int(np.argmin(is_observed)) if not is_observed.all() else len(is_observed)
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard = np.where(at_risk > 0, events / at_risk, 0.0)
        greenwood = np.where(at_risk > events, events / (at_risk * (at_risk - events)), 0.0)
        share = np.where(at_risk > 0, known / at_risk, 0.0)
    waiting: Floats = np.cumprod(1.0 - np.minimum(hazard, 1.0), dtype=np.float64)
    before = np.append(1.0, waiting[:-1])
    low, high = _survival_interval(waiting, np.sqrt(np.cumsum(greenwood)))
    by_class = np.cumsum(before * share, axis=1)
    return DelayCurve(
        1.0 - waiting, 1.0 - high, 1.0 - low, by_class, bins, float(observed[0]) if len(observed) else 0.0
    )


def _survival_interval(survival: Floats, error: Floats) -> tuple[Floats, Floats]:
    """``error``: the standard error of the logarithm of ``survival``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(survival)
        half = z_value() * error / np.abs(log)
        low, high = survival ** np.exp(half), survival ** np.exp(-half)
    inside = (survival > 0) & (survival < 1)
    return np.where(inside, low, survival), np.where(inside, high, survival)


@dataclass(frozen=True, slots=True)
class Maturity:
    """Which cohorts have their labels, at one time."""

    age: float
    """Seconds after which a cohort usually has ``MATURE_SHARE`` of its labels; where that ``is_known``, else the age of
    the oldest rows."""
    is_known: bool
    frontier: float
    """Cohorts that end by this time (seconds, UTC) are mature; minus infinity where none is."""


@dataclass(frozen=True, slots=True)
class MaturityEvidence:
    """What the age of maturity is known from; lengths in seconds, from the first row of the log."""

    reach: float
    """So far the log reaches back."""
    needed: float
    """So far it must; longer where still slower labels come; NaN where rows or labels are too few to say."""
    rows: float
    """That were observed."""
    labels: float = 0.0
    """Of the most frequent class, estimated."""
    age: float = math.nan
    """By which ``MATURE_SHARE`` of the labels had come that came so far, of the slowest class."""
    missing: float = 0.0
    """The share of the oldest rows without a label, where knowing whether these come takes longest; else 0."""


class DelayHistory:
    """The label delays of cohorts, by age, as they were known at any time of the history."""

    def __init__(self, cohorts: Sequence[Cohort]) -> None:
        """``cohorts``: that do not overlap."""
        filled = (cohort for cohort in cohorts if cohort.delays.rows or cohort.delays.untimed or cohort.delays.early)
        ordered = sorted(filled, key=lambda cohort: cohort.end)
        self.untimed = sum(cohort.delays.untimed for cohort in ordered)
        """Labels without a time."""
        self.early = sum(cohort.delays.early for cohort in ordered)
        """Labels that are older than their predictions."""
        self.classes = tuple(sorted({name for cohort in ordered for name in cohort.delays.known}))
        self.begins = np.array([cohort.begin for cohort in ordered])
        self.ends = np.array([cohort.end for cohort in ordered])
        shape = (len(self.classes), len(ordered), BINS)
        self._known = np.zeros(shape)
        for place, cohort in enumerate(ordered):
            for name, counts in cohort.delays.known.items():
                self._known[self.classes.index(name), place] = counts
        self.timed = int(self._known.sum())
        """Labels with one."""
        waiting = [cohort.delays.waiting for cohort in ordered]
        self._waiting = np.array(waiting, dtype=np.float64).reshape(len(ordered), BINS)
        gone = self._known.sum(axis=0) + self._waiting
        self._rows = gone.sum(axis=1)
        self._at_risk = self._rows[:, None] - np.cumsum(gone, axis=1) + gone

    def curve(self, at: float, period: float | None = None) -> DelayCurve:
        """The curve of what was known at a time (seconds, UTC); of all cohorts, or of what happened in the ``period``
        (seconds) before it. A bin of a cohort counts once its youngest row has passed through it."""
        rows, counts = self._counted(at, period)
        return delay_curve(
            (self._known[:, rows] * counts).sum(axis=1),
            (self._at_risk[rows] * counts).sum(axis=0),
            (self._rows[rows, None] * counts).sum(axis=0),
        )

    def newest_curve(self, at: float) -> DelayCurve:
        """The curve of the last week before ``at``, or longer where labels come in batches."""
        return self.curve(at, self._newest_period(at))

    def newest_delays(self, at: float) -> DelayCurve:
        """The same of the labels that come, as if as many came as usual: its quantiles are those of their delays,
        however many rows get no label at all."""
        usual, newest = self.curve(at), self.newest_curve(at)
        period = self._newest_period(at)
        rows, counts = self._counted(at, period)
        # Labels that stopped are seen in half a week; no batch is missed in it.
        youngest = self._counted(at, period / 2)[1] if period == MIN_PERIOD else counts
        known = self._known[:, rows]
        last = usual.bins - 1
        if not usual.bins or not newest.bins or not (known * counts).any():
            return newest
        labelled, low, high = newest.labelled, newest.low, newest.high
        if not self._is_late(known.sum(axis=0), self._rows[rows], counts, youngest, usual.labelled[: last + 1]):
            share, *bounds = _shares_come(known.sum(axis=0), counts, newest.bins)
            labelled, low, high = (usual.coverage * column for column in (share, *bounds))
        by_class = newest.by_class.copy()
        for place, of_class in enumerate(known):
            usual_class = usual.by_class[place, : last + 1]
            if usual_class[-1] > 0 and not self._is_late(of_class, self._rows[rows], counts, youngest, usual_class):
                by_class[place] = usual_class[-1] * _shares_come(of_class, counts, newest.bins)[0]
        return DelayCurve(labelled, low, high, by_class, newest.bins, newest.rows)

    @staticmethod
    def _is_late(known: Floats, rows: Floats, counts: Bools, youngest: Bools, usual: Floats) -> bool:
        """Whether labels come later than usual, or hardly any comes, at any age of ``SHARES_COMPARED``.

        ``known``: labels, ``[cohorts, bins]``; ``rows``: by cohort; ``counts``: the cohorts that count at each age, and
        the ``youngest`` of them; ``usual``: the share of rows that have a label, by bin.
        """
        came = np.cumsum(known, axis=1)
        for share in SHARES_COMPARED:
            at = int(np.searchsorted(usual, share * usual[-1]))
            early = int(np.searchsorted(usual, usual[at] / 2))
            cohorts, newest = counts[:, at], youngest[:, at]
            labels, early_labels = came[cohorts, at].sum(), came[cohorts, early].sum()
            if early < at and _is_below(early_labels, labels, float(usual[early] / usual[at])):
                return True
            if _is_below(came[newest, at].sum(), rows[newest].sum(), OUTAGE * float(usual[at])):
                return True
        return False

    def _newest_period(self, at: float) -> float:
        return min(max(MIN_PERIOD, BATCH_GAPS * self.longest_gap(at)), MAX_PERIOD)

    def _counted(self, at: float, period: float | None) -> tuple[slice, Bools]:
        """The cohorts that are looked at, and ``[cohorts, bins]`` whether one counts at an age."""
        rows, counts = self._observed(at)
        if period is not None:
            begins, ends = self.begins[rows], self.ends[rows]
            length = np.maximum(period, 2 * (_WIDTHS + (ends - begins).max(initial=0.0)))
            counts = counts & ((at - begins)[:, None] <= _LOWER + length)
        return rows, counts

    def longest_gap(self, at: float) -> float:
        """The longest time (seconds) between labels before ``at``. Labels that stopped have no gap: it has no end."""
        rows, counts = self._observed(at)
        known = self._known[:, rows].sum(axis=0) * counts
        places, bins = np.nonzero(known)
        if not len(places):
            return 0.0
        origin = math.floor((at - HISTORY) / DAY)
        first = np.floor((self.begins[rows][places] + _LOWER[bins]) / DAY).astype(np.int64) - origin
        last = np.floor(np.minimum(self.ends[rows][places] + _UPPER[bins], at) / DAY).astype(np.int64) - origin
        first, last = np.maximum(first, 0), np.maximum(last, 0)
        steps = np.zeros(int(last.max()) + 2)
        each = known[places, bins] / (last - first + 1)
        np.add.at(steps, first, each)
        np.add.at(steps, last + 1, -each)
        arrivals = np.cumsum(steps)[:-1]
        busy = np.flatnonzero(arrivals >= QUIET_SHARE * arrivals.mean())
        return float(np.diff(busy).max(initial=1) - 1) * DAY

    def usual_age(self, at: float) -> tuple[float, bool]:
        """The age (seconds) by which cohorts usually had ``MATURE_SHARE`` of the labels of each class, as known at a
        time, and True; False and the age of the oldest rows where that is not known yet."""
        return self._usual_age(self.curve(at))

    def evidence(self, at: float) -> MaturityEvidence:
        """What the age of maturity is known from at a time, and how far the log must reach back to know it."""
        curve = self.curve(at)
        rows, _ = self._observed(at)
        total = np.cumsum(self._rows[rows])
        begin = float(self.begins[0]) if len(self.begins) else at
        if not curve.bins:
            return MaturityEvidence(at - begin, math.nan, float(total[-1]) if len(total) else 0.0)
        most = float(curve.by_class[:, curve.bins - 1].max(initial=0.0)) * curve.rows
        if not self._deciding_classes(curve):
            return MaturityEvidence(at - begin, math.nan, curve.rows, most)
        age = self._deciding_age(curve)
        patience = PATIENCE * 0.9 if curve.coverage < 1 - NEVER else 0.0
        wanted = max(age * MIN_SPAN, patience)
        # The curve goes to the end of a bin, from which on it has enough rows.
        edge = float(DELAY_EDGES[min(int(np.searchsorted(DELAY_EDGES, wanted)), len(DELAY_EDGES) - 1)])
        first = float(self.ends[int(np.searchsorted(total, MIN_ROWS))]) - begin
        missing = curve.missing_at(curve.span) if patience > age * MIN_SPAN else 0.0
        return MaturityEvidence(at - begin, edge + first, curve.rows, most, age, missing)

    def maturity(self, now: float) -> Maturity:
        """Which cohorts are mature ``now``, when the profiles were taken.

        A cohort is mature that has ``MATURE_SHARE`` of the labels of each class that it will have by the curve of all
        cohorts, or that is as old as cohorts usually are when they have, unless it lags far behind them. A cohort that
        provably has too few labels waits where these, or the newest ones, take provably longer than usual.
        """
        curve = self.curve(now)
        age, is_known = self._usual_age(curve)
        if not is_known:
            return Maturity(age, False, -math.inf)
        mature = self._has_labels(now, age, curve) & ~self._is_slow(now, age, curve)
        mature = mature[(self.ends <= now) & (self.ends > now - HISTORY)]
        ends = self.ends[(self.ends <= now) & (self.ends > now - HISTORY)]
        count = len(mature) if mature.all() else int(np.argmin(mature))
        return Maturity(age, True, float(ends[count - 1]) if count else -math.inf)

    def _usual_age(self, curve: DelayCurve) -> tuple[float, bool]:
        age = self._deciding_age(curve)
        is_known = age * MIN_SPAN <= curve.span and (curve.coverage >= 1 - NEVER or curve.span >= PATIENCE * 0.9)
        return (age, True) if is_known else (curve.span, False)

    def _deciding_age(self, curve: DelayCurve) -> float:
        ages = (curve.class_age(place, MATURE_SHARE) for place in self._deciding_classes(curve))
        return max(ages, default=math.inf)

    def _observed(self, at: float) -> tuple[slice, Bools]:
        """The cohorts that count, and ``[cohorts, bins]`` whether all of their rows had passed through the bin."""
        rows = slice(*np.searchsorted(self.ends, [at - HISTORY, at], side="right").tolist())
        return rows, (at - self.ends[rows])[:, None] >= _UPPER

    def _deciding_classes(self, curve: DelayCurve) -> list[int]:
        """The places of the classes that are frequent enough to decide."""
        if not curve.bins:
            return []
        shares = curve.by_class[:, curve.bins - 1]
        least = max(MIN_CLASS_LABELS / max(curve.rows, 1.0), MIN_CLASS_SHARE * curve.coverage)
        return [place for place, share in enumerate(shares.tolist()) if share >= least and share > 0]

    def _has_labels(self, now: float, age: float, curve: DelayCurve) -> Bools:
        """By cohort whether it is mature."""
        last = curve.bins - 1
        all_of_class = curve.by_class[:, last : last + 1]
        before = np.concatenate([np.zeros_like(all_of_class), curve.by_class[:, :-1]], axis=1)
        waiting = np.append(1.0, 1.0 - curve.labelled[:-1])
        # By class and bin: how probable it is that the label of a row that waits in the bin comes, and is this class.
        chances = np.maximum(all_of_class - before, 0.0) / np.maximum(waiting, 1e-12)
        chances[:, curve.bins :] = 0.0
        coming = self._waiting @ np.minimum(chances, 1.0).T
        known = self._known.sum(axis=2)
        is_complete, keeps_up = (np.ones(len(self.ends), dtype=np.bool_) for _ in range(2))
        pool_begins = np.searchsorted(self.ends, self.ends - POOL, side="right")
        for place in self._deciding_classes(curve):
            has, due = known[place], coming[:, place]
            is_complete &= has >= MATURE_SHARE * (has + due)
            pooled_has, pooled_due = (_sums_since(column, pool_begins) for column in (has, due))
            enough = pooled_has + pooled_due >= MIN_ROWS
            keeps_up &= ~enough | (pooled_has >= POOLED_SHARE * (pooled_has + pooled_due))
        return np.asarray(is_complete | ((now - self.ends >= age) & keeps_up))

    def _is_slow(self, now: float, age: float, curve: DelayCurve) -> Bools:
        """By cohort whether it, or the week before it with it, provably has too few of its usual labels, of all or of
        one class, and delays explain it: those of the newest curve, or of its own labels, provably are longer.

        Fewer labels alone prove nothing: a class may be rarer than it was, or fewer rows get a label at all.
        """
        newest, slow = self.newest_curve(now), np.zeros(len(self.ends), dtype=np.bool_)
        begins = np.searchsorted(self.ends, self.ends - POOL, side="right")
        # The older half of those that had time, so that what changed is not among them.
        settled = np.flatnonzero((now - self.ends >= 2 * age) & (self._rows > 0))
        settled = settled[: (len(settled) + 1) // 2]
        whole = (self._known.sum(axis=0), curve.labelled, newest.labelled)
        of_class = ((self._known[at], curve.by_class[at], newest.by_class[at]) for at in self._deciding_classes(curve))
        for known, usual, recent in (whole, *of_class):
            has, coverage = known.sum(axis=1), float(usual[curve.bins - 1])
            median = int(np.searchsorted(usual[: curve.bins], coverage / 2))
            early = float(usual[median]) / coverage
            recent_labels = float(recent[newest.bins - 1]) * newest.rows if newest.bins else 0.0
            recent_early = float(recent[median]) * newest.rows
            is_late = bool(_is_below(recent_early, recent_labels, early))
            is_late |= known is whole[0] and bool(_is_below(recent_labels, newest.rows, OUTAGE * coverage))
            share, pooled_proof = (MATURE_SHARE, z_value()) if is_late else (POOLED_SHARE, PROOF)
            lacks = np.zeros(len(self.ends), dtype=np.bool_)
            pool = _sums_since(has, begins), _sums_since(self._rows, begins)
            # Slow labels that are taken for none lower the end of the curve, but not what old cohorts have.
            final = max(coverage, float(has[settled].sum() / self._rows[settled].sum())) if len(settled) else coverage
            for labels, rows, proof in ((has, self._rows, PROOF), (*pool, pooled_proof)):
                exceptions = np.quantile(labels[settled] / rows[settled], [USUAL_EXCEPTION]) if len(settled) else ()
                lacks |= _is_below(labels, rows, min([share * final, *exceptions]), proof)
            slow |= lacks if is_late else lacks & _is_below(known[:, : median + 1].sum(axis=1), has, early)
        return slow


def _shares_come(known: Floats, counts: Bools, bins: int) -> tuple[Floats, Floats, Floats]:
    """Of the labels that come within the ages observed, the share that has come by the end of each bin, with its 95 %
    bounds: the product-limit estimate in reverse time. ``known``, ``counts``: ``[cohorts, bins]``."""
    events = (known * counts).sum(axis=0)
    so_far = (np.cumsum(known, axis=1) * counts).sum(axis=0)
    events[bins:] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        earlier = np.where(so_far > 0, 1.0 - events / so_far, 1.0)
        greenwood = np.where(so_far > events, events / (so_far * (so_far - events)), 0.0)
    share, variance = (np.append(column, neutral)[1:] for column, neutral in ((earlier, 1.0), (greenwood, 0.0)))
    come: Floats = np.cumprod(share[::-1], dtype=np.float64)[::-1]
    return come, *_survival_interval(come, np.sqrt(np.cumsum(variance[::-1])[::-1]))


def _is_below(count: Any, of: Any, share: float, proof: float = PROOF) -> Bools:
    """Whether a count is below a share of another, by ``proof`` standard errors at that share."""
    return np.asarray(count < share * of - proof * np.sqrt(share * (1.0 - share) * of))


def _sums_since(column: Floats, begins: Ints) -> Floats:
    """By row the sum of the rows from its place in ``begins`` to itself."""
    totals = np.append(0.0, np.cumsum(column))
    return np.asarray(totals[1:] - totals[begins])
