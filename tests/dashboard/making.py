"""Snapshots and series of models for the tests of pages."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from modelwatch.dashboard.page import View
from modelwatch.dashboard.snapshot import ModelSnapshot
from modelwatch.model.alert import Alert, AlertState, Group
from modelwatch.model.finding import ModelFindings, Track
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import Rule
from modelwatch.model.series import Histograms, Labels, PulledSeries, Series, labels_of
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY

from ..alerts.making import T0

NOW = T0 + 30 * DAY


def series(
    name: str,
    values: Sequence[float],
    labels: dict[str, str] | None = None,
    *,
    step: float = DAY,
    weights: Sequence[float] | None = None,
    end: float = NOW,
) -> Series:
    """Points ``step`` seconds apart, the last at ``end``."""
    times = array("d", [end - step * (len(values) - 1 - place) for place in range(len(values))])
    counts = None if weights is None else array("d", weights)
    return Series(name, labels_of(labels or {}), times, array("d", values), counts, (), array("i", [-1] * len(values)))


def histograms(
    name: str,
    edges: Sequence[float],
    counts: Sequence[Sequence[float]],
    labels: dict[str, str] | None = None,
    *,
    step: float = DAY,
    end: float = NOW,
    **more: Any,
) -> Histograms:
    """One histogram every ``step`` seconds in the same bins, the last at ``end``."""
    size = len(counts)
    return Histograms(
        name,
        labels_of(labels or {}),
        array("d", [end - step * (size - 1 - place) for place in range(size)]),
        (array("d", edges),) * size,
        tuple(array("d", one) for one in counts),
        version_of=array("i", [-1] * size),
        **more,
    )


def snapshot(
    *columns: Series,
    rules: tuple[Rule, ...] = (),
    tracks: tuple[Track, ...] = (),
    groups: tuple[Group, ...] = (),
    now: float = NOW,
    pull: dict[str, Any] | None = None,
    model: dict[str, Any] | None = None,
    **more: Any,
) -> ModelSnapshot:
    return ModelSnapshot(
        Model("churn", rules, **(model or {})),
        now,
        PulledSeries("churn", columns, **(pull or {})),
        ModelFindings(tracks),
        groups,
        **more,
    )


def firing_alert(track: Track, severity: str, row: int = -1) -> Alert:
    """That fires since the finding ``row`` of its track."""
    found = track.finding(row)
    level = Severity(severity)
    newest = track.finding(-1)
    return Alert(
        track.model,
        track.rule.name,
        track.rule.kind,
        track.labels,
        AlertState.FIRING,
        level,
        level,
        found.time,
        found.time,
        None,
        (),
        newest,
        found,
    )


def group_of(*alerts: Alert, **more: Any) -> Group:
    first = alerts[0]
    given: dict[str, Any] = {
        "state": first.state,
        "severity": first.severity,
        "start": first.start,
        "end": None,
        "alerts": alerts,
        "clear": (),
        "hold": 2,
        "newest": first.finding.time,
        "config": "c1",
    }
    return Group(first.model, first.rule, first.kind, **(given | more))


def numbers_in(thing: object) -> list[float]:
    """Every float in a dataclass, however deep."""
    if isinstance(thing, float):
        return [thing]
    if isinstance(thing, tuple | list):
        return [number for part in thing for number in numbers_in(part)]
    if is_dataclass(thing):
        return [number for field in fields(thing) for number in numbers_in(getattr(thing, field.name))]
    return []


def panels_of(view: View) -> list[Any]:
    return [*view.critical, *view.others, *view.folded]


def labels(**pairs: str) -> Labels:
    return labels_of(pairs)
