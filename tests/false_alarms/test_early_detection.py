"""The score of early detection, and that on streams of kinds on which nothing was chosen it is far ahead of simple
detectors at their best."""

from __future__ import annotations

import numpy as np
import pytest

from modelwatch.timeutil import HOUR

from .early_detection import (
    BUDGET,
    alert_rows,
    best_threshold,
    ewma,
    held_out_streams,
    ours,
    sigma,
    stream_score,
    total_score,
)
from .streams import Labelled


def stream(*begins: int) -> Labelled:
    times = HOUR * np.arange(1000.0)
    return Labelled("hours", times, np.zeros(1000), np.array(begins, dtype=np.int64), ("spike",) * len(begins))


@pytest.mark.parametrize(
    ("alerts", "worth"),
    [
        ([], 0.0),
        ([300, 700], 2.0),
        ([325], 0.75),
        ([325, 340], 0.75),
        ([299, 300], 0.95),
        ([350], -0.05),
    ],
)
def test_early_alerts_are_worth_more_and_false_ones_cost(alerts: list[int], worth: float) -> None:
    assert stream_score(stream(300, 700), alerts)[0] == pytest.approx(worth)  # windows of 50 points


def test_after_an_alert_there_is_quiet_for_half_a_day() -> None:
    level = np.zeros(1000)
    level[[10, 300, 311, 312, 330]] = 5.0
    assert alert_rows(stream().times, level, 5.0) == [300, 312, 330]


def test_unknown_kinds_of_streams_are_judged_better_than_by_simple_detectors_at_their_best() -> None:
    streams = held_out_streams(2)
    own = total_score(streams, [ours(one.times, one.values) for one in streams], np.log(BUDGET))[0]
    for simple in (sigma, ewma):
        levels = [simple(one.times, one.values) for one in streams]
        assert own > total_score(streams, levels, best_threshold(streams, levels))[0] + 10
