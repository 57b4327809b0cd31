"""What stands in for NumPy's own, which imports masked arrays."""

from __future__ import annotations

import numpy as np
import pytest

from modelwatch.stats.arrays import Floats, median, sort_distinct

COLUMNS = [[], [2.0], [3.0, 1.0, 3.0, 2.0], [0.0, -0.0, np.inf, -np.inf, np.inf], [5.0, 4.0, 1.0]]


@pytest.mark.parametrize("column", COLUMNS)
def test_different_values_ascend(column: list[float]) -> None:
    values: Floats = np.array(column)
    assert np.array_equal(sort_distinct(values), np.unique(values))
    assert values.tolist() == column
    whole = (values[np.isfinite(values)] * 7).astype(np.int64)
    assert sort_distinct(whole).dtype == np.int64
    assert np.array_equal(sort_distinct(whole), np.unique(whole))


@pytest.mark.parametrize("column", COLUMNS[1:3])
def test_the_median_leaves_out_what_is_missing(column: list[float]) -> None:
    assert median(np.array([*column, np.nan])) == np.nanmedian(column)
    assert np.isnan(median(np.array([np.nan])))
