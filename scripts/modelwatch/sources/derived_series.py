"""Derived metrics: series that are computed from those that were read, so that they are judged like logged ones.

The values of one time belong together: those logged at the same time, or within half the usual distance of points (at
most ten minutes), as with counts that are logged in another call. A time at which a value is missing, something is
divided by zero, or two known versions differ gives no point.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..model.business import BusinessSpec, DerivedMetric
from ..model.expression import KeyReference, Operation, keys_of, required_keys
from ..model.expression_values import evaluate_columns
from ..model.keys import KeyPattern
from ..model.rule import Rule
from ..model.series import Labels, Series, format_labels
from ..stats.time_join import nearest_rows

UNMATCHED_SHARE = 0.1
"""From this share on, points of a key that no other key goes with are reported."""
UNKNOWN_VERSION = -1

_SeriesByName = dict[tuple[str, Labels], Series]


def derive_series(
    business: BusinessSpec, rules: Sequence[Rule], series: Sequence[Series]
) -> tuple[tuple[Series, ...], tuple[str, ...]]:
    """``series`` with every derived metric, for the whole and for each segment whose keys are all there; and notes
    about points that are left out."""
    known: _SeriesByName = {(each.name, each.labels): each for each in series}
    notes: list[str] = []
    derived: list[Series] = []
    for metric in business.derived:
        for labels in _label_sets(metric, known):
            made = _Join(business, metric, labels, known)
            notes += made.notes()
            result = made.series(_weight_key(business, metric, rules))
            if len(result):
                known[metric.name, labels] = result
                derived.append(result)
    return (*(each for each in series if business.derived_metric(each.name) is None), *derived), tuple(notes)


def _weight_key(business: BusinessSpec, metric: DerivedMetric, rules: Iterable[Rule]) -> str:
    """The count that weighs a derived metric: the one that its rule names, else what it is divided by, if that is a
    count."""
    stated = next((rule.weight for rule in rules if rule.weight and rule.metric.name == metric.name), None)
    if stated:
        return stated
    match metric.expression:
        case Operation("/", _, KeyReference(key)):
            unit = business.unit_of(key)
            return key if unit is not None and unit.counted else ""
    return ""


def _label_sets(metric: DerivedMetric, known: _SeriesByName) -> list[Labels]:
    """The whole and the segments of which every key that cannot be missing is known, the whole first."""
    free = [key for key in required_keys(metric.expression) or keys_of(metric.expression) if "=" not in key]
    if not free:
        return [()]
    found = [{labels for name, labels in known if name == key} for key in free]
    return sorted(set.intersection(*found))


def _find(key: str, labels: Labels, known: _SeriesByName) -> Series | None:
    """The series of a key for a segment; a key that names a segment itself is read as it stands."""
    if "=" not in key:
        return known.get((key, labels))
    pattern = KeyPattern(key)
    return known.get((pattern.name, pattern.match(key) or ()))


@dataclass(frozen=True, slots=True)
class _Rows:
    """The points that belong together, and how many do not."""

    times: Any
    rows: dict[str, Any]
    """Of each key the row of its series for each time; -1 where there is none."""


class _Join:
    """One derived metric for one set of labels."""

    def __init__(self, business: BusinessSpec, metric: DerivedMetric, labels: Labels, known: _SeriesByName) -> None:
        self._business, self._metric, self._labels = business, metric, labels
        self._known = known
        found = {key: _find(key, labels, known) for key in keys_of(metric.expression)}
        self._inputs = {key: each for key, each in found.items() if each is not None}
        self._joined = _join_rows(self._inputs, required_keys(metric.expression))
        self._versions = self._join_versions()
        columns = {key: self._column(key) for key in self._inputs}
        computed = evaluate_columns(metric.expression, columns, business.unit_of, len(self._joined.times))
        self._values = [value / metric.unit.scale for value in computed.values]
        self._by_zero = computed.divided_by_zero
        is_known = [all(map(math.isfinite, row)) for row in zip(*columns.values(), strict=True)]
        undefined = sum(known and not math.isfinite(value) for known, value in zip(is_known, self._values))
        self._undefined = max(0, undefined - self._by_zero)
        """Times at which the keys have values and the expression has none, besides division by zero."""

    def series(self, weight_key: str) -> Series:
        """The points that have a value."""
        versions, version_of = self._versions
        rows = [row for row, value in enumerate(self._values) if math.isfinite(value) and version_of[row] != _DIFFERENT]
        weights = self._weights(weight_key)
        return Series(
            name=self._metric.name,
            labels=self._labels,
            times=array("d", (float(self._joined.times[row]) for row in rows)),
            values=array("d", (self._values[row] for row in rows)),
            weights=None if weights is None else array("d", (weights[row] for row in rows)),
            versions=versions,
            version_of=array("i", (version_of[row] for row in rows)),
        )

    def notes(self) -> tuple[str, ...]:
        """What is left out, and why."""
        segment = f" ({format_labels(self._labels)})" if self._labels else ""
        what, total, notes = f"{self._metric.name}{segment}", len(self._values), []
        if self._by_zero:
            notes.append(f"{what}: {self._by_zero:,} of {total:,} times left out: division by zero")
        if self._undefined:
            notes.append(
                f"{what}: {self._undefined:,} of {total:,} times left out: no number (the root or logarithm of a "
                "negative number, or too large a one)"
            )
        differing = sum(version == _DIFFERENT for version in self._versions[1])
        if differing:
            notes.append(f"{what}: {differing:,} of {total:,} times left out: its keys are of different versions")
        for key, series in self._inputs.items():
            alone = len(series) - int((self._joined.rows[key] >= 0).sum())
            if alone > UNMATCHED_SHARE * len(series):
                notes.append(
                    f"{what}: {alone:,} of {len(series):,} points of {key} left out: the other keys are not logged at "
                    "the same time"
                )
        return tuple(notes)

    def _column(self, key: str) -> list[float]:
        return _values_at(self._inputs[key], self._joined.rows[key])

    def _weights(self, key: str) -> list[float] | None:
        import numpy as np

        if not key:
            return None
        if key in self._inputs:
            return self._column(key)
        series = _find(key, self._labels, self._known)
        if series is None:
            return None
        return _values_at(series, nearest_rows(self._joined.times, np.asarray(series.times)))

    def _join_versions(self) -> tuple[tuple[str, ...], list[int]]:
        """The versions, and per time which it is: that of the keys that know it."""
        names: dict[str, int] = {}
        version_of = [UNKNOWN_VERSION] * len(self._joined.times)
        for key, series in self._inputs.items():
            if not series.versions:
                continue
            for place, row in enumerate(self._joined.rows[key].tolist()):
                own = series.version_of[row] if row >= 0 else UNKNOWN_VERSION
                if own < 0:
                    continue
                version = names.setdefault(series.versions[own], len(names))
                before = version_of[place]
                version_of[place] = version if before in (UNKNOWN_VERSION, version) else _DIFFERENT
        return tuple(names), version_of


_DIFFERENT = -2


def _values_at(series: Series, rows: Any) -> list[float]:
    import numpy as np

    values = np.append(np.asarray(series.values), np.nan)
    taken: list[float] = values[rows].tolist()
    return taken


def _join_rows(inputs: Mapping[str, Series], required: Sequence[str]) -> _Rows:
    """The times of the key with the fewest points among those that cannot be missing, with the rows of the others."""
    import numpy as np

    candidates = [key for key in required if key in inputs] or list(inputs)
    if not candidates:
        return _Rows(np.empty(0), {})
    anchor = min(candidates, key=lambda key: len(inputs[key]))
    times = np.asarray(inputs[anchor].times)
    return _Rows(times, {key: nearest_rows(times, np.asarray(series.times)) for key, series in inputs.items()})
