"""Drift between two columns by the functions that a rule calls: profiles, histograms, common bins, the statistic."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelwatch.evaluate.deployments import version_timeline
from modelwatch.evaluate.drift.features import ReferenceResult, compare_sides
from modelwatch.evaluate.drift.references import FeatureWindows, ReferenceLookup, bin_sides
from modelwatch.model.drift import CATEGORIES_PART, drift_spec
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import BaselineEntry, BaselineKind, BaselineSpec
from modelwatch.model.series import Histograms
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.numeric import NumericProfile
from modelwatch.stats.profile.wandb_histogram import full_histogram, to_histogram
from modelwatch.timeutil import DAY

Floats = NDArray[np.float64]
Bins = tuple[Floats, Floats]


def compare_values(
    method: str, reference: ArrayLike, current: ArrayLike, edges: Floats | None = None
) -> ReferenceResult:
    """Of numbers. By default with an edge on either side of every value, so that nothing is lost."""
    sides = [np.asarray(side, dtype=np.float64) for side in (reference, current)]
    if edges is None:
        values = np.unique(np.concatenate(sides)[np.isfinite(np.concatenate(sides))])
        with np.errstate(over="ignore"):
            edges = np.unique(np.concatenate([np.nextafter(values, -np.inf), values]) + 0.0)
        edges = edges[np.isfinite(edges)] if len(edges) else np.array([0.0])
    return compare_profiles(method, *(NumericProfile.of(side, edges) for side in sides))


def compare_profiles(method: str, reference: NumericProfile, current: NumericProfile) -> ReferenceResult:
    """Of numeric profiles over the same edges, in all of their bins."""
    return compare_histograms(method, full_histogram(reference), full_histogram(current))


def compare_categories(method: str, reference: Mapping[str, int], current: Mapping[str, int]) -> ReferenceResult:
    """Of counts by category."""
    nothing = np.array([0.0, 1.0]), np.array([0.0])
    left, right = (to_histogram(CategoricalProfile.of(side)) or nothing for side in (reference, current))
    return compare_histograms(method, left, right, categorical=True)


def compare_histograms(method: str, reference: Bins, current: Bins, categorical: bool = False) -> ReferenceResult:
    """One window of histograms against a captured one."""
    spec = drift_spec(KeyPattern(f"features/*/{method}"))
    assert spec is not None
    name = KeyPattern(f"features/*/{CATEGORIES_PART}" if categorical else "features/*").name
    entry = BaselineEntry(
        name, (), 0.0, n=float(reference[1].sum()), edges=tuple(reference[0]), counts=tuple(reference[1])
    )
    baseline = BaselineSpec(BaselineKind.FILE, path="captured.json", entries=(entry,))
    edges, counts = (array("d", np.asarray(side, dtype=np.float64).tobytes()) for side in current)
    histograms = Histograms(name, (), array("d", [DAY]), (edges,), (counts,), (), array("i", [-1]))
    window = FeatureWindows(histograms, [0], np.array([DAY]), DAY, np.array([DAY]), version_timeline([]))
    full_name = spec.full_method
    with np.errstate(all="ignore"):  # as the evaluator does
        return compare_sides(full_name, bin_sides(baseline, window, ReferenceLookup(spec), full_name), categorical)
