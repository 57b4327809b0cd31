"""The delays of labels, counted from the rows of a log by window and version."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ..model.prediction_log import FIRST_LABEL_TIME
from ..stats.arrays import Bools, Floats, Ints
from ..stats.profile.delays import DelayProfile
from .arrow_columns import CLASS_MISSING_WORDS, factorize, floats_by_row
from .class_names import ClassNames
from .label_comparison import LabelComparison
from .profile_plan import ProfilePlan
from .time_columns import times_by_row

LOW, HIGH = "low", "high"
"""The two classes of numbers: up to the median label, and above it."""


def count_delays(
    rows: Any, times: Floats, bounds: Ints, plan: ProfilePlan, comparison: LabelComparison
) -> list[DelayProfile | None]:
    """The delays of each group of rows of a ``pyarrow.RecordBatch``; nothing without labels or their times.

    ``times``: of the predictions, by row, seconds (UTC); ``bounds``: where the rows of each group begin, and those of
    the last end. A label that is up to 15 minutes older than its prediction came at once; one
    that is older still has no delay.
    """
    spec, names = plan.spec, set(rows.schema.names)
    column = spec.first_label_time_column
    if plan.now is None or spec.label not in names or column not in names:
        return [None] * (len(bounds) - 1)
    cells = rows.column(column)
    delays = (floats_by_row(cells) if column == FIRST_LABEL_TIME else times_by_row(cells)) - times
    classes, class_names, is_labelled = _labels(rows, plan, comparison)
    ages = np.maximum(plan.now - times, 0.0)
    parts = (slice(begin, end) for begin, end in pairwise(bounds.tolist()))
    return [DelayProfile.of(delays[part], ages[part], classes[part], class_names, is_labelled[part]) for part in parts]


def _labels(rows: Any, plan: ProfilePlan, comparison: LabelComparison) -> tuple[Ints, tuple[str, ...], Bools]:
    """By row the class of its label, the names of the classes, and whether it has a label."""
    if plan.typical_label is not None:
        numbers = comparison.numbers[0] if comparison.numbers else floats_by_row(rows.column(plan.spec.label))
        return (numbers > plan.typical_label).astype(np.int64), (LOW, HIGH), ~np.isnan(numbers)
    codes, texts = comparison.labels or factorize(
        rows.column(plan.spec.label), ClassNames(plan.classes, ignore_case=plan.spec.ignore_case), CLASS_MISSING_WORDS
    )
    number_of = {name: number for number, name in enumerate(plan.classes)}
    places = np.array([*(number_of.get(text, -1) for text in texts), -1], dtype=np.int64)[codes]
    return places, plan.classes, codes >= 0
