"""Segments and crossings, and the search for the one in which a drop is concentrated."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from modelwatch.stats.segment_search import SearchResult, format_pairs, search_segments
from modelwatch.stats.segmentation import MISSING, OTHER, EncodedColumn, encode_column, encode_columns, groupings


def world(seed: int, n: int = 20_000) -> tuple[list[EncodedColumn], np.ndarray, np.random.Generator]:
    """Six columns of 2 to 12 values and both sides."""
    rng = np.random.default_rng(seed)
    table = {
        f"c{place}": np.array([f"v{value}" for value in range(count)])[rng.integers(0, count, 2 * n)]
        for place, count in enumerate((2, 3, 4, 6, 8, 12))
    }
    return encode_columns(table), np.repeat([False, True], n), rng


def where(columns: list[EncodedColumn], **values: str) -> np.ndarray:
    asked = [np.array(one.values)[one.codes] == values[one.name] for one in columns if one.name in values]
    return np.asarray(np.all(asked, axis=0))


def right(rng: np.random.Generator, chance: np.ndarray) -> np.ndarray:
    return (rng.random(len(chance)) < chance).astype(np.float64)


def test_a_planted_segment_is_found() -> None:
    columns, after, rng = world(1)
    bad = after & where(columns, c3="v4")
    found = search_segments(columns, right(rng, np.where(bad, 0.8, 0.9)), after)
    culprit = found.significant_suspect()
    assert culprit is not None
    assert culprit.segment == (("c3", "v4"),)
    assert culprit.share == pytest.approx(1.0, abs=0.35)
    assert culprit.after == pytest.approx(0.8, abs=0.02)
    assert culprit.p < 1e-6


def test_a_planted_crossing_is_found_before_its_columns() -> None:
    columns, after, rng = world(2, 40_000)
    bad = after & where(columns, c1="v2", c3="v4")
    culprit = search_segments(columns, right(rng, np.where(bad, 0.6, 0.9)), after).significant_suspect()
    assert culprit is not None
    assert culprit.segment == (("c1", "v2"), ("c3", "v4"))


def test_a_rise_of_an_error_is_found_as_well() -> None:
    columns, after, rng = world(3)
    error = rng.exponential(1.0, len(after)) + 0.3 * (after & where(columns, c2="v1"))
    found = search_segments(columns, error, after, worse_sign=1)
    culprit = found.significant_suspect()
    assert culprit is not None
    assert culprit.segment == (("c2", "v1"),)
    assert search_segments(columns, error, after, worse_sign=-1).significant_suspect() is None


def test_a_drop_that_is_the_same_everywhere_points_nowhere() -> None:
    alarms = 0
    for seed in range(40):
        columns, after, rng = world(100 + seed, 5000)
        alarms += (
            search_segments(columns, right(rng, np.where(after, 0.8, 0.9)), after).significant_suspect() is not None
        )
    assert alarms <= 5


def test_no_change_is_no_culprit() -> None:
    alarms = 0
    for seed in range(40):
        columns, after, rng = world(200 + seed, 5000)
        alarms += (
            search_segments(columns, right(rng, np.full(len(after), 0.95)), after).significant_suspect() is not None
        )
    assert alarms <= 5


def test_columns_are_ranked_by_where_the_drop_lies() -> None:
    n = 20_000
    rng = np.random.default_rng(4)
    age = np.append(rng.choice(["young", "old"], n, p=[0.8, 0.2]), rng.choice(["young", "old"], n, p=[0.4, 0.6]))
    plan = rng.choice(["free", "pro"], 2 * n)
    after = np.repeat([False, True], n)
    values = right(rng, np.where(age == "old", np.where(after, 0.6, 0.8), 0.9))
    found = search_segments(encode_columns({"plan": plan, "age": age}), values, after)
    assert [one.column for one in found.columns] == ["age", "plan"]
    assert found.columns[0].share == pytest.approx(1.0, abs=0.05)
    assert found.columns[1].share == 0


def test_small_segments_are_not_tested() -> None:
    columns = encode_columns({"c": ["a"] * 500 + ["b"] * 40 + ["a"] * 500 + ["b"] * 40})
    values = np.ones(1080)
    values[-40:] = 0
    values[::7] = 0
    after = np.repeat([False, True], 540)
    assert search_segments(columns, values, after).significant_suspect() is None
    assert search_segments(columns, values, after, min_rows=30).significant_suspect() is not None


@pytest.mark.parametrize("values", [[], [math.nan] * 4, [1.0, 1.0, math.nan, math.nan]])
def test_an_empty_side_has_no_answer(values: list[float]) -> None:
    found = search_segments(
        encode_columns({"c": ["a"] * len(values)}), values, [False, False, True, True][: len(values)]
    )
    assert found == SearchResult(found.total, 0, (), ())
    assert math.isnan(found.total)


def test_constant_values_have_no_suspects() -> None:
    columns, after, _ = world(5, 2000)
    found = search_segments(columns, np.ones(len(after)), after)
    assert (found.total, found.suspects) == (0.0, ())


def test_the_rest_of_rare_values_is_never_told() -> None:
    rng = np.random.default_rng(6)
    names = np.array([f"u{place}" for place in range(400)])[rng.integers(0, 400, 40_000)]
    names[rng.random(40_000) < 0.5] = "big"
    one = encode_column("user", names, max_values=3)
    assert one.values[-2:] == (OTHER, MISSING)
    after = np.repeat([False, True], 20_000)
    values = right(rng, np.where(after & (names != "big"), 0.5, 0.9))
    assert all(OTHER not in dict(found.segment).values() for found in search_segments([one], values, after).suspects)


def test_columns_of_any_type() -> None:
    raw: list[list[Any]] = [["a", None, "b", "a"], [True, False, True, True], [1, 2, 1, 3], [1.5, math.nan, 1.5, 2.0]]
    for cells in (*raw, [None] * 4):
        one = encode_column("c", np.array(cells, dtype=object) if None in cells else np.array(cells))
        told = [one.values[code] for code in one.codes]
        assert [name == MISSING for name in told] == [cell is None or cell != cell for cell in cells]
    assert len(encode_column("c", np.array([])).codes) == 0


def test_many_numbers_are_cut_at_their_deciles() -> None:
    raw = np.append(np.arange(1000.0), [math.nan, math.inf, -math.inf])
    one = encode_column("age", raw)
    counts = np.bincount(one.codes)
    assert list(counts) == [101, *[100] * 8, 101, 1]
    assert one.values[0].startswith("<= ")
    assert one.values[-1] == MISSING


def test_crossings_are_named_by_both_columns() -> None:
    columns = encode_columns({"b": ["x", "y"], "a": ["p", "q"]})
    pair = list(groupings(columns))[-1]
    assert [pair.segment(int(code)) for code in pair.codes()] == [(("a", "p"), ("b", "x")), (("a", "q"), ("b", "y"))]
    assert list(format_pairs((("a", "p"), ("b", MISSING)))) == ["a=p", "b is missing"]
