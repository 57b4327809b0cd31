"""What every statistic of drift answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import binned_statistics as of_counts
from . import cdf_statistics as of_order
from .beyond import correction
from .bins import QUANTILES, Binned, coarse, count, merged, out_of_range, out_of_range_bins, quantile_edges
from .columns import aligned, categories, numbers
from .p_values import binned_p_values, dealt_p

MIN_RELIABLE_COUNT = 100
"""With fewer values on either side a statistic is noise (PSI > 0.1 in 83 % of windows without any change)."""


@dataclass(frozen=True, slots=True)
class DriftStatistic:
    """One statistic of one feature. Always an answer: where none is defined, ``value`` is NaN and a note says why."""

    method: str
    value: float
    """The statistic itself."""
    p_value: float | None
    """How often chance alone gives as much; ``None`` where nothing is defined."""
    effect: float
    """How large it is, whatever the size of the samples: what a tier's limit is held against."""
    n_reference: int
    n_current: int
    notes: tuple[str, ...] = ()

    @property
    def defined(self) -> bool:
        return not math.isnan(self.value)

    @property
    def reliable(self) -> bool:
        """Enough values on both sides to say anything."""
        return self.defined and min(self.n_reference, self.n_current) >= MIN_RELIABLE_COUNT


def undefined_drift(method: str, n_reference: int, n_current: int, *notes: str) -> DriftStatistic:
    return DriftStatistic(method, math.nan, None, math.nan, n_reference, n_current, notes)


def emptiness_reason(n_reference: int, n_current: int) -> str:
    """Why nothing can be compared; the empty string where both sides hold values."""
    if n_reference <= 0 and n_current <= 0:
        return "neither side holds values"
    if n_reference <= 0:
        return "the reference holds no values"
    return "" if n_current > 0 else "the current side holds no values"


def reliability_notes(n_reference: int, n_current: int) -> tuple[str, ...]:
    least = min(n_reference, n_current)
    return (f"unreliable: {least} values are fewer than {MIN_RELIABLE_COUNT}",) if least < MIN_RELIABLE_COUNT else ()


Floats = NDArray[np.float64]
Cells = Iterable[object]

BINNED_STATISTICS = {
    "psi": of_counts.psi,
    "jensen_shannon": of_counts.jensen_shannon,
    "hellinger": of_counts.hellinger,
    "total_variation": of_counts.total_variation,
    "chi_square": of_counts.chi_square,
}
"""Of counts over shared bins: numeric columns and categories alike."""
CDF_METHODS = ("ks", "wasserstein", "cramer_von_mises")
"""Of distribution functions: numeric columns only."""
METHODS = (*BINNED_STATISTICS, *CDF_METHODS)
ALIASES = {"js": "jensen_shannon", "tv": "total_variation", "chi2": "chi_square", "cvm": "cramer_von_mises"}


def resolve_method(name: str) -> str:
    """The method's full name. Raises ``KeyError`` for one that is not known."""
    full = ALIASES.get(name, name)
    if full not in METHODS:
        raise KeyError(name)
    return full


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """Two numeric sides laid on common points: counts that end at each of ``points`` (ascending)."""

    points: Floats
    reference: NDArray[np.generic]
    current: NDArray[np.generic]
    lines: bool
    """The distribution functions run straight between the points (bins), or step at them (raw values)."""


def of_samples(
    method: str,
    reference: Cells,
    current: Cells,
    *,
    bins: int = QUANTILES,
    edges: Floats | None = None,
    floor: float | None = None,
) -> DriftStatistic:
    """Drift of a numeric column. Bins are right-closed at ``edges``, by default at the reference's quantiles."""
    method = resolve_method(method)
    (r, lost), (c, gone) = numbers(reference), numbers(current)
    notes = _left_out(lost, gone)
    nothing = emptiness_reason(len(r), len(c))
    if nothing:
        return undefined_drift(method, len(r), len(c), nothing, *notes)
    if method in BINNED_STATISTICS:
        cuts = quantile_edges(r, bins) if edges is None else edges
        beyond = out_of_range(c, float(r[0]), float(r[-1]))
        notes = (*notes, *_range_note(beyond))
        return _binned(method, count(r, cuts), count(c, cuts), notes, floor, cut=edges is None)
    points, left, right = _pooled(r, c)
    return _in_order(method, Laid(points, left, right, lines=False), _spread(r), notes)


def of_bins(
    method: str, reference: Binned, current: Binned, *, bins: int = QUANTILES, floor: float | None = None
) -> DriftStatistic:
    """Drift between two profiles or histograms over the same edges; PSI and its like on the edges nearest to the
    reference's quantiles. Within a bin values are taken to lie evenly, on both sides alike. Raises ValueError where the
    edges differ."""
    method = resolve_method(method)
    if not np.array_equal(reference.edges, current.edges):
        raise ValueError("the edges differ: lay both on common ones first")
    n, m = (round(float(np.sum(side.counts))) for side in (reference, current))
    nothing = emptiness_reason(n, m)
    if nothing:
        return undefined_drift(method, n, m, nothing)
    if method in BINNED_STATISTICS:
        places = coarse(reference, bins)
        notes = _range_note(out_of_range_bins(current, reference.low, reference.high)[0])
        return _binned(method, merged(reference.counts, places), merged(current.counts, places), notes, floor, cut=True)
    laid = lay(reference, current)
    gap = of_order.cdf_differences(laid.reference, laid.current)
    return _in_order(method, laid, bin_spread(reference), (), correction(reference, current, gap, laid.points))


def of_categories(
    method: str,
    reference: Cells | Mapping[str, float],
    current: Cells | Mapping[str, float],
    *,
    floor: float | None = None,
) -> DriftStatistic:
    """Drift of a categorical column, or of counts by category. A category that one side has not seen counts there
    as 0. Raises ValueError for a method that needs an order."""
    method = resolve_method(method)
    if method not in BINNED_STATISTICS:
        raise ValueError(f"{method} needs numbers, not categories")
    (r, lost), (c, gone) = (_counted(side) for side in (reference, current))
    left, right = aligned(r, c)
    nothing = emptiness_reason(round(float(left.sum())), round(float(right.sum())))
    if nothing:
        return undefined_drift(
            method, round(float(left.sum())), round(float(right.sum())), nothing, *_left_out(lost, gone)
        )
    unseen = [name for name, times in sorted(c.items()) if times > 0 and not r.get(name)]
    notes = (f"{len(unseen)} categories are not in the reference",) if unseen else ()
    return _binned(method, left, right, (*_left_out(lost, gone), *notes), floor)


def lay(reference: Binned, current: Binned) -> Laid:
    """Two profiles over the same edges on common points: the edges and both sides' extremes."""
    extremes = np.array([reference.low, current.low, reference.high, current.high])
    points = np.unique(np.concatenate([reference.edges, extremes[np.isfinite(extremes)]]))
    lowest, highest = np.nanmin(extremes[:2]), np.nanmax(extremes[2:])
    points = points[(points >= lowest) & (points <= highest)]
    sides = (_below(side, points) for side in (reference, current))
    left, right = (np.diff(below, prepend=0.0) for below in sides)
    return Laid(points, left, right, lines=True)


def bin_spread(binned: Binned) -> float:
    """Standard deviation of binned values, each at the middle of its bin (so it lacks what lies within bins)."""
    ends = np.concatenate([[binned.low], np.clip(binned.edges, binned.low, binned.high), [binned.high]])
    middles = ends[:-1] / 2 + ends[1:] / 2
    weights = np.asarray(binned.counts, np.float64)
    filled = weights > 0
    return _spread(middles[filled], weights[filled])


def _below(side: Binned, points: Floats) -> Floats:
    """How many values lie at or below each point."""
    ends = np.concatenate([[side.low], np.clip(side.edges, side.low, side.high), [side.high]])
    total = np.concatenate([[0.0], np.cumsum(np.asarray(side.counts, np.float64))])
    # Of several ends at one place (bins beyond the extremes) the last has counted everything up to there.
    last = np.append(ends[1:] != ends[:-1], True)
    below = np.interp(points, ends[last], total[last], left=0.0)
    return np.asarray(below)


def _pooled(r: Floats, c: Floats) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """The different values of both ascending sides, and how often each has them."""
    both = np.concatenate([r, c])
    both.sort(kind="stable")  # Two ascending runs: one merge.
    points = both[np.append(True, both[1:] != both[:-1])]
    left, right = (np.diff(np.searchsorted(side, points, side="right"), prepend=0) for side in (r, c))
    return points, left.astype(np.int64), right.astype(np.int64)


def _binned(
    method: str,
    r: NDArray[np.generic],
    c: NDArray[np.generic],
    notes: tuple[str, ...],
    floor: float | None,
    cut: bool = False,
) -> DriftStatistic:
    n, m = (round(float(np.sum(side))) for side in (r, c))
    value = float(of_counts.psi(r, c, floor) if method == "psi" else BINNED_STATISTICS[method](r, c))
    effect = float(of_counts.cohens_w(r, c)) if method == "chi_square" else value
    p_value = float(binned_p_values(method, r, c, cut))
    return DriftStatistic(method, value, p_value, effect, n, m, (*notes, *reliability_notes(n, m)))


def _in_order(method: str, laid: Laid, spread: float, notes: tuple[str, ...], more: float = 0.0) -> DriftStatistic:
    """``more``: what is known of Wasserstein's area beside the counts."""
    n, m = (round(float(np.sum(side))) for side in (laid.reference, laid.current))
    notes = (*notes, *reliability_notes(n, m))
    gap = of_order.cdf_differences(laid.reference, laid.current)
    if method == "ks":
        value = float(of_order.kolmogorov_smirnov(gap))
        return DriftStatistic(
            method, value, float(of_order.kolmogorov_smirnov_p_value(value, n, m)), value, n, m, notes
        )
    if method == "cramer_von_mises":
        value = float(of_order.cramer_von_mises(laid.reference, laid.current, laid.lines))
        held = None if laid.lines else np.add(laid.reference, laid.current)
        p_value = float(of_order.cramer_von_mises_p_value(value, n, m, held))
        return DriftStatistic(method, value, p_value, value * (n + m) / (n * m), n, m, notes)
    value = max(area(gap, laid.points, laid.lines) + more, 0.0)
    effect, odd = normalised(value, spread)
    p_value = dealt_p(laid.points, laid.reference, laid.current, laid.lines)
    return DriftStatistic(method, value, p_value, effect, n, m, (*notes, *odd))


def area(gap: Floats, points: Floats, lines: bool) -> float:
    """The Wasserstein distance; finite numbers near the end of doubles are scaled on the way."""
    largest = float(np.abs(points).max(initial=0.0))
    scale = largest if largest > 1e300 else 1.0
    between = of_order.wasserstein_linear if lines else of_order.wasserstein_step
    with np.errstate(over="ignore"):
        return float(between(gap, points / scale) * scale)


def normalised(distance: float, spread: float) -> tuple[float, tuple[str, ...]]:
    """The Wasserstein distance in standard deviations of the reference. Of a constant reference: 0 where nothing
    moved, else infinite."""
    if spread > 0 and np.isfinite(spread):
        return distance / spread, ()
    if not np.isfinite(spread):
        return np.nan, ("the reference's spread is beyond all numbers",)
    return (0.0 if distance == 0 else np.inf), ("the reference is constant",)


def _spread(values: Floats, weights: Floats | None = None) -> float:
    largest = float(np.abs(values).max(initial=0.0))
    scale = 1.0 if 1e-150 < largest < 1e150 or not largest else largest  # squares neither overflow nor vanish
    scaled = values / scale
    mean = np.average(scaled, weights=weights)
    with np.errstate(over="ignore"):
        return float(np.sqrt(np.average((scaled - mean) ** 2, weights=weights)) * scale)


def _counted(side: Cells | Mapping[str, float]) -> tuple[Mapping[str, float], int]:
    return (side, 0) if isinstance(side, Mapping) else categories(side)


def _left_out(reference: int, current: int) -> tuple[str, ...]:
    if not reference and not current:
        return ()
    return (f"left out as missing or no number: {reference} of the reference, {current} of the current side",)


def _range_note(share: float) -> tuple[str, ...]:
    return (f"{share:.3g} of the current side lies outside the reference's range",) if share > 0 else ()
