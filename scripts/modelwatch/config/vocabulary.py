"""The words of the configuration language: kinds of alerts, verbs, forms of limits, days; types that sections share."""

from __future__ import annotations

from ..model.rule import Direction, Mode
from ..model.severity import Severity
from ..timeutil import parse_iso_or_none
from .field_types import BOOLEANS, Enumeration, MapOf, Quantity, Text, one_or_more
from .literals import format_time_of_day, parse_time_of_day

KINDS = (
    "accuracy-drop",
    "anomaly",
    "business-divergence",
    "business-metric",
    "calibration",
    "canary-failed",
    "concept-drift",
    "data-drift",
    "data-quality",
    "delivery-failed",
    "error-rate",
    "frequent-rollbacks",
    "implausible-metric",
    "label-delay",
    "label-drift",
    "label-quality",
    "latency",
    "monitoring-silent",
    "prediction-drift",
    "retraining-failed",
    "rollback-failed",
    "segment-drop",
    "sudden-improvement",
    "watchdog",
)
"""The kinds that have a runbook of ours."""

BUILT_IN_KINDS = (
    "business-divergence",
    "canary-failed",
    "delivery-failed",
    "frequent-rollbacks",
    "implausible-metric",
    "monitoring-silent",
    "retraining-failed",
    "rollback-failed",
    "sudden-improvement",
    "watchdog",
)
"""Those that are raised without a rule."""
RULE_KINDS = tuple(kind for kind in KINDS if kind not in BUILT_IN_KINDS)

BUILT_IN_ACTIONS = ("issue", "page")
"""The actions of a ``do`` list beside the model's workflows."""

DEFAULT_ACTIONS = ("issue",)
"""What a tier without ``do`` does."""

CONTRACT_INPUTS = ("key", "model", "version", "target_version", "reason", "issue")
"""The inputs that every dispatched workflow takes."""

VERB_PATTERN = r"[a-z][a-z0-9_-]*"

DIRECTIONS = {"higher": Direction.HIGHER, "lower": Direction.LOWER, "neither": "neither"}
"""``neither``: a change either way is bad, as with the share of a class."""
ON_OFF = {"on": True, "off": False}
SWITCH = {**ON_OFF, **BOOLEANS}
WEEKDAYS = {name: place for place, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}

TEXT = Text()
NAME = Text("a name (letters, digits, `.`, `_`, `-`; at most 64)", r"[A-Za-z0-9][A-Za-z0-9._-]*", max_length=64)
TEXTS = one_or_more(TEXT)
PATH = Text("a path")
REPOSITORY = Text("a repository as owner/name", r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
WORKFLOW_FILE = Text("the name of a file in .github/workflows such as retrain.yml", r"[^/\s]+\.ya?ml")
LINKS = MapOf(
    Text("a URL or a command", max_length=500),
    r"[A-Za-z0-9][A-Za-z0-9 ._/()-]*",
    "the name of a dashboard or a command",
)
KIND = Text("a kind", r"[a-z][a-z0-9-]*", max_length=64)
WEB_ADDRESS = r"https?://(?:\[[0-9A-Fa-f:.]+\](?::\d+)?|[^\s\[\]/?#]+)(?:[/?#]\S*)?"
"""A pattern; in brackets stands an IPv6 address, and nothing else."""
URL = Text("a URL (https://...)", WEB_ADDRESS, strip="/")
MODE = Enumeration("a mode", Mode)
SEVERITY = Enumeration("a severity", Severity)
ON_OR_MAPPING = Enumeration("`on`, `off` or a mapping", ON_OFF)
TIME_OF_DAY = Quantity("a time of day (UTC) such as 22:00", parse_time_of_day, r"^[0-9]{1,2}:[0-9]{2}$")
LOCAL_TIME_OF_DAY = Quantity(
    "a time of day such as 09:00", parse_time_of_day, r"^[0-9]{1,2}:[0-9]{2}$", show=format_time_of_day
)
TIMESTAMP = Quantity("a date such as 2026-12-01 or 2026-12-01T18:00", parse_iso_or_none, r"^[0-9]{4}-[0-9]{2}-[0-9]{2}")
