"""Compare predictions with labels: read the columns of a batch once, then count them for any of its rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from ..stats.arrays import Floats, Ints
from ..stats.performance.estimate import value_sums
from ..stats.performance.probabilistic import row_losses
from ..stats.performance.regression import error_sums
from ..stats.profile.categorical import CategoricalProfile
from ..stats.profile.exact_sum import ExactSums
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import PAIR_SEPARATOR, TableProfile
from .arrow_columns import CLASS_MISSING_WORDS, factorize, floats_by_row
from .class_names import ClassNames
from .profile_plan import ColumnPlan, ProfilePlan

MAX_TABLE_CELLS = 1 << 16
"""Groups times different texts that are counted at once."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelComparison:
    """The labels and predictions of one batch."""

    plan: ProfilePlan
    pairs: Ints | None = None
    """By row the number of its prediction and label among ``pair_names``; -1 if one of them is missing."""
    pair_names: tuple[str, ...] = ()
    classes: Ints | None = None
    """By row the number of its label among the plan's classes; -1 if it has none, or another one."""
    scores: Mapping[str, tuple[ColumnPlan, Floats]] = field(default_factory=dict)
    """By class; of two that share one column only the positive one."""
    losses: Mapping[str, Floats] = field(default_factory=dict)
    numbers: tuple[Floats, Floats] | None = None
    """Labels and predictions of a regression."""
    worth: Floats | None = None
    """The value of each row."""
    labels: tuple[Ints, tuple[str, ...]] | None = None
    """By row the number of its label among the names beside; -1 if it has none. ``None`` for numbers."""

    def count_groups(
        self,
        places: Ints | None,
        bounds: Ints,
        times: tuple[Sequence[float], Sequence[float]] | None = None,
        *,
        coarse: bool = False,
    ) -> list[TableProfile]:
        """What labels say about groups of rows, a profile without columns for each: of those at ``places`` (all, if
        ``None``) from each of ``bounds`` to the next one. ``times``: by group of its oldest and of its newest row.
        ``coarse``: in the bins of segments."""
        ends = bounds.tolist()
        sums: list[dict[str, ExactSums]] = [{} for _ in ends[1:]]
        pairs: list[CategoricalProfile | None] = [None for _ in ends[1:]]
        scores: list[dict[str, NumericProfile]] = [{} for _ in ends[1:]]
        if self.numbers is not None:
            label, prediction = (_at(column, places) for column in self.numbers)
            typical, squares = self.plan.typical_label or 0.0, self.plan.spec.intervals
            for place, (begin, end) in enumerate(pairwise(ends)):
                part = slice(begin, end)
                sums[place]["errors"] = error_sums(label[part], prediction[part], typical, squares=squares)
            self._add_values(sums, np.abs(prediction - label), places, ends)
        else:
            if self.pairs is not None:
                for place, (profile, hits) in enumerate(self._count_pairs(_at(self.pairs, places), bounds)):
                    pairs[place], sums[place]["hits"] = profile, hits
                self._add_values(sums, _at(self.row_results(), places), places, ends)
            if self.losses:
                self._add_losses(sums, places, ends)
            if self.classes is not None and self.scores:
                scores = list(self._profile_scores(places, ends, coarse))
        rows = np.diff(bounds).tolist()
        oldest, newest = times or ([math.nan] * len(rows), [math.nan] * len(rows))
        return [
            TableProfile(count, pairs=pair, scores=score, sums=some, oldest=old, newest=new)
            for count, pair, score, some, old, new in zip(rows, pairs, scores, sums, oldest, newest, strict=True)
        ]

    def row_results(self) -> Floats:
        """By row 1 for the right class and 0 for a wrong one, or the squared error of a number; NaN if unknown."""
        if self.numbers is not None:
            return np.asarray((self.numbers[1] - self.numbers[0]) ** 2)
        if self.pairs is None:
            return np.zeros(0)
        return np.array([*(float(_is_right(name)) for name in self.pair_names), np.nan])[self.pairs]

    def count_pairs(self) -> dict[str, int]:
        """How often each of ``pair_names`` occurs, in all rows."""
        if self.pairs is None:
            return {}
        counts = np.bincount(self.pairs + 1, minlength=len(self.pair_names) + 1)[1:].tolist()
        return dict(zip(self.pair_names, counts, strict=True))

    def _count_pairs(self, codes: Ints, bounds: Ints) -> Iterator[tuple[CategoricalProfile, ExactSums]]:
        is_right = [_is_right(name) for name in self.pair_names]
        for counts in _counts_by_group(codes, bounds, len(self.pair_names)):
            by_pair = {self.pair_names[code]: count for code, count in counts}
            right = sum(count for code, count in counts if is_right[code])
            hits = ExactSums.from_hits("right", right, sum(by_pair.values()))
            yield CategoricalProfile.of(by_pair, self.plan.pairs), hits

    def _add_values(
        self, sums: Sequence[dict[str, ExactSums]], results: Floats, places: Ints | None, ends: Sequence[int]
    ) -> None:
        if self.worth is None:
            return
        worth = _at(self.worth, places)
        for place, (begin, end) in enumerate(pairwise(ends)):
            sums[place]["valued"] = value_sums(results[begin:end], worth[begin:end])

    def _add_losses(self, sums: Sequence[dict[str, ExactSums]], places: Ints | None, ends: Sequence[int]) -> None:
        assert self.classes is not None  # noqa: S101
        known = self.classes >= 0
        for _, scores in self.scores.values():
            known = known & ~np.isnan(scores)
        known = _at(known, places)
        losses = {name: _at(values, places) for name, values in self.losses.items()}
        for place, (begin, end) in enumerate(pairwise(ends)):
            is_known = known[begin:end]
            sums[place]["losses"] = ExactSums.of({name: row[begin:end][is_known] for name, row in losses.items()})

    def _profile_scores(
        self, places: Ints | None, ends: Sequence[int], coarse: bool
    ) -> Iterator[dict[str, NumericProfile]]:
        assert self.classes is not None  # noqa: S101
        classes = _at(self.classes, places)
        scores = {name: (plan, _at(values, places)) for name, (plan, values) in self.scores.items()}
        for begin, end in pairwise(ends):
            profiles, own_classes = {}, classes[begin:end]
            for name, (plan, values) in scores.items():
                own = self.plan.classes.index(name)
                inside, outside = f"{name}{PAIR_SEPARATOR}1", f"{name}{PAIR_SEPARATOR}0"
                if self.plan.binary_score:
                    inside, outside = name, self.plan.classes[1 - own]
                is_own, part = own_classes == own, values[begin:end]
                profiles[inside] = plan.profile(part[is_own], coarse=coarse)
                profiles[outside] = plan.profile(part[(own_classes >= 0) & ~is_own], coarse=coarse)
            yield profiles


def _at(values: Any, places: Ints | None) -> Any:
    return values if places is None else values[places]


def count_codes(codes: Ints, bounds: Ints, size: int) -> Ints:
    """How often each code from 0 to ``size`` - 1 occurs in each group, ``[groups, size]``. ``codes``: by row, the rows
    of a group from each of ``bounds`` to the next one."""
    groups = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    counts: Ints = np.bincount(groups * size + codes, minlength=(len(bounds) - 1) * size)
    return counts.reshape(len(bounds) - 1, size)


def _counts_by_group(codes: Ints, bounds: Ints, size: int) -> Iterator[list[tuple[int, int]]]:
    """For each group the codes that occur in it and how often; -1 does not count."""
    if (len(bounds) - 1) * (size + 1) <= MAX_TABLE_CELLS:
        for _, *counts in count_codes(codes + 1, bounds, size + 1).tolist():
            yield [(code, count) for code, count in enumerate(counts) if count]
        return
    for begin, end in pairwise(bounds.tolist()):
        part = codes[begin:end]
        found, counts = np.unique(part[part >= 0], return_counts=True)
        yield list(zip(found.tolist(), counts.tolist(), strict=True))


def compare_with_labels(rows: Any, plan: ProfilePlan) -> LabelComparison:
    """The comparison for a ``pyarrow.RecordBatch``; empty if it has no label column."""
    spec, names = plan.spec, set(rows.schema.names)
    if not spec.label or spec.label not in names:
        return LabelComparison(plan)
    label = rows.column(spec.label)
    worth = floats_by_row(rows.column(spec.value)) if spec.value in names else None
    if plan.typical_label is not None:
        if spec.prediction not in names:
            return LabelComparison(plan)
        numbers = (floats_by_row(label), floats_by_row(rows.column(spec.prediction)))
        return LabelComparison(plan, numbers=numbers, worth=worth)
    names_of_classes = ClassNames(plan.classes, ignore_case=spec.ignore_case)
    codes, texts = factorize(label, names_of_classes, CLASS_MISSING_WORDS)
    pairs: Ints | None = None
    pair_names: tuple[str, ...] = ()
    if spec.prediction in names:
        pairs, pair_names = _factorize_pairs(rows.column(spec.prediction), names_of_classes, codes, texts)
    number_of = {name: number for number, name in enumerate(plan.classes)}
    classes = np.array([*(number_of.get(text, -1) for text in texts), -1], dtype=np.int64)[codes]
    scores = {
        name: (column, floats_by_row(rows.column(column.name)))
        for name, column in _scored_classes(plan)
        if column.name in names
    }
    losses = _row_losses(plan, classes, scores)
    known = (codes, tuple(texts))
    return LabelComparison(plan, pairs, pair_names, classes, scores, losses, worth=worth, labels=known)


def _is_right(pair: str) -> bool:
    prediction, _, label = pair.partition(PAIR_SEPARATOR)
    return prediction == label


def _factorize_pairs(
    array: Any, class_names: ClassNames, labels: Ints, label_names: list[str]
) -> tuple[Ints, tuple[str, ...]]:
    predictions, names = factorize(array, class_names, CLASS_MISSING_WORDS)
    count = len(label_names)
    pairs = np.where((predictions >= 0) & (labels >= 0), predictions * count + labels, -1)
    if len(names) * count <= MAX_TABLE_CELLS:
        is_used = np.bincount(pairs + 1, minlength=len(names) * count + 1) > 0
        used, codes = np.flatnonzero(is_used) - 1, (np.cumsum(is_used) - 1)[pairs + 1]
    else:
        used, codes = np.unique(pairs, return_inverse=True)
    pair_names = tuple(
        names[pair // count] + PAIR_SEPARATOR + label_names[pair % count] for pair in used.tolist() if pair >= 0
    )
    return codes - int(len(used) > 0 and used[0] < 0), pair_names


def _scored_classes(plan: ProfilePlan) -> Iterator[tuple[str, ColumnPlan]]:
    """The classes that have their own column of scores; of two that share one, the positive one."""
    spec = plan.spec
    class_names = ClassNames(plan.classes, ignore_case=spec.ignore_case)
    scores = [(plan.positive, plan.binary_score)] if plan.binary_score else spec.scores
    for cell, column_name in scores:
        name, column = class_names(cell), plan.column(column_name)
        if name in plan.classes and column is not None and column.is_numeric:
            yield name, column


def scored_class_names(plan: ProfilePlan) -> list[str]:
    """The classes that ``LabelComparison.scores`` has where no column is missing."""
    return [name for name, _ in _scored_classes(plan)]


def _row_losses(plan: ProfilePlan, classes: Ints, scores: Mapping[str, tuple[ColumnPlan, Floats]]) -> dict[str, Floats]:
    squares = plan.spec.intervals
    if plan.binary_score and scores:
        return row_losses(classes == plan.classes.index(plan.positive), next(iter(scores.values()))[1], squares=squares)
    if not scores or scores.keys() != set(plan.classes):
        return {}
    values = np.stack([scores[name][1] for name in plan.classes], axis=1)
    return row_losses(classes[:, None] == np.arange(len(plan.classes)), values, squares=squares)
