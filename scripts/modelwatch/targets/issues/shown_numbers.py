"""The numbers of an issue that a reader acts on, and whether they have moved since it was written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...model.alert import AlertState, Group
from ...model.register import Impact
from ...report.alert_phrase import worst_alert

MIN_MOVE = 0.1
"""A number has moved if it differs by more than this part of the larger one,"""
MIN_DIFFERENCE = 0.002
"""and by more than this: a metric at its baseline is a bit above and below it."""


def shown_numbers(group: Group, impact: Impact | None, followers: Sequence[Group]) -> str:
    """How much fires, how bad it was, the rows since it began, and how bad it is and each of ``followers``; less where
    something is not known."""
    firing = sum(alert.state is AlertState.FIRING for alert in group.alerts)
    worst = () if impact is None else (impact.value if impact.change is None else impact.change, impact.rows or 0.0)
    sizes = (size for one in (group, *followers) for size in _size(one))
    return " ".join(f"{value:.4g}" for value in (firing, *worst, *sizes))


def _size(group: Group) -> Iterator[float]:
    alert = worst_alert(group)
    finding = alert.finding if alert else None
    if finding is not None and finding.value is not None and not group.built_in:
        yield finding.value if finding.change is None else finding.change


def differ_clearly(before: str, now: str) -> bool:
    """Whether one of the numbers is clearly another than before."""
    try:
        old, new = ([float(word) for word in text.split()] for text in (before, now))
    except ValueError:  # somebody edited the register
        return True
    return len(old) != len(new) or any(map(_differs, old, new))


def _differs(old: float, new: float) -> bool:
    return not abs(new - old) <= max(MIN_DIFFERENCE, MIN_MOVE * max(abs(new), abs(old)))
