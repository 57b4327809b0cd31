"""How the rows of a recorder are profiled: as its reference says, else in bins that depend on nothing.

Profiles add up only if their bins agree. With a reference they do. Without one, no replica knows what the others see,
so that numbers are counted between fixed edges, which grow by ``GROWTH`` on both sides of 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..model.prediction_log import MeasureSpec, OperationsSpec, RankingSpec
from ..profiling.arrow_columns import count_texts
from ..profiling.profile_plan import ColumnPlan, ProfilePlan, plan_from_reference, score_columns
from ..stats.arrays import Floats
from ..stats.profile.categorical import shorten_category
from ..stats.profile.table import TableProfile
from ..stats.segmentation import MAX_VALUES
from .settings import RecorderSettings

GROWTH = 1.03
SMALLEST, LARGEST = 1e-9, 1e12
NUMBER, CATEGORY = "number", "category"
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
        operations=OperationsSpec(columns["latency"], columns["error"], columns["cost"]),
    )


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


@dataclass(slots=True)
class RecorderPlan:
    """The plan of a spool. What it learns about columns without a reference is kept: the first rows decide."""

    spec: MeasureSpec
    reference: TableProfile | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    """By column ``NUMBER`` or ``CATEGORY``."""
    segment_values: dict[str, list[str]] = field(default_factory=dict)
    """By segment column the first values, of which each is a segment."""

    def learn(self, batch: Any) -> None:
        """Columns and segments that a ``pyarrow.RecordBatch`` has, and no earlier one had."""
        import pyarrow as pa

        types = pa.types
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            kind = column.type
            if name in self.kinds or types.is_null(kind) or types.is_nested(kind):
                continue
            is_number = types.is_integer(kind) or types.is_floating(kind)
            self.kinds[name] = NUMBER if is_number else CATEGORY
        for name in self.spec.segments:
            values = self.segment_values.setdefault(name, [])
            if len(values) < MAX_VALUES and name in batch.schema.names:
                counts, _ = count_texts(batch.column(name), shorten_category)
                values += sorted({*counts} - {*values})[: MAX_VALUES - len(values)]

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
        return replace(plan, columns=(*plan.columns, *added), segments=tuple(segments))

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
            return ColumnPlan(name, unit, unit[::4])
        if self.kinds[name] == NUMBER:
            return ColumnPlan(name, fixed_edges())
        return ColumnPlan(name)
