"""A seeded sample of ``python -m tests.false_alarms.late_labels``."""

from __future__ import annotations

import pytest

from modelwatch.model.prediction_log import AUTO_MATURITY

from .late_labels import HISTORY, alarms


@pytest.mark.parametrize("seed", range(3))
def test_late_labels_alone_alarm_nobody(seed: int) -> None:
    assert alarms(seed, AUTO_MATURITY) == frozenset()


def test_without_maturity_they_alarm() -> None:
    assert alarms(0, 0.0) >= {"accuracy", "label-drift"}


def test_a_model_that_got_worse_is_found_once_its_labels_are_there() -> None:
    assert "accuracy" in alarms(0, AUTO_MATURITY, HISTORY - 20)
