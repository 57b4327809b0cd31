"""How far annotators agree beyond chance: Cohen's kappa, Fleiss' kappa, Krippendorff's alpha, and one annotator against
the rest; with intervals by resampling items.

1 is full agreement, 0 what chance gives with the same shares of classes, and less is systematic disagreement. NaN where
chance alone would agree always, since only one class occurs. Sources: Cohen 1960 (Educational and Psychological
Measurement 20:37-46), Fleiss 1971 (Psychological Bulletin 76:378-382), Krippendorff, Content Analysis, 4th ed. 2018,
chapter 12.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ..arrays import Floats, Ints
from ..intervals import wilson_bounds, z_value
from ..performance.estimate import DRAWS, SEED, Estimate, percentile_interval, proportion, undefined_estimate

NOMINAL, ORDINAL, INTERVAL = "nominal", "ordinal", "interval"
SCALES = (NOMINAL, ORDINAL, INTERVAL)
MAX_BLOCK = 4_000_000
"""Cells of a block of resampled items."""


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """Who gave which item which class: one rating a place in three arrays of one length. At most one rating of an
    annotator and item."""

    items: Ints
    """0, 1, ...: the number of the item."""
    annotators: Ints
    """The number of the annotator, a place in ``names``."""
    labels: Ints
    """The number of the class, a place in ``classes``."""
    names: tuple[str, ...]
    classes: tuple[str, ...]
    """For an ordinal scale in their order."""
    scale: str = NOMINAL
    values: tuple[float, ...] = ()
    """Of an interval scale the number that each class stands for."""

    def counts(self) -> Floats:
        """``[items, classes]``: how many annotators gave each item each class."""
        table = np.zeros((int(self.items.max(initial=-1)) + 1, len(self.classes)))
        np.add.at(table, (self.items, self.labels), 1.0)
        return table

    def differences(self, totals: Floats) -> Floats:
        """``[classes, classes]``: how much two classes differ, Krippendorff's squared delta. ``totals``: how often each
        was given."""
        if self.scale == INTERVAL:
            values = np.array(self.values)
            return np.asarray((values[:, None] - values) ** 2)
        if self.scale == ORDINAL:
            ends = np.cumsum(totals) - totals / 2
            return np.asarray((ends[:, None] - ends) ** 2)
        return 1.0 - np.eye(len(self.classes))


def fleiss_kappa(counts: Floats) -> float:
    """Fleiss' kappa of ``[items, classes]`` counts. Where items have different numbers of ratings, the agreement of an
    item is still the share of its pairs, and items with fewer than two are left out."""
    rated = counts[counts.sum(axis=1) >= 2]
    if not len(rated):
        return math.nan
    raters = rated.sum(axis=1)
    agreeing = ((rated**2).sum(axis=1) - raters) / (raters * (raters - 1))
    shares = rated.sum(axis=0) / raters.sum()
    return float(_beyond_chance(np.array(1 - agreeing.mean()), np.array(1 - (shares**2).sum())))


def krippendorff_alpha(ratings: Ratings, *, intervals: bool = True, name: str = "agreement") -> Estimate:
    """Alpha of all annotators, which may each have rated some of the items; ``n``: items with at least two ratings."""
    return _alpha(_pairable(ratings.counts()), ratings, name, "", intervals)


def agreeing_share(ratings: Ratings, *, name: str = "agreement_share") -> Estimate:
    """The share of pairs of ratings of one item that agree, the mean of the items with at least two; whatever the
    scale. Wilson's interval, as if an item had one pair: wide enough for more. Defined where one class occurs, too."""
    counts = _pairable(ratings.counts())
    raters = counts.sum(axis=1)
    agreeing = ((counts**2).sum(axis=1) - raters) / (raters * (raters - 1))
    return proportion(name, float(agreeing.sum()), float(len(counts)))


def annotator_error(agreeing: Estimate, *, name: str = "annotator_error") -> Estimate:
    """The share e of single judgements that are wrong, of two classes, from the share of pairs that agree.

    Assumes that judgements of one item err independently, and with the same probability: two then disagree with
    probability 2e(1 - e) (Dawid and Skene 1979, Applied Statistics 28:20-28, with one error rate). Items that are hard
    for everybody break that, and e is larger. Without any assumption it is at least half of the disagreement. NaN where
    at least half of the pairs disagree, which such annotators do not."""

    def error_of(disagreeing: float) -> float:
        return (1.0 - math.sqrt(max(1.0 - 2.0 * disagreeing, 0.0))) / 2

    if math.isnan(agreeing.value) or agreeing.value <= 0.5:
        return undefined_estimate(name, agreeing.n)
    value, low, high = (error_of(1.0 - share) for share in (agreeing.value, agreeing.high, agreeing.low))
    return Estimate(name, value, low, high, agreeing.n)


def class_alphas(ratings: Ratings, *, intervals: bool = True, name: str = "agreement") -> Iterator[Estimate]:
    """For each class the alpha of whether an item belongs to it, whatever the scale."""
    counts = _pairable(ratings.counts())
    for place, label in enumerate(ratings.classes):
        of_class = np.stack([counts[:, place], counts.sum(axis=1) - counts[:, place]], axis=1)
        two = Ratings(ratings.items, ratings.annotators, ratings.labels, ratings.names, (label, ""))
        yield _alpha(of_class, two, name, label, intervals)


def annotator_kappas(
    ratings: Ratings, places: Sequence[int] | None = None, *, intervals: bool = True, name: str = "agreement"
) -> Iterator[Estimate]:
    """For each annotator, or those at ``places`` of the names, the kappa of its class against another rating of the
    same item, drawn at random: Cohen's kappa where there are two annotators. ``label``: the annotator; ``n``: its items
    that somebody else rated, too."""
    counts = ratings.counts()
    totals = counts.sum(axis=0)
    difference = ratings.differences(totals)
    for place in range(len(ratings.names)) if places is None else places:
        annotator = ratings.names[place]
        own = ratings.annotators == place
        labels = ratings.labels[own]
        others = counts[ratings.items[own]]
        others[np.arange(len(labels)), labels] -= 1.0
        shared = others.sum(axis=1) > 0
        labels, others = labels[shared], others[shared]
        if not len(labels):
            yield undefined_estimate(name, 0.0, annotator)
            continue
        others /= others.sum(axis=1, keepdims=True)
        observed = (difference[labels] * others).sum(axis=1)
        one_hot = np.zeros_like(others)
        one_hot[np.arange(len(labels)), labels] = 1.0
        yield _resampled(name, annotator, observed, one_hot, others, difference, intervals)


def pair_kappas(ratings: Ratings) -> Iterator[tuple[str, str, Estimate]]:
    """For each two annotators Cohen's kappa on the items that both rated, without weights; ``n``: these items."""
    by_annotator = np.full((len(ratings.names), int(ratings.items.max(initial=-1)) + 1), -1, dtype=np.int64)
    by_annotator[ratings.annotators, ratings.items] = ratings.labels
    for one in range(len(ratings.names)):
        for other in range(one + 1, len(ratings.names)):
            both = (by_annotator[one] >= 0) & (by_annotator[other] >= 0)
            table = np.zeros((len(ratings.classes), len(ratings.classes)))
            np.add.at(table, (by_annotator[one, both], by_annotator[other, both]), 1.0)
            yield ratings.names[one], ratings.names[other], kappa_estimate(table)


def kappa_estimate(table: Floats, name: str = "agreement", label: str = "") -> Estimate:
    """Cohen's kappa of ``[classes, classes]`` counts with its interval."""
    places, others = np.nonzero(table)
    repeats = table[places, others].astype(np.int64)
    left, right = (np.repeat(np.eye(len(table))[side], repeats, axis=0) for side in (places, others))
    observed: Floats = np.repeat((places != others).astype(np.float64), repeats)
    if not len(observed):
        return undefined_estimate(name, 0.0, label)
    return _resampled(name, label, observed, left, right, 1.0 - np.eye(len(table)), True)


def _pairable(counts: Floats) -> Floats:
    """Of items with at least two ratings."""
    return np.asarray(counts[counts.sum(axis=1) >= 2])


def _alpha(counts: Floats, ratings: Ratings, name: str, label: str, intervals: bool) -> Estimate:
    if not len(counts):
        return undefined_estimate(name, 0.0, label)
    raters = counts.sum(axis=1)
    difference = ratings.differences(counts.sum(axis=0))
    observed = np.einsum("ic,ck,ik->i", counts, difference, counts) / (raters - 1)
    return _resampled(name, label, observed, counts, None, difference, intervals)


def _resampled(
    name: str, label: str, observed: Floats, left: Floats, right: Floats | None, difference: Floats, intervals: bool
) -> Estimate:
    """1 - observed over expected disagreement, and its percentiles over ``DRAWS`` samples of the items.

    ``observed``: by item; ``left`` and ``right``: ``[items, classes]``, what is paired by chance; without ``right`` the
    ratings with each other, none with itself. ``difference`` is not computed anew for each sample.
    """
    n = len(observed)
    columns = np.concatenate([observed[:, None], left, *([] if right is None else [right])], axis=1)
    value = float(_ratio(columns.sum(axis=0)[None], left.shape[1], right is not None, difference)[0])
    if not intervals or not math.isfinite(value) or n < 2:
        return Estimate(name, value, math.nan, math.nan, float(n), label)
    patterns, counts = np.unique(columns, axis=0, return_counts=True)
    random = np.random.default_rng(SEED)
    block = max(1, MAX_BLOCK // len(patterns))
    draws = [
        _ratio(
            random.multinomial(n, counts / n, size=min(block, DRAWS - begin)).astype(np.float64) @ patterns,
            left.shape[1],
            right is not None,
            difference,
        )
        for begin in range(0, DRAWS, block)
    ]
    low, high = percentile_interval(np.concatenate(draws), _expanded_level(n))
    if not observed.any():
        # No sample of items that all agree has any disagreement: what n items without one leave open.
        low = 1.0 - (1.0 - wilson_bounds(1.0, n)[0]) / _chance_share(columns, left.shape[1], right is not None)
    return Estimate(name, value, min(low, value), max(high, value), float(n), label)


def _expanded_level(n: int) -> float:
    """The level of percentiles whose interval is as wide as Student's (Hesterberg 2015, The American Statistician
    69:371-386): resampled items vary less than new ones, by the root of (n - 1) / n."""
    z = z_value()
    student = z + (z**3 + z) / (4 * (n - 1))
    return 2 * NormalDist().cdf(student * math.sqrt(n / (n - 1))) - 1


def _ratio(sums: Floats, classes: int, paired: bool, difference: Floats) -> Floats:
    """``sums``: ``[draws, 1 + classes (+ classes)]``."""
    observed, left = sums[:, 0], sums[:, 1 : 1 + classes]
    right = sums[:, 1 + classes :] if paired else left
    n = left.sum(axis=1)
    expected = np.einsum("dc,ck,dk->d", left, difference, right)
    return _beyond_chance(observed * (n if paired else n - 1), expected)


def _chance_share(columns: Floats, classes: int, paired: bool) -> float:
    """How often two classes drawn by chance differ."""
    sums = columns.sum(axis=0)
    left = sums[1 : 1 + classes] / sums[1 : 1 + classes].sum()
    right = sums[1 + classes :] / sums[1 + classes :].sum() if paired else left
    return float(1.0 - left @ right)


def _beyond_chance(observed: Floats, expected: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1.0 - observed / np.where(expected > 0, expected, 1.0), np.nan)
