"""Which predictions came true: the columns of a batch that tell it, read once, and counted for any of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..stats.performance.estimate import value_sums
from ..stats.performance.probabilistic import row_losses
from ..stats.performance.regression import error_sums
from ..stats.profile.categorical import CategoricalProfile, shorten_category
from ..stats.profile.exact_sum import ExactSums
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import PAIR_SEPARATOR
from .arrow_columns import factorize, floats_by_row
from .profile_plan import ColumnPlan, ProfilePlan

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Rows = Any
"""Row numbers, or a slice."""


@dataclass(frozen=True, slots=True)
class PerformanceCounts:
    """The parts of a table profile that are about labels."""

    pairs: CategoricalProfile | None = None
    scores: Mapping[str, NumericProfile] = field(default_factory=dict)
    sums: Mapping[str, ExactSums] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _ScoreColumn:
    """A column of scores in the bins of its plan."""

    plan: ColumnPlan
    values: Floats
    bins: Ints
    """The place of each value among the edges."""
    coarse_bins: Ints
    """Per bin the bin among the coarse edges that it lies in."""

    def profile(self, rows: Ints, coarse: bool) -> NumericProfile:
        edges = self.plan.coarse if coarse else self.plan.edges
        assert edges is not None  # noqa: S101
        values, bins = self.values[rows], self.bins[rows]
        finite = np.isfinite(values)
        if not finite.all():
            bins = bins[finite]
        counts = np.bincount(self.coarse_bins[bins] if coarse else bins, minlength=len(edges) + 1)
        known = values[finite]
        return NumericProfile(
            edges,
            counts,
            n=len(known),
            missing=int(np.isnan(values).sum()),
            infinite_low=int((values == -np.inf).sum()),
            infinite_high=int((values == np.inf).sum()),
            low=float(known.min()) + 0.0 if len(known) else np.nan,
            high=float(known.max()) + 0.0 if len(known) else np.nan,
        )


@dataclass(frozen=True, slots=True, eq=False)
class LabelComparison:
    """One batch. Class numbers are places in ``Plan.classes``; -1 where there is no label, or another one."""

    plan: ProfilePlan
    pairs: Ints | None = None
    """Per row a place in ``names``; -1 where prediction or label is missing."""
    pair_names: tuple[str, ...] = ()
    classes: Ints | None = None
    scores: Mapping[str, _ScoreColumn] = field(default_factory=dict)
    """By class; of two classes that share one column, by the positive one."""
    losses: Mapping[str, Floats] = field(default_factory=dict)
    numbers: tuple[Floats, Floats] | None = None
    """Labels and predictions of a regression."""
    worth: Floats | None = None
    """What each row is worth."""

    def count(self, rows: Rows, coarse: bool = False) -> PerformanceCounts:
        """What is known of some rows; ``coarse`` as segments are counted."""
        spec = self.plan.spec
        if self.numbers is not None:
            label, prediction = (column[rows] for column in self.numbers)
            sums = error_sums(label, prediction, self.plan.typical_label or 0.0, squares=spec.intervals)
            by_value = (
                {} if self.worth is None else {"valued": value_sums(np.abs(prediction - label), self.worth[rows])}
            )
            return PerformanceCounts(sums={"errors": sums, **by_value})
        pairs, sums_by_name = None, {}
        if self.pairs is not None:
            pairs, sums_by_name["hits"] = self._count_pairs(self.pairs[rows])
            if self.worth is not None:
                sums_by_name["valued"] = value_sums(self.row_results()[rows], self.worth[rows])
        if self.losses:
            sums_by_name["losses"] = self._sum_losses(rows)
        return PerformanceCounts(pairs, dict(self._profile_scores(rows, coarse)), sums_by_name)

    def row_results(self) -> Floats:
        """Per row how well it went: 1 or 0 for a class, the squared error of a number, NaN where that is unknown."""
        if self.numbers is not None:
            return np.asarray((self.numbers[1] - self.numbers[0]) ** 2)
        if self.pairs is None:
            return np.zeros(0)
        return np.array([*(float(_is_right(name)) for name in self.pair_names), np.nan])[self.pairs]

    def _count_pairs(self, codes: Ints) -> tuple[CategoricalProfile, ExactSums]:
        counts = np.bincount(codes[codes >= 0], minlength=len(self.pair_names))
        found = {name: count for name, count in zip(self.pair_names, counts.tolist(), strict=True) if count}
        right = sum(count for name, count in found.items() if _is_right(name))
        return CategoricalProfile.of(found, self.plan.pairs), ExactSums.from_hits("right", right, sum(found.values()))

    def _sum_losses(self, rows: Rows) -> ExactSums:
        assert self.classes is not None  # noqa: S101
        there = self.classes[rows] >= 0
        for one in self.scores.values():
            there &= ~np.isnan(one.values[rows])
        return ExactSums.of({name: values[rows][there] for name, values in self.losses.items()})

    def _profile_scores(self, rows: Rows, coarse: bool) -> Iterator[tuple[str, NumericProfile]]:
        if self.classes is None:
            return
        everything = np.arange(len(self.classes))[rows]
        classes = self.classes[everything]
        for name, one in self.scores.items():
            own = self.plan.classes.index(name)
            if not self.plan.spec.scores:
                other = self.plan.classes[1 - own]
                yield name, one.profile(everything[classes == own], coarse)
                yield other, one.profile(everything[classes == 1 - own], coarse)
                continue
            yield f"{name}{PAIR_SEPARATOR}1", one.profile(everything[classes == own], coarse)
            yield f"{name}{PAIR_SEPARATOR}0", one.profile(everything[(classes >= 0) & (classes != own)], coarse)


def compare_with_labels(rows: Any, plan: ProfilePlan) -> LabelComparison:
    """Of a ``pyarrow.RecordBatch``; nothing is known where there is no label."""
    spec, names = plan.spec, set(rows.schema.names)
    if not spec.label or spec.label not in names:
        return LabelComparison(plan)
    label = rows.column(spec.label)
    worth = floats_by_row(rows.column(spec.value)) if spec.value in names else None
    if plan.typical_label is not None:
        if spec.prediction not in names:
            return LabelComparison(plan)
        return LabelComparison(
            plan, numbers=(floats_by_row(label), floats_by_row(rows.column(spec.prediction))), worth=worth
        )
    codes, texts = _factorize_classes(label)
    pairs: Ints | None = None
    pair_names: tuple[str, ...] = ()
    if spec.prediction in names:
        pairs, pair_names = _factorize_pairs(rows.column(spec.prediction), codes, texts)
    place = {name: number for number, name in enumerate(plan.classes)}
    classes = np.array([*(place.get(name, -1) for name in texts), -1], dtype=np.int64)[codes]
    scores = {name: _bin_scores(rows, column) for name, column in _scored_classes(plan) if column.name in names}
    return LabelComparison(plan, pairs, pair_names, classes, scores, _row_losses(plan, classes, scores), worth=worth)


def _is_right(pair: str) -> bool:
    prediction, _, label = pair.partition(PAIR_SEPARATOR)
    return prediction == label


def _factorize_classes(array: Any) -> tuple[Ints, tuple[str, ...]]:
    """Codes and names; no name stands there twice."""
    codes, texts = factorize(array)
    shown = [shorten_category(text) for text in texts]
    unique = tuple(dict.fromkeys(shown))
    number = {name: place for place, name in enumerate(unique)}
    return np.array([*(number[name] for name in shown), -1], dtype=np.int64)[codes], unique


def _factorize_pairs(array: Any, labels: Ints, names: tuple[str, ...]) -> tuple[Ints, tuple[str, ...]]:
    predicted, classes = _factorize_classes(array)
    both = np.where((predicted >= 0) & (labels >= 0), predicted * len(names) + labels, -1)
    used, codes = np.unique(both, return_inverse=True)
    shown = tuple(
        classes[one // len(names)] + PAIR_SEPARATOR + names[one % len(names)] for one in used.tolist() if one >= 0
    )
    return codes - int(len(used) > 0 and used[0] < 0), shown


def _scored_classes(plan: ProfilePlan) -> Iterator[tuple[str, ColumnPlan]]:
    """The classes that have a column of scores of their own; of two that share one the positive one."""
    spec = plan.spec
    if not spec.scores and len(plan.classes) == 2:
        column = plan.column(spec.score)
        if column is not None and column.is_numeric:
            yield plan.classes[1], column
    for name, text in spec.scores:
        column = plan.column(text)
        if name in plan.classes and column is not None and column.is_numeric:
            yield name, column


def _bin_scores(rows: Any, column: ColumnPlan) -> _ScoreColumn:
    assert column.edges is not None  # noqa: S101
    assert column.coarse is not None  # noqa: S101
    values = floats_by_row(rows.column(column.name))
    # The bin behind the last edge is the last one of the coarse ones, too.
    few = np.append(np.searchsorted(column.coarse, column.edges), len(column.coarse))
    return _ScoreColumn(column, values, np.searchsorted(column.edges, values), few)


def _row_losses(plan: ProfilePlan, classes: Ints, scores: Mapping[str, _ScoreColumn]) -> dict[str, Floats]:
    squares = plan.spec.intervals
    if not plan.spec.scores:
        return {} if not scores else _binary_losses(classes, next(iter(scores.values())).values, squares)
    if scores.keys() != set(plan.classes):
        return {}
    values = np.stack([scores[name].values for name in plan.classes], axis=1)
    return row_losses(classes[:, None] == np.arange(len(plan.classes)), values, squares=squares)


def _binary_losses(classes: Ints, values: Floats, squares: bool) -> dict[str, Floats]:
    return row_losses(classes == 1, values, squares=squares)
