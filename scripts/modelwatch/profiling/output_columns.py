"""What a service put out, row by row, with and without labels: confidence, latency, errors and cost. Read once for a
batch, then counted for any of its rows, as ``label_comparison.py`` does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ..stats.arrays import Floats, Ints
from ..stats.performance.predictions import entropy_bits
from ..stats.profile.exact_sum import ExactSums
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import PAIR_SEPARATOR, TableProfile
from .arrow_columns import CLASS_MISSING_WORDS, column_or_nulls, factorize, floats_by_row, parse_number_or_nan
from .class_names import ClassNames, positive_class
from .label_comparison import LabelComparison, scored_class_names
from .profile_plan import ProfilePlan

LATENCY, ERRORS, COST, PREDICTED, POSITIVE = "latency", "errors", "cost", "predicted", "positive"
"""Names of sums and distributions in a ``TableProfile``."""
TOP_LABEL = "top_label"
"""The score of the most likely class, with ``PAIR_SEPARATOR`` and 1 where that class happened, 0 where it did not."""
TENTH = "tenth"
"""The same by the tenths of an input: ``tenth``, column, number from 1 and 1 or 0. Of two classes: the positive one."""
_POSITIVE_HALF = np.geomspace(1e-6, 1e9, 1502)
LATENCY_EDGES = np.concatenate([[0.0], _POSITIVE_HALF])
"""Steps of 2.3 %, whatever the unit: quantiles, which are linear within a step, are off by less."""
_LOGITS = np.linspace(-12.0, 12.0, 481)
PROBABILITY_EDGES = np.unique(np.concatenate([np.linspace(0.0, 1.0, 501), 1 / (1 + np.exp(-_LOGITS))]))
"""Fine in the middle, and by odds towards both ends."""
NO_ERROR_WORDS = frozenset(("", "ok", "success", "succeeded", "none", "null", "nan", "false", "no", "f", "n"))


@dataclass(frozen=True, slots=True, eq=False)
class OutputColumns:
    """The outputs of one batch by row; NaN where a row has none."""

    confidence: Floats | None = None
    entropy: Floats | None = None
    is_positive: Floats | None = None
    latency: Floats | None = None
    is_error: Floats | None = None
    cost: Floats | None = None
    top_label: tuple[Floats, Floats] | None = None
    """Of several classes the score of the most likely one, and whether it happened."""
    outcome: tuple[Floats, Floats] | None = None
    """What is compared by tenths: a score, and whether what it says happened."""
    tenths: Mapping[str, Ints] = field(default_factory=dict)
    """By input the number of the tenth, from 0; -1 for an empty cell."""

    def add_to(self, tables: list[TableProfile], places: Ints | None, bounds: Ints) -> list[TableProfile]:
        """The profiles of groups of rows, as ``LabelComparison.count_groups`` gives them, with what is known here."""
        if self is _NOTHING:
            return tables
        return [
            replace(table, outputs=self._sums(part), distributions=self._distributions(part))
            for table, part in zip(
                tables,
                (
                    slice(begin, end) if places is None else places[begin:end]
                    for begin, end in pairwise(bounds.tolist())
                ),
                strict=True,
            )
        ]

    def _sums(self, rows: Any) -> dict[str, ExactSums]:
        sums: dict[str, ExactSums] = {}
        if self.confidence is not None and self.entropy is not None:
            confidence, entropy = self.confidence[rows], self.entropy[rows]
            known = ~np.isnan(confidence)
            sums[PREDICTED] = ExactSums.of({"confidence": confidence[known], "entropy": entropy[known]})
        for name, flags in ((POSITIVE, self.is_positive), (ERRORS, self.is_error)):
            if flags is not None:
                part = flags[rows]
                known = ~np.isnan(part)
                sums[name] = ExactSums.from_hits(name, int(part[known].sum()), int(known.sum()))
        if self.cost is not None:
            cost = self.cost[rows]
            sums[COST] = ExactSums.of({COST: cost[np.isfinite(cost)]})
        return sums

    def _distributions(self, rows: Any) -> dict[str, NumericProfile]:
        distributions: dict[str, NumericProfile] = {}
        if self.latency is not None:
            distributions[LATENCY] = NumericProfile.of(self.latency[rows], LATENCY_EDGES)
        if self.top_label is not None:
            scores, happened = (column[rows] for column in self.top_label)
            distributions |= _both_sides(TOP_LABEL, scores, happened)
        if self.outcome is not None:
            scores, happened = (column[rows] for column in self.outcome)
            for name, tenths in self.tenths.items():
                own = tenths[rows]
                for number in np.unique(own[own >= 0]).tolist():
                    at = own == number
                    prefix = PAIR_SEPARATOR.join((TENTH, name, str(number + 1)))
                    distributions |= _both_sides(prefix, scores[at], happened[at])
        return distributions


_NOTHING = OutputColumns()


def _both_sides(prefix: str, scores: Floats, happened: Floats) -> dict[str, NumericProfile]:
    return {
        f"{prefix}{PAIR_SEPARATOR}{side}": NumericProfile.of(scores[happened == side], PROBABILITY_EDGES)
        for side in (0, 1)
    }


def read_outputs(rows: Any, plan: ProfilePlan, comparison: LabelComparison) -> OutputColumns:
    """The outputs of a ``pyarrow.RecordBatch``: what ``calibration`` and ``operations`` ask for. ``comparison``: of the
    same rows."""
    columns = _NOTHING
    operations, calibration = plan.spec.operations, plan.spec.calibration
    if operations is not None:
        columns = replace(
            columns,
            latency=floats_by_row(column_or_nulls(rows, operations.latency)) if operations.latency else None,
            is_error=read_errors(column_or_nulls(rows, operations.error)) if operations.error else None,
            cost=floats_by_row(column_or_nulls(rows, operations.cost)) if operations.cost else None,
        )
    if plan.typical_label is not None:
        return columns
    if calibration is None:
        return replace(columns, is_positive=_read_positive(rows, plan)) if plan.positive_prediction else columns
    scores = _read_scores(rows, plan)
    if scores is not None:
        confidence, entropy = confidence_and_entropy(scores)
        top_label = outcome = None
        if comparison.classes is not None:
            known = comparison.classes >= 0
            if scores.ndim > 1:
                best = np.argmax(np.nan_to_num(scores, nan=-1.0), axis=1)
                happened = np.where(known, best == comparison.classes, np.nan)
                top_label = outcome = (confidence, happened)
            elif plan.positive:
                outcome = scores, np.where(known, comparison.classes == plan.classes.index(plan.positive), np.nan)
        columns = replace(columns, confidence=confidence, entropy=entropy, top_label=top_label, outcome=outcome)
    tenths = {
        name: number_tenths(floats_by_row(column_or_nulls(rows, name)), np.array(ends)) for name, ends in plan.tenths
    }
    return replace(columns, is_positive=_read_positive(rows, plan), tenths=tenths)


def _read_scores(rows: Any, plan: ProfilePlan) -> Floats | None:
    """The probability of the positive one of two classes, or one of each of several, ``[rows, classes]``; ``None``
    where the log has not all of them."""
    names, spec = set(rows.schema.names), plan.spec
    single = plan.binary_score or ("" if spec.scores or spec.ranking else spec.score)
    columns_of_classes = [plan.column(name) for name in (spec.label, spec.prediction) if name]
    several = any(column is not None and len(column.vocabulary) > 2 for column in columns_of_classes)
    if len(plan.classes) <= 2 and single and not several:
        return floats_by_row(rows.column(single)) if single in names else None
    columns = {ClassNames(plan.classes, ignore_case=spec.ignore_case)(name): column for name, column in spec.scores}
    if (
        len(plan.classes) < 2
        or set(scored_class_names(plan)) != set(plan.classes)
        or not names >= set(columns.values())
    ):
        return None
    return np.stack([floats_by_row(rows.column(columns[name])) for name in plan.classes], axis=1)


def confidence_and_entropy(scores: Floats) -> tuple[Floats, Floats]:
    """By row the probability of the most likely class, and the entropy in bits. NaN without a score; infinite where one
    is no probability, so that sums of such rows are unknown."""
    table = np.stack([scores, 1 - scores], axis=1) if scores.ndim == 1 else scores
    missing = np.array(np.isnan(table).any(axis=1))
    with np.errstate(invalid="ignore"):
        wrong = np.array(~missing & ~((table >= 0) & (table <= 1)).all(axis=1))
    confidence, entropy = table.max(axis=1), entropy_bits(np.where(wrong[:, None], 0.5, table))
    for column in (confidence, entropy):
        column[missing], column[wrong] = np.nan, np.inf
    return confidence, entropy


def _read_positive(rows: Any, plan: ProfilePlan) -> Floats | None:
    """By row whether the prediction is the positive one of two classes."""
    spec = plan.spec
    if not spec.prediction or spec.prediction not in rows.schema.names:
        return None
    column = plan.column(spec.prediction)
    classes = plan.classes or tuple(sorted(column.vocabulary if column is not None else ()))
    positive = positive_class(classes, spec) or plan.positive_prediction
    if not positive:
        return None
    names = ClassNames(classes, ignore_case=spec.ignore_case)
    codes, texts = factorize(rows.column(spec.prediction), names, CLASS_MISSING_WORDS)
    if plan.positive_prediction:
        positive, texts = positive.lower(), [text.lower() for text in texts]
    return np.array([*(float(text == positive) for text in texts), math.nan])[codes]


def read_errors(array: Any) -> Floats:
    """By row 1 for an error and 0 for none; see the configuration's ``error``. An empty cell is none."""
    codes, texts = factorize(array)
    return np.array([*(float(_is_error(text)) for text in texts), 0.0])[codes]


def _is_error(text: str) -> bool:
    word = text.strip().lower()
    number = parse_number_or_nan(word)
    if math.isnan(number):
        return word not in NO_ERROR_WORDS
    return number != 0 and not 100 <= number < 400


def number_tenths(values: Floats, ends: Floats) -> Ints:
    """By row the number of the tenth that the value lies in, each right-closed; -1 for NaN."""
    places: Ints = np.searchsorted(ends, values, side="left").astype(np.int64)
    places[np.isnan(values)] = -1
    return places
