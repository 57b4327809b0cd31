"""Compare predictions with labels: read the columns of a batch once, then count them for any of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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

Rows = Any
"""Row numbers, or a slice."""


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

    def count(self, rows: Rows, number: int, coarse: bool = False) -> TableProfile:
        """What labels say about ``number`` rows: a profile without columns; ``coarse``: in the bins of segments."""
        sums: dict[str, ExactSums] = {}
        if self.numbers is not None:
            label, prediction = (column[rows] for column in self.numbers)
            typical = self.plan.typical_label or 0.0
            sums["errors"] = error_sums(label, prediction, typical, squares=self.plan.spec.intervals)
            if self.worth is not None:
                sums["valued"] = value_sums(np.abs(prediction - label), self.worth[rows])
            return TableProfile(number, sums=sums)
        pairs = None
        if self.pairs is not None:
            pairs, sums["hits"] = self._count_pairs(self.pairs[rows])
            if self.worth is not None:
                sums["valued"] = value_sums(self.row_results()[rows], self.worth[rows])
        if self.losses:
            sums["losses"] = self._sum_losses(rows)
        return TableProfile(number, pairs=pairs, scores=dict(self._profile_scores(rows, coarse)), sums=sums)

    def row_results(self) -> Floats:
        """By row 1 for the right class and 0 for a wrong one, or the squared error of a number; NaN if unknown."""
        if self.numbers is not None:
            return np.asarray((self.numbers[1] - self.numbers[0]) ** 2)
        if self.pairs is None:
            return np.zeros(0)
        return np.array([*(float(_is_right(name)) for name in self.pair_names), np.nan])[self.pairs]

    def _count_pairs(self, codes: Ints) -> tuple[CategoricalProfile, ExactSums]:
        counts = np.bincount(codes[codes >= 0], minlength=len(self.pair_names))
        by_pair = {name: count for name, count in zip(self.pair_names, counts.tolist(), strict=True) if count}
        right = sum(count for name, count in by_pair.items() if _is_right(name))
        hits = ExactSums.from_hits("right", right, sum(by_pair.values()))
        return CategoricalProfile.of(by_pair, self.plan.pairs), hits

    def _sum_losses(self, rows: Rows) -> ExactSums:
        assert self.classes is not None  # noqa: S101
        known = self.classes[rows] >= 0
        for _, scores in self.scores.values():
            known &= ~np.isnan(scores[rows])
        return ExactSums.of({name: values[rows][known] for name, values in self.losses.items()})

    def _profile_scores(self, rows: Rows, coarse: bool) -> Iterator[tuple[str, NumericProfile]]:
        if self.classes is None:
            return
        numbers = np.arange(len(self.classes))[rows]
        classes = self.classes[numbers]
        for name, (plan, scores) in self.scores.items():
            own = self.plan.classes.index(name)
            inside, outside = f"{name}{PAIR_SEPARATOR}1", f"{name}{PAIR_SEPARATOR}0"
            if self.plan.binary_score:
                inside, outside = name, self.plan.classes[1 - own]
            yield inside, plan.profile(scores[numbers[classes == own]], coarse=coarse)
            yield outside, plan.profile(scores[numbers[(classes >= 0) & (classes != own)]], coarse=coarse)


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
    return LabelComparison(plan, pairs, pair_names, classes, scores, _row_losses(plan, classes, scores), worth=worth)


def _is_right(pair: str) -> bool:
    prediction, _, label = pair.partition(PAIR_SEPARATOR)
    return prediction == label


def _factorize_pairs(
    array: Any, class_names: ClassNames, labels: Ints, label_names: list[str]
) -> tuple[Ints, tuple[str, ...]]:
    predictions, names = factorize(array, class_names, CLASS_MISSING_WORDS)
    count = len(label_names)
    pairs = np.where((predictions >= 0) & (labels >= 0), predictions * count + labels, -1)
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
