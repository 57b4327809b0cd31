"""Which view of a model shows a rule: the one whose audience acts on it."""

from __future__ import annotations

from ..model.alert import Alert, AlertState, Group
from ..model.drift import drift_spec
from ..model.finding import Track
from ..model.rule import Direction, Rule
from ..model.severity import Severity
from .page import ViewName
from .snapshot import ModelSnapshot

_BY_KIND = {
    "business-metric": ViewName.BUSINESS,
    "latency": ViewName.OPERATIONS,
    "error-rate": ViewName.OPERATIONS,
    "data-quality": ViewName.GROUND_TRUTH,
    "label-delay": ViewName.GROUND_TRUTH,
    "label-drift": ViewName.GROUND_TRUTH,
    "label-quality": ViewName.GROUND_TRUTH,
}
_BY_HEAD = {
    "business": ViewName.BUSINESS,
    "cost": ViewName.OPERATIONS,
    "errors": ViewName.OPERATIONS,
    "latency": ViewName.OPERATIONS,
    "resources": ViewName.OPERATIONS,
    "system": ViewName.OPERATIONS,
    "throughput": ViewName.OPERATIONS,
    "labels": ViewName.GROUND_TRUTH,
    "quality": ViewName.GROUND_TRUTH,
}
"""By the first part of the metric's key."""


def view_of(rule: Rule) -> ViewName:
    """By its kind, else by its metric; the data scientists' where neither says."""
    head = rule.metric.text.partition("/")[0]
    return _BY_KIND.get(rule.kind) or _BY_HEAD.get(head, ViewName.DATA_SCIENCE)


class RuleTracks:
    """The tracks of one rule and what alerts say of them."""

    def __init__(self, tracks: list[Track], group: Group | None) -> None:
        self.rule = tracks[0].rule
        self.tracks = tracks
        self.group = group
        self.alerts: tuple[Alert, ...] = group.alerts if group else ()

    @property
    def is_drift(self) -> bool:
        return drift_spec(self.rule.metric) is not None

    @property
    def whole(self) -> Track | None:
        """The track that stands for all rows: a rule over segments alone, or over features, has none."""
        first = self.tracks[0]
        return (
            first
            if self.rule.metric.is_plain and first.labels == self.rule.metric.match(self.rule.metric.text)
            else None
        )

    @property
    def segments(self) -> list[Track]:
        return [track for track in self.tracks if track is not self.whole]

    def severity_of(self, track: Track) -> Severity | None:
        """The tier that holds for a series: of the alert that fires, not of a single finding."""
        firing = (alert for alert in self.alerts if alert.state is AlertState.FIRING and alert.labels == track.labels)
        return next((alert.severity for alert in firing), None)

    def rank_of(self, track: Track) -> tuple[float, float]:
        """How bad the newest finding of a series is: the tier that holds, then the change for the worse."""
        severity, finding = self.severity_of(track), track.finding(-1)
        sign = -1.0 if self.rule.better is Direction.HIGHER else 1.0
        size = sign * (finding.value or 0.0)
        if finding.change is not None:
            size = sign * finding.change if self.rule.better is not None else abs(finding.change)
        return (0.0 if severity is None else 1.0 + severity.code), size

    @property
    def badness(self) -> int:
        """Of what fires: 0 for nothing, then by severity."""
        return max((1 + severity.code for track in self.tracks if (severity := self.severity_of(track))), default=0)


def rules_of(snapshot: ModelSnapshot, view: ViewName) -> list[RuleTracks]:
    """The rules that a view shows, what fires first, worst first, then in the order of the configuration."""
    groups = {group.rule: group for group in snapshot.groups}
    found = [
        RuleTracks(tracks, groups.get(name))
        for name, tracks in snapshot.findings.by_rule().items()
        if view_of(tracks[0].rule) is view
    ]
    return sorted(found, key=lambda rule: -rule.badness)
