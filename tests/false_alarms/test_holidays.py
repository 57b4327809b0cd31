"""A sample of the years with holidays."""

from __future__ import annotations

import numpy as np
import pytest

from .holidays import year


@pytest.mark.parametrize(("volume", "size"), [(1000, 0.05), (5000, 0.02)])
def test_a_calendar_ends_the_false_alarms_of_holidays(volume: float, size: float) -> None:
    plain, dated = year(volume, size, np.random.default_rng(11))
    assert plain.sum() > 10
    assert dated.sum() == 0
