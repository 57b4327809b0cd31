"""Why a metric dropped: which segments, by size or by value, since when, and which inputs moved at that time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .series import Labels
from .severity import Severity


@dataclass(frozen=True, slots=True)
class SegmentContribution:
    """What one segment contributes to the change of the whole: ``mix`` by its size, ``rate`` by its value."""

    labels: Labels
    """Empty: all rows that no segment names, together."""
    share_before: float
    """Of all rows, 0 to 1."""
    share: float
    before: float | None
    """Its value in the baseline; ``None``: it was not there."""
    value: float | None
    """Its value in the window; ``None``: it is not there."""
    mix: float
    rate: float
    p: float | None = None
    """How likely such a change of value is by chance, in any of the segments looked at (Bonferroni); ``None`` where no
    interval is known."""

    @property
    def total(self) -> float:
        return self.mix + self.rate


@dataclass(frozen=True, slots=True)
class DriftedInput:
    """A drifted input."""

    feature: str
    rule: str
    """The drift rule that reports it."""
    value: float
    severity: Severity
    share: float | None = None
    """How much of the change lies in those of the feature's values whose share of rows moved; ``None``: unknown."""
    unit: str = ""
    """How ``value`` reads, see ``unit``."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of one change, in the metric's unit; negative is a drop.

    ``mix + rate`` is ``total``. Both are ``None`` where segments do not add up to the whole: none are logged, counts
    are unknown, or the metric is no mean over rows.
    """

    at: float
    """The evaluation time that is explained (seconds, UTC)."""
    total: float
    """Value minus baseline."""
    mix: float | None = None
    rate: float | None = None
    parts: tuple[SegmentContribution, ...] = ()
    """Worst first, at most 10."""
    parts_seen: int = 0
    found: SegmentContribution | None = None
    """The one segment that explains at least half of the change, beyond chance; the crossing of two where it stands out
    against both."""
    searched: int = 0
    """Segments and crossings that were looked at to find it."""
    since: float | None = None
    """The first point of the worse stretch, by change-point; ``None``: none was found in the history."""
    since_labels: Labels = ()
    """Labels of the series that shows it."""
    version: str = ""
    """The version that was deployed as it began, or shortly before."""
    version_since: float | None = None
    features: tuple[DriftedInput, ...] = ()
    """Inputs that drift at the same time, those where most of the change lies first, at most 10."""
    alike: bool = False
    """Whether all segments changed by the same amount, as far as chance allows: nothing points to one of them."""
    since_range: tuple[float, float] | None = None
    """The earliest and the latest time that are as plausible as ``since``."""

    def share_of_total(self, of: float) -> float:
        """``of`` as a share of the total change; beyond 1 where other segments offset it."""
        return of / self.total if self.total else 0.0

    def share_of_worse(self, of: float, amounts: Sequence[float]) -> float:
        """``of`` as a share of those of ``amounts`` that have the sign of the total, -1 to 1: negative is what offsets
        them. ``amounts`` add up to the total, which noise makes as small as it likes."""
        worse = math.fsum(amount for amount in amounts if amount * self.total > 0)
        return max(-1.0, min(1.0, math.copysign(of / worse, of * self.total))) if worse else 0.0

    @property
    def amounts(self) -> tuple[float, ...]:
        """What each segment contributes to the total: the parts, and all others together."""
        known = tuple(part.total for part in self.parts)
        return (*known, self.total - math.fsum(known))
