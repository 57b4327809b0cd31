"""What scores say beside an alert about them: how sure the model is, and whether it is right to be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .rule import Rule

CONFIDENCE, CONFIDENCE_COUNT = "predictions/confidence", "predictions/n"
ERROR, ERROR_COUNT = "calibration/ece", "calibration/n"
"""W&B keys that ``modelwatch measure`` logs."""
BIN_KEYS = {name: f"calibration/bin=*/{name}" for name in ("predicted", "observed")}
"""Of the reliability curve, by what they hold."""
BIN_LABEL = "bin"
KINDS = frozenset(("calibration", "prediction-drift"))


class CalibrationVerdict(StrEnum):
    """What confidence and calibration say together, in comparison with the weeks before."""

    LESS_CONFIDENT = "less-confident"
    """Less sure than before, and right to be."""
    MORE_CONFIDENT = "more-confident"
    WORSE = "worse"
    """As sure as before, and no longer right to be."""
    LESS_CONFIDENT_AND_WORSE = "less-confident-and-worse"
    OVERCONFIDENT = "overconfident"
    """Surer than before, and not right to be."""
    UNCHANGED = "unchanged"
    UNKNOWN = "unknown"
    """Nothing is known of earlier windows, or of this one's labels."""


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Rows with neighbouring scores: the mean score, and what share happened, with its interval (95 %)."""

    predicted: float
    observed: float
    low: float
    high: float
    n: float


@dataclass(frozen=True, slots=True)
class CalibrationChange:
    """Confidence and calibration error now, in the rule's window, and before the alert; ``None`` where unknown."""

    verdict: CalibrationVerdict
    confidence_before: float | None = None
    confidence: float | None = None
    error_before: float | None = None
    error: float | None = None
    bins: tuple[CalibrationBin, ...] = ()
    """By ascending score, at most five."""


def is_about_scores(rule: Rule) -> bool:
    """Whether a rule judges scores that ``modelwatch measure`` logs."""
    return rule.kind in KINDS and rule.metric.name.startswith(("predictions/", "calibration/"))
