"""Input that is empty, constant, broken or strange has an answer in every statistic, and a stated one."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from modelwatch.stats.drift.columns import categories, numbers
from modelwatch.stats.drift.methods import (
    BINNED_STATISTICS,
    METHODS,
    of_bins,
    of_categories,
    of_samples,
    resolve_method,
)
from modelwatch.stats.profile.numeric import NumericProfile

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("empty", [[], [NAN, NAN], [None], [INF, -INF], ["x", "y"]])
def test_a_side_without_numbers_is_undefined_and_says_so(method: str, empty: list[object]) -> None:
    for reference, current, who in ((empty, [1.0, 2.0], "the reference"), ([1.0, 2.0], empty, "the current side")):
        got = of_samples(method, reference, current)
        assert (math.isnan(got.value), got.p_value, got.reliable) == (True, None, False)
        assert who in got.notes[0]
    assert "neither side" in of_samples(method, empty, empty).notes[0]


@pytest.mark.parametrize("method", METHODS)
def test_nothing_moved_where_both_sides_are_one_constant(method: str) -> None:
    got = of_samples(method, [3.0] * 200, [3.0] * 150)
    assert [got.value, got.effect] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert got.p_value is None or got.p_value > 0.9


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("moved", [2.0, 4.0])
def test_a_constant_that_moved_either_way_is_seen(method: str, moved: float) -> None:
    got = of_samples(method, [3.0] * 200, [moved] * 200)
    assert got.effect > 0.3
    assert got.p_value is None or got.p_value < 1e-6


@pytest.mark.parametrize("method", METHODS)
def test_one_row_has_an_answer_that_is_not_reliable(method: str) -> None:
    got = of_samples(method, [1.0], [2.0])
    assert got.defined
    assert not got.reliable
    assert any("unreliable" in note for note in got.notes)


@pytest.mark.parametrize("method", METHODS)
def test_missing_values_and_infinities_never_count_as_drift(method: str) -> None:
    """60 % missing is data quality: the statistic is that of the rest, and the note says what was left out."""
    values = [float(i % 17) for i in range(400)]
    broken = [*values, *[NAN] * 500, None, INF, -INF, "abc"]
    clean, got = of_samples(method, values, values[:200]), of_samples(method, values, broken[:200] + broken[400:])
    assert got.value == clean.value
    assert got.n_current == 200
    assert "504 of the current side" in got.notes[0]


@pytest.mark.parametrize("method", METHODS)
def test_numbers_at_the_end_of_doubles_stay_defined(method: str) -> None:
    huge = [1e308, -1e308, 1.5e308, 0.0] * 50
    got = of_samples(method, huge, [value / 2 for value in huge])
    assert got.defined
    assert got.value >= -1e-9
    assert of_samples(method, huge, huge).value == pytest.approx(0.0, abs=1e-9)


def test_booleans_dates_decimals_and_numpy_scalars_are_numbers() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    cells: list[object] = [True, False, Decimal("1.5"), np.float32(2), np.int8(3), 10**400, None, "7", NAN]
    assert numbers(cells)[0].tolist() == [0, 1, 1.5, 2, 3]
    assert numbers(cells)[1] == 4
    assert numbers([noon, noon + timedelta(seconds=1)])[0].tolist() == [noon.timestamp(), noon.timestamp() + 1]
    assert numbers([date(1970, 1, 2)])[0].tolist() == [86400.0]
    assert numbers(np.array(["1970-01-02", "NaT"], dtype="datetime64[D]"))[0].tolist() == [86400.0]
    assert of_samples("ks", [True] * 100, [False] * 100).value == 1.0


@pytest.mark.parametrize("method", BINNED_STATISTICS)
def test_unseen_categories_move_every_statistic_of_categories(method: str) -> None:
    got = of_categories(method, ["a", "b"] * 100, ["a", "b", "c", "c"] * 50)
    assert got.effect > 0.1
    assert got.defined
    assert math.isfinite(got.value)
    assert any("1 categories are not in the reference" in note for note in got.notes)


@pytest.mark.parametrize("method", BINNED_STATISTICS)
def test_categories_may_be_anything(method: str) -> None:
    mixed: list[object] = [1, "1", True, 2.5, "x" * 1_000_000, date(2026, 1, 1), None, NAN, np.datetime64("NaT")]
    counts, missing = categories(mixed)
    assert (missing, counts["1"], counts["True"]) == (3, 2, 1)
    assert of_categories(method, mixed, mixed).value == pytest.approx(0.0, abs=1e-12)
    assert math.isnan(of_categories(method, [None], mixed).value)
    assert math.isnan(of_categories(method, {}, {"a": 0}).value)
    assert of_categories(method, ["a"] * 100, ["a"] * 100).p_value in (None, 1.0)


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ValueError, match="numbers, not categories"):
        of_categories("ks", ["a"], ["b"])
    with pytest.raises(KeyError):
        resolve_method("psy")
    one, other = (NumericProfile.of(np.array([1.0]), np.array([edge])) for edge in (0.0, 1.0))
    with pytest.raises(ValueError, match="edges differ"):
        of_bins("psi", one, other)


@pytest.mark.parametrize("method", METHODS)
def test_profiles_have_the_same_answers_at_the_edge(method: str) -> None:
    edges = np.array([0.0, 1.0, 2.0])
    empty, full = NumericProfile.empty(edges), NumericProfile.of(np.array([0.5, 1.5, 2.5] * 50), edges)
    assert math.isnan(of_bins(method, empty, full).value)
    assert math.isnan(of_bins(method, full, empty).value)
    assert of_bins(method, full, full).value == pytest.approx(0.0, abs=1e-9)
    constant, moved = (NumericProfile.of(np.full(200, value), edges) for value in (0.5, 1.5))
    assert of_bins(method, constant, moved).effect > 0.3
