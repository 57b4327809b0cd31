"""What a partition is counted by: edges, vocabularies and roles, all fixed before the first row is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.measured import MeasureSpec
from ..stats.profile.categorical import CategoricalProfile, Vocabulary
from ..stats.profile.edges import coarse_edges
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import TableProfile

Floats = NDArray[np.float64]

SEGMENTS = 50
"""Values of a segment column that are told apart; the others are one segment."""
OTHER, MISSING = "(other)", "(missing)"
CLASSES = 20
"""Labels whose scores are profiled apart."""


@dataclass(frozen=True, slots=True, eq=False)
class ColumnPlan:
    """How one column is counted. Numeric where it has edges."""

    name: str
    edges: Floats | None = None
    coarse: Floats | None = None
    """Fewer of the edges: for segments."""
    vocabulary: Vocabulary = frozenset()
    formats: Vocabulary = frozenset()
    """Shapes of text that the reference holds."""

    @property
    def is_numeric(self) -> bool:
        return self.edges is not None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything that counting needs to know; may be pickled and sent to any worker."""

    spec: MeasureSpec
    columns: tuple[ColumnPlan, ...]
    segments: tuple[tuple[str, Vocabulary], ...] = ()
    """Segment columns and their values that are told apart."""
    classes: tuple[str, ...] = ()
    """Labels whose scores are profiled."""
    pairs: Vocabulary = frozenset()
    errors: Floats | None = None
    """Edges of prediction minus label, where both are numbers."""

    def column(self, name: str) -> ColumnPlan | None:
        return next((column for column in self.columns if column.name == name), None)

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns of the log that are read."""
        spec = self.spec
        named = [column.name for column in self.columns]
        roles = (spec.id, spec.time, spec.version, spec.prediction, spec.label, spec.score)
        return tuple(dict.fromkeys([*named, *(name for name, _ in self.segments), *filter(None, roles)]))


def plan_from(reference: TableProfile, spec: MeasureSpec) -> Plan:
    """The plan that the profile of a reference implies: the same edges and vocabularies.

    A training set may lack what only production has. A score is then taken for a probability, and prediction and
    label for classes.
    """
    columns = tuple(_column(name, reference) for name in sorted(reference.columns))
    plans = {column.name: column for column in columns}
    columns += tuple(_unknown(name, spec) for name in (spec.score, spec.prediction, spec.label) if name not in plans)
    columns = tuple(column for column in columns if column.name)
    label = plans.get(spec.label)
    return Plan(
        spec,
        columns,
        tuple((name, _segments(reference.columns.get(name))) for name in spec.segments),
        classes_of(reference.columns.get(spec.label)) if label else (),
        frozenset(reference.pairs.all) if reference.pairs else frozenset(),
        reference.errors.edges if reference.errors else None,
    )


def classes_of(label: object) -> tuple[str, ...]:
    """The labels to tell apart, where the label is categorical and there are few."""
    if not isinstance(label, CategoricalProfile) or len(label.counts) > CLASSES:
        return ()
    return tuple(sorted(label.counts))


def _column(name: str, reference: TableProfile) -> ColumnPlan:
    profile = reference.columns[name]
    if isinstance(profile, NumericProfile):
        return ColumnPlan(name, profile.edges, coarse_edges(profile))
    formats = reference.formats.get(name)
    seen = frozenset(formats.all) if formats else frozenset()
    return ColumnPlan(name, vocabulary=profile.vocabulary, formats=seen)


def _unknown(name: str, spec: MeasureSpec) -> ColumnPlan:
    if name and name == spec.score:
        edges = np.linspace(0.0, 1.0, 1001)
        return ColumnPlan(name, edges, edges[::20])
    return ColumnPlan(name)


def _segments(profile: object) -> Vocabulary:
    if not isinstance(profile, CategoricalProfile):
        return frozenset()
    return top(profile.all, SEGMENTS)


def top(counts: dict[str, int], most: int) -> Vocabulary:
    """The most frequent ones; of equally frequent ones the first by name."""
    return frozenset(sorted(counts, key=lambda name: (-counts[name], name))[:most])
