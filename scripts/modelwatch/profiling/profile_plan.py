"""What a partition is counted by: edges, vocabularies and roles, all fixed before the first row is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..model.prediction_log import MeasureSpec
from ..stats.profile.binning import coarsen_edges
from ..stats.profile.categorical import CategoricalProfile, Vocabulary
from ..stats.profile.guide_table import OUTER_QUANTILES, GuideTable
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import PAIR_SEPARATOR, TableProfile

Floats = NDArray[np.float64]

MAX_SEGMENT_VALUES = 50
"""Values of a segment column that are told apart; the others are one segment."""
OTHER, MISSING = "(other)", "(missing)"
SEGMENT_BINS, SCORE_BINS = 64, 256
MAX_CLASSES = 20
"""Labels whose scores are profiled apart."""


@dataclass(frozen=True, slots=True, eq=False)
class ColumnPlan:
    """How one column is counted. Numeric where it has edges."""

    name: str
    edges: Floats | None = None
    coarse: Floats | None = None
    """Fewer of the edges: for segments."""
    guide: GuideTable | None = None
    """Makes counting between the edges fast; changes nothing else."""
    vocabulary: Vocabulary = frozenset()
    formats: Vocabulary = frozenset()
    """Shapes of text that the reference holds."""

    @property
    def is_numeric(self) -> bool:
        return self.edges is not None


@dataclass(frozen=True, slots=True, eq=False)
class Crossing:
    """Two segment columns, and the pairs of their values that are told apart."""

    columns: tuple[str, str]
    values: frozenset[tuple[str, str]]
    omitted: int = 0
    """Pairs of values told apart in the single columns that are not among them."""


@dataclass(frozen=True, slots=True, eq=False)
class ProfilePlan:
    """Everything that counting needs to know; may be pickled and sent to any worker."""

    spec: MeasureSpec
    columns: tuple[ColumnPlan, ...]
    segments: tuple[tuple[str, Vocabulary], ...] = ()
    """Segment columns and their values that are told apart."""
    classes: tuple[str, ...] = ()
    """The labels, sorted, where there are few; their scores are profiled."""
    typical_label: float | None = None
    """A typical label, where labels are numbers to come near to rather than classes."""
    crossings: tuple[Crossing, ...] = ()
    embedding_widths: tuple[tuple[str, int], ...] = ()
    """Of columns of embeddings: numbers in a row."""
    pairs: Vocabulary = field(init=False)
    """Prediction and label of every pair of classes."""

    def __post_init__(self) -> None:
        pairs = frozenset(f"{one}{PAIR_SEPARATOR}{other}" for one in self.classes for other in self.classes)
        object.__setattr__(self, "pairs", pairs)

    def column(self, name: str) -> ColumnPlan | None:
        return next((column for column in self.columns if column.name == name), None)

    @property
    def needed_columns(self) -> tuple[str, ...]:
        """Columns of the log that are read."""
        spec = self.spec
        named = [column.name for column in self.columns]
        roles = (spec.id, spec.time, spec.version, spec.prediction, spec.label, spec.value, *score_columns(spec))
        roles += spec.sampled_columns
        return tuple(dict.fromkeys([*named, *(name for name, _ in self.segments), *filter(None, roles)]))


def plan_from_reference(reference: TableProfile, spec: MeasureSpec) -> ProfilePlan:
    """The plan that the profile of a reference implies: the same edges and vocabularies.

    A training set may lack what only production has. A score is then taken for a probability, and prediction and
    label for classes.
    """
    columns = tuple(_column_plan(name, reference, spec) for name in sorted(reference.columns))
    plans = {column.name: column for column in columns}
    scores = score_columns(spec)
    columns += tuple(
        _default_column_plan(name, scores) for name in (*scores, spec.prediction, spec.label) if name not in plans
    )
    columns = tuple(column for column in columns if column.name)
    counts = {name: _category_counts(reference.columns.get(name)) for name in spec.segments}
    label = reference.columns.get(spec.label)
    return ProfilePlan(
        spec,
        columns,
        tuple((name, most_frequent(counts[name], MAX_SEGMENT_VALUES)) for name in spec.segments),
        class_labels(label),
        label.quantile(0.5) if isinstance(label, NumericProfile) and label.n else None,
        tuple(plan_crossings(spec, counts)),
        tuple((name, sample.width) for name, sample in sorted(reference.samples.items())),
    )


def class_labels(label: object) -> tuple[str, ...]:
    """The labels to tell apart, where the label is categorical and there are few."""
    if not isinstance(label, CategoricalProfile) or len(label.counts) > MAX_CLASSES:
        return ()
    return tuple(sorted(label.counts))


def score_columns(spec: MeasureSpec) -> tuple[str, ...]:
    """The columns of scores."""
    return tuple(filter(None, (spec.score, *(column for _, column in spec.scores))))


def plan_crossings(spec: MeasureSpec, counts: Mapping[str, Mapping[str, int]]) -> Iterator[Crossing]:
    """Of each pair of columns the ``SEGMENTS`` crossings that hold most rows if the columns are independent.

    So the choice follows from what is known of each column alone.
    """
    for one, other in spec.crossings:
        left, right = (sorted(most_frequent(dict(counts.get(name, {})), MAX_SEGMENT_VALUES)) for name in (one, other))
        sizes = {(a, b): counts[one][a] * counts[other][b] for a in left for b in right}
        kept = sorted(sizes, key=lambda pair: (-sizes[pair], pair))[:MAX_SEGMENT_VALUES]
        yield Crossing((one, other), frozenset(kept), len(sizes) - len(kept))


def _column_plan(name: str, reference: TableProfile, spec: MeasureSpec) -> ColumnPlan:
    profile = reference.columns[name]
    if isinstance(profile, NumericProfile):
        guide = GuideTable.build(profile.edges, *map(profile.quantile, OUTER_QUANTILES))
        return ColumnPlan(name, profile.edges, coarsen_edges(profile, coarse_bin_count(name, spec)), guide)
    formats = reference.formats.get(name)
    seen = frozenset(formats.named_counts) if formats else frozenset()
    return ColumnPlan(name, vocabulary=profile.vocabulary, formats=seen)


def coarse_bin_count(name: str, spec: MeasureSpec) -> int:
    """Bins of a column within a segment: more for scores, so that areas under curves stay near the exact ones."""
    return SCORE_BINS if name in score_columns(spec) else SEGMENT_BINS


def _default_column_plan(name: str, scores: tuple[str, ...]) -> ColumnPlan:
    if name in scores:
        edges = np.linspace(0.0, 1.0, 1001)
        return ColumnPlan(name, edges, edges[::4])
    return ColumnPlan(name)


def _category_counts(profile: object) -> dict[str, int]:
    return profile.named_counts if isinstance(profile, CategoricalProfile) else {}


def most_frequent(counts: dict[str, int], limit: int) -> Vocabulary:
    """The most frequent ones; of equally frequent ones the first by name."""
    return frozenset(sorted(counts, key=lambda name: (-counts[name], name))[:limit])
