"""Plans of profiles: the edges, vocabularies and roles of columns, all fixed before the first row is counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from ..errors import UserError
from ..model.prediction_log import MeasureSpec
from ..stats.arrays import Floats
from ..stats.profile.binning import coarsen_edges
from ..stats.profile.categorical import CategoricalProfile, Vocabulary
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import PAIR_SEPARATOR, ColumnProfile, TableProfile
from ..stats.segmentation import MAX_VALUES
from .arrow_columns import CLASS_MISSING_WORDS, MISSING_WORDS
from .class_names import ClassNames, positive_class

SEGMENT_SCORE_BINS = 256
"""Of a score within a segment: so many that areas under curves stay close to the exact ones."""
MAX_CLASSES = 20
"""With more labels, scores are not profiled by class."""


@dataclass(frozen=True, slots=True, eq=False)
class ColumnPlan:
    """How one column is counted; it is numeric if it has edges."""

    name: str
    edges: Floats | None = None
    coarse: Floats | None = None
    """Of a score: a subset of the edges, for segments."""
    vocabulary: Vocabulary = frozenset()
    formats: Vocabulary = frozenset()
    """Shapes of text in the reference."""
    class_names: ClassNames | None = None
    """How its cells are named, if they are classes."""

    @property
    def missing_words(self) -> frozenset[str]:
        """Texts that stand for an empty cell."""
        return MISSING_WORDS if self.class_names is None else CLASS_MISSING_WORDS

    @property
    def is_numeric(self) -> bool:
        return self.edges is not None

    def profile(
        self, values: Floats, missing: int = 0, other_types: int = 0, *, coarse: bool = False
    ) -> NumericProfile:
        """The profile of numbers; ``coarse``: in the bins of segments."""
        edges = self.coarse if coarse else self.edges
        assert edges is not None  # noqa: S101
        return NumericProfile.of(values, edges, missing, other_types)


@dataclass(frozen=True, slots=True, eq=False)
class Crossing:
    """Two segment columns, and the pairs of their values that are counted."""

    columns: tuple[str, str]
    values: frozenset[tuple[str, str]]
    omitted: int = 0
    """Pairs of the single columns' values that are not counted."""


@dataclass(frozen=True, slots=True, eq=False)
class ProfilePlan:
    """Everything that counting depends on. It can be pickled and sent to a worker."""

    spec: MeasureSpec
    columns: tuple[ColumnPlan, ...]
    segments: tuple[tuple[str, Vocabulary], ...] = ()
    """Segment columns and the values that are counted; all others are one segment."""
    classes: tuple[str, ...] = ()
    """The labels, sorted, if there are few: their scores are profiled by class."""
    typical_label: float | None = None
    """The median label of a regression; ``None`` for a classification."""
    crossings: tuple[Crossing, ...] = ()
    embedding_widths: tuple[tuple[str, int], ...] = ()
    """By embedding column the numbers in a cell."""
    tenths: tuple[tuple[str, tuple[float, ...]], ...] = ()
    """By numeric input the ends between the tenths of its values; equal ones come once."""
    omitted: tuple[tuple[str, str], ...] = ()
    """Columns that are no inputs, which nobody named, and why."""
    now: float | None = None
    """When the log is read, seconds (UTC): rows without a label have been waiting until then. ``None``: delays of
    labels are not counted."""
    positive_prediction: str = ""
    """The positive one of two classes of predictions where neither labels nor a vocabulary name the classes."""
    pairs: Vocabulary = field(init=False)
    """Prediction and label, for every pair of classes."""
    positive: str = field(init=False)
    """Of two classes the positive one; empty if nothing says which."""
    binary_score: str = field(init=False)
    """The column of its probability, if there is one."""

    def __post_init__(self) -> None:
        pairs = frozenset(map(PAIR_SEPARATOR.join, product(self.classes, repeat=2)))
        object.__setattr__(self, "pairs", pairs)
        positive = positive_class(self.classes, self.spec)
        columns = [column for _, column in self.spec.scores] or [self.spec.score]
        object.__setattr__(self, "positive", positive)
        object.__setattr__(self, "binary_score", columns[0] if positive and len(columns) == 1 else "")

    def column(self, name: str) -> ColumnPlan | None:
        return next((column for column in self.columns if column.name == name), None)

    @property
    def counts_delays(self) -> bool:
        """Whether the delay of each label is counted."""
        return self.now is not None and bool(self.spec.label and self.spec.label_time_column)

    @property
    def needed_columns(self) -> tuple[str, ...]:
        """The columns of the log to read."""
        spec = self.spec
        names = [*(column.name for column in self.columns), *(name for name, _ in self.segments)]
        names += (spec.id, spec.time, spec.version, spec.prediction, spec.label, spec.value, *score_columns(spec))
        names += [*spec.operation_columns, *(name for name, _ in self.tenths)]
        names += (spec.first_label_time_column,) if self.counts_delays else ()
        return tuple(dict.fromkeys(filter(None, [*names, *spec.sampled_columns])))


def plan_from_reference(reference: TableProfile, spec: MeasureSpec) -> ProfilePlan:
    """The plan that a reference's profile implies: the same edges and vocabularies.

    A training set can lack columns that only production has: a score then counts as a probability, prediction and
    label as classes.
    """
    scores = score_columns(spec)
    missing = [name for name in (*scores, spec.prediction, spec.label) if name and name not in reference.columns]
    label = reference.columns.get(spec.label)
    labels = tuple(sorted(label.counts)) if isinstance(label, CategoricalProfile) else ()
    kind = "numbers" if isinstance(label, NumericProfile) else "classes"
    if label is not None and spec.task not in ("", kind):
        message = f"the reference has {kind} in {spec.label!r}, and `task` is {spec.task}."
        raise UserError(message, hint="Capture the reference again.")
    names = ClassNames(labels, ignore_case=spec.ignore_case)
    columns = [_column_plan(name, reference, spec, names) for name in sorted(reference.columns) if name]
    unit_edges = np.linspace(0.0, 1.0, 1001)
    columns += [
        ColumnPlan(name, unit_edges, unit_edges[::4]) if name in scores else ColumnPlan(name, class_names=names)
        for name in dict.fromkeys(missing)
    ]
    segments = {name: reference.columns.get(name) for name in spec.segments}
    counts = {
        name: column.named_counts if isinstance(column, CategoricalProfile) else {} for name, column in segments.items()
    }
    return ProfilePlan(
        spec,
        tuple(columns),
        plan_segments(spec, counts),
        labels if len(labels) <= MAX_CLASSES else (),
        label.quantile(0.5) if isinstance(label, NumericProfile) and label.n else None,
        tuple(plan_crossings(spec, counts)),
        tuple((name, sample.width) for name, sample in sorted(reference.samples.items())),
        tuple(plan_tenths(spec, reference.columns)),
    )


def plan_tenths(spec: MeasureSpec, columns: Mapping[str, ColumnProfile]) -> Iterator[tuple[str, tuple[float, ...]]]:
    """For each input of ``calibration: {by: ...}`` the ends between tenths of its values. Raises UserError for a column
    that is unknown, or holds no numbers."""
    for name in spec.calibration.by if spec.calibration else ():
        column = columns.get(name)
        if not isinstance(column, NumericProfile) or not column.n:
            problem = "is not in the reference" if column is None and spec.reference else "holds no numbers"
            hint = "Name a numeric input; the values of other columns are `segments`."
            raise UserError(f"the column {name!r} {problem}.", hint=hint, where="measure: {calibration: {by}}")
        yield name, tuple(dict.fromkeys(column.quantiles([share / 10 for share in range(1, 10)])))


def score_columns(spec: MeasureSpec) -> tuple[str, ...]:
    """The columns that hold scores."""
    return tuple(filter(None, (spec.score, *(column for _, column in spec.scores))))


def plan_segments(spec: MeasureSpec, counts: Mapping[str, dict[str, int]]) -> tuple[tuple[str, Vocabulary], ...]:
    """The segment columns with their most frequent values; ``counts``: by column how often each value occurs."""
    return tuple((name, most_frequent(counts[name], MAX_VALUES)) for name in spec.segments)


def plan_crossings(spec: MeasureSpec, counts: Mapping[str, dict[str, int]]) -> Iterator[Crossing]:
    """For each pair of columns the ``MAX_VALUES`` pairs of values that have most rows if the columns are independent:
    so the choice follows from the counts of each column alone."""
    for left, right in spec.crossings:
        values = (sorted(most_frequent(counts.get(name, {}), MAX_VALUES)) for name in (left, right))
        sizes = {(value, other): counts[left][value] * counts[right][other] for value, other in product(*values)}
        largest = sorted(sizes, key=lambda pair: (-sizes[pair], pair))[:MAX_VALUES]
        yield Crossing((left, right), frozenset(largest), len(sizes) - len(largest))


def _column_plan(name: str, reference: TableProfile, spec: MeasureSpec, class_names: ClassNames) -> ColumnPlan:
    profile = reference.columns[name]
    if isinstance(profile, NumericProfile):
        return ColumnPlan(name, profile.edges, segment_edges(profile, name, spec))
    formats = reference.formats.get(name)
    shapes = frozenset(formats.named_counts) if formats else frozenset()
    return ColumnPlan(
        name,
        vocabulary=profile.vocabulary,
        formats=shapes,
        class_names=class_names if name in (spec.label, spec.prediction) else None,
    )


def segment_edges(profile: NumericProfile, name: str, spec: MeasureSpec) -> Floats | None:
    """The edges of a score within a segment; ``None`` for another column, which segments do not count."""
    if name not in score_columns(spec):
        return None
    filled = np.flatnonzero(profile.counts)
    around = np.unique(np.clip(np.concatenate([filled - 1, filled]), 0, len(profile.edges) - 1))
    # A bin for each score, if there are few.
    return profile.edges[around] if len(around) < SEGMENT_SCORE_BINS else coarsen_edges(profile, SEGMENT_SCORE_BINS)


def most_frequent(counts: dict[str, int], limit: int) -> Vocabulary:
    """The most frequent names; of equally frequent ones the first in alphabetical order."""
    return frozenset(sorted(counts, key=lambda name: (-counts[name], name))[:limit])
