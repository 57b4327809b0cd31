"""The scenarios: what each one breaks, which rule it takes, and which links must and must not be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ..model.drill import Link


class Degradation(StrEnum):
    """What happens to the metrics."""

    WORSE = "worse"
    """The metric of the rule passes its limit."""
    DRIFTED = "drifted"
    """The histograms of an input move."""
    SILENT = "silent"
    """No rows are logged any more."""
    NONE = "none"


class Service(StrEnum):
    WANDB = "W&B"
    GITHUB = "GitHub"
    PAGERDUTY = "PagerDuty"


ALL_LINKS = tuple(Link)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of drill. ``chain``: its links in the order in which they are verified."""

    name: str
    summary: str
    kinds: tuple[str, ...]
    """The kinds of rules that it can drill, the best first."""
    degradation: Degradation = Degradation.WORSE
    chain: tuple[Link, ...] = ALL_LINKS
    away: Service | None = None
    """What cannot be reached while the alert begins."""
    new_version: bool = False
    """Whether the degradation comes with a new version of the model."""
    verbs: tuple[str, ...] = ()
    """The workflows that it should start, if the tier does; empty: any but a rollback."""
    needs: str = ""
    """The action without which there is nothing to drill: a tier of the model's own must have it."""
    must_not: Mapping[Link, str] = field(default_factory=dict)
    """Links that must not be seen, with the reason: to see one breaks it."""
    not_part: Mapping[Link, str] = field(default_factory=dict)
    """Links that it has not, with the reason."""


_NO_RETRAIN = "while a data-quality alert fires nothing is retrained, since bad data makes bad models"
_SILENCE = "without rows no rule finds a breach: the silence itself is the alert"
_AWAY_FIRST = (Link.LOGGED, Link.PULLED, Link.FOUND, Link.FIRED)
_END = (Link.NOTIFIED, Link.RECEIVED, Link.DISPATCHED, Link.ENDED, Link.RECOVERED, Link.CLOSED)

_SCENARIOS = (
    Scenario(
        "accuracy-drop",
        "a metric of quality falls below its limit",
        ("accuracy-drop", "segment-drop", "concept-drift", "calibration"),
    ),
    Scenario(
        "drift",
        "the distribution of an input moves",
        ("data-drift", "prediction-drift", "label-drift"),
        Degradation.DRIFTED,
    ),
    Scenario(
        "missing-data",
        "values of an input are missing, and accuracy falls with them",
        ("data-quality",),
        must_not={Link.DISPATCHED: _NO_RETRAIN},
        not_part={Link.ENDED: "nothing may be dispatched"},
    ),
    Scenario("label-delay", "labels come later than they should", ("label-delay",)),
    Scenario("latency", "the service answers too slowly", ("latency",)),
    Scenario(
        "silence",
        "the serving job stops logging",
        (),
        Degradation.SILENT,
        must_not={Link.FOUND: _SILENCE},
    ),
    Scenario(
        "bad-deployment",
        "a new version is worse, and is rolled back",
        ("accuracy-drop", "error-rate", "latency"),
        new_version=True,
        verbs=("rollback",),
        needs="rollback",
    ),
    Scenario(
        "wandb-down",
        "W&B cannot be read",
        (),
        Degradation.NONE,
        away=Service.WANDB,
        must_not={
            Link.FOUND: "nothing can be judged, so nothing is found",
            Link.DISPATCHED: "no workflow repairs W&B",
        },
        not_part={Link.ENDED: "nothing may be dispatched"},
    ),
    Scenario(
        "github-down",
        "GitHub is away while a metric falls: the page must leave without the issue",
        ("accuracy-drop", "segment-drop", "latency", "error-rate"),
        chain=(*_AWAY_FIRST, Link.INCIDENT, Link.ISSUE, *_END),
        away=Service.GITHUB,
    ),
    Scenario(
        "pagerduty-down",
        "PagerDuty is away while a metric falls: the issue must say so, and the page must follow",
        ("accuracy-drop", "segment-drop", "latency", "error-rate"),
        chain=(*_AWAY_FIRST, Link.ISSUE, Link.INCIDENT, *_END),
        away=Service.PAGERDUTY,
        needs="page",
    ),
)
SCENARIOS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in _SCENARIOS}
