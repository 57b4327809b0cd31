"""The newest delays in simulated worlds: rows that never get a label are no delay, and delays that grow are found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from modelwatch.stats.labels.delay import Cohort, DelayHistory
from modelwatch.stats.profile.delays import DelayProfile
from modelwatch.timeutil import DAY

Change = Callable[[int], float]
CHANGED = 60
FAST, SLOW = 1.0, 8.0
"""Mean delays of negatives and of positives, in days."""


def history(
    now: int,
    *,
    comes: Change = lambda _: 0.9,
    factor: Change = lambda _: 1.0,
    positive: Change = lambda _: 0.3,
    lost_after: float = np.inf,
    rows: int = 400,
    seed: int = 1,
) -> DelayHistory:
    """Daily cohorts. By day: the share of rows whose label ever comes, by what delays are multiplied, and the share of
    positives. ``lost_after``: half of the labels that would come later (days) are lost."""
    found = []
    for day in range(now):
        random = np.random.default_rng([seed, day])
        times = day + random.random(rows)
        classes = (random.random(rows) < positive(day)).astype(np.int64)
        delays = random.exponential(np.where(classes == 1, SLOW, FAST)) * factor(day)
        known = (random.random(rows) < comes(day)) & (times + delays <= now)
        known &= (times + delays < lost_after) | (random.random(rows) < 0.5)
        profile = DelayProfile.of(
            np.where(known, delays * DAY, np.nan), (now - times) * DAY, classes, ("no", "yes"), known
        )
        found.append(Cohort(day * DAY, (day + 1) * DAY, profile))
    return DelayHistory(found)


def newest(cohorts: DelayHistory, now: int, share: float = 0.9) -> float:
    """In days."""
    return cohorts.newest_delays(now * DAY).quantile(share, cohorts.curve(now * DAY).coverage).value / DAY


def since(before: float, after: float) -> Change:
    return lambda day: after if day >= CHANGED else before


LABELS_LACK: dict[str, Callable[[int], DelayHistory]] = {
    "half of the rows": lambda now: history(now, comes=since(0.9, 0.45)),
    "two thirds of the rows": lambda now: history(now, comes=since(0.9, 0.3)),
    "half of the labels, from one day on": lambda now: history(now, lost_after=CHANGED),
    "fewer and fewer": lambda now: history(now, comes=lambda day: 0.9 - max(day - CHANGED, 0) / 120),
    "more than before": lambda now: history(now, comes=since(0.4, 0.9)),
}


@pytest.mark.parametrize("name", LABELS_LACK)
@pytest.mark.parametrize("after", [2, 6, 20, 50])
def test_rows_without_a_label_are_no_delay(name: str, after: int) -> None:
    cohorts, now = LABELS_LACK[name](CHANGED + after), CHANGED + after
    # Where labels are lost from one day on, it is the late ones of rows before it: for a while delays look shorter.
    least = 0.4 if name.endswith("from one day on") else 0.75
    assert least * 1.1 < newest(cohorts, now, 0.5) < 1.25 * 1.1
    assert least * 9.0 < newest(cohorts, now) < 1.25 * 9.0
    assert cohorts.newest_delays(now * DAY).quantile(0.9, cohorts.curve(now * DAY).coverage).is_reached


def test_the_share_without_a_label_shows_it() -> None:
    cohorts = history(CHANGED + 30, comes=since(0.9, 0.45))
    assert cohorts.newest_curve((CHANGED + 30) * DAY).missing_at(14 * DAY) > 0.5


def test_a_class_that_gets_rare_is_no_delay_of_it() -> None:
    now = CHANGED + 30
    cohorts = history(now, positive=since(0.3, 0.15))
    usual, delays = cohorts.curve(now * DAY), cohorts.newest_delays(now * DAY)
    yes = cohorts.classes.index("yes")
    age = delays.class_age(yes, 0.9, float(usual.by_class[yes, usual.bins - 1])) / DAY
    assert age == pytest.approx(SLOW * np.log(10), rel=0.25)


@pytest.mark.parametrize("factor", [2.0, 3.0])
@pytest.mark.parametrize("coverage", [0.9, 1.0])
def test_delays_that_grow_are_found_within_the_usual_ninetieth_percent(factor: float, coverage: float) -> None:
    found = [
        newest(history(CHANGED + 9, factor=since(1.0, factor), comes=lambda _: coverage, seed=seed), CHANGED + 9)
        for seed in range(5)
    ]
    assert min(found) > 9.0 * 1.3
    later = [newest(history(CHANGED + 50, factor=since(1.0, factor), seed=seed), CHANGED + 50) for seed in range(3)]
    assert min(later) > 9.0 * 1.6


def test_labels_that_stop_are_late() -> None:
    """No more of them is known than that they are not there."""
    now = CHANGED + 10
    assert newest(history(now, comes=since(0.9, 0.0)), now, 0.5) > 5


@pytest.mark.parametrize("rows", [40, 400])
def test_nothing_changes_where_nothing_changed(rows: int) -> None:
    found = [newest(history(80, rows=rows, seed=seed), 80) for seed in range(12)]
    assert max(found) < 9.0 * (1.3 if rows == 400 else 2.0)
    intervals = [history(80, rows=rows, seed=seed) for seed in range(12)]
    usual = [one.curve(80 * DAY).coverage for one in intervals]
    quantiles = [one.newest_delays(80 * DAY).quantile(0.9, share) for one, share in zip(intervals, usual, strict=True)]
    assert sum(one.low <= 9.0 * DAY <= one.high for one in quantiles) >= 10


def test_no_label_at_all_and_no_row() -> None:
    none = history(40, comes=lambda _: 0.0)
    assert none.newest_delays(40 * DAY).coverage == 0.0
    assert DelayHistory([]).newest_delays(0.0).bins == 0
