"""README's rule beside the change detectors of others: ``python -m tests.peers.detectors [--years n] [--trials n]``.

All watch the same hourly accuracies, of a model and its five segments, in two kinds of world. On healthy years each
gets the parameter with which it alarms at most once a year. Then the same failing models show how many hours each
needs. Status 1 where ours is late, or is not the first or level in most rows. Late: more than 10 % and at least one
hour, the step of the data, after the best of the others, and after the metric has become worse by the mildest limit.
Before that an alarm is early: the rule says that a change of 2 % is news, and its detectors test that the change is
above 0.3 of that, so that a slow trend of less stays quiet. The others know no limit, and name the start of a ramp.

- Ours: README's rule; the parameter is its budget of false alarms. A column shows it as it is by default, too, when it
  alarms less often.
- 0.1: README's rule before budgets; ``for`` is the parameter, and a window of 24 h decides alone, at 95 %.
- River's ADWIN, HDDM_A, HDDM_W, DDM, Page-Hinkley and KSWIN, with their defaults for all but one parameter.
- Evidently: its default for columns of up to 1,000 rows, the distance of Kolmogorov and Smirnov, here between the
  newest 24 hours and the 28 days that README's rule compares with; the distance is the parameter.
- NannyML: its default threshold, so many standard deviations of the reference's chunks from their mean; chunks are
  hours or days; the number of standard deviations is the parameter.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from modelwatch.model.severity import Severity
from modelwatch.stats.arrays import Bools, Floats, Ints
from modelwatch.timeutil import DAY

from ..false_alarms import model_years
from ..false_alarms.model_years import WARM_UP, WORLDS, YEAR, Change, World
from .install import NotInstalled, run

YEARS, TRIALS = 10, 40
DAYS_AFTER = 21
SLOWER = 1.1
REFERENCE, GAP, WINDOW = 28 * 24, 7 * 24, 24
"""Hours of README's rule: its baseline, what lies between the baseline and the window, and the window."""
ARENA: Mapping[str, World] = {
    **{f"counts alone, {volume} an hour": World(volume) for volume in (200, 1000, 5000)},
    **{name: world for name, world in WORLDS.items() if name.startswith("everything")},
}
CHANGES = (
    *(Change(size) for size in (0.02, 0.05, 0.08, 0.12, 0.20)),
    *(Change(size, over=14 * 24) for size in (0.05, 0.12)),
    *(Change(size, one_segment=True) for size in (0.05, 0.12, 0.20)),
)


@dataclass(frozen=True, slots=True, eq=False)
class Streams:
    """Models of one world: for each the values and counts, (hours, segments)."""

    world: World
    values: list[Floats]
    count: list[Ints]

    def accuracies(self) -> Floats:
        """(models, series, hours): the whole first; an hour without predictions repeats the one before."""
        tables = []
        for values, count in zip(self.values, self.count, strict=True):
            table = np.column_stack([model_years.whole(values, count)[0], values])
            row = np.maximum.accumulate(np.where(np.isfinite(table), np.arange(len(table))[:, None], 0), axis=0)
            tables.append(np.take_along_axis(table, row, axis=0).T)
        return np.array(tables)

    def severities(self, budgets: tuple[float | None, ...]) -> Ints:
        """(models, series, hours after the warm-up)."""
        rule = model_years.readme_rule(budgets)
        models = zip(self.values, self.count, strict=True)
        return np.array([model_years.severities(rule, *model, self.world.segments) for model in models])


SCALES = np.geomspace(1.0, 1e-3, 97)
"""Shares of the usual budget, from the strictest."""


def calibrate_budgets(streams: Streams, allowed: int) -> tuple[float, ...]:
    """The smallest budgets with at most so many warnings."""
    low, high = 0, len(SCALES) - 1
    while low < high:
        middle = (low + high + 1) // 2
        budgets = tuple(SCALES[middle] * budget for budget in model_years.BUDGETS)
        if count_edges(streams.severities(budgets) >= Severity.WARNING.code) <= allowed:
            low = middle
        else:
            high = middle - 1
    return tuple(SCALES[low] * budget for budget in model_years.BUDGETS)


def healthy_streams(name: str, years: int) -> Streams:
    world, rng = ARENA[name], np.random.default_rng(crc32(f"healthy {name}".encode()))
    values, counts = [], []
    for _ in range(years):
        level, count = model_years.draw(world, WARM_UP + YEAR, rng)
        values.append(model_years.observe(world, level, count, rng))
        counts.append(count)
    return Streams(world, values, counts)


def failing_streams(name: str, change: Change, trials: int) -> Streams:
    """The change begins with the first hour after the warm-up."""
    world, rng = ARENA[name], np.random.default_rng(crc32(f"{change} {name}".encode()))
    values, counts = [], []
    for _ in range(trials):
        value, count, begin = model_years.draw_change(world, change, rng, DAYS_AFTER)
        values.append(value[begin - WARM_UP :])
        counts.append(count[begin - WARM_UP :])
    return Streams(world, values, counts)


Statistic = Callable[[Streams], Floats]
"""What alarms where it is large: (models, series, hours after the warm-up)."""


def run_lengths(streams: Streams) -> Floats:
    """For how many hours in a row 0.1 found a breach of any tier."""
    breach = streams.severities((None, None, None)) >= Severity.WARNING.code
    hour = np.arange(breach.shape[-1])
    return (hour - np.maximum.accumulate(np.where(breach, -1, hour), axis=-1)).astype(np.float64)


def _stretches(accuracies: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Reference and newest 24 hours at each hour after the warm-up, by model: (hours, series, ...)."""
    for model in accuracies:
        windows = sliding_window_view(model, WINDOW, axis=1).swapaxes(0, 1)
        references = sliding_window_view(model, REFERENCE, axis=1).swapaxes(0, 1)
        hours = model.shape[1] - WARM_UP
        yield references[:hours], windows[-hours:]


def kolmogorov_distances(streams: Streams) -> Floats:
    found = []
    for references, windows in _stretches(streams.accuracies()):
        distance = np.empty(windows.shape[:2])
        for hour, (reference, window) in enumerate(zip(references, windows, strict=True)):
            distance[hour] = [_kolmogorov(*pair) for pair in zip(reference, window, strict=True)]
        found.append(distance.T)
    return np.array(found)


def _kolmogorov(reference: Floats, window: Floats) -> float:
    """Largest distance between the two empirical distributions."""
    first, second = np.sort(reference), np.sort(window)
    both = np.concatenate([first, second])
    below = np.searchsorted(first, both, side="right") / len(first)
    return float(np.abs(below - np.searchsorted(second, both, side="right") / len(second)).max())


def chunk_scores(hours: int) -> Statistic:
    """How many standard deviations of the reference's chunks the newest chunk of so many hours is too low."""

    def score(streams: Streams) -> Floats:
        accuracies = streams.accuracies()
        chunks = sliding_window_view(accuracies, hours, axis=2).mean(axis=3)[:, :, ::hours]
        length, gap = REFERENCE // hours, (GAP + WINDOW) // hours
        references = sliding_window_view(chunks, length, axis=2)
        newest = chunks[:, :, length + gap - 1 :]
        references = references[:, :, : newest.shape[2]]
        scores = (references.mean(axis=3) - newest) / references.std(axis=3)
        by_hour = np.repeat(scores, hours, axis=2)
        wanted = accuracies.shape[2] - WARM_UP
        if hours > 1:  # a chunk is judged when it is over
            by_hour = np.concatenate([np.full((*by_hour.shape[:2], hours - 1), -np.inf), by_hour], axis=2)
        end = length + gap - 1
        begin = WARM_UP - end * hours
        return by_hour[:, :, begin : begin + wanted]

    return score


OTHERS: Mapping[str, Statistic] = {
    "0.1": run_lengths,
    "Evidently": kolmogorov_distances,
    "NannyML, hours": chunk_scores(1),
    "NannyML, days": chunk_scores(24),
}


def count_edges(over: Bools) -> int:
    """How often something begins on any series."""
    return int(over[..., 0].sum() + (over[..., 1:] & ~over[..., :-1]).sum())


def calibrate(statistic: Floats, allowed: int) -> float:
    """The lowest level above which the statistic rises at most so many times."""
    levels = np.unique(statistic[np.isfinite(statistic)])
    low, high = 0, len(levels) - 1
    while low < high:
        middle = (low + high) // 2
        if count_edges(statistic > levels[middle]) <= allowed:
            high = middle
        else:
            low = middle + 1
    return float(levels[low])


def first_hours(over: Bools) -> Floats:
    """Hours until any series of each model is over; infinite where none is."""
    anywhere: Bools = np.any(over, axis=1)
    return np.where(np.any(anywhere, axis=1), anywhere.argmax(axis=1) + 1.0, np.inf)


def river_delays(name: str, streams: Streams, failing: Sequence[Streams], allowed: int) -> dict[str, list[float]]:
    """Median delay of each of River's detectors by change. Raises NotInstalled."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "changed").mkdir()
        healthy = streams.accuracies()
        np.save(folder / "healthy.npy", healthy.reshape(-1, healthy.shape[2]))
        for row, models in enumerate(failing):
            np.save(folder / "changed" / f"{row:02}.npy", models.accuracies())
        answer = json.loads(run("river", "run_river.py", place, str(WARM_UP), str(allowed)))
    found = {}
    for detector, result in answer.items():
        print(f"  {name}: {detector} at {result['strictness']:.3g}", file=sys.stderr, flush=True)
        delays = [
            [np.inf if hours is None else hours for hours in cell] for _, cell in sorted(result["delays"].items())
        ]
        found[detector] = [float(np.median(cell)) for cell in delays]
    return found


def compare(name: str, years: int, trials: int) -> dict[str, list[float]]:
    """Median delay by change, ours first."""
    healthy = healthy_streams(name, years)
    failing = [failing_streams(name, change, trials) for change in CHANGES]
    least = Severity.WARNING.code
    seen = count_edges(healthy.severities(model_years.BUDGETS) >= least)
    budgets = calibrate_budgets(healthy, years)
    print(
        f"\n{name}: in {years} healthy years all may alarm {years} times; by default ours warns {seen} times, "
        f"and is calibrated to a budget of {budgets[0] / DAY:.2g} days",
        flush=True,
    )
    medians = {
        column: [float(np.median(first_hours(some.severities(own) >= least))) for some in failing]
        for column, own in (("ours", budgets), ("ours, default", model_years.BUDGETS))
    }
    for other, statistic in OTHERS.items():
        level = calibrate(statistic(healthy), years)
        medians[other] = [float(np.median(first_hours(statistic(some) > level))) for some in failing]
    return medians | river_delays(name, healthy, failing, years)


@dataclass(frozen=True, slots=True)
class Row:
    """Median hours of ours and of the best of the others; infinite where most models were not found."""

    change: Change
    ours: float
    best: float

    @property
    def ratio(self) -> float:
        if np.isfinite(self.best):
            return self.ours / self.best
        return 0.0 if np.isfinite(self.ours) else np.nan

    @property
    def is_late(self) -> bool:
        limit_passed = self.change.over * model_years.LIMITS[0] / self.change.size
        return self.ratio > SLOWER and self.ours >= self.best + 1 and self.ours > SLOWER * limit_passed


def print_medians(medians: Mapping[str, Sequence[float]]) -> Iterator[Row]:
    """A row for each change; ours over the best of the others."""
    names = list(medians)
    print(f"{'change':<24}" + "".join(f"{name:>15}" for name in names) + f"{'ours / best':>13}")
    for place, change in enumerate(CHANGES):
        hours = [medians[name][place] for name in names]
        row = Row(change, hours[0], min(hours[2:]))
        cells = "".join(f"{hour:>15.1f}" if np.isfinite(hour) else f"{'-':>15}" for hour in hours)
        print(f"{change!s:<24}{cells}{row.ratio:>13.2f}{' late' if row.is_late else ''}", flush=True)
        if np.isfinite(row.ratio):
            yield row


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--years", type=int, default=YEARS, help="healthy years on which each is calibrated")
    parser.add_argument("--trials", type=int, default=TRIALS, help="failing models for each change")
    parser.add_argument("--world", choices=ARENA, action="append", help="only these")
    options = parser.parse_args()
    print(f"Median hours until an alarm on any series, of {options.trials} models; -: not within {DAYS_AFTER} days")
    rows: list[Row] = []
    for name in options.world or ARENA:
        try:
            medians = compare(name, options.years, options.trials)
        except NotInstalled as error:
            print(f"river could not be installed, which needs the internet: {error}", file=sys.stderr)
            return 1
        rows += print_medians(medians)
    slow, ahead = sum(row.ratio > SLOWER for row in rows), sum(row.ratio <= 1 for row in rows)
    late = sum(row.is_late for row in rows)
    print(
        f"\nof {len(rows)} rows ours is first or level in {ahead}, more than 10 % slower than the best in {slow}, "
        f"late in {late}"
    )
    return 1 if late or 2 * ahead <= len(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
