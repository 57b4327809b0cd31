"""The profile of a categorical column: exact counts of known categories, and of a bounded choice of unknown ones."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from .numeric import ProfileMismatchError

MAX_CHARACTERS = 120
"""Characters of a category that are kept; what is cut off is identified by a digest."""
MAX_UNSEEN = 200
"""Categories beyond the vocabulary that are counted by name."""

Vocabulary = frozenset[str]


def shorten_category(text: str) -> str:
    """The name under which a category is counted: itself, or for long texts the beginning and a digest of the whole."""
    if len(text) <= MAX_CHARACTERS:
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{text[: MAX_CHARACTERS - 18]}~{digest}"


def hash_category(name: str) -> int:
    """A fixed pseudo-random 64-bit number of a category; it decides which unseen ones are kept."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


@dataclass(frozen=True, slots=True)
class CategoricalProfile:
    """Counts by category. ``n`` is the sum of ``counts``, ``unseen`` and ``other``; empty cells are ``missing``.

    Which categories are counted by name never depends on the order in which rows or partitions come: all of the
    vocabulary, and of those beyond it the ``bound`` with the least hash. A category of that choice was in the choice
    of every part in which it occurred, so that its count is exact.
    """

    vocabulary: Vocabulary = frozenset()
    bound: int = MAX_UNSEEN
    counts: Mapping[str, int] = field(default_factory=dict)
    """Of categories in the vocabulary that occurred."""
    unseen: Mapping[str, int] = field(default_factory=dict)
    """Of at most ``bound`` categories beyond the vocabulary."""
    other: int = 0
    """Cells of all further categories."""
    missing: int = 0

    @classmethod
    def of(
        cls, counts: Mapping[str, int], vocabulary: Vocabulary = frozenset(), missing: int = 0, bound: int = MAX_UNSEEN
    ) -> CategoricalProfile:
        """The profile of cells that were counted by their text."""
        if vocabulary.issuperset(counts):  # True for almost every column of small windows.
            return cls(vocabulary, bound, dict(counts), {}, 0, missing)
        known, unseen = Counter[str](), Counter[str]()
        for text, count in counts.items():
            name = shorten_category(text)
            (known if name in vocabulary else unseen)[name] += count
        named, other = _keep_least_hashes(unseen, bound)
        return cls(vocabulary, bound, dict(known), named, other, missing)

    @property
    def n(self) -> int:
        return sum(self.counts.values()) + sum(self.unseen.values()) + self.other

    @property
    def rows(self) -> int:
        return self.n + self.missing

    @property
    def named_counts(self) -> dict[str, int]:
        """Every category that is counted by name."""
        return {**self.counts, **self.unseen}

    @property
    def cardinality(self) -> float:
        """Different categories: exact up to ``bound`` unseen ones, beyond it estimated.

        From the k-th least of uniformly spread ranks (Bar-Yossef et al. 2002); standard error about 1/sqrt(bound).
        Cells without a name, which a column of mixed types has, count as none of their own beside others.
        """
        if not self.other or 0 < len(self.unseen) < self.bound or (self.counts and not self.unseen):
            return float(len(self.counts) + len(self.unseen))
        last = max((hash_category(name) for name in self.unseen), default=0)
        return len(self.counts) + (len(self.unseen) - 1) * (2.0**64 / max(last, 1)) if self.unseen else float("nan")

    def merge(self, other: CategoricalProfile) -> CategoricalProfile:
        """Both together. Raises ``ProfileMismatchError`` where vocabulary or bound differ."""
        if self.bound != other.bound or (
            self.vocabulary is not other.vocabulary and self.vocabulary != other.vocabulary
        ):
            raise ProfileMismatchError("categorical profiles with another vocabulary cannot be added.")
        unseen, more = _keep_least_hashes(_add_counts(self.unseen, other.unseen), self.bound)
        return CategoricalProfile(
            self.vocabulary,
            self.bound,
            _add_counts(self.counts, other.counts),
            unseen,
            self.other + other.other + more,
            self.missing + other.missing,
        )


def _add_counts(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    total = Counter(left)
    total.update(right)
    return dict(total)


def _keep_least_hashes(counts: Mapping[str, int], bound: int) -> tuple[dict[str, int], int]:
    """The ``bound`` categories of the least rank, and how many cells the others hold."""
    if len(counts) <= bound:
        return dict(counts), 0
    least = {name: counts[name] for name in sorted(counts, key=lambda name: (hash_category(name), name))[:bound]}
    return least, sum(counts.values()) - sum(least.values())
