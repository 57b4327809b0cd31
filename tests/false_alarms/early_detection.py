"""A score of early detection: 0 for silence, 100 for an alert at the first point of every accident and no other.

Every accident has a window. The first alert in it is worth 1 at its beginning and 0 at its end: 1 less the square of
the share that has passed. Each alert outside of the windows costs a twentieth. After an alert there is quiet for half
a day.

``python -m tests.false_alarms.early_detection [draws]`` prints the score of modelwatch, with its default budget and at
the level that is best on the development streams, and of simple detectors at theirs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from modelwatch.stats.anomaly import score_points
from modelwatch.stats.arrays import Floats
from modelwatch.timeutil import DAY, HOUR

from .streams import DEVELOPMENT, DEVELOPMENT_ACCIDENTS, HELD_OUT, HELD_OUT_ACCIDENTS, Labelled, draw_stream

QUIET = 12 * HOUR
WINDOW_SHARE = 0.1
"""Of a stream that all of its windows cover together; a stream without accidents has none."""
FALSE_ALERT = 0.05
LEARNED = 0.15
"""Share of a stream in which alerts do not count, but at most so many points:"""
LEARNED_POINTS = 750
BUDGET = 90 * DAY

Detector = Callable[[Floats, Floats], Floats]
"""How unusual each point is; what is not finite never alerts."""


def alert_rows(times: Floats, level: Floats, threshold: float) -> list[int]:
    """Rows at which an alert begins."""
    first = min(int(LEARNED * len(times)), LEARNED_POINTS)
    rows, quiet = [], -np.inf
    for row in np.flatnonzero(np.nan_to_num(level, nan=-np.inf) >= threshold).tolist():
        if row >= first and times[row] >= quiet:
            rows.append(row)
            quiet = times[row] + QUIET
    return rows


def stream_score(stream: Labelled, alerts: Sequence[int]) -> tuple[float, int, list[float]]:
    """What the alerts are worth, how many are false, and what each accident earned."""
    length = int(WINDOW_SHARE * len(stream.times) / max(len(stream.begins), 1))
    earned = [0.0] * len(stream.begins)
    false = 0
    for row in reversed(alerts):
        place = int(np.searchsorted(stream.begins, row, side="right")) - 1
        elapsed = (row - stream.begins[place]) / length if place >= 0 else np.inf
        if elapsed < 1:
            earned[place] = 1 - elapsed**2
        else:
            false += 1
    return sum(earned) - FALSE_ALERT * false, false, earned


def total_score(streams: Sequence[Labelled], levels: Sequence[Floats], threshold: float) -> tuple[float, float]:
    """The score of all streams together, 0 to 100 (less than 0: saying nothing is better); false alerts a month."""
    worth = alerts = days = 0.0
    for stream, level in zip(streams, levels, strict=True):
        scored = stream_score(stream, alert_rows(stream.times, level, threshold))
        worth, alerts = worth + scored[0], alerts + scored[1]
        days += float(stream.times[-1] - stream.times[0]) / DAY * (1 - LEARNED)
    return 100 * worth / sum(len(stream.begins) for stream in streams), 30 * alerts / days


def best_threshold(streams: Sequence[Labelled], levels: Sequence[Floats]) -> float:
    """The highest level whose score is within a point of the best: of nearly equal ones that with fewest alerts."""
    finite = np.concatenate([level[np.isfinite(level)] for level in levels])
    tried = np.unique(np.quantile(finite, 1 - np.geomspace(1e-4, 0.2, 40))).tolist()
    scores = [total_score(streams, levels, threshold)[0] for threshold in tried]
    return max(float(level) for level, score in zip(tried, scores, strict=True) if score >= max(scores) - 1)


def ours(times: Floats, values: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log(score_points(times, values).wait)


def _standard(values: Floats) -> Floats:
    """Distance from the mean of all earlier points in their standard deviations."""
    before = np.maximum(np.arange(len(values)), 1)
    sums = np.concatenate([[0.0], np.cumsum(values)])[:-1] / before
    squares = np.concatenate([[0.0], np.cumsum(values**2)])[:-1] / before
    spread = np.sqrt(np.maximum(squares - sums**2, 0))
    return np.clip(np.nan_to_num((values - sums) / np.where(spread > 0, spread, np.inf)), -50, 50)


def sigma(times: Floats, values: Floats) -> Floats:
    return np.abs(_standard(values - values[0]))


def moving_sigma(times: Floats, values: Floats) -> Floats:
    """Shewhart: distance from the mean of the last day in its standard deviations."""
    from numpy.lib.stride_tricks import sliding_window_view

    day = round(DAY / (times[1] - times[0]))
    past = sliding_window_view(np.concatenate([np.full(day, values[0]), values])[:-1], day)
    spread = past.std(axis=1)
    apart: Floats = np.abs(values - past.mean(axis=1)) / np.where(spread > 0, spread, np.inf)
    return apart


def ewma(times: Floats, values: Floats) -> Floats:
    level, out = 0.0, []
    for value in _standard(values - values[0]).tolist():
        level += 0.1 * (value - level)
        out.append(abs(level))
    return np.array(out)


def cusum(times: Floats, values: Floats) -> Floats:
    high = low = 0.0
    out = []
    for value in _standard(values - values[0]).tolist():
        high, low = max(0.0, high + value - 0.5), max(0.0, low - value - 0.5)
        out.append(max(high, low))
    return np.array(out)


DETECTORS: Mapping[str, Detector] = {
    "modelwatch": ours,
    "sigma of all past": sigma,
    "Shewhart, a day": moving_sigma,
    "EWMA": ewma,
    "CUSUM": cusum,
}


def development_streams(draws: int) -> list[Labelled]:
    return [
        draw_stream(DEVELOPMENT, DEVELOPMENT_ACCIDENTS, name, seed) for name in DEVELOPMENT for seed in range(draws)
    ]


def held_out_streams(draws: int) -> list[Labelled]:
    seeds = range(1000, 1000 + draws)
    return [draw_stream(HELD_OUT, HELD_OUT_ACCIDENTS, name, seed) for name in HELD_OUT for seed in seeds]


def main(draws: int) -> None:
    known, unknown = development_streams(draws), held_out_streams(draws)
    print(f"{'':<28} {'development':>12} {'held out':>9} {'false a month':>14}")
    for name, detector in DETECTORS.items():
        levels = [[detector(stream.times, stream.values) for stream in streams] for streams in (known, unknown)]
        thresholds = {"": best_threshold(known, levels[0])}
        if detector is ours:
            thresholds[", default budget"] = float(np.log(BUDGET))
        for what, threshold in thresholds.items():
            own, other = total_score(known, levels[0], threshold), total_score(unknown, levels[1], threshold)
            print(f"{name + what:<28} {own[0]:>12.1f} {other[0]:>9.1f} {other[1]:>14.2f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
