"""How long experiments take, against simulated ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.stats.experiments.confidence_sequence import boundary
from modelwatch.stats.experiments.planning import minimal_effect, required_units


@given(st.floats(0.001, 10), st.floats(0.1, 100))
def test_the_required_units_show_the_effect_and_fewer_do_not(effect: float, variance: float) -> None:
    units = required_units(effect, variance, 10_000, 0.05)
    if units < 100:
        return
    assert minimal_effect(units, variance, 10_000, 0.05) <= effect * 1.0001
    assert minimal_effect(0.99 * units, variance, 10_000, 0.05) > effect


def test_the_power_is_what_is_stated() -> None:
    rng = np.random.default_rng(1)
    effect = minimal_effect(10_000, 4.0, 10_000, 0.05)
    error = math.sqrt(4 / 10_000)
    found = np.abs(rng.normal(effect, error, 20_000)) > error * float(boundary(np.asarray(1.0), 0.05))
    assert found.mean() == pytest.approx(0.8, abs=0.01)


def test_no_effect_takes_forever() -> None:
    assert required_units(0.0, 4.0, 10_000, 0.05) == math.inf
    assert required_units(1e-12, 4.0, 10_000, 0.05) == math.inf
