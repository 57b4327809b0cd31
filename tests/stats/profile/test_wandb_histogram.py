"""Histograms of profiles: the same bins whoever writes them, and sums of them mean something."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.stats.profile.binning import choose_edges, coarsen_edges
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.numeric import NumericProfile
from modelwatch.stats.profile.wandb_histogram import (
    MAX_CATEGORIES,
    OTHER_CATEGORIES_START,
    category_positions,
    to_histogram,
)

COUNTS = st.dictionaries(st.text(max_size=5), st.integers(1, 1000), max_size=400)


def bins(profile: CategoricalProfile, reference: CategoricalProfile | None = None) -> dict[float, float]:
    """Filled bins by where they begin."""
    found = to_histogram(profile, reference)
    if found is None:
        return {}
    edges, counts = found
    return {float(edge): float(count) for edge, count in zip(edges, counts, strict=False) if count}


@given(COUNTS, st.integers(0, 50))
def test_every_cell_stands_in_one_bin(counts: dict[str, int], missing: int) -> None:
    profile = CategoricalProfile.of(counts, missing=missing)
    found = to_histogram(profile)
    if found is None:
        assert not profile.n
        return
    edges, values = found
    assert len(edges) == len(values) + 1 <= 513
    assert (np.diff(edges) > 0).all()
    assert values.sum() == profile.n
    assert edges[-1] <= OTHER_CATEGORIES_START + 1


@given(COUNTS)
def test_the_vocabulary_makes_no_difference(counts: dict[str, int]) -> None:
    few = dict(list(counts.items())[:100])
    assert bins(CategoricalProfile.of(few)) == bins(CategoricalProfile.of(few, frozenset(few)))


def test_a_category_stands_at_the_checksum_of_its_name() -> None:
    assert category_positions(["Zürich"]) == {"Zürich": float(zlib.crc32("Zürich".encode()))}
    found = bins(CategoricalProfile.of({"eu": 3, "na": 2}))
    assert found == {float(zlib.crc32(b"eu")): 3.0, float(zlib.crc32(b"na")): 2.0}


def test_of_many_categories_the_most_frequent_have_a_bin() -> None:
    counts = {f"c{place:03d}": 1000 - place for place in range(400)}
    profile = CategoricalProfile.of(counts, frozenset(counts))
    found = bins(profile)
    assert len(found) == MAX_CATEGORIES + 1
    assert found[OTHER_CATEGORIES_START] == sum(1000 - place for place in range(MAX_CATEGORIES, 400))


def test_the_reference_says_which_of_many_have_a_bin() -> None:
    usual = {f"c{place:03d}": 1000 - place for place in range(400)}
    reference = CategoricalProfile.of(usual, frozenset(usual))
    today = CategoricalProfile.of({name: 1 + place for place, name in enumerate(usual)}, frozenset(usual))
    assert bins(today, reference).keys() == bins(reference).keys()
    new = CategoricalProfile.of({"brand new": 7, "c000": 1}, frozenset({"c000"}))
    small = CategoricalProfile.of({"c000": 5}, frozenset({"c000"}))
    assert bins(new, small) == {
        place: 7.0 if name == "brand new" else 1.0 for name, place in category_positions(new.named_counts).items()
    }


def test_neighbours_and_shared_places_lose_nothing() -> None:
    # "plumless" and "buckeroo" are a well-known pair with one CRC-32.
    assert len(set(category_positions(["plumless", "buckeroo"]).values())) == 1
    assert list(bins(CategoricalProfile.of({"plumless": 2, "buckeroo": 3})).values()) == [5.0]


def test_numbers_are_counted_between_a_few_edges_of_the_reference() -> None:
    rng = np.random.default_rng(3)
    healthy = rng.normal(size=20_000)
    edges = choose_edges(healthy)
    reference = NumericProfile.of(healthy, edges)
    found = to_histogram(NumericProfile.of(rng.normal(3, 5, 1000), edges), reference)
    assert found is not None
    assert set(coarsen_edges(reference)) < set(found[0][1:-1]) < set(edges)
    assert 100 < len(found[1]) < 140
    assert found[1].sum() == 1000
    assert to_histogram(NumericProfile.of(np.zeros(0), edges), reference) is None


@pytest.mark.parametrize("outer", [True, False])
def test_the_ends_of_a_histogram_are_finite(outer: bool) -> None:
    most = float(np.finfo(np.float64).max)
    values = np.array([-most, 0.0, 1.0, most])
    edges = np.unique(np.concatenate([choose_edges(np.array([0.0, 1.0])), values if outer else [0.0]]))
    found = to_histogram(NumericProfile.of(values, edges))
    assert found is not None
    assert np.isfinite(found[0]).all()
    assert (np.diff(found[0][1:-1]) > 0).all()
    assert found[0][0] < found[0][1]
    assert found[0][-2] < found[0][-1]
    assert found[1].sum() == 4
    assert len(found[0]) == len(found[1]) + 1
