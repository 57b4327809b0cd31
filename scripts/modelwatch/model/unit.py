"""How values read: as a number, as a length of time, as a percentage, as the name of a measure."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase

from .drift import drift_spec
from .keys import KeyPattern
from .prediction_log import ESTIMATE_CHECK, ESTIMATED
from .rule import STATIC_LIMITS, FeatureAggregation, Rule

MILLISECONDS, SECONDS, MINUTES, HOURS, DAYS = TIMES = ("ms", "s", "min", "h", "d")
PERCENT = "%"
MINUS = "−"
FEATURES, IMPORTANCE = "features", "importance"
"""The share of features that drifted: of their number, or of their importance."""
ESTIMATE = "estimate"
"""A metric that was estimated without labels, as a plain number."""
MARGIN = "margin"
"""How far an estimate was off, as a multiple of the margin that it stated: the half-width of its interval."""
_UNIT_SUFFIXES = {
    "ms": MILLISECONDS,
    "milliseconds": MILLISECONDS,
    "s": SECONDS,
    "sec": SECONDS,
    "seconds": SECONDS,
    "minutes": MINUTES,
    "hours": HOURS,
    "days": DAYS,
}
"""The last word of a metric's name, behind an underscore."""
_SHARE_SUFFIXES = ("rate", "share", "fraction", "excess")
_FRESHNESS = "quality/freshness"
_LABEL_DELAY = "labels/delay_days/"
"""The beginning of the names of quantiles of the delay."""
_MATURITY = "labels/maturity_days"
_AGREEMENT = "agreement/"
"""Shares of rows with the same prediction."""


def unit_of(rule: Rule) -> str:
    """Empty for a plain number; else one of the above, or the method of a measure of drift (``psi``).

    A share is shown as a percentage only where its limits are fixed ones: beside ``8.6 % below its baseline`` a
    percentage of a percentage would have to be decoded.
    """
    if rule.across is FeatureAggregation.SHARE:
        return IMPORTANCE if rule.importances else FEATURES
    if is_estimated(rule.metric):
        return ESTIMATE
    if rule.metric.text.startswith(f"{ESTIMATE_CHECK}/"):
        return MARGIN
    if drift := drift_spec(rule.metric):
        return drift.method
    if unit := rule.unit or unit_of_time(rule.metric.text):
        return unit
    limits = [limit for tier in rule.tiers for limit in tier.limits]
    fixed = bool(limits) and all(limit.form in STATIC_LIMITS and 0 <= limit.value <= 1 for limit in limits)
    return PERCENT if fixed and (is_share(rule.metric.text) or rule.kind == "error-rate") else ""


def unit_of_time(key: str) -> str:
    """The unit of time that a key says that its values have; empty where it says none."""
    if key == _FRESHNESS:
        return SECONDS
    if key.startswith((_LABEL_DELAY, _MATURITY)):
        return DAYS
    _, underscore, ending = key.rpartition("/")[2].replace("-", "_").rpartition("_")
    return _UNIT_SUFFIXES.get(ending, "") if underscore else ""


def is_share(key: str) -> bool:
    """Whether a key says that its values are shares of a whole, from 0 to 1."""
    ending = key.rpartition("/")[2].replace("-", "_").rpartition("_")[2]
    return ending in _SHARE_SUFFIXES or key.startswith(_AGREEMENT)


def is_estimated(metric: KeyPattern) -> bool:
    """Whether this can be a metric that ``modelwatch measure`` estimates without labels."""
    return fnmatchcase(ESTIMATED, metric.text.partition("/")[0])


def can_be_withheld(metric: KeyPattern) -> bool:
    """Whether ``modelwatch measure`` leaves this metric out where it cannot say it honestly: estimates, and their
    checks, of a version with too few labels."""
    return is_estimated(metric) or metric.text.startswith(f"{ESTIMATE_CHECK}/")


def number_text(value: float) -> str:
    """Four significant digits, thousands separated: ``0.8412``, ``12,400``, ``1.234e-07``."""
    if value == 0:
        return "0"
    size = abs(value)
    if 1e-4 <= size < 1e9:
        digits = 0 if size >= 1000 else max(0, 3 - math.floor(math.log10(size)))
        text = f"{size:,.{digits}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{size:.3e}"
    return (MINUS if value < 0 else "") + text
