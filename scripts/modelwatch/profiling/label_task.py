"""What the labels of a log are: numbers or classes, and of two classes which is positive; said, and checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from ..errors import SourceNameError, UserError
from ..model.prediction_log import DEFAULT_METRICS, MeasureSpec
from ..stats.performance.probabilistic import roc_auc
from ..stats.profile.categorical import CategoricalProfile
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import TableProfile
from .arrow_columns import parse_number_or_nan
from .class_names import mixed_spellings, positive_class
from .performance import SCORE_METRICS, known_classes, score_sides

POSITIVE_METRICS = frozenset(("precision", "recall", "f1"))
"""Metrics of the positive one of two classes, from predictions."""
MAX_CLASSES_SHOWN = 4
MIN_UNPREDICTED_SHARE = 0.01
"""A class that no prediction ever is, is noted from this share of the labels on."""
MIN_SCORES = 50
"""Fewer scores can all be high by chance, or where"""
MIN_PREDICTED_SHARE = 0.02
"""one of two classes is predicted less often."""
REVERSED_AUC = 0.4
"""An AUC below this means that the score ranks the other class, if it is not chance."""


def require_positive(classes: Sequence[str], spec: MeasureSpec, where: str) -> None:
    """Raises UserError if a requested metric depends on which of two classes is positive, and nothing says so; or if
    the class that ``positive`` names is not one of them."""
    if len(classes) != 2 or positive_class(classes, spec):
        return
    names = " and ".join(map(repr, classes))
    hint = " or ".join(f"`measure: {{positive: {name}}}`" for name in classes)
    if spec.positive:
        raise UserError(f"no label is {spec.positive!r}: the labels are {names}.", hint=f"Write {hint}.", where=where)
    requested = set(spec.metrics or DEFAULT_METRICS)
    has_score = spec.score and len(spec.scores) < 2
    if (spec.prediction and requested & POSITIVE_METRICS) or (has_score and requested & SCORE_METRICS):
        question = "whose probability the score is" if has_score else "of which precision, recall and F1 are"
        message = f"the labels are {names}, and nothing says {question}."
        raise UserError(message, hint=f"Write {hint}.", where=where)


def require_common_class(predicted: Iterable[str], labels: Iterable[str], spec: MeasureSpec, where: str) -> None:
    """Raises SourceNameError where no prediction is ever a label: ``true`` in one column and ``1`` in the other. One
    class alone, in either column, can be a model that is always wrong."""
    names, classes = sorted(predicted), sorted(labels)
    if set(names) & set(classes) or len(classes) < 2 or len(names) == 1:
        return
    shown = " and ".join(
        f"{', '.join(map(repr, part[:MAX_CLASSES_SHOWN])) or 'values of no class'} in {column!r}"
        for part, column in ((names, spec.prediction), (classes, spec.label))
    )
    raise SourceNameError(
        f"no prediction is ever a label: {shown}.", hint=_common_class_hint(names, classes), where=where
    )


def _common_class_hint(names: Sequence[str], classes: Sequence[str]) -> str:
    if {name.lower() for name in names} & {name.lower() for name in classes}:
        return "They differ in capitals: write `ignore_case: true`."
    if not np.isnan([parse_number_or_nan(cell) for cell in (*names, *classes)]).any() and len(classes) > 2:
        return "If they are numbers, write `task: numbers`; a probability belongs under `score`."
    return "Write the classes of both columns alike; a probability belongs under `score`."


def unpredicted_classes(predicted: Iterable[str], labels: Mapping[str, int], least: float) -> dict[str, int]:
    """The classes that no prediction ever is, and how many labels each is: at least the share ``least`` of them, where
    two other classes are predicted. With one alone the model always answers the same."""
    names = {*predicted}
    total = sum(labels.values())
    if len(names & labels.keys()) < 2:
        return {}
    return {name: count for name, count in sorted(labels.items()) if name not in names and count >= least * total}


def unpredicted_class_text(name: str, count: int) -> str:
    """What such a class does to the metrics, and what to do about it."""
    noun = "1 label is" if count == 1 else f"{count:,} labels are"
    count_as = "it counts as a wrong prediction" if count == 1 else "they count as wrong predictions"
    return (
        f"{noun} {name!r}, which no prediction ever is: {count_as}. If it stands for no outcome, write an empty cell."
    )


def class_notes(predicted: Iterable[str], labels: Mapping[str, int]) -> Iterator[str]:
    """Classes that no prediction ever is."""
    for name, count in unpredicted_classes(predicted, labels, MIN_UNPREDICTED_SHARE).items():
        yield unpredicted_class_text(name, count)


def describe_task(table: TableProfile, spec: MeasureSpec) -> str:
    """What the labels are, as text; empty if there are none."""
    if "errors" in table.sums:
        return "labels are numbers"
    classes = known_classes(table)
    if positive := positive_class(classes, spec):
        return f"two classes, {positive!r} is positive"
    return f"{len(classes)} classes" if len(classes) > 1 else ""


def task_notes(table: TableProfile, spec: MeasureSpec) -> Iterator[str]:
    """Where labels are taken for classes, and could be meant as numbers."""
    classes = known_classes(table)
    if any(spellings := mixed_spellings(classes)):
        shown = " and ".join(", ".join(map(repr, names[:MAX_CLASSES_SHOWN])) for names in spellings)
        yield (
            f"the labels are spelled in two ways, {shown}, and count as {len(classes)} classes. If some files spell "
            "them differently than others, write them alike."
        )
    if not spec.task and len(classes) > 2 and not np.isnan(list(map(parse_number_or_nan, classes))).any():
        yield (
            f"the labels are {len(classes)} numbers, and count as classes; write `task: numbers` to measure by how "
            "much predictions are off, or `task: classes`."
        )


def confidence_score_note(table: TableProfile, spec: MeasureSpec) -> Iterator[str]:
    """Where scores are all above one half though both of two classes are predicted: how sure the model is of either."""
    score, predicted = table.columns.get(spec.score), table.columns.get(spec.prediction)
    if not isinstance(score, NumericProfile) or not isinstance(predicted, CategoricalProfile) or spec.ranking:
        return
    lowest, highest = score.quantiles([0.0, 1.0]) if score.n >= MIN_SCORES else (0.0, 0.0)
    counts = {name: count for name, count in predicted.named_counts.items() if count}
    few = min(counts.values(), default=0) < MIN_PREDICTED_SHARE * sum(counts.values())
    if len(counts) == 2 and not few and 0.5 <= lowest < highest <= 1.0:
        positive = positive_class(known_classes(table) or sorted(counts), spec)
        of_class = f"of {positive!r}" if positive else "of the positive class"
        yield (
            f"every {spec.score!r} is at least 0.5, whichever class is predicted: it seems to be the confidence in the "
            f"predicted class. AUC and calibration take it for the probability {of_class}: log that."
        )


def reversed_score_note(table: TableProfile, spec: MeasureSpec) -> Iterator[str]:
    """Where high scores go with the other class."""
    if sides := score_sides(table, spec).get(""):
        area = roc_auc(*(side.counts for side in sides))
        if area.value < REVERSED_AUC and area.high < 0.5:
            positive = positive_class(known_classes(table), spec)
            yield (
                f"AUC is {area.value:.3g}: high scores go with the other class. If the score is not the probability of "
                f"{positive!r}, set `positive`."
            )
