"""Counting with a guide gives what sorting gives, to the last count, whatever the values and wherever the cells lie."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from modelwatch.stats.profile.binning import choose_edges
from modelwatch.stats.profile.guide_table import CELLS, MIN_VALUES, GuideTable
from modelwatch.stats.profile.numeric import NumericProfile

from .test_numeric import same

Floats = NDArray[np.float64]
STRANGE = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324]
WORLDS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": lambda rng, size: rng.normal(5, 2, size),
    "offset": lambda rng, size: 1e9 + rng.normal(0, 1e-3, size),
    "lognormal": lambda rng, size: rng.lognormal(0, 1, size),
    "heavy": lambda rng, size: rng.pareto(0.5, size),
    "few": lambda rng, size: rng.integers(0, 30, size).astype(np.float64),
    "zeros": lambda rng, size: np.where(rng.random(size) < 0.6, 0.0, rng.exponential(3, size)),
    "huge": lambda rng, size: rng.normal(0, 1e307, size),
    "tiny": lambda rng, size: rng.normal(0, 1e-310, size),
    "constant": lambda rng, size: 7.0 + 0.0 * rng.random(size),
}


@pytest.mark.parametrize("world", WORLDS)
def test_a_guide_changes_no_count(world: str) -> None:
    rng = np.random.default_rng(1)
    reference = WORLDS[world](rng, 20_000)
    edges = choose_edges(reference)
    guide = GuideTable.from_sample(edges, reference)
    for other in WORLDS.values():
        values = np.concatenate([other(rng, 3 * MIN_VALUES), STRANGE, edges[:50], np.nextafter(edges[:50], np.inf)])
        rng.shuffle(values)
        assert same(NumericProfile.of(values, edges, 3, 2, guide=guide), NumericProfile.of(values, edges, 3, 2))


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=200)
@given(
    st.lists(FINITE, min_size=1, max_size=30, unique_by=lambda value: value + 0.0),
    st.tuples(FINITE, FINITE).map(sorted),
    st.lists(st.floats() | st.sampled_from(STRANGE), min_size=1, max_size=30),
)
def test_whatever_the_edges_and_the_range(edges: list[float], span: list[float], values: list[float]) -> None:
    ends = np.sort(np.array(edges) + 0.0)
    near = np.array([span[0] + (span[1] - span[0]) * part for part in (0.1, 0.5, 0.9)])
    many = np.tile(np.concatenate([values, ends, near]), MIN_VALUES // len(values) + 1)
    guide = GuideTable.build(ends, *span)
    assert same(NumericProfile.of(many, ends, guide=guide), NumericProfile.of(many, ends))


def test_most_values_are_counted_by_their_cells() -> None:
    rng = np.random.default_rng(2)
    reference = rng.normal(size=100_000)
    edges = choose_edges(reference)
    guide = GuideTable.from_sample(edges, reference)
    assert guide is not None
    counts, rest = guide.count(rng.normal(size=1 << 15))
    assert counts is not None
    assert int(counts.sum()) + len(rest) == 1 << 15
    assert len(rest) < 0.2 * (1 << 15)


def test_where_it_is_no_help_all_values_are_left() -> None:
    edges = np.array([0.0, 1.0])
    guide = GuideTable.build(edges, 0.0, 1.0)
    assert guide is not None
    few, ties = np.full(10, 0.5), np.zeros(2 * MIN_VALUES)
    assert guide.count(few) == (None, few)
    assert guide.count(ties) == (None, ties)


@pytest.mark.parametrize(
    "span", [(0.0, 0.0), (1.0, 0.0), (np.nan, 1.0), (-np.inf, np.inf), (-1e308, 1e308), (0, 5e-324)]
)
def test_what_is_no_range_gives_no_guide(span: tuple[float, float]) -> None:
    assert GuideTable.build(np.array([0.0]), *span) is None


def test_no_edges_or_no_values_give_no_guide() -> None:
    assert GuideTable.build(np.empty(0), 0.0, 1.0) is None
    assert GuideTable.from_sample(np.array([0.0]), np.array([np.nan, np.inf])) is None


def test_it_pickles_to_its_edges_and_range() -> None:
    guide = GuideTable.build(np.array([0.0, 0.25, 1.0]), 0.0, 1.0)
    assert guide is not None
    sent = pickle.dumps(guide)
    assert len(sent) < CELLS // 8
    again = pickle.loads(sent)  # noqa: S301 - our own
    assert np.array_equal(again.has_edge, guide.has_edge)
    assert np.array_equal(again.bin_ends, guide.bin_ends)
