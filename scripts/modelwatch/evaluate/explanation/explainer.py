"""From the findings of a model to the reasons of one drop: segments, since when, drifted inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...model.alert import BUILT_IN_RULES, Alert, AlertState
from ...model.alert_scope import find_alert_scope
from ...model.explanation import Explanation, SegmentContribution
from ...model.finding import Outcome, Track, is_within_limits
from ...model.rule import Aggregate, BaselineKind, Direction, Interval, Rule, rolling_gap
from ...model.series import Labels, PulledSeries
from ...stats.decomposition import Decomposition, decompose
from ...stats.intervals import z_value
from ...stats.segment_search import SegmentSums, rank_suspects
from ..segments import whole_labels
from .drifted_inputs import drifted_inputs
from .onset import Onset, find_onset, points_between

MAX_CONTRIBUTIONS = 10
MAX_MISSING_SHARE = 0.005
"""Rows that segments may lack, or name twice, of the whole before they do not add up to it."""
MIN_ALIKE_SHARE = 0.8
"""Segments with this share of the rows must have changed beyond chance before all count as changed alike."""
MIN_SHARE = 0.5
"""A segment explains a change where it contributes at least this share of it..."""
LEVEL = 0.05
"""...and its own change is less likely than this by chance, corrected for the number of segments."""


@dataclass(frozen=True, slots=True)
class _SegmentSide:
    """One series at the evaluation time that is explained."""

    labels: Labels
    value: float
    n: float
    before: float
    n_before: float
    error: float
    """Standard error of the change of value; NaN where unknown."""


def explain(
    tracks: Sequence[Track], alerts: Sequence[Alert], all_tracks: Sequence[Track], pull: PulledSeries | None
) -> Explanation | None:
    """Why the series of ``tracks`` (one rule's, ``alerts`` worst first) got worse; ``None``: nothing can be said.

    ``all_tracks`` are those of all rules of the model. Explained is the whole; where that did not get worse, only since
    when the worst alert's series did.
    """
    if not tracks or not alerts or tracks[0].rule.name in BUILT_IN_RULES or not tracks[0].grid.count:
        return None
    if tracks[0].rule.anomaly is not None:
        return None  # What is expected follows the series itself, so it has no segments that add up.
    whole_name = whole_labels(tracks[0].rule)
    whole = None if whole_name is None else _find_track(tracks, whole_name)
    subject = whole or _find_track(tracks, alerts[0].labels) or tracks[0]
    row = _explained_row(subject, tracks, alerts)
    segments = [track for track in tracks if track is not whole]
    if whole is None or _is_worse(whole, row):
        why = _best_decomposition(whole, segments, row, _Healthy(pull, min(alert.start for alert in alerts)))
        if why is not None:
            return _add_context(why, tracks, all_tracks, pull, row)
    described = find_alert_scope(alerts, None, sum(bool(track.labels) for track in tracks)).alert
    loudest = _find_track(tracks, described.labels if described else ()) or subject
    if not _is_worse(loudest, row):
        return None
    why = Explanation(loudest.grid.time(row), loudest.value[row] - loudest.baseline[row], since_labels=loudest.labels)
    return _add_context(why, tracks, all_tracks, pull, row)


def _add_context(
    why: Explanation, tracks: Sequence[Track], all_tracks: Sequence[Track], pull: PulledSeries | None, row: int
) -> Explanation:
    """Since when, with which version, and what moved."""
    labels = why.found.labels if why.found else why.since_labels
    subject = _find_track(tracks, labels)
    begin = find_onset(subject, pull, row) if subject is not None and math.isfinite(subject.baseline[row]) else Onset()
    return replace(
        why,
        since=begin.time,
        since_range=begin.range,
        since_labels=labels,
        version=begin.version,
        version_since=begin.version_since,
        features=drifted_inputs(tracks[0].rule, all_tracks, why.total, why.at),
    )


def _find_track(tracks: Sequence[Track], labels: Labels) -> Track | None:
    return next((track for track in tracks if track.labels == labels), None)


def _explained_row(track: Track, tracks: Sequence[Track], alerts: Sequence[Alert]) -> int:
    """The newest breach of what fires; once none of the alerts' series breaches any more, the worst alert's worst
    moment: what the metric is like while it recovers explains nothing. Without either the newest finding that decides,
    or else the newest."""
    start = _start(alerts)
    first = 0 if start == -math.inf else max(0, math.ceil((start - track.grid.start) / track.grid.step))
    worst = round((alerts[0].worst.time - track.grid.start) / track.grid.step)
    if 0 <= worst < track.grid.count and not _is_breaching(tracks, alerts):
        return worst
    outcome = track.outcome.tobytes()
    row = outcome.rfind(Outcome.BREACH.code, first)
    if row >= 0:
        return row
    newest = outcome.rfind(Outcome.OK.code, first)
    return newest if newest >= 0 else track.grid.count - 1


def _start(alerts: Sequence[Alert]) -> float:
    """When what lasts began; -inf: nothing does."""
    return min((alert.start for alert in alerts if alert.state is not AlertState.RESOLVED), default=-math.inf)


def _is_breaching(tracks: Sequence[Track], alerts: Sequence[Alert]) -> bool:
    """Whether the newest decided finding of an alert that is not over is a breach; not only because what was before is
    not outweighed yet by values that are within every limit again."""
    lasting = {alert.labels for alert in alerts if alert.state is not AlertState.RESOLVED}
    for track in tracks:
        outcome = track.outcome.tobytes()
        newest = outcome.rfind(Outcome.BREACH.code)
        is_breach = track.labels in lasting and newest > outcome.rfind(Outcome.OK.code)
        if is_breach and not is_within_limits(track.finding(newest), track.rule):
            return True
    return False


def _is_worse(track: Track, row: int) -> bool:
    change = track.value[row] - track.baseline[row]
    if not math.isfinite(change) or change == 0:
        return False
    return track.rule.better is None or (change < 0) == (track.rule.better is Direction.HIGHER)


@dataclass(frozen=True, slots=True)
class _Healthy:
    """The points before something began, where baselines are not of the same hours."""

    pull: PulledSeries | None
    start: float
    """When it began."""

    def sides(self, whole: Track, tracks: Sequence[Track], row: int) -> list[_SegmentSide] | None:
        """The sides of these tracks, each compared with its own points in the period that the whole is compared with;
        ``None`` where there is none."""
        period = self._period(whole, row)
        if self.pull is None or period is None or not period[0] < period[1]:
            return None
        name, sides = whole.rule.metric.name, []
        series = {one.labels: one for one in self.pull.series if one.name == name}
        for track in tracks:
            side, one = _side(track, row), series.get(track.labels)
            _, values, weights = points_between(one, *period) if one is not None else (None, np.zeros(0), np.zeros(0))
            if weights is None:
                return None
            n = float(weights.sum())
            before = float(weights @ values) / n if n > 0 else math.nan
            sides.append(replace(side, before=before, n_before=n, error=_error(track, row, before, n)))
        return sides

    def _period(self, whole: Track, row: int) -> tuple[float, float] | None:
        rule, at = whole.rule, whole.grid.time(row)
        if whole.anchor is not None and whole.baseline[row] == whole.baseline[-1]:
            return whole.anchor.since, whole.anchor.until
        if rule.baseline.kind is not BaselineKind.ROLLING:
            return None
        end = at - rule.window - rolling_gap(rule.window)
        return end - rule.baseline.length, min(end, self.start - rule.window)


def _best_decomposition(
    whole: Track | None, segments: Sequence[Track], row: int, healthy: _Healthy
) -> Explanation | None:
    """The decomposition that tells most: each way in which the rule cuts the whole gives one, and all are searched."""
    tracks = segments if whole is None else [whole, *segments]
    sides = _comparable_sides(whole, tracks, row, healthy)
    total = sides[0] if whole is not None else None
    cuts = _cut(sides[len(tracks) - len(segments) :])
    at, rule = tracks[0].grid.time(row), tracks[0].rule
    ways = [why for cut in cuts if (why := _decompose_segments(rule, at, total, cut)) is not None]
    if not ways:
        return None
    searched, segment = _significant_segment(rule, total, cuts) if total is not None else (0, None)
    if segment is not None:
        own = {side.labels for cut in cuts for side in cut if _names(side.labels) == _names(segment.labels)}
        way = next((why for why in ways if why.parts[0].labels in own), ways[0])
        return replace(way, found=segment, searched=searched)
    way = max(ways, key=lambda why: (why.found is not None, why.share_of_total(why.parts[0].total)))
    if searched and way.found is not None and way.found.p is not None:
        # It got worse as everything else did.
        return replace(way, found=None)
    return way


def _names(labels: Labels) -> tuple[str, ...]:
    return tuple(name for name, _ in labels)


def _cut(sides: Sequence[_SegmentSide]) -> list[list[_SegmentSide]]:
    """The segments by the names of their labels: each of these is one way to cut the whole."""
    cuts: dict[tuple[str, ...], list[_SegmentSide]] = {}
    for side in sides:
        cuts.setdefault(_names(side.labels), []).append(side)
    return list(cuts.values())


def _comparable_sides(
    whole: Track | None, tracks: Sequence[Track], row: int, healthy: _Healthy
) -> Sequence[_SegmentSide]:
    """One for each track. The whole can be compared with an anchor and a segment with its rolling baseline, or one of
    them without the hours in which it fired: then they do not add up, or leave rows of the whole's baseline that no
    window has, and all are compared with the same hours."""
    sides = [_side(track, row) for track in tracks]
    if whole is None:
        return sides
    own = _adding_up(sides)
    same = healthy.sides(whole, tracks, row) if own < (len(_cut(sides[1:])),) * 2 else None
    return same if same is not None and _adding_up(same) > own else sides


def _adding_up(sides: Sequence[_SegmentSide]) -> tuple[int, int]:
    """The cuts that add up to the whole, which comes first, and those of them that name the same part of its rows
    before as after: all of them, or not all of them."""
    remainders = [rest for cut in _cut(sides[1:]) if (rest := _remainder(sides[0], cut)) is not None]
    return len(remainders), sum(all(side.n > 0 and side.n_before > 0 for side in rest) for rest in remainders)


def _significant_segment(
    rule: Rule, total: _SegmentSide, cuts: Sequence[Sequence[_SegmentSide]]
) -> tuple[int, SegmentContribution | None]:
    """How many segments were searched, and the one whose own change explains at least half of the whole's."""
    binary = rule.interval is Interval.WILSON
    tables = [_segment_sums(cut, binary) for cut in cuts]
    worse = 1 if total.value > total.before else -1
    searched, suspects = rank_suspects(tables, _segment_sums([total], binary), worse_sign=worse)
    for suspect in suspects:
        if suspect.p < LEVEL and suspect.share >= MIN_SHARE:
            shares = (suspect.n_before / total.n_before, suspect.n_after / total.n)
            return searched, SegmentContribution(
                suspect.segment, *shares, suspect.before, suspect.after, suspect.mix, suspect.rate, suspect.p
            )
    return searched, None


def _segment_sums(sides: Sequence[_SegmentSide], binary: bool) -> SegmentSums:
    """What the counts and intervals of windows say of their rows; a segment of unknown spread is not tested."""
    n = np.nan_to_num(np.array([[side.n_before for side in sides], [side.n for side in sides]]))
    mean = np.array([[side.before for side in sides], [side.value for side in sides]])
    sums = np.where(n > 0, n * mean, 0.0)
    if binary:
        return SegmentSums(n, sums, sums, True, lambda place: sides[place].labels)
    # The standard error of the window's mean is that of its rows over the root of their number.
    spread = np.array([side.error**2 * side.n if side.error > 0 else math.nan for side in sides])
    return SegmentSums(n, sums, np.where(n > 0, n * (mean**2 + spread), 0.0), False, lambda place: sides[place].labels)


def _decompose_segments(
    rule: Rule, at: float, total: _SegmentSide | None, segments: Sequence[_SegmentSide]
) -> Explanation | None:
    """The whole's change by segments; ``None`` where they do not add up to it."""
    if rule.aggregate is not Aggregate.MEAN:
        return None
    sides = [side for side in segments if math.isfinite(side.n) or math.isfinite(side.n_before)]
    if total is not None:
        rest = _remainder(total, sides)
        if rest is None:
            return None
        sides += rest
    if not sides:
        return None
    columns = ([side.n_before for side in sides], [side.before for side in sides])
    split = decompose(*columns, [side.n for side in sides], [side.value for side in sides])
    if not math.isfinite(split.total) or split.total == 0:
        return None
    if total is not None and abs(split.total - (total.value - total.before)) > 0.05 * abs(split.total):
        return None
    if rule.better is not None and (split.total < 0) != (rule.better is Direction.HIGHER):
        return None
    return _to_explanation(at, sides, split, total.labels if total is not None else ())


def _to_explanation(at: float, sides: Sequence[_SegmentSide], split: Decomposition, labels: Labels) -> Explanation:
    parts = [_contribution(side, split, place, len(sides)) for place, side in enumerate(sides)]
    parts.sort(key=lambda part: (-part.total / split.total, part.labels))
    first = parts[0]
    sure = first.p is None or first.p < LEVEL
    explaining = first if first.labels and first.total / split.total >= MIN_SHARE and sure else None
    return Explanation(
        at,
        split.total,
        split.total_mix,
        split.total_rate,
        tuple(parts[:MAX_CONTRIBUTIONS]),
        len(parts),
        explaining,
        since_labels=labels,
        alike=_changed_alike(sides, split.total),
    )


def _changed_alike(sides: Sequence[_SegmentSide], total: float) -> bool:
    """Whether the segments changed by the same amount as far as chance allows, and most of them demonstrably.

    Cochran's Q (1954): the squared distances of the changes from their weighted mean, in standard errors, are as large
    as chance makes them. Segments of unknown spread leave it open.
    """
    both = [side for side in sides if math.isfinite(side.value) and math.isfinite(side.before)]
    if len(both) < 2 or len(both) < len(sides) or not all(side.error > 0 for side in both):
        return False
    change = np.array([side.value - side.before for side in both])
    error = np.array([side.error for side in both])
    rows = np.array([side.n for side in both])
    demonstrable = (np.abs(change) > z_value() * error) & (np.sign(change) == math.copysign(1.0, total))
    if not rows[demonstrable].sum() > MIN_ALIKE_SHARE * rows.sum():
        return False
    weight = error**-2
    q = float((((change - (weight * change).sum() / weight.sum()) / error) ** 2).sum())
    return _chi_square_tail(q, len(both) - 1) > LEVEL


def _chi_square_tail(value: float, freedom: int) -> float:
    """P(chi-square > ``value``), by the cube root (Wilson and Hilferty 1931): SciPy is not loaded by a check."""
    spread = 2.0 / (9.0 * freedom)
    return 0.5 * math.erfc(((value / freedom) ** (1.0 / 3.0) - (1.0 - spread)) / math.sqrt(2.0 * spread))


def _contribution(side: _SegmentSide, split: Decomposition, place: int, segments: int) -> SegmentContribution:
    p = None
    both = math.isfinite(side.value) and math.isfinite(side.before)
    if both and math.isfinite(side.error) and side.error > 0:
        p = min(1.0, segments * math.erfc(abs(side.value - side.before) / side.error / math.sqrt(2)))
    return SegmentContribution(
        side.labels,
        float(split.share_before[place]),
        float(split.share_after[place]),
        side.before if math.isfinite(side.before) else None,
        side.value if math.isfinite(side.value) else None,
        float(split.mix[place]),
        float(split.rate[place]),
        p,
    )


def _side(track: Track, row: int) -> _SegmentSide:
    n_before = track.baseline_n[row] if len(track.baseline_n) else math.nan
    before = track.baseline[row]
    error = _error(track, row, before, n_before)
    return _SegmentSide(track.labels, track.value[row], track.n[row], before, n_before, error)


def _error(track: Track, row: int, before: float, n_before: float) -> float:
    """Standard error of the change of value."""
    half = (track.high[row] - track.low[row]) / 2 / z_value()
    spread = 0.0
    if track.rule.interval is Interval.WILSON and n_before > 0:
        spread = max(before * (1 - before), 0.0) / n_before
    return math.sqrt(half * half + spread)


def _remainder(whole: _SegmentSide, sides: Sequence[_SegmentSide]) -> list[_SegmentSide] | None:
    """What no segment names, as a segment of its own (none where they name everything); ``None``: no partition."""
    n, value, off = _remaining_mean(whole.n, whole.value, [(side.n, side.value) for side in sides])
    before = _remaining_mean(whole.n_before, whole.before, [(side.n_before, side.before) for side in sides])
    if off or before[2]:
        return None
    if n == 0 and before[0] == 0:
        return []
    return [_SegmentSide((), value, n, before[1], before[0], math.nan)]


def _remaining_mean(n: float, value: float, parts: Sequence[tuple[float, float]]) -> tuple[float, float, bool]:
    """Count and value of what the parts leave of the whole, and whether they are no parts of it."""
    known = [(count, mean) for count, mean in parts if count > 0 and math.isfinite(mean)]
    left = n - math.fsum(count for count, _ in known)
    if not math.isfinite(left) or left < -MAX_MISSING_SHARE * n:
        return 0.0, math.nan, True
    if left <= MAX_MISSING_SHARE * n:
        return 0.0, math.nan, False
    mean = (n * value - math.fsum(count * mean for count, mean in known)) / left
    means = np.array([value, *(mean for _, mean in known)])
    # A remainder far outside what is seen anywhere is no mean of rows: the metric does not add up.
    width = float(means.max() - means.min()) or abs(value)
    return left, mean, not means.min() - 20 * width <= mean <= means.max() + 20 * width
