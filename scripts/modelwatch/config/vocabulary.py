"""The words of the configuration language: kinds of alerts, verbs, forms of limits, days."""

from __future__ import annotations

from ..model.rule import Aggregate, Direction, FeatureAggregation, Interval, LimitKind, Mode
from ..model.severity import Severity

KINDS = (
    "accuracy-drop",
    "business-metric",
    "calibration",
    "canary-failed",
    "data-drift",
    "data-quality",
    "delivery-failed",
    "error-rate",
    "frequent-rollbacks",
    "label-delay",
    "label-quality",
    "latency",
    "monitoring-silent",
    "prediction-drift",
    "retraining-failed",
    "rollback-failed",
    "segment-drop",
    "sudden-improvement",
)
"""The kinds that have a runbook of ours."""

BUILT_IN_RULES = (
    *("monitoring-silent", "sudden-improvement", "segment-gone"),
    *("rollback-failed", "retraining-failed", "canary-failed", "frequent-rollbacks"),
)
"""Names of the built-in rules, which no other rule can have."""

BUILT_IN_ACTIONS = ("issue", "page")
"""The actions of a ``do`` list beside the model's workflows."""

DEFAULT_ACTIONS = ("issue",)
"""What a tier without ``do`` does."""

CONTRACT_INPUTS = ("key", "model", "version", "target_version", "reason", "issue")
"""The inputs that every dispatched workflow takes."""

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]*"
NAME_DESCRIPTION = "a name (letters, digits, `.`, `_`, `-`; at most 64)"
VERB_PATTERN = r"[a-z][a-z0-9_-]*"

SEVERITIES = {str(severity): severity for severity in Severity}
MODES = {str(mode): mode for mode in Mode}
FORMS = {str(form): form for form in LimitKind}
AGGREGATES = {str(aggregate): aggregate for aggregate in Aggregate}
ACROSS = {str(across): across for across in FeatureAggregation}
INTERVALS = {str(interval): interval for interval in Interval}
DIRECTIONS = {"higher": Direction.HIGHER, "lower": Direction.LOWER, "neither": "neither"}
"""``neither``: a change either way is bad, as with the share of a class."""
BOOLEANS = {"true": True, "false": False}
SWITCH = {"on": True, "off": False, **BOOLEANS}
WEEKDAYS = {name: place for place, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}

RELATIVE_FORMS = frozenset((LimitKind.DROP, LimitKind.RISE))
BASELINE_FORMS = frozenset(
    (LimitKind.DROP, LimitKind.RISE, LimitKind.DROP_POINTS, LimitKind.RISE_POINTS, LimitKind.SIGMA)
)
"""Forms that need a baseline."""
HIGHER_IS_BETTER_FORMS = frozenset((LimitKind.DROP, LimitKind.DROP_POINTS, LimitKind.BELOW))
LOWER_IS_BETTER_FORMS = frozenset((LimitKind.RISE, LimitKind.RISE_POINTS, LimitKind.ABOVE))
GOOD_SIDE_FORMS = {Direction.HIGHER: LOWER_IS_BETTER_FORMS, Direction.LOWER: HIGHER_IS_BETTER_FORMS}
"""Forms that limit the good direction, by which direction is good."""
