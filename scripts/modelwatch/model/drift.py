"""Measures of drift as metrics: ``features/*/psi`` is a scalar that somebody logged, or follows from histograms."""

from __future__ import annotations

from dataclasses import dataclass

from .keys import KeyPattern
from .rule import Rule

LEAST_EFFECT = {
    "psi": 0.1,
    "jensen_shannon": 0.1,
    "js": 0.1,
    "hellinger": 0.1,
    "total_variation": 0.1,
    "tv": 0.1,
    "chi_square": 0.1,
    "chi2": 0.1,
    "ks": 0.1,
    "wasserstein": 0.1,
    "cramer_von_mises": 0.005,
    "cvm": 0.005,
}
"""The limit of a tier that names none: smaller effects are of no consequence, however certain."""
HISTOGRAM = "histogram"
"""Last part of a key that holds nothing but the histogram of what stands before it."""


@dataclass(frozen=True, slots=True)
class Drifting:
    """What a rule asks for whose metric ends in a measure of drift."""

    method: str
    patterns: tuple[KeyPattern, ...]
    """Keys of histograms it may follow from: ``features/*`` and ``features/*/histogram`` for ``features/*/psi``."""


def drifting(rule: Rule) -> Drifting | None:
    """``None`` where the rule's metric is no measure of drift."""
    head, _, method = rule.metric.text.rpartition("/")
    if not head or method not in LEAST_EFFECT:
        return None
    return Drifting(method, (KeyPattern(head), KeyPattern(f"{head}/{HISTOGRAM}")))
