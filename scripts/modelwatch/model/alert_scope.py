"""Whether everything got worse or one segment, and which of a group's alerts shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from .alert import BUILT_IN_RULES, Alert, AlertState, Group
from .explanation import Explanation, SegmentContribution
from .series import Labels

FEATURE_LABELS = frozenset({"feature", "features"})
"""Labels whose value is a column's name: it is no segment of the rows."""


class Extent(Enum):
    WHOLE = auto()
    """The metric has no segments, or none of them stands out."""
    EVERYTHING = auto()
    """Every segment: the cause is the environment or the data, and no segment."""
    SEVERAL = auto()
    SEGMENT = auto()
    """One segment."""


@dataclass(frozen=True, slots=True)
class AlertScope:
    """How much of a metric got worse."""

    extent: Extent
    alert: Alert | None
    """The alert to describe: the whole's, unless segments stand out."""
    labels: Labels = ()
    """Of the segment that stands out."""
    firing: int = 0
    """How many segments fire."""
    segments: int = 0
    dimension: str = ""
    """What the segments are values of, ``region``; empty where they have several labels, or different ones."""


def find_scope(group: Group) -> AlertScope:
    return find_alert_scope(group.alerts, group.evidence.why, group.evidence.segments_seen)


def find_alert_scope(alerts: Sequence[Alert], why: Explanation | None, segments_seen: int) -> AlertScope:
    """The scope of ``alerts`` of one rule, worst first; where none fires, only which one is the worst.

    ``segments_seen``: how many segments the rule judges.
    """
    worst = alerts[0] if alerts else None
    if worst is None or worst.rule in BUILT_IN_RULES or worst.state is not AlertState.FIRING:
        return AlertScope(Extent.WHOLE, worst, worst.labels if worst else ())
    firing = [alert for alert in alerts if alert.state is AlertState.FIRING]
    whole = next((alert for alert in firing if not alert.labels), None)
    segments = [alert for alert in firing if alert.labels]
    dimension = _dimension(segments, why)

    def scope(extent: Extent, alert: Alert, labels: Labels = ()) -> AlertScope:
        return AlertScope(extent, alert, labels, len(segments), segments_seen, dimension)

    if dimension in FEATURE_LABELS:
        return scope(Extent.SEGMENT if worst.labels else Extent.WHOLE, worst, worst.labels)
    found = why.found if why else None
    single = _segment_alert(segments, whole or worst, found) if found else None
    if found is not None and single is not None:
        return scope(Extent.SEGMENT, single, found.labels)
    alike = changed_alike(why)
    if segments_seen >= 2 and (alike or len(segments) == segments_seen):
        # Where segments differ, the whole stands for them only if it is as bad.
        shown = whole if whole is not None and (alike or whole.severity is worst.severity) else worst
        return scope(Extent.EVERYTHING, shown, shown.labels)
    if segments:
        return scope(Extent.SEGMENT if len(segments) == 1 else Extent.SEVERAL, segments[0], segments[0].labels)
    return scope(Extent.WHOLE, whole or worst)


def _segment_alert(segments: Sequence[Alert], whole: Alert, found: SegmentContribution) -> Alert | None:
    """The alert of the segment that was found, or the whole's with the segment's values; ``None`` where it is new or
    gone, so that it has none, or changed its size more than its value."""
    if abs(found.rate) < abs(found.mix):
        return None
    own = next((alert for alert in segments if alert.labels == found.labels), None)
    if own is not None or found.value is None or found.before is None:
        return own
    change = (found.value - found.before) / abs(found.before) if found.before else None
    finding = replace(
        whole.finding,
        labels=found.labels,
        value=found.value,
        baseline=found.before,
        change=change,
        low=None,
        high=None,
        n=None,
    )
    return replace(whole, labels=found.labels, finding=finding, worst=finding)


def _dimension(segments: Sequence[Alert], why: Explanation | None) -> str:
    labels = [alert.labels for alert in segments] + [part.labels for part in (why.parts if why else ()) if part.labels]
    names = {tuple(name for name, _ in pairs) for pairs in labels}
    only = next(iter(names)) if len(names) == 1 else ()
    return only[0] if len(only) == 1 else ""


def changed_alike(why: Explanation | None) -> bool:
    """Whether every segment is known, and they changed by the same amount: none more than twice as much as another, or
    no more differently than chance allows."""
    if why is None:
        return False
    changes = [part.value - part.before for part in why.parts if part.value is not None and part.before is not None]
    if len(changes) < 2 or len(changes) < max(why.parts_seen, len(why.parts)):
        return False
    sizes = [change if why.total > 0 else -change for change in changes]
    return why.alike or 0 < max(sizes) <= 2 * min(sizes)
