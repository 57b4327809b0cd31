"""Drift out of histograms: per feature and window the statistic against the reference, and whether chance did it.

A window is its histograms merged; a reference a rolling stretch before it, the same hours of the week, the service of
another version, or one captured histogram. The value that tiers are held against is the effect. It stands without an
interval where it is significant after correction for the number of features (Benjamini and Hochberg), even at the least
that the bins allow; else its interval reaches down to 0, so that a limit that is passed is not cleared.

Of several references that one counts from which the feature is furthest beyond chance: gradual creep is far from the
training set and near to last month, a jump is far from both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..model.drift import FeatureDrift, ReferenceDrift
from ..model.rule import BaselineKind, BaselineSpec, Rule
from ..model.series import Histograms, Labels, Series
from ..stats.drift.measures import BY_BINS, BY_ORDER, method_of
from ..stats.drift.result import RELIABLE
from ..stats.fdr import adjusted
from ..stats.limits import RATE
from .columns import Bools, Floats, doubles, nans
from .compare import SQUARED, by_categories, by_numbers, unseen
from .histograms import FINE, error
from .measure import Stat
from .points import clean
from .references import Known, Place, Sides, sides
from .service import Service
from .windows import spans_of

BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One feature over the evaluation times."""

    stat: Stat
    small: Bools
    """A side holds fewer than 100 values."""
    unknown: Bools
    """There is no reference."""
    real: Bools
    """Beyond chance."""
    drifted: FeatureDrift | None = None
    """Its newest window that has a value, against every reference."""


@dataclass(frozen=True, slots=True, eq=False)
class _Raw:
    """One feature against one reference."""

    effect: Floats
    p_value: Floats
    small: Bools
    unknown: Bools
    off: Floats
    """Share of values by which re-binning may be wrong."""
    unseen: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Feature:
    one: Histograms
    method: str
    n: Floats
    points: Floats
    against: tuple[_Raw, ...]


def measure(
    rule: Rule, known: Known, features: Sequence[Histograms], service: Service, times: Floats, now: float
) -> list[Measured]:
    """Every feature at every evaluation time; p-values are corrected over features and references, time by time."""
    found = [_feature(rule, known, one, service, times, now) for one in features]
    if not found:
        return []
    tests = [raw.p_value for feature in found for raw in feature.against]
    rate = RATE if rule.false_alarms is None else rule.false_alarms
    with np.errstate(invalid="ignore"):
        real = adjusted(np.array(tests), axis=0) <= rate
    references = len(found[0].against)
    return [
        _measured(rule, feature, real[place * references : (place + 1) * references])
        for place, feature in enumerate(found)
    ]


def notes_of(rule: Rule, known: Known, features: Sequence[Histograms]) -> list[str]:
    """What cannot be compared as it was asked for."""
    notes = []
    method = method_of(known.asked.method)
    categorical = [_name(one) for one in features if known.asked.is_categorical(one.name)]
    if categorical and method in BY_ORDER:
        instead = _in_place_of(method).replace("_", " ")
        notes.append(f"{_some(categorical)}: categories have no order; judged by {instead} instead of {method}")
    for spec in (rule.baseline, *rule.also):
        if spec.kind is BaselineKind.FILE:
            lacking = [one for one in features if known.captured(spec, one) is None]
            other = [_name(one) for one in lacking if known.is_of_another_kind(spec, one)]
            absent = [_name(one) for one in lacking if not known.is_of_another_kind(spec, one)]
            if other:
                notes.append(f"{spec.path} holds {_some(other)} as another type, so nothing can be compared with it")
            if absent:
                notes.append(f"{spec.path} has no histogram of {_some(absent)}: nothing to compare with")
    return notes


def name_of(labels: Labels) -> str:
    """What people call the feature; empty where the rule is about one only."""
    return ", ".join(value for _, value in labels)


def shown_number(rule: Rule, feature: str, stat: Stat) -> FeatureDrift | None:
    """The newest value of a measure that was logged."""
    rows = np.flatnonzero(~np.isnan(stat.value))
    method = rule.metric.text.rpartition("/")[2]
    return FeatureDrift(feature, method, float(stat.value[rows[-1]])) if len(rows) else None


def _name(one: Histograms) -> str:
    return name_of(one.labels) or one.name


def _some(names: Sequence[str]) -> str:
    more = len(names) - 5
    return ", ".join(names[:5]) + (f" and {more} more" if more > 0 else "")


def _measured(rule: Rule, feature: _Feature, real: Bools) -> Measured:
    """Held against the worse: of the references that decide, the one with the largest effect beyond chance."""
    against = feature.against
    best = against[0]
    effect, sure, small, decides = best.effect, real[0], best.small, _decides(best)
    for place, other in enumerate(against[1:], start=1):
        can = _decides(other)
        with np.errstate(invalid="ignore"):
            further = (real[place] & ~sure) | ((real[place] == sure) & (other.effect > effect))
        better = (can & ~decides) | ((can == decides) & (further | np.isnan(effect)))
        effect, sure = np.where(better, other.effect, effect), np.where(better, real[place], sure)
        small, decides = np.where(better, other.small, small), decides | can
    unknown = np.logical_and.reduce([raw.unknown for raw in against])
    low = np.where(sure | np.isnan(effect), np.nan, 0.0)
    high = np.where(np.isnan(low), np.nan, effect)
    # Without a reference there is a window still: its value is unknown, not missing.
    value = np.where(unknown & (feature.n > 0), 0.0, effect)
    stat = Stat(value, feature.n, feature.points.astype(np.int64), low, high)
    return Measured(stat, small, unknown, sure, _drifted(rule, feature, real, effect))


def _decides(raw: _Raw) -> Bools:
    return np.asarray(~np.isnan(raw.effect) & ~raw.small)


def _drifted(rule: Rule, feature: _Feature, real: Bools, effect: Floats) -> FeatureDrift | None:
    rows = np.flatnonzero(~np.isnan(effect))
    if not len(rows):
        return None
    row = int(rows[-1])
    specs = (rule.baseline, *rule.also)
    against = [_told(*one, row) for one in zip(specs, feature.against, real, strict=True)]
    return FeatureDrift(_name(feature.one), feature.method, float(effect[row]), tuple(against))


def _told(spec: BaselineSpec, raw: _Raw, real: Bools, row: int) -> ReferenceDrift:
    value = float(raw.effect[row])
    known = not np.isnan(value)
    return ReferenceDrift(
        spec.kind,
        {BaselineKind.FILE: spec.path, BaselineKind.VERSION: spec.version}.get(spec.kind, ""),
        spec.length if spec.kind in (BaselineKind.ROLLING, BaselineKind.SEASONAL) else 0.0,
        value if known else None,
        bool(real[row]),
        float(raw.off[row]) if known else 0.0,
        float(raw.unseen[row]) if known else 0.0,
    )


def _feature(rule: Rule, known: Known, one: Histograms, service: Service, times: Floats, now: float) -> _Feature:
    rows = _usable(one, service, now)
    at = np.asarray(one.times)[rows]
    spans = spans_of(at, times - rule.window, times, service.start_of(times))
    specs = (rule.baseline, *rule.also)
    categorical = known.asked.is_categorical(one.name)
    method = _in_place_of(method_of(known.asked.method)) if categorical else method_of(known.asked.method)
    points = spans.counts.astype(np.float64)
    if not len(rows):
        none, no = nans(len(times)), np.zeros(len(times), np.bool_)
        return _Feature(one, method, none, points, tuple(_Raw(none, none, no, no, none, none) for _ in specs))
    against, n = [], nans(len(times))
    for spec in specs:
        place = Place(one, rows.tolist(), at, rule.window, times, service)
        both = sides(spec, place, known, BINS if method in BY_BINS else FINE)
        n = np.where(both.current.n > 0, both.current.n, np.nan)
        against.append(_against(method, both, categorical))
    return _Feature(one, method, n, points, tuple(against))


def _in_place_of(method: str) -> str:
    """For categories, which have no order: ``squared_variation`` is as large as Cramer-von Mises' effect."""
    if method in BY_BINS:
        return method
    return SQUARED if method == "cramer_von_mises" else "total_variation"


def _against(method: str, both: Sides, categorical: bool) -> _Raw:
    reference, current = both.reference, both.current
    if categorical:
        effect, p_value = by_categories(method, reference, current)
        new, off = unseen(reference, current), np.zeros(len(effect))
    else:
        effect, p_value = by_numbers(method, reference, current, both.ends)
        new, off = np.zeros(len(effect)), error(reference) + error(current)
    there = (current.n > 0) & (reference.n > 0)
    small = there & ((current.n < RELIABLE) | (reference.n < RELIABLE))
    p_value = np.where(there & ~small, p_value, np.nan)
    return _Raw(np.where(there, effect, np.nan), p_value, small, (current.n > 0) & (reference.n <= 0), off, new)


def _usable(one: Histograms, service: Service, now: float) -> np.ndarray:
    """Rows of the version that served, not from the future: as for points."""
    ticket = Series(
        one.name,
        one.labels,
        one.times,
        doubles(np.arange(len(one), dtype=np.float64)),
        None,
        one.versions,
        one.version_of,
    )
    return clean(ticket, service, now).values.astype(np.int64)
