"""How the rows of a recorder are profiled: as its reference says, else in bins that depend on nothing.

Profiles add up only if their bins agree. With a reference they do. Without one, no replica knows what the others see,
so that numbers are counted between fixed edges, which grow by ``GROWTH`` on both sides of 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..model.prediction_log import CalibrationSpec, MeasureSpec, OperationsSpec, RankingSpec
from ..profiling.arrow_columns import CLASS_MISSING_WORDS, count_texts, is_text_type, parse_number_or_nan
from ..profiling.class_names import BINARY_WORDS, ClassNames, positive_class
from ..profiling.profile_plan import MAX_CLASSES, ColumnPlan, ProfilePlan, plan_from_reference, score_columns
from ..stats.arrays import Floats
from ..stats.profile.categorical import shorten_category
from ..stats.profile.table import TableProfile
from ..stats.segmentation import MAX_VALUES
from .arrow_rows import count_numbers
from .settings import RecorderSettings

GROWTH = 1.03
SMALLEST, LARGEST = 1e-9, 1e12
NUMBER, CATEGORY = "number", "category"
LEARNED = ("kinds", "cells", "classes", "segment_values")
ENOUGH_CELLS = 100_000
"""From so many on the type of a column stays."""
SURE_SHARE = 0.9
"""Of the cells must be of another type for a column to change its own."""
PLAIN_FIELDS = (
    *("id", "time", "version", "features", "score", "scores", "prediction", "segments", "crossings", "value"),
    *("task", "positive", "ignore_case", "min_rows", "window", "reference", "embeddings", "texts"),
)
"""Of ``MeasureSpec``."""


def fixed_edges() -> Floats:
    """Edges on both sides of 0, each ``GROWTH`` times the one before; 0 has a bin of its own."""
    steps = int(np.ceil(np.log(LARGEST / SMALLEST) / np.log(GROWTH)))
    positive = SMALLEST * GROWTH ** np.arange(steps + 1)
    return np.concatenate([-positive[::-1], [-np.nextafter(0.0, 1.0), 0.0], positive])


def measure_spec(settings: RecorderSettings) -> MeasureSpec:
    """How the rows of a recorder are profiled: ``measure:`` without what predictions do not have when they are made."""
    fields, columns = settings.measure, settings.columns
    plain = {name: _tuples(fields[name]) for name in PLAIN_FIELDS if name in fields}
    ranking = fields.get("ranking")
    return MeasureSpec(
        **plain,
        ranking=RankingSpec(**ranking) if isinstance(ranking, dict) else None,
        calibration=CalibrationSpec(),
        operations=OperationsSpec(columns["latency"], columns["error"], columns["cost"]),
    )


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


@dataclass(slots=True)
class RecorderPlan:
    """The plan of a spool. What it learns about columns without a reference is kept."""

    spec: MeasureSpec
    reference: TableProfile | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    """By column ``NUMBER`` or ``CATEGORY``, as most of its cells are."""
    cells: dict[str, list[int]] = field(default_factory=dict)
    """By column how many cells were numbers, and how many others, up to ``ENOUGH_CELLS``."""
    classes: list[str] = field(default_factory=list)
    """The first classes of predictions, at most ``MAX_CLASSES`` and one more."""
    segment_values: dict[str, list[str]] = field(default_factory=dict)
    """By segment column the first values, of which each is a segment."""

    @classmethod
    def from_json(cls, spec: MeasureSpec, reference: TableProfile | None, known: Mapping[str, Any]) -> RecorderPlan:
        """``known``: what ``to_json`` gave."""
        return cls(spec, reference, **{name: known[name] for name in LEARNED if name in known})

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in LEARNED}

    def learn(self, batches: Sequence[Any]) -> None:
        """What further ``pyarrow.RecordBatch``es say about columns, segments and classes."""
        for batch in batches:
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                self._count_cells(name, column, count_numbers(batch, name))
            for name in self.spec.segments:
                values = self.segment_values.setdefault(name, [])
                if len(values) < MAX_VALUES and name in batch.schema.names:
                    counts, _ = count_texts(batch.column(name), shorten_category)
                    values += sorted({*counts} - {*values})[: MAX_VALUES - len(values)]
            if self.spec.prediction in batch.schema.names and len(self.classes) <= MAX_CLASSES:
                names = ClassNames(ignore_case=self.spec.ignore_case)
                counts, _ = count_texts(batch.column(self.spec.prediction), names, CLASS_MISSING_WORDS)
                self.classes += sorted({*counts} - {*self.classes})[: MAX_CLASSES + 1 - len(self.classes)]
        for name, (numbers, others) in self.cells.items():
            known = self.kinds.get(name)
            if numbers + others and (known is None or max(numbers, others) > SURE_SHARE * (numbers + others)):
                self.kinds[name] = NUMBER if numbers >= others else CATEGORY

    def _count_cells(self, name: str, column: Any, numbers: int) -> None:
        import pyarrow as pa

        counts = self.cells.get(name, [0, 0])
        if sum(counts) >= ENOUGH_CELLS or pa.types.is_null(column.type) or pa.types.is_nested(column.type):
            return
        filled = len(column) - int(column.null_count)
        if is_text_type(column.type):
            filled = len(column) - count_texts(column)[1]
        if filled:
            self.cells[name] = [counts[0] + min(numbers, filled), counts[1] + max(filled - numbers, 0)]

    def profile_plan(self) -> ProfilePlan:
        spec = self.spec
        plan = ProfilePlan(spec, ())
        if self.reference is not None:
            plan = plan_from_reference(self.reference, spec)
        known = {column.name for column in plan.columns}
        added = [self._column(name) for name in sorted(self._free_columns()) if name not in known]
        segments = [
            (name, values or frozenset(self.segment_values.get(name, ())))
            for name, values in (plan.segments or [(name, frozenset[str]()) for name in spec.segments])
        ]
        positive = self._positive_class() if self.reference is None and self.spec.prediction in self.kinds else ""
        return replace(plan, columns=(*plan.columns, *added), segments=tuple(segments), positive_prediction=positive)

    def _free_columns(self) -> frozenset[str]:
        """Columns that only rows know: of a reference none but roles, which training sets lack."""
        spec = self.spec
        unprofiled = {spec.id, spec.time, spec.version, *spec.operation_columns, ""}
        roles = {*score_columns(spec), spec.prediction, spec.value} & {*self.kinds}
        free = {*spec.feature_columns(self.kinds)} & {*self.kinds} if self.reference is None else set()
        return frozenset((free | roles) - unprofiled - {*spec.sampled_columns})

    def _column(self, name: str) -> ColumnPlan:
        if name in score_columns(self.spec):
            unit = np.linspace(0.0, 1.0, 1001)
            return ColumnPlan(name, np.unique(np.concatenate([unit, _near_ends()])), unit[::4])
        if name == self.spec.prediction and self._predicts_classes():
            return ColumnPlan(name, class_names=ClassNames(ignore_case=self.spec.ignore_case))
        if self.kinds[name] == NUMBER:
            return ColumnPlan(name, fixed_edges())
        return ColumnPlan(name)

    def _predicts_classes(self) -> bool:
        """Numbers are classes if they are few and whole, unless ``task`` says what they are."""
        if self.spec.task or self.kinds[self.spec.prediction] == CATEGORY:
            return self.spec.task != "numbers"
        are_whole = all(parse_number_or_nan(name).is_integer() for name in self.classes)
        return are_whole and len(self.classes) <= MAX_CLASSES

    def _positive_class(self) -> str:
        """That of two classes, also where only one has been predicted so far."""
        if len(self.classes) != 1:
            return positive_class(sorted(self.classes), self.spec)
        if self.spec.positive:
            return ClassNames(self.classes, ignore_case=self.spec.ignore_case)(self.spec.positive)
        return next((pair[1] for pair in BINARY_WORDS if self.classes[0].lower() in pair), "")


def _near_ends() -> Floats:
    """Edges near 0 and 1, where most scores of a rare class lie: each ``GROWTH`` times as far as the one before."""
    steps = int(np.ceil(np.log(1e-2 / SMALLEST) / np.log(GROWTH)))
    distances = SMALLEST * GROWTH ** np.arange(steps)
    return np.concatenate([distances, 1.0 - distances])
