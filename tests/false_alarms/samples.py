"""Every statistic of samples on many windows at once: the default judgement, p-value at the stated rate.

A window and its reference are both fresh draws. The formulas are those of ``stats.drift``, called on rows
of counts; what ``of_samples`` does before (cutting a column into bins) is done here for all rows together, and a test
holds that both give the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from modelwatch.stats.drift import binned_statistics, cdf_statistics
from modelwatch.stats.drift.bins import QUANTILES
from modelwatch.stats.drift.methods import BINNED_STATISTICS, METHODS
from modelwatch.stats.drift.null_distribution import FALSE_ALARM_RATE, LEAST_EFFECT, enough
from modelwatch.stats.drift.p_values import binned_p_values, dealt_p

from .tally import Tally
from .worlds import Floats, Rng, Shares, World

Ints = NDArray[np.int64]
Found = dict[str, tuple[Floats, Floats]]
"""Per method p-values and effects, one a window."""
AT_ONCE = 200_000
"""Values that are held at one time."""
CUT = np.arange(1, QUANTILES)


def alarms(
    before: World, after: World, size: int, windows: int, rng: Rng, reference: int | None = None
) -> dict[str, Tally]:
    """``reference``: values of the reference where it has not as many as the window, ``size``."""
    known = size if reference is None else reference
    tallies: dict[str, Tally] = {}
    for found in parts(before, after, (known, size), windows, rng):
        for method, (p_value, effect) in found.items():
            alarm = enough(known, size) & (p_value <= FALSE_ALARM_RATE)
            tally = Tally.of(alarm, effect >= LEAST_EFFECT[method])
            tallies[method] = tallies.get(method, Tally()) + tally
    return tallies


def parts(
    before: World, after: World, sizes: tuple[int, int], windows: int, rng: Rng, methods: tuple[str, ...] = METHODS
) -> Iterator[Found]:
    """The windows in portions that fit into memory; ``sizes`` of the reference and the window."""
    most = max(1, AT_ONCE // max(sizes))
    for start in range(0, windows, most):
        one, other = ((min(most, windows - start), size) for size in sizes)
        if isinstance(before, Shares) and isinstance(after, Shares):
            yield of_counts(before.counts(rng, one), after.counts(rng, other), before.values, methods)
        elif not isinstance(before, Shares) and not isinstance(after, Shares):
            yield of_values(before(rng, one), after(rng, other), methods)


def of_counts(r: Ints, c: Ints, values: Floats | None, methods: tuple[str, ...] = METHODS) -> Found:
    """From counts of categories, or (with ``values``, ascending) of numbers."""
    if values is None:
        return _by_bins(r, c, methods, False)
    found = _by_bins(*_cut(r, c), methods, True)
    found |= _by_order(r, c, np.broadcast_to(values, r.shape), methods)
    if "wasserstein" in methods:
        share = r / r.sum(axis=1, keepdims=True)
        mean = (share * values).sum(axis=1)
        spread = np.sqrt((share * (values - mean[:, None]) ** 2).sum(axis=1))
        moved = cdf_statistics.wasserstein_step(cdf_statistics.cdf_differences(r, c), values)
        p = np.array([_dealt(r[i], c[i], values) for i in range(len(r))])
        found["wasserstein"] = p, moved / spread
    return found


def of_values(r: Floats, c: Floats, methods: tuple[str, ...] = METHODS) -> Found:
    """From values, one window a row."""
    r.sort(axis=1)
    n = r.shape[1]
    at = np.ceil(CUT * n / QUANTILES).astype(np.int64) - 1
    below = np.stack([(c <= r[:, place, None]).sum(axis=1) for place in at], axis=1)
    held = np.diff(np.append(0, np.append(at + 1, n)))
    there = np.diff(np.pad(below, ((0, 0), (1, 1)), constant_values=((0, 0), (0, c.shape[1]))), axis=1)
    found = _by_bins(np.broadcast_to(held, there.shape), there, methods, True)
    points, side = _together(r, c)
    left, right = _steps(points, 1 - side), _steps(points, side)
    found |= _by_order(left, right, points, methods)
    if "wasserstein" in methods:
        gap = cdf_statistics.cdf_differences(left, right)
        moved = (np.abs(gap[:, :-1]) * np.diff(points, axis=1)).sum(axis=1)
        p = np.array([dealt_p(points[i], left[i], right[i], False) for i in range(len(r))])
        found["wasserstein"] = p, moved / r.std(axis=1)
    return found


def _cut(r: Ints, c: Ints) -> tuple[Ints, Ints]:
    """Counts by value as counts in bins at the reference's quantiles."""
    below = np.cumsum(r, axis=1)
    n = below[:, -1:]
    places = np.ceil(CUT * n / QUANTILES)
    at = (below[:, None, :] < places[:, :, None]).sum(axis=2)
    last = r.shape[1] - 1 - np.argmax(r[:, ::-1] > 0, axis=1)
    edge = np.zeros(r.shape, dtype=np.int64)
    np.put_along_axis(edge, at, 1, axis=1)
    edge[np.arange(len(r)), last] = 0
    into = np.cumsum(edge, axis=1) - edge + QUANTILES * np.arange(len(r))[:, None]
    sums = (np.bincount(into.ravel(), side.ravel(), QUANTILES * len(r)).reshape(-1, QUANTILES) for side in (r, c))
    left, right = (one.astype(np.int64) for one in sums)
    return left, right


def _together(r: Floats, c: Floats) -> tuple[Floats, Ints]:
    """Both sides' values in ascending order, and whose each is: the side rides in the last bit of the value."""
    keys = np.concatenate([r, c], axis=1).view(np.int64)
    keys ^= (keys >> 63) & np.int64(2**63 - 1)  # negative numbers ascend, too
    keys &= ~np.int64(1)
    keys[:, r.shape[1] :] |= 1
    keys.sort(axis=1)
    side = keys & 1
    keys &= ~np.int64(1)
    keys ^= (keys >> 63) & np.int64(2**63 - 1)
    return keys.view(np.float64), side


def _steps(points: Floats, held: Ints) -> Ints:
    """Counts where runs of equal values end; they are 0 within a run."""
    inner = points[:, :-1] == points[:, 1:]
    if not inner.any():
        return held
    below = np.cumsum(held, axis=1)
    ends = np.pad(~inner, ((0, 0), (0, 1)), constant_values=True)
    before = np.maximum.accumulate(np.where(ends, below, 0), axis=1)
    return np.diff(before, axis=1, prepend=0)


def _dealt(r: Ints, c: Ints, values: Floats) -> float:
    filled = r + c > 0
    return dealt_p(values[filled], r[filled], c[filled], False)


def _by_order(r: Ints, c: Ints, points: Floats, methods: tuple[str, ...]) -> Found:
    n, m = r.sum(axis=1), c.sum(axis=1)
    found: Found = {}
    if "ks" in methods:
        distance = cdf_statistics.kolmogorov_smirnov(cdf_statistics.cdf_differences(r, c))
        found["ks"] = cdf_statistics.kolmogorov_smirnov_p_value(distance, n, m), distance
    if "cramer_von_mises" in methods:
        square = cdf_statistics.cramer_von_mises(r, c)
        found["cramer_von_mises"] = (
            cdf_statistics.cramer_von_mises_p_value(square, n, m, r + c),
            square * (n + m) / (n * m),
        )
    return found


def _by_bins(r: Ints, c: Ints, methods: tuple[str, ...], cut: bool) -> Found:
    found: Found = {}
    for method, measure in BINNED_STATISTICS.items():
        if method not in methods:
            continue
        value = measure(r, c)
        p_value = binned_p_values(method, r, c, cut)
        found[method] = p_value, binned_statistics.cohens_w(r, c) if method == "chi_square" else value
    return found
