"""When ours is late beside the best of the others."""

from __future__ import annotations

import math

import pytest

from ..false_alarms.model_years import Change
from .detectors import Row

SUDDEN, RAMP = Change(0.05), Change(0.05, over=14 * 24)
"""The ramp passes the mildest limit, 2 %, after 134 hours."""


@pytest.mark.parametrize(
    ("change", "ours", "best", "is_late"),
    [
        (SUDDEN, 12.0, 10.0, True),
        (SUDDEN, 11.0, 10.0, False),
        (SUDDEN, 1.5, 1.0, False),
        (SUDDEN, 2.0, 1.0, True),
        (SUDDEN, math.inf, 10.0, True),
        (SUDDEN, 10.0, math.inf, False),
        (RAMP, 83.0, 40.0, False),
        (RAMP, 140.0, 130.0, False),
        (RAMP, 160.0, 130.0, True),
    ],
)
def test_late_is_an_hour_and_a_tenth_after_the_best_and_after_the_limit(
    change: Change, ours: float, best: float, is_late: bool
) -> None:
    assert Row(change, ours, best).is_late is is_late
