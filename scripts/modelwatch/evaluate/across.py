"""Drift over all features as one number: the share of them that drifted, alike or weighed by their importance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..model.drift import FeatureDrift
from ..stats.fdr import drifted_share, importance_weighted_mean
from .columns import Bools, Floats, nans
from .measure import WindowStats

MAX_LISTED = 10


@dataclass(frozen=True, slots=True, eq=False)
class FeatureFlags:
    """One feature at the evaluation times."""

    name: str
    flags: Floats
    """1 where its effect matters and is beyond chance, 0 where not, NaN where nothing is decided."""
    has_values: Bools
    """Its window holds values."""
    drift: FeatureDrift | None
    """Its newest window."""


@dataclass(frozen=True, slots=True, eq=False)
class DriftShare:
    stat: WindowStats
    undecided: Bools
    """Windows hold values, and no feature could be judged."""
    drifted: tuple[FeatureDrift, ...]
    """What drifted in the newest window, worst first."""
    notes: tuple[str, ...]


def flag_feature(
    name: str, stat: WindowStats, least: float, real: Bools, undecided: Bools, shown: FeatureDrift | None
) -> FeatureFlags:
    """Effect and significance together, as for the tier of one feature."""
    value = stat.value
    with np.errstate(invalid="ignore"):
        there = ~np.isnan(value)
        drifted = np.where(undecided | ~there, np.nan, ((value >= least) & real).astype(np.float64))
    return FeatureFlags(name, drifted, there, shown)


def share_of_features(
    features: Sequence[FeatureFlags], importances: Sequence[tuple[str, float]], count: int
) -> DriftShare:
    """At ``count`` evaluation times. ``Stat.n`` is the number of features that could be judged."""
    if not features:
        none = nans(count)
        return DriftShare(
            WindowStats(none, none, np.zeros(count, np.int64), none, none), np.zeros(count, np.bool_), (), ()
        )
    flags = np.array([one.flags for one in features])
    weights = dict(importances)
    by_importance = np.array([weights.get(one.name, 0.0) for one in features])
    with np.errstate(invalid="ignore", divide="ignore"):
        value = importance_weighted_mean(flags, by_importance, axis=0) if weights else drifted_share(flags, axis=0)
    there = np.logical_or.reduce([one.has_values for one in features])
    weighing = by_importance > 0 if weights else np.ones(len(features), np.bool_)
    known = (~np.isnan(flags) & weighing[:, None]).sum(axis=0)
    undecided = there & (known == 0)
    value = np.where(undecided, 0.0, value)
    n = np.where(there, known.astype(np.float64), np.nan)
    none = nans(count)
    points = np.where(there, len(features), 0).astype(np.int64)
    return DriftShare(
        WindowStats(value, n, points, none, none),
        undecided,
        _worst_features(features),
        _importance_notes(features, weights),
    )


def _worst_features(features: Sequence[FeatureFlags]) -> tuple[FeatureDrift, ...]:
    moved = [one.drift for one in features if one.drift is not None and one.flags[-1] == 1.0]
    return tuple(sorted(moved, key=lambda one: (-one.value, one.feature))[:MAX_LISTED])


def _importance_notes(features: Sequence[FeatureFlags], weights: dict[str, float]) -> tuple[str, ...]:
    if not weights:
        return ()
    names = {one.name for one in features}
    without = sorted(names - weights.keys())
    strange = sorted(weights.keys() - names)
    notes = []
    if without:
        notes.append(f"{_list_names(without)}: without an importance, so counted for nothing")
    if strange:
        notes.append(f"{_list_names(strange)}: has an importance and is not in the history")
    return tuple(notes)


def _list_names(names: Sequence[str]) -> str:
    more = len(names) - 5
    return ", ".join(names[:5]) + (f" and {more} more" if more > 0 else "")
