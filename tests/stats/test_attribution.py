"""How much of a drop lies where an input moved."""

from __future__ import annotations

import math

import pytest

from modelwatch.stats.decomposition import change_in_moved_bins


def test_a_drop_in_a_bin_that_grew_lies_there() -> None:
    before, after = [0.9, 0.9, 0.9], [0.9, 0.9, 0.6]
    moved = change_in_moved_bins([400, 400, 200], before, [200, 200, 600], after)
    assert moved == pytest.approx(0.72 - 0.9)


def test_a_drop_elsewhere_does_not() -> None:
    # The last two bins swap their shares, the first one drops.
    moved = change_in_moved_bins([5000, 4000, 1000], [0.9, 0.9, 0.9], [5000, 1000, 4000], [0.5, 0.9, 0.9])
    assert moved == pytest.approx(0, abs=1e-12)


def test_noise_in_the_shares_is_no_move() -> None:
    assert change_in_moved_bins([50, 50], [0.9, 0.9], [58, 42], [0.5, 0.5]) == 0


def test_a_tiny_move_of_many_rows_is_none() -> None:
    assert change_in_moved_bins([5e8, 5e8], [0.9, 0.9], [5.1e8, 4.9e8], [0.5, 0.5]) == 0


def test_an_empty_side_is_unknown() -> None:
    assert math.isnan(change_in_moved_bins([10, 10], [1, 1], [0, 0], [math.nan, math.nan]))
