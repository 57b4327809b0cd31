"""Our statistics under a peer's own choice of bins, floors and scales.

Over the peer's bins by the formulas that a drift rule calls; where the peer takes every value, by the rule's whole path
(profiles, histograms, common bins).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelwatch.stats.drift import binned_statistics, cdf_statistics

from ..evaluate.drift.comparing import compare_values

Floats = NDArray[np.float64]
Column = NDArray[Any]
LARGE = 10_000


@dataclass(frozen=True)
class Pair:
    """One column of both sides, as NumPy holds it."""

    reference: Column
    current: Column

    @property
    def numeric(self) -> bool:
        return self.reference.dtype.kind == "f"

    @property
    def sides(self) -> tuple[Column, Column]:
        return self.reference, self.current


def categories(column: Column) -> Counter[str]:
    return Counter(column.tolist())


def aligned(reference: Mapping[str, int], current: Mapping[str, int]) -> tuple[Floats, Floats]:
    """The counts of both sides over all their categories, in the order of their names."""
    names = sorted(reference.keys() | current.keys())
    first, second = (np.array([side.get(name, 0) for name in names], dtype=np.float64) for side in (reference, current))
    return first, second


def distance(method: str, pair: Pair) -> float:
    return float(compare_values(method, *pair.sides).effect[0])


def left_closed(values: Column, edges: Floats) -> NDArray[np.int64]:
    """Counts in (-inf, e0), [e0, e1), ..., [e_last, inf)."""
    below = np.searchsorted(np.sort(values), edges, side="left")
    return np.diff(np.concatenate([[0], below, [len(values)]]))


def histogram(values: Column, edges: Floats) -> NDArray[np.int64]:
    """As ``numpy.histogram``, whose last bin is closed on both sides; before and after it what lies outside."""
    closed = edges.copy()
    closed[-1] = np.nextafter(closed[-1], np.inf)
    return left_closed(values, closed)


# Evidently


def evidently_counts(pair: Pair) -> tuple[Floats, Floats]:
    """By value for categories and for up to 20 different numbers; else equal bins over both sides, by Sturges."""
    if not pair.numeric or len(np.unique(pair.reference)) <= 20:
        return aligned(*map(categories, pair.sides))
    edges = np.histogram_bin_edges(np.concatenate(pair.sides), bins="sturges")
    first, second = (histogram(side, edges)[1:-1].astype(np.float64) for side in pair.sides)
    return first, second


def evidently_psi(pair: Pair) -> float:
    """An empty share is 1e-4; but a millionth of the side's least share where that is 1e-4 or less. So a bin that is
    empty on both sides, which counts for nothing here, counts there where the sides' floors differ: added below."""
    sides = evidently_counts(pair)
    shares = [side / side.sum() for side in sides]
    least = [share[share > 0].min() for share in shares]
    p, q = (few / 1e6 if few <= 1e-4 else 1e-4 for few in least)
    nowhere = int(np.sum((sides[0] == 0) & (sides[1] == 0)))
    left, right = np.where(shares[0] > 0, shares[0], p), np.where(shares[1] > 0, shares[1], q)
    filled = (sides[0] > 0) | (sides[1] > 0)
    value = ((right - left) * np.log(right / left))[filled].sum()
    return float(value) + nowhere * (q - p) * math.log(q / p)


def evidently_js(pair: Pair) -> float:
    """To base e."""
    return float(binned_statistics.jensen_shannon(*evidently_counts(pair))) * math.sqrt(math.log(2))


def evidently_hellinger(pair: Pair) -> float:
    """Sturges over the different values of both sides; from 1 less the overlap (so 0 comes out as 1e-8)."""
    if not pair.numeric:
        return float(binned_statistics.hellinger(*aligned(*map(categories, pair.sides))))
    edges = np.histogram_bin_edges(np.unique(np.concatenate(pair.sides)), bins="sturges")
    return float(binned_statistics.hellinger(*(histogram(side, edges)[1:-1] for side in pair.sides)))


def evidently_wasserstein(pair: Pair) -> float:
    """In standard deviations of the reference."""
    return distance("wasserstein", pair)


def evidently_ks(pair: Pair) -> float | None:
    """It tells the p-value only: SciPy's, at our distance. Up to 10,000 rows that one is exact, and no function of
    the distance that SciPy offers; NannyML tells the distance itself."""
    from scipy.stats import distributions

    n, m = map(len, pair.sides)
    if max(n, m) <= LARGE:
        return None
    return float(distributions.kstwo.sf(distance("ks", pair), round(n * m / (n + m))))


# NannyML


def nannyml_counts(pair: Pair) -> tuple[Floats, Floats]:
    """By the reference's values, or equal bins over the reference (Doane's rule); all that lies outside is one bin."""
    if not pair.numeric:
        reference, current = map(categories, pair.sides)
        outside = sum(times for name, times in current.items() if name not in reference)
        known = {name: current.get(name, 0) for name in reference}
        return aligned(dict(reference) | {"\0": 0}, known | {"\0": outside})
    edges = np.histogram_bin_edges(pair.reference, bins="doane")
    found = (histogram(side, edges) for side in pair.sides)
    first, second = (np.append(side[1:-1], side[0] + side[-1]).astype(np.float64) for side in found)
    return first, second


def nannyml_ks(pair: Pair) -> float:
    """From 10,000 rows of the reference on: at the ends of 10,000 equal bins over the reference."""
    if len(pair.reference) < LARGE:
        return distance("ks", pair)
    low, high = pair.reference.min(), pair.reference.max()
    if low == high:
        return 0.0
    first, second = (histogram(side, np.linspace(low, high, LARGE + 1)) for side in pair.sides)
    return float(np.abs(cdf_statistics.cdf_differences(first, second)[1:-1]).max())


def nannyml_wasserstein(pair: Pair) -> float | None:
    """From 10,000 rows on: 10,000 equal bins over the reference, each as high as at its end. Values outside it
    weighs with one row too many, which we do not follow: such a column is not compared."""
    if len(pair.reference) < LARGE:
        return distance("wasserstein", pair) * float(np.std(pair.reference))
    edges = np.histogram_bin_edges(pair.reference, bins=LARGE)
    first, second = (histogram(side, edges) for side in pair.sides)
    if second[0] or second[-1]:
        return None
    gap = cdf_statistics.cdf_differences(first, second)[1:-1]
    return float((np.abs(gap) * np.diff(edges)).sum())


def binned(method: Callable[..., object], counts: Callable[[Pair], tuple[Floats, Floats]]) -> Callable[[Pair], float]:
    return lambda pair: float(method(*counts(pair)))  # type: ignore[arg-type]


METHODS: dict[str, dict[str, Callable[[Pair], float | None]]] = {
    "evidently": {
        "psi": evidently_psi,
        "jensenshannon": evidently_js,
        "hellinger": evidently_hellinger,
        "wasserstein": evidently_wasserstein,
        "ks": evidently_ks,
    },
    "nannyml": {
        "jensen_shannon": binned(binned_statistics.jensen_shannon, nannyml_counts),
        "hellinger": binned(binned_statistics.hellinger, nannyml_counts),
        "wasserstein": nannyml_wasserstein,
        "kolmogorov_smirnov": nannyml_ks,
        "chi2": binned(binned_statistics.chi_square, lambda pair: aligned(*map(categories, pair.sides))),
    },
}
"""By the peers' own names; ``None`` where theirs cannot be said in ours."""
