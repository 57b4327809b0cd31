"""Drift methods as metrics: ``features/*/psi`` is a number that was logged, or follows from histograms."""

from __future__ import annotations

from dataclasses import dataclass

from .keys import KeyPattern
from .rule import BaselineKind

METHOD_ALIASES = {"js": "jensen_shannon", "tv": "total_variation", "chi2": "chi_square", "cvm": "cramer_von_mises"}
DEFAULT_LIMITS: dict[str, tuple[float, ...]] = {
    "psi": (0.1, 0.25, 0.5),
    "jensen_shannon": (0.1, 0.25, 0.5),
    "hellinger": (0.1, 0.25, 0.5),
    "total_variation": (0.1, 0.25, 0.5),
    "chi_square": (0.1, 0.25, 0.5),
    "ks": (0.1, 0.25, 0.5),
    "wasserstein": (0.1, 0.25, 0.5),
    "cramer_von_mises": (0.005, 0.03, 0.125),
    "classifier_auc": (0.55, 0.625, 0.75),
    "mmd": (0.01, 0.06, 0.25),
}
DEFAULT_LIMITS |= {alias: DEFAULT_LIMITS[method] for alias, method in METHOD_ALIASES.items()}
"""``above`` of tiers that name no limit, from the mildest on: 1, 2.5 and 5 times the least effect that matters (for
squares their squares, about; for the AUC of a classifier its distance from 0.5, doubled)."""
MIN_EFFECT = {method: limits[0] for method, limits in DEFAULT_LIMITS.items()}
"""The limit of the mildest tier where it names none: smaller effects are of no consequence, however certain."""
SHARE_LIMITS = (0.3, 0.5, 0.75)
"""The same for the share of features that drifted."""
EMBEDDING_METHODS = ("classifier_auc", "mmd")
"""Methods for embeddings and texts: logged as numbers, with the count beside them, never computed from histograms."""
HISTOGRAM_PART = "histogram"
"""Last part of the key of a feature's histogram, where the feature's own key is taken."""
CATEGORIES_PART = "categories"
"""Last part of a key whose histogram has one bin for each category."""


@dataclass(frozen=True, slots=True)
class DriftSpec:
    """The drift method that a rule's metric ends in, and the histograms that it can be computed from."""

    method: str
    patterns: tuple[KeyPattern, ...]
    """Keys of those histograms: ``features/*``, ``features/*/histogram`` and ``features/*/categories``
    for ``features/*/psi``; none for embeddings and texts."""

    def is_categorical(self, name: str) -> bool:
        """Whether histograms of that name hold categories."""
        return bool(self.patterns) and name == self.patterns[-1].name != self.patterns[0].name

    @property
    def full_method(self) -> str:
        return METHOD_ALIASES.get(self.method, self.method)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(pattern.name for pattern in self.patterns)


def drift_spec(metric: KeyPattern) -> DriftSpec | None:
    """``None`` where the metric does not measure drift."""
    head, _, method = metric.text.rpartition("/")
    if not head or method not in MIN_EFFECT:
        return None
    if method in EMBEDDING_METHODS:
        return DriftSpec(method, ())
    return DriftSpec(
        method, tuple(KeyPattern(text) for text in (head, f"{head}/{HISTOGRAM_PART}", f"{head}/{CATEGORIES_PART}"))
    )


@dataclass(frozen=True, slots=True)
class ReferenceDrift:
    """What one feature measures against one reference, in the newest window that has a value."""

    kind: BaselineKind
    what: str
    """The file's path, or the version; empty for a stretch of history, which ``length`` describes."""
    length: float
    """Seconds of history, where it is one."""
    value: float | None
    """``None``: this reference holds nothing to compare the feature with."""
    sure: bool = False
    """Beyond chance, corrected for the number of features."""
    off: float = 0.0
    """The largest error that re-binning can make at any point of the distribution, as a share of the values."""
    unseen: float = 0.0
    """Share of the window's values in categories that this reference has never seen."""


@dataclass(frozen=True, slots=True)
class ShareChange:
    """One category's share of the values."""

    category: str
    """Empty where its name is not known: a histogram holds only a checksum of it."""
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class QuantileChange:
    """The value below which a share of the values lies."""

    share: float
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class DistributionChange:
    """What a feature was like in the reference and in the newest window: numbers by mean and quantiles, categories by
    their shares."""

    mean: tuple[float, float] | None = None
    sd: float = 0.0
    """Standard deviation before."""
    quantiles: tuple[QuantileChange, ...] = ()
    shares: tuple[ShareChange, ...] = ()
    """Those that changed most, most first."""


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """One feature against every reference of its rule."""

    feature: str
    method: str
    """The method that was applied: categories have no order, so that some methods are replaced by another."""
    value: float
    """The value against the worst reference: tiers are compared with it."""
    against: tuple[ReferenceDrift, ...] = ()
    """In the rule's order."""
    exact: bool = False
    """Judged by measured profiles, not by the coarser histograms of the history."""
    change: DistributionChange | None = None
    """Against the worst reference."""
