"""Categorical profiles and samples of ids: bounded, and the same whatever the order."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.stats.profile.bottom_k_sketches import DistinctProfile
from modelwatch.stats.profile.categorical import MAX_CHARACTERS, CategoricalProfile, shorten_category
from modelwatch.stats.profile.numeric import ProfileMismatchError

KNOWN = frozenset({"a", "b", ""})
CELLS = st.lists(st.sampled_from("abcdefghij") | st.text(max_size=3), max_size=30)
IDS = st.lists(st.integers(0, 30) | st.integers(0, 2**64 - 1), max_size=40)


def of(cells: list[str], bound: int = 4) -> CategoricalProfile:
    return CategoricalProfile.of(Counter(cells), KNOWN, bound=bound)


@settings(max_examples=100)
@given(CELLS, CELLS, CELLS)
def test_parts_add_up_to_the_whole_in_any_order(a: list[str], b: list[str], c: list[str]) -> None:
    first, second, third = of(a), of(b), of(c)
    whole = of(a + b + c)
    assert first.merge(second).merge(third) == whole == third.merge(first.merge(second))
    assert whole.n == len(a + b + c)
    exact = Counter(a + b + c)
    assert all(exact[name] == count for name, count in whole.named_counts.items())
    assert len(whole.unseen) <= 4


def test_new_categories_are_named() -> None:
    profile = CategoricalProfile.of({"a": 3, "new": 1}, KNOWN, missing=2)
    assert (profile.unseen, profile.n, profile.rows) == ({"new": 1}, 4, 6)


def test_long_texts_are_cut_and_told_apart() -> None:
    long, longer = "x" * 1_000_000, "x" * 1_000_001
    profile = CategoricalProfile.of({long: 2, longer: 3})
    assert sorted(profile.unseen.values()) == [2, 3]
    assert all(len(name) == MAX_CHARACTERS - 1 for name in profile.unseen)
    assert shorten_category("\ud800" * 200) == shorten_category("\ud800" * 200)


def test_the_number_of_categories_is_estimated_beyond_the_bound() -> None:
    profile = CategoricalProfile.of({f"category {i}": 1 for i in range(20_000)}, bound=400)
    assert profile.cardinality == pytest.approx(20_000, rel=0.2)
    assert CategoricalProfile.of({"a": 1, "z": 2}, KNOWN).cardinality == 2


def test_cells_without_a_name_are_no_categories() -> None:
    """As those that a recorder counted as numbers."""
    unnamed = CategoricalProfile(other=10)
    assert CategoricalProfile.of({"true": 150}).merge(unnamed).cardinality == 1
    known = frozenset({"a", "b"})
    assert CategoricalProfile.of({"a": 1, "b": 1}, known).merge(CategoricalProfile(known, other=10)).cardinality == 2


def test_another_vocabulary_or_bound_does_not_add_up() -> None:
    for other in (CategoricalProfile(frozenset({"a"}), 4), CategoricalProfile(KNOWN, 5)):
        with pytest.raises(ProfileMismatchError):
            of([]).merge(other)


@settings(max_examples=100)
@given(IDS, IDS, IDS)
def test_samples_of_ids_add_up(a: list[int], b: list[int], c: list[int]) -> None:
    first, second, third, whole = (
        DistinctProfile.of(np.array(part, dtype=np.uint64), bound=8) for part in (a, b, c, a + b + c)
    )
    for merged in (first.merge(second).merge(third), third.merge(first.merge(second))):
        assert merged.hashes.tolist() == whole.hashes.tolist()
        assert merged.counts.tolist() == whole.counts.tolist()
        assert merged.rows == whole.rows == len(a + b + c)
    if len(whole.hashes) < whole.bound:
        assert whole.duplicates == len(a + b + c) - len(set(a + b + c))


def test_duplicates_among_many_ids_are_estimated() -> None:
    rng = np.random.default_rng(1)
    ids = rng.integers(0, 2**64 - 1, 100_000, dtype=np.uint64)
    profile = DistinctProfile.of(np.concatenate([ids, ids[:20_000]]))
    assert profile.duplicates == pytest.approx(20_000, rel=0.1)
    with pytest.raises(ProfileMismatchError):
        profile.merge(DistinctProfile.of(ids, bound=5))
