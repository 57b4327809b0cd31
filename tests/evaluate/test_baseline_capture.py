"""Baselines captured from a period of history."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from modelwatch.errors import UserError
from modelwatch.evaluate.baseline_capture import capture_series
from modelwatch.model.rule import Aggregate, BaselineEntry, BaselineKind, BaselineSpec, Interval, LimitKind
from modelwatch.model.series import Series
from modelwatch.timeutil import HOUR

from .making import NAN, NOW, hourly, newest, rule, series, tier

VALUES = [0.5, 0.625, 0.75, 0.875]


def captured(some: Series, since: float = 0.0, until: float = NOW, **more: object) -> BaselineEntry:
    given = {"version": "", "source": "W&B run ab12", "now": NOW, "interval": Interval.WILSON, **more}
    return capture_series(some, since, until, **given)  # type: ignore[arg-type]


def test_value_count_interval_spread_and_percentiles() -> None:
    entry = captured(hourly(VALUES, weight=50.0, labels=(("region", "eu"),)))
    peer = binomtest(round(0.6875 * 200 * 1000), 200 * 1000).proportion_ci(0.95, "wilson")
    assert (entry.name, entry.labels, entry.value, entry.n) == ("eval/accuracy", (("region", "eu"),), 0.6875, 200.0)
    assert entry.low is not None
    assert entry.high is not None
    assert entry.low < peer.low < entry.value < peer.high < entry.high
    assert entry.sd == pytest.approx(float(np.std(VALUES, ddof=1)))
    assert [name for name, _ in entry.percentiles] == ["p5", "p25", "p50", "p75", "p95", "p99"]
    assert dict(entry.percentiles) == pytest.approx(
        {f"p{p}": np.percentile(VALUES, p) for p in (5, 25, 50, 75, 95, 99)}
    )
    assert (entry.points, entry.source, entry.captured) == (4, "W&B run ab12", NOW)


def test_both_ends_of_the_period_belong_to_it() -> None:
    entry = captured(hourly(VALUES), NOW - 2 * HOUR, NOW - HOUR)
    assert (entry.value, entry.points) == (0.6875, 2)
    assert dict(entry.percentiles)["p50"] == 0.6875


def test_without_counts_there_is_no_count_and_no_interval() -> None:
    entry = captured(hourly(VALUES))
    assert (entry.n, entry.low, entry.high) == (None, None, None)
    normal = captured(hourly(VALUES), interval=Interval.NORMAL)
    assert normal.low == pytest.approx(0.6875 - 1.959964 * float(np.std(VALUES, ddof=1)) / 2)


def test_only_the_versions_points_and_those_of_unknown_version() -> None:
    some = series(
        [(NOW - 3, 0.25), (NOW - 2, 0.5), (NOW - 1, 0.75), (NOW, 9.0)], versions=("a", "b"), version_of=[0, 0, -1, 1]
    )
    entry = captured(some, version="a")
    assert (entry.value, entry.version) == (0.5, "a")
    assert captured(some).points == 4


def test_bad_and_late_points_do_not_count() -> None:
    entry = captured(series([(NOW - 1, NAN), (NOW, 0.5), (NOW + 400, 9.0)]), until=NOW + 999)
    assert (entry.value, entry.points, entry.sd) == (0.5, 1, None)


def test_a_quantile_as_aggregate() -> None:
    assert captured(hourly(VALUES), aggregate=Aggregate.P95).value == pytest.approx(float(np.percentile(VALUES, 95)))
    assert captured(hourly(VALUES), aggregate=Aggregate.SUM).value == 0.6875


@pytest.mark.parametrize("some", [series([]), hourly([NAN, NAN]), hourly([0.5], until=NOW + 9 * HOUR)])
def test_nothing_to_capture_is_the_users_to_solve(some: Series) -> None:
    with pytest.raises(UserError, match="no finite points") as caught:
        captured(some)
    assert caught.value.where == "eval/accuracy"
    assert caught.value.hint


def test_what_is_captured_is_a_baseline() -> None:
    entry = captured(hourly([0.9] * 24, until=NOW - 48 * HOUR, weight=100.0))
    judged = rule(
        tier("error", LimitKind.DROP, 0.1),
        baseline=BaselineSpec(BaselineKind.FILE, entries=(entry,)),
        interval=Interval.WILSON,
    )
    last = newest(judged, hourly([0.7], weight=100.0))
    assert last.baseline == pytest.approx(0.9)
    assert last.severity is not None
