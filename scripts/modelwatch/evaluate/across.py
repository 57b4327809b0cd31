"""Drift over all features as one number: the share of them that drifted, alike or weighed by their importance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..model.drift import FeatureDrift
from ..stats.fdr import importance_weighted, share_drifted
from .columns import Bools, Floats, nans
from .measure import Stat

TOLD = 10


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One feature at the evaluation times."""

    name: str
    drifted: Floats
    """1 where its effect matters and is beyond chance, 0 where not, NaN where nothing is decided."""
    there: Bools
    """Its window holds values."""
    shown: FeatureDrift | None
    """Its newest window."""


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    stat: Stat
    undecided: Bools
    """Windows hold values, and no feature could be judged."""
    drifted: tuple[FeatureDrift, ...]
    """What drifted in the newest window, worst first."""
    notes: tuple[str, ...]


def judged(name: str, stat: Stat, least: float, real: Bools, undecided: Bools, shown: FeatureDrift | None) -> Judged:
    """Effect and significance together, as for the tier of one feature."""
    value = stat.value
    with np.errstate(invalid="ignore"):
        there = ~np.isnan(value)
        drifted = np.where(undecided | ~there, np.nan, ((value >= least) & real).astype(np.float64))
    return Judged(name, drifted, there, shown)


def share(features: Sequence[Judged], importances: Sequence[tuple[str, float]], count: int) -> Share:
    """At ``count`` evaluation times. ``Stat.n`` is the number of features that could be judged."""
    if not features:
        none = nans(count)
        return Share(Stat(none, none, np.zeros(count, np.int64), none, none), np.zeros(count, np.bool_), (), ())
    flags = np.array([one.drifted for one in features])
    weights = dict(importances)
    by_importance = np.array([weights.get(one.name, 0.0) for one in features])
    with np.errstate(invalid="ignore", divide="ignore"):
        value = importance_weighted(flags, by_importance, axis=0) if weights else share_drifted(flags, axis=0)
    there = np.logical_or.reduce([one.there for one in features])
    weighing = by_importance > 0 if weights else np.ones(len(features), np.bool_)
    known = (~np.isnan(flags) & weighing[:, None]).sum(axis=0)
    undecided = there & (known == 0)
    value = np.where(undecided, 0.0, value)
    n = np.where(there, known.astype(np.float64), np.nan)
    none = nans(count)
    points = np.where(there, len(features), 0).astype(np.int64)
    return Share(Stat(value, n, points, none, none), undecided, _worst(features), _notes(features, weights))


def _worst(features: Sequence[Judged]) -> tuple[FeatureDrift, ...]:
    moved = [one.shown for one in features if one.shown is not None and one.drifted[-1] == 1.0]
    return tuple(sorted(moved, key=lambda one: (-one.value, one.feature))[:TOLD])


def _notes(features: Sequence[Judged], weights: dict[str, float]) -> tuple[str, ...]:
    if not weights:
        return ()
    names = {one.name for one in features}
    without = sorted(names - weights.keys())
    strange = sorted(weights.keys() - names)
    notes = []
    if without:
        notes.append(f"{_some(without)}: without an importance, so counted for nothing")
    if strange:
        notes.append(f"{_some(strange)}: has an importance and is not in the history")
    return tuple(notes)


def _some(names: Sequence[str]) -> str:
    more = len(names) - 5
    return ", ".join(names[:5]) + (f" and {more} more" if more > 0 else "")
