"""Distributions of a feature in shared bins, as people look at them: the reference, the newest window, week by week."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...model.drift import DriftSpec
from ...model.rule import Rule
from ...model.series import Histograms, Labels, PulledSeries
from ...stats.profile.wandb_histogram import OTHER_CATEGORIES_START, category_positions
from ...timeutil import WEEK
from ..deployments import version_timeline
from ..segments import group_by_name, match_patterns
from .change import Distribution, merge_distribution, shares_by_place, window_distributions
from .features import feature_windows
from .rebinning import rebin
from .references import ReferenceLookup

BINS = 24
"""Of numbers, equally wide."""
OUTER_SHARE = 0.005
"""Values beyond these quantiles of both sides are counted in the outer bins, so that a few extremes do not squeeze all
others into one."""
MAX_CATEGORIES = 12
"""The most frequent ones; the others are one."""
OTHERS = "all others"
WEEKS = 6
HISTORY_WEEKS = 4
"""The reference of a feature that no rule compares with anything: so many weeks before the newest."""


@dataclass(frozen=True, slots=True)
class ShownSide:
    """One distribution in the shared bins."""

    shares: tuple[float, ...]
    n: float
    mean: float
    sd: float
    quantiles: tuple[float, ...]
    """At ``change.QUANTILES``; none of categories, which have no order."""


@dataclass(frozen=True, slots=True)
class ShownFeature:
    """One feature before and after; numbers have ``edges`` (one more than shares), others ``categories``."""

    name: str
    labels: Labels
    before: ShownSide
    after: ShownSide
    weeks: tuple[tuple[float, ShownSide], ...] = ()
    """By end (seconds, UTC), oldest first."""
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    beyond: float = 0.0
    """The share of values of the newest window that lie outside of the edges; they count in the outer bins."""


def compared_features(
    pull: PulledSeries, rule: Rule, spec: DriftSpec, places: dict[Labels, tuple[float, int]], now: float
) -> dict[Labels, ShownFeature]:
    """The features of a drift rule that have histograms, by labels. ``places``: when its window ends (seconds, UTC),
    and which of the rule's references it is compared with; the first one and the newest window by default."""
    service = version_timeline(pull.deployments)
    known = ReferenceLookup(spec, pull.references)
    references = (rule.baseline, *rule.also)
    found: dict[Labels, ShownFeature] = {}
    for histograms in match_patterns(spec.patterns, group_by_name(one for one in pull.histograms if len(one))):
        end, number = places.get(histograms.labels, (float(histograms.times[-1]), 0))
        windows = feature_windows(rule, histograms, service, np.array([end]), now)
        before, after = window_distributions(references[number], windows, known)
        if before is None or after is None:
            continue
        categorical = spec.is_categorical(histograms.name)
        names = known.category_names(histograms)
        found[histograms.labels] = _shown(histograms, before, after, end, names, categorical=categorical)
    return found


def unwatched_feature(histograms: Histograms, *, categorical: bool) -> ShownFeature | None:
    """The newest week of a feature against the weeks before it; ``None`` where either holds nothing."""
    end = float(histograms.times[-1])
    times = np.asarray(histograms.times)
    newest = np.flatnonzero(times > end - WEEK)
    earlier = np.flatnonzero((times <= end - WEEK) & (times > end - (1 + HISTORY_WEEKS) * WEEK))
    before, after = (merge_distribution(histograms, rows, categorical) for rows in (earlier, newest))
    if before is None or after is None:
        return None
    return _shown(histograms, before, after, end, histograms.categories, categorical=categorical)


def paired_distributions(
    before: Histograms, after: Histograms, length: float, *, categorical: bool
) -> ShownFeature | None:
    """Two columns over the same ``length`` (seconds) that ends with the newest histogram of ``after``, such as
    predictions and labels; ``None`` where either holds nothing."""
    end = float(after.times[-1])
    sides = []
    for histograms in (before, after):
        times = np.asarray(histograms.times)
        rows = np.flatnonzero((times > end - length) & (times <= end))
        sides.append(merge_distribution(histograms, rows, categorical))
    if sides[0] is None or sides[1] is None:
        return None
    names = tuple(dict.fromkeys((*before.categories, *after.categories)))
    return _shown(after, sides[0], sides[1], None, names, categorical=categorical)


def _shown(
    histograms: Histograms,
    before: Distribution,
    after: Distribution,
    end: float | None,
    names: Sequence[str],
    *,
    categorical: bool,
) -> ShownFeature:
    """``end``: of the newest week; ``None``: without weeks."""
    weeks = _weeks(histograms, end, categorical=categorical) if end is not None else []
    sides = [before, after, *(week for _, week in weeks)]
    edges, categories, beyond = tuple[float, ...](), tuple[str, ...](), 0.0
    if categorical:
        categories, shares = _category_shares(sides, names)
    else:
        edges, shares, beyond = _number_shares(sides)
    shown = [
        ShownSide(
            tuple(row),
            float(side.counts.sum()),
            side.mean,
            side.sd,
            () if categorical else tuple(side.quantiles()),
        )
        for side, row in zip(sides, shares, strict=True)
    ]
    dated = tuple((at, side) for (at, _), side in zip(weeks, shown[2:], strict=True))
    return ShownFeature(histograms.name, histograms.labels, shown[0], shown[1], dated, edges, categories, beyond)


def _weeks(histograms: Histograms, end: float, *, categorical: bool) -> list[tuple[float, Distribution]]:
    times = np.asarray(histograms.times)
    found = []
    for back in range(WEEKS - 1, -1, -1):
        last = end - back * WEEK
        rows = np.flatnonzero((times > last - WEEK) & (times <= last))
        week = merge_distribution(histograms, rows, categorical)
        if week is not None:
            found.append((last, week))
    return found


def _number_shares(sides: Sequence[Distribution]) -> tuple[tuple[float, ...], list[list[float]], float]:
    """Edges, the shares of each side, and how much of the second lies beyond the edges."""
    low, high = _visible_range(sides[:2])
    edges = np.linspace(low, high, BINS + 1)
    columns = Histograms(
        "",
        (),
        array("d", range(len(sides))),
        tuple(array("d", side.edges.tolist()) for side in sides),
        tuple(array("d", side.counts.tolist()) for side in sides),
    )
    below = rebin(columns, range(len(sides)), edges).estimate
    totals = np.array([side.counts.sum() for side in sides])[:, None]
    beyond = float(1.0 - (below[1, -1] - below[1, 0]) / totals[1, 0])
    below[:, 0], below[:, -1] = 0.0, totals[:, 0]
    shares = np.diff(below, axis=1) / totals
    return tuple(edges.tolist()), shares.tolist(), max(beyond, 0.0)


def _visible_range(sides: Sequence[Distribution]) -> tuple[float, float]:
    lows, highs = zip(*(_inner_range(side) for side in sides), strict=True)
    low, high = min(lows), max(highs)
    if not high > low:
        pad = abs(low) * 0.05 or 0.5
        low, high = low - pad, high + pad
    return low, high


def _inner_range(side: Distribution) -> tuple[float, float]:
    below = np.cumsum(side.counts) / side.counts.sum()
    first = int(np.searchsorted(below, OUTER_SHARE, side="right"))
    last = int(np.searchsorted(below, 1 - OUTER_SHARE, side="left"))
    limit = 1e300  # so that no difference of edges overflows
    edges = np.clip(side.edges, -limit, limit)
    return float(edges[min(first, len(edges) - 2)]), float(edges[min(last, len(edges) - 2) + 1])


def _category_shares(sides: Sequence[Distribution], names: Sequence[str]) -> tuple[tuple[str, ...], list[list[float]]]:
    """The most frequent categories of the first two sides, by their share there, and the shares of each side."""
    name_of = {place: name for name, place in category_positions(names).items()}
    columns = [shares_by_place(side) for side in sides]
    weight = {place: max(column.get(place, 0.0) for column in columns[:2]) for column in columns for place in column}
    weight.pop(OTHER_CATEGORIES_START, None)
    ranked = sorted(weight, key=lambda place: (-weight[place], name_of.get(place, ""), place))
    shown = ranked[:MAX_CATEGORIES]
    labels = [name_of.get(place, f"unnamed {int(place):08x}") for place in shown]
    rows = [[column.get(place, 0.0) for place in shown] for column in columns]
    rest = [max(1.0 - sum(row), 0.0) for row in rows]
    if max(rest) > 1e-9:
        labels.append(OTHERS)
        rows = [[*row, more] for row, more in zip(rows, rest, strict=True)]
    return tuple(labels), rows
