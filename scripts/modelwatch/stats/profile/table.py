"""The profile of a prediction log: for each version, window and segment the profiles of its columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import TypeVar

import numpy as np

from ..arrays import Segment
from .bottom_k_sketches import DistinctProfile, SampleProfile
from .categorical import CategoricalProfile
from .delays import DelayProfile
from .exact_sum import ExactSums
from .numeric import NumericProfile, ProfileMismatchError

ColumnProfile = NumericProfile | CategoricalProfile
PAIR_SEPARATOR = "\x1f"
"""Stands between prediction and label in the categories of ``TableProfile.pairs``."""


@dataclass(frozen=True, slots=True, order=True)
class ProfileKey:
    """What one table profile is about. ``window``: its beginning, seconds (UTC); it ends before the next one begins."""

    window: float = 0.0
    version: str = ""
    segment: Segment = ()
    """Sorted ``(column, value)`` pairs; empty for the whole."""


@dataclass(frozen=True, slots=True)
class TableProfile:
    """What is known of some rows. ``columns`` of the parts of a sum have the same names and kinds."""

    rows: int = 0
    columns: Mapping[str, ColumnProfile] = field(default_factory=dict)
    formats: Mapping[str, CategoricalProfile] = field(default_factory=dict)
    """Of text columns: how often each shape occurs (``9-9-9`` for a date)."""
    pairs: CategoricalProfile | None = None
    """Prediction and label of the rows that have both, with ``PAIR_SEPARATOR`` between: the confusion counts."""
    scores: Mapping[str, NumericProfile] = field(default_factory=dict)
    """Of two labels, per label the profile of the score. With a column of scores per class, under the class,
    ``PAIR_SEPARATOR`` and 1 or 0 that of its own rows and of the others."""
    sums: Mapping[str, ExactSums] = field(default_factory=dict)
    """Of the rows that have what is needed: ``hits`` (right or wrong), ``losses`` of scores, ``errors`` of numbers."""
    ids: DistinctProfile | None = None
    oldest: float = np.nan
    """Times of rows, seconds (UTC)."""
    newest: float = np.nan
    samples: Mapping[str, SampleProfile] = field(default_factory=dict)
    """Of embeddings and texts."""
    outputs: Mapping[str, ExactSums] = field(default_factory=dict)
    """Of rows with and without labels: what was predicted, errors and cost, as far as the configuration asks for it."""
    distributions: Mapping[str, NumericProfile] = field(default_factory=dict)
    """As ``outputs``: latencies, and scores by whether what they say happened."""
    delays: DelayProfile | None = None
    """Of labels; ``None`` where their times are not known. Segments have none."""

    def merge(self, other: TableProfile) -> TableProfile:
        """Both together. Raises ``ProfileMismatchError``."""
        return TableProfile(
            self.rows + other.rows,
            _merge_mappings(self.columns, other.columns),
            _merge_mappings(self.formats, other.formats),
            _merge_optional(self.pairs, other.pairs),
            _merge_mappings(self.scores, other.scores),
            _merge_mappings(self.sums, other.sums),
            _merge_optional(self.ids, other.ids),
            float(np.fmin(self.oldest, other.oldest)),
            float(np.fmax(self.newest, other.newest)),
            _merge_mappings(self.samples, other.samples),
            _merge_mappings(self.outputs, other.outputs),
            _merge_mappings(self.distributions, other.distributions),
            _merge_optional(self.delays, other.delays),
        )


@dataclass(frozen=True, slots=True)
class Profile:
    """Table profiles by cell. ``undated`` rows have no time and are in no cell."""

    cells: Mapping[ProfileKey, TableProfile] = field(default_factory=dict)
    undated: int = 0

    @property
    def rows(self) -> int:
        return sum(table.rows for cell, table in self.cells.items() if not cell.segment)

    def merge(self, other: Profile) -> Profile:
        """Both together; associative and commutative. Raises ``ProfileMismatchError``."""
        return Profile(_merge_mappings(self.cells, other.cells), self.undated + other.undated)

    def whole(self) -> TableProfile:
        """All windows and versions together, without segments."""
        return reduce(
            TableProfile.merge, (table for cell, table in self.cells.items() if not cell.segment), TableProfile()
        )


def merge_profiles(profiles: Iterable[Profile]) -> Profile:
    return reduce(Profile.merge, profiles, Profile())


Key = TypeVar("Key")
Part = TypeVar(
    "Part",
    SampleProfile,
    NumericProfile,
    CategoricalProfile,
    DistinctProfile,
    DelayProfile,
    ExactSums,
    TableProfile,
    ColumnProfile,
)


def _merge_mappings(left: Mapping[Key, Part], right: Mapping[Key, Part]) -> dict[Key, Part]:
    merged = dict(left)
    for key, part in right.items():
        previous = merged.get(key)
        merged[key] = part if previous is None else _merge_parts(previous, part)
    return merged


def _merge_optional(left: Part | None, right: Part | None) -> Part | None:
    if left is None or right is None:
        return right if left is None else left
    return _merge_parts(left, right)


def _merge_parts(left: Part, right: Part) -> Part:
    if type(left) is not type(right):
        raise ProfileMismatchError("a column cannot be numeric here and categorical there.")
    both: Part = left.merge(right)  # type: ignore[arg-type]
    return both
