"""Inputs that drift while a metric drops, ranked by how much of the drop lies where they moved."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...model.explanation import DriftedInput
from ...model.finding import Outcome, Track
from ...model.rule import Aggregate, Rule
from ...model.unit import unit_of
from ...stats.decomposition import change_in_moved_bins

MAX_INPUTS = 10
DRIFT_KINDS = frozenset({"data-drift"})


def drifted_inputs(rule: Rule, all_tracks: Sequence[Track], total: float, at: float) -> tuple[DriftedInput, ...]:
    """The features whose drift rules are in breach now.

    How much of the change ``total``, at the time ``at``, lies where a feature moved is known where the same metric is
    judged by that feature's values (``eval/age=30-40/accuracy``: a label named like the feature).
    """
    inputs: dict[str, DriftedInput] = {}
    for track in all_tracks:
        if track.rule.kind not in DRIFT_KINDS or track.rule.name == rule.name:
            continue
        outcome = track.outcome.tobytes()
        row = max(outcome.rfind(Outcome.OK.code), outcome.rfind(Outcome.BREACH.code))  # the newest that decides
        finding = track.finding(row) if row >= 0 else None
        if finding is None or finding.severity is None or finding.value is None:
            continue
        for feature, value in _features(track, finding.value):
            contribution = _share_of_change(rule, feature, all_tracks, total, at)
            drifted = DriftedInput(feature, track.rule.name, value, finding.severity, contribution, unit_of(track.rule))
            if feature not in inputs or _sort_key(drifted) < _sort_key(inputs[feature]):
                inputs[feature] = drifted
    return tuple(sorted(inputs.values(), key=_sort_key)[:MAX_INPUTS])


def _features(track: Track, value: float) -> list[tuple[str, float]]:
    """The feature that the track is about; of one across features those that drifted."""
    if track.labels:
        return [(track.labels[-1][1], value)]
    return [(drift.feature, drift.value) for drift in track.drifted if drift.feature]


def _sort_key(drifted: DriftedInput) -> tuple[float, int, float, str]:
    return -(drifted.share or 0.0), -drifted.severity.code, -abs(drifted.value), drifted.feature


def _share_of_change(rule: Rule, feature: str, all_tracks: Sequence[Track], total: float, at: float) -> float | None:
    by_value = [
        track
        for track in all_tracks
        if track.rule.metric.name == rule.metric.name
        and track.rule.aggregate is Aggregate.MEAN
        and len(track.labels) == 1
        and track.labels[0][0] == feature
        and track.grid.count
    ]
    if not by_value or not total:
        return None
    columns: tuple[list[float], ...] = ([], [], [], [])
    for track in by_value:
        row = min(max(int((at - track.grid.start) // track.grid.step), 0), track.grid.count - 1)
        n_before = track.baseline_n[row] if len(track.baseline_n) else math.nan
        for column, cell in zip(columns, (n_before, track.baseline[row], track.n[row], track.value[row]), strict=True):
            column.append(cell)
    contribution = change_in_moved_bins(*columns)
    return contribution / total if math.isfinite(contribution) else None
