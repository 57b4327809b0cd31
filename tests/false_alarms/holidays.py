"""Holidays that a calendar names: ``python -m tests.false_alarms.holidays [years]`` prints false alarms a year."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from datetime import date

import numpy as np

from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.calendar import CalendarEvent, CalendarSpec
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import Rule
from modelwatch.model.series import Labels, PulledSeries, Series
from modelwatch.stats.arrays import Ints
from modelwatch.timeutil import DAY, HOUR

from .model_years import SEVERITIES, START, YEAR, Rng, readme_rule

BEFORE = 400 * 24
"""Hours of history before the year that is judged."""
SEGMENTS = 5
EPOCH = date(1970, 1, 1).toordinal()


def holidays(hours: int, rng: Rng) -> Ints:
    """Ten days of each year, counted from the start."""
    days = [365 * year + rng.choice(365, 10, replace=False) for year in range(-(-hours // YEAR))]
    return np.unique(np.concatenate(days))


def calendar(days: Ints) -> CalendarSpec:
    dates = [date.fromordinal(EPOCH + int(START // DAY) + int(day)).isoformat() for day in days]
    return CalendarSpec(events=tuple(CalendarEvent("holiday", day, day) for day in dates))


def alarms(rule: Rule, right: Ints, count: Ints) -> Ints:
    """How often each tier began to hold on the whole or on a segment in the last year."""
    times = START + HOUR * np.arange(1, len(count) + 1)
    columns: list[tuple[Labels, Ints, Ints]] = [((), right.sum(axis=1), count.sum(axis=1))]
    columns += [((("region", f"r{place}"),), right[:, place], count[:, place]) for place in range(SEGMENTS)]
    series = tuple(
        Series("eval/accuracy", labels, array("d", times), array("d", hits / trials), array("d", trials.astype(float)))
        for labels, hits, trials in columns
    )
    model = Model(name="churn", rules=(rule,), history=365 * DAY)
    findings = evaluate_model(model, PulledSeries("churn", series), float(times[-1]) + 1)
    reached = np.array([np.frombuffer(track.severity, np.int8) for track in findings.tracks])
    began = [((reached[:, 1:] >= s.code) & (reached[:, :-1] < s.code)).sum() for s in SEVERITIES]
    return np.array(began)


def year(volume: float, size: float, rng: Rng) -> Iterator[Ints]:
    """Alarms of each tier without a calendar and with one, on the same year with holidays of this ``size``."""
    hours = BEFORE + YEAR
    days = holidays(hours, rng)
    lower = np.isin(np.arange(hours) // 24, days)
    accuracy = np.where(lower, 0.9 * (1 - size), 0.9)[:, None]
    count = np.maximum(rng.poisson(volume / SEGMENTS, (hours, SEGMENTS)), 1)
    right = rng.binomial(count, accuracy)
    for spec in (None, calendar(days)):
        yield alarms(readme_rule(calendar=spec), right, count)


def main() -> None:
    years = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    print(f"False alarms a year of README's rule, {SEGMENTS} segments, ten holidays; warnings / errors / criticals")
    for volume in (200, 1000, 5000):
        for size in (0.02, 0.05, 0.1):
            total = np.array([list(year(volume, size, np.random.default_rng(seed))) for seed in range(years)])
            plain, dated = (" / ".join(f"{rate:.2f}" for rate in row) for row in total.mean(axis=0))
            print(f"{volume:>6} an hour, {size:4.0%} lower: {plain} without a calendar, {dated} with one", flush=True)


if __name__ == "__main__":
    main()
