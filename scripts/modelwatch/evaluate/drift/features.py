"""Drift from histograms: per feature and window the statistic against the reference, and whether chance did it.

Tiers are compared with the effect. It stands without an interval where it is significant after correction for the
number of features (Benjamini and Hochberg), even at the least that the bins allow; else its interval reaches down to 0,
so that a limit that is passed is not cleared.

Of several references that one counts from which the feature is furthest beyond chance: gradual creep is far from the
training set and near to last month, a jump is far from both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...model.drift import DriftSpec, FeatureDrift, ReferenceDrift
from ...model.rule import BaselineKind, BaselineSpec, Rule
from ...model.series import Histograms, Labels, Series
from ...stats.arrays import Bools, Floats
from ...stats.drift.methods import BINNED_STATISTICS, CDF_METHODS, MIN_RELIABLE_COUNT
from ...stats.drift.null_distribution import FALSE_ALARM_RATE
from ...stats.drift.p_values import adjust_p_values
from ..aggregation import WindowStats
from ..arrays import nans, to_array
from ..deployments import VersionTimeline
from ..detection import Detection
from ..points import clean_points
from ..windows import row_ranges
from .change import describe_change
from .detection import ComparedFeature, detect_drift, is_budgeted
from .logged_scores import has_too_few_rows
from .rebinning import rebinning_error
from .references import BinnedSides, FeatureWindows, ReferenceLookup, bin_sides
from .statistics import SQUARED_VARIATION, compare_categories, compare_numbers, unseen_share


@dataclass(frozen=True, slots=True, eq=False)
class FeatureResult:
    """One feature over the evaluation times."""

    stat: WindowStats
    small: Bools
    """A side holds fewer than 100 values."""
    unknown: Bools
    """There is no reference."""
    significant: Bools
    """Beyond chance."""
    times: Floats
    """When its histograms, or its logged numbers, are from."""
    summary: FeatureDrift | None = None
    """Its newest window that has a value, against every reference."""
    detection: Detection | None = None
    """The tiers that hold; ``None``: each window is decided alone."""


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceResult:
    """One feature against one reference."""

    effect: Floats
    p_value: Floats
    small: Bools
    unknown: Bools
    rebinning_error: Floats
    """Share of values by which re-binning may be wrong."""
    unseen: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Feature:
    windows: FeatureWindows
    method: str
    n: Floats
    points: Floats
    against: tuple[ReferenceResult, ...]


def measure_features(
    rule: Rule,
    known: ReferenceLookup,
    features: Sequence[Histograms],
    service: VersionTimeline,
    times: Floats,
    now: float,
) -> list[FeatureResult]:
    """Every feature at every evaluation time.

    Where the rule has a budget of false alarms, drift is proven by all history; else p-values are corrected over
    features and references, time by time.
    """
    compared = [_compare_feature(rule, known, histograms, service, times, now) for histograms in features]
    if not compared:
        return []
    if is_budgeted(rule):
        some = [
            ComparedFeature(feature.windows, feature.method, np.array([raw.effect for raw in feature.against]))
            for feature in compared
        ]
        proofs = detect_drift(rule, known, some, service)
        return [
            _worst_reference(rule, known, feature, proof.proven, proof.detection)
            for feature, proof in zip(compared, proofs, strict=True)
        ]
    tests = [raw.p_value for feature in compared for raw in feature.against]
    rate = FALSE_ALARM_RATE if rule.false_alarms is None else rule.false_alarms
    with np.errstate(invalid="ignore"):
        real = adjust_p_values(np.array(tests), axis=0) <= rate
    references = len(compared[0].against)
    return [
        _worst_reference(rule, known, feature, real[place * references : (place + 1) * references])
        for place, feature in enumerate(compared)
    ]


def comparison_notes(rule: Rule, known: ReferenceLookup, features: Sequence[Histograms]) -> list[str]:
    """What cannot be compared as configured."""
    notes = []
    method = known.spec.full_method
    categorical = [_display_name(feature) for feature in features if known.spec.is_categorical(feature.name)]
    if categorical and method in CDF_METHODS:
        instead = _method_for_categories(method).replace("_", " ")
        notes.append(f"{_list_names(categorical)}: categories have no order; judged by {instead} instead of {method}")
    for spec in (rule.baseline, *rule.also):
        if spec.kind is BaselineKind.FILE:
            lacking = [feature for feature in features if known.find_histogram(spec, feature) is None]
            other = [_display_name(feature) for feature in lacking if known.is_of_another_kind(spec, feature)]
            absent = [_display_name(feature) for feature in lacking if not known.is_of_another_kind(spec, feature)]
            if other:
                notes.append(
                    f"{spec.path} holds {_list_names(other)} as another type, so nothing can be compared with it"
                )
            if absent:
                notes.append(f"{spec.path} has no histogram of {_list_names(absent)}: nothing to compare with")
    return notes


def feature_name(labels: Labels) -> str:
    """The feature as shown to users; empty where the rule is about one only."""
    return ", ".join(value for _, value in labels)


def logged_result(spec: DriftSpec, labels: Labels, stat: WindowStats, times: Floats, least: float) -> FeatureResult:
    """A feature whose measure of drift was logged at ``times``; its effect is real where its interval reaches no
    further down than ``least``."""
    rows = np.flatnonzero(~np.isnan(stat.value))
    summary = FeatureDrift(feature_name(labels), spec.method, float(stat.value[rows[-1]])) if len(rows) else None
    significant = np.isnan(stat.low) | (stat.low >= least)
    unknown = np.zeros(len(stat.n), np.bool_)
    return FeatureResult(stat, has_too_few_rows(spec, stat), unknown, significant, times, summary)


def _display_name(histograms: Histograms) -> str:
    return feature_name(histograms.labels) or histograms.name


def _list_names(names: Sequence[str]) -> str:
    more = len(names) - 5
    return ", ".join(names[:5]) + (f" and {more} more" if more > 0 else "")


def _worst_reference(
    rule: Rule, known: ReferenceLookup, feature: _Feature, real: Bools, detection: Detection | None = None
) -> FeatureResult:
    """Of the references that decide, the one with the largest effect beyond chance."""
    against = feature.against
    best = against[0]
    effect, sure, small, decides = best.effect, real[0], best.small, _is_decisive(best)
    for place, other in enumerate(against[1:], start=1):
        can = _is_decisive(other)
        with np.errstate(invalid="ignore"):
            further = (real[place] & ~sure) | ((real[place] == sure) & (other.effect > effect))
        better = (can & ~decides) | ((can == decides) & (further | np.isnan(effect)))
        effect, sure = np.where(better, other.effect, effect), np.where(better, real[place], sure)
        small, decides = np.where(better, other.small, small), decides | can
    unknown = np.logical_and.reduce([raw.unknown for raw in against])
    low = np.where(sure | np.isnan(effect) | (detection is not None), np.nan, 0.0)
    high = np.where(np.isnan(low), np.nan, effect)
    # Without a reference there is a window still: its value is unknown, not missing.
    value = np.where(unknown & (feature.n > 0), 0.0, effect)
    stat = WindowStats(value, feature.n, feature.points.astype(np.int64), low, high)
    return FeatureResult(
        stat, small, unknown, sure, feature.windows.at, _newest_drift(rule, known, feature, real, effect), detection
    )


def _is_decisive(raw: ReferenceResult) -> Bools:
    return np.asarray(~np.isnan(raw.effect) & ~raw.small)


def _newest_drift(
    rule: Rule, known: ReferenceLookup, feature: _Feature, real: Bools, effect: Floats
) -> FeatureDrift | None:
    rows = np.flatnonzero(~np.isnan(effect))
    if not len(rows):
        return None
    row = int(rows[-1])
    specs = (rule.baseline, *rule.also)
    compared = zip(specs, feature.against, real, strict=True)
    against = [_reference_drift(spec, raw, significant, row) for spec, raw, significant in compared]
    histograms = feature.windows.histograms
    worst = next((spec for spec, raw in zip(specs, feature.against, strict=True) if raw.effect[row] == effect[row]))
    return FeatureDrift(
        _display_name(histograms),
        feature.method,
        float(effect[row]),
        tuple(against),
        histograms.exact,
        describe_change(worst, feature.windows, known, row),
    )


def _reference_drift(spec: BaselineSpec, raw: ReferenceResult, real: Bools, row: int) -> ReferenceDrift:
    value = float(raw.effect[row])
    known = not np.isnan(value)
    return ReferenceDrift(
        spec.kind,
        {BaselineKind.FILE: spec.path, BaselineKind.VERSION: spec.version}.get(spec.kind, ""),
        spec.length if spec.kind in (BaselineKind.ROLLING, BaselineKind.SEASONAL) else 0.0,
        value if known else None,
        bool(real[row]),
        float(raw.rebinning_error[row]) if known else 0.0,
        float(raw.unseen[row]) if known else 0.0,
    )


def _compare_feature(
    rule: Rule, known: ReferenceLookup, histograms: Histograms, service: VersionTimeline, times: Floats, now: float
) -> _Feature:
    place = feature_windows(rule, histograms, service, times, now)
    rows, at = place.rows, place.at
    spans = row_ranges(at, times - rule.window, times, service.start_of(times))
    specs = (rule.baseline, *rule.also)
    categorical = known.spec.is_categorical(histograms.name)
    method = _method_for_categories(known.spec.full_method) if categorical else known.spec.full_method
    points = spans.counts.astype(np.float64)
    if not len(rows):
        empty, false = nans(len(times)), np.zeros(len(times), np.bool_)
        nothing = ReferenceResult(empty, empty, false, false, empty, empty)
        return _Feature(place, method, empty, points, (nothing,) * len(specs))
    against, n = [], nans(len(times))
    for spec in specs:
        both = bin_sides(spec, place, known, method)
        n = np.where(both.current.n > 0, both.current.n, np.nan)
        against.append(compare_sides(method, both, categorical))
    return _Feature(place, method, n, points, tuple(against))


def feature_windows(
    rule: Rule, histograms: Histograms, service: VersionTimeline, times: Floats, now: float
) -> FeatureWindows:
    """The windows of a feature that end at ``times``, of the rows that count."""
    rows = _usable_rows(histograms, service, now)
    at = np.asarray(histograms.times)[rows]
    return FeatureWindows(histograms, rows.tolist(), at, rule.window, times, service)


def _method_for_categories(method: str) -> str:
    """For categories, which have no order: ``squared_variation`` is as large as Cramer-von Mises' effect."""
    if method in BINNED_STATISTICS:
        return method
    return SQUARED_VARIATION if method == "cramer_von_mises" else "total_variation"


def compare_sides(method: str, both: BinnedSides, categorical: bool) -> ReferenceResult:
    """One feature against one reference, at every evaluation time."""
    reference, current = both.reference, both.current
    if categorical:
        effect, p_value = compare_categories(method, reference, current)
        new, off = unseen_share(reference, current), np.zeros(len(effect))
    else:
        effect, p_value = compare_numbers(method, reference, current, both.bin_ends)
        new, off = np.zeros(len(effect)), rebinning_error(reference) + rebinning_error(current)
    has_both = (current.n > 0) & (reference.n > 0)
    small = has_both & ((current.n < MIN_RELIABLE_COUNT) | (reference.n < MIN_RELIABLE_COUNT))
    p_value = np.where(has_both & ~small, p_value, np.nan)
    return ReferenceResult(
        np.where(has_both, effect, np.nan), p_value, small, (current.n > 0) & (reference.n <= 0), off, new
    )


def _usable_rows(histograms: Histograms, service: VersionTimeline, now: float) -> np.ndarray:
    """Rows of the version that served, not from the future: as for points."""
    row_numbers = Series(
        histograms.name,
        histograms.labels,
        histograms.times,
        to_array("d", np.arange(len(histograms))),
        None,
        histograms.versions,
        histograms.version_of,
    )
    return clean_points(row_numbers, service, now).values.astype(np.int64)


MAX_LISTED = 10


@dataclass(frozen=True, slots=True, eq=False)
class DriftShare:
    stat: WindowStats
    undecided: Bools
    """Windows hold values, and no feature could be judged."""
    drifted: tuple[FeatureDrift, ...]
    """What drifted in the newest window, worst first."""
    notes: tuple[str, ...]


def share_of_features(
    features: Sequence[tuple[str, FeatureResult]],
    least: float,
    importances: Sequence[tuple[str, float]],
    count: int,
) -> DriftShare:
    """Of named features those whose effect is at least ``least`` and beyond chance, at ``count`` evaluation times.
    ``WindowStats.n`` is the number of features that could be judged."""
    flags = np.array([_drift_flags(result, least) for _, result in features]).reshape(len(features), count)
    weights = dict(importances)
    by_importance = np.array([weights.get(name, 0.0) if weights else 1.0 for name, _ in features])
    importance = np.where(np.isnan(flags), 0.0, by_importance[:, None])
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (np.nan_to_num(flags) * importance).sum(axis=0) / importance.sum(axis=0)
    windows = np.array([~np.isnan(result.stat.value) for _, result in features], dtype=np.bool_)
    has_values = windows.reshape(len(features), count).any(axis=0)
    known = (importance > 0).sum(axis=0)
    undecided = has_values & (known == 0)
    value = np.where(undecided, 0.0, value)
    n = np.where(has_values, known.astype(np.float64), np.nan)
    none = nans(count)
    points = np.where(has_values, len(features), 0).astype(np.int64)
    drifted = [
        result.summary
        for (_, result), flag in zip(features, flags[:, -1], strict=True)
        if result.summary is not None and flag == 1.0
    ]
    return DriftShare(
        WindowStats(value, n, points, none, none),
        undecided,
        tuple(sorted(drifted, key=lambda drift: (-drift.value, drift.feature))[:MAX_LISTED]),
        _importance_notes({name for name, _ in features}, weights),
    )


def _drift_flags(result: FeatureResult, least: float) -> Floats:
    """1 where the effect matters and is beyond chance, 0 where not, NaN where nothing is decided."""
    value, undecided = result.stat.value, result.small | result.unknown
    with np.errstate(invalid="ignore"):
        drifted = (value >= least) & result.significant
    return np.where(undecided | np.isnan(value), np.nan, drifted.astype(np.float64))


def _importance_notes(names: set[str], weights: dict[str, float]) -> tuple[str, ...]:
    if not weights or not names:
        return ()
    without = sorted(names - weights.keys())
    strange = sorted(weights.keys() - names)
    notes = []
    if without:
        notes.append(f"{_list_names(without)}: without an importance, so counted for nothing")
    if strange:
        notes.append(f"{_list_names(strange)}: has an importance and is not in the history")
    return tuple(notes)
