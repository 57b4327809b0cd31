"""Profiles of tables: they add up, and come back from their bytes."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.stats.profile.bottom_k_sketches import DistinctProfile
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.codec import from_bytes, to_bytes
from modelwatch.stats.profile.exact_sum import ExactSums
from modelwatch.stats.profile.numeric import NumericProfile, ProfileMismatchError
from modelwatch.stats.profile.table import Profile, ProfileKey, TableProfile, merge_profiles

EDGES = np.array([0.0, 1.0])
ROWS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 3600.0]),
        st.sampled_from(["", "v1"]),
        st.floats(),
        st.sampled_from("abc"),
        st.integers(0, 9),
    ),
    max_size=20,
)


def profile_of(rows: list[tuple[float, str, float, str, int]]) -> Profile:
    cells: dict[ProfileKey, TableProfile] = {}
    for window, version, number, word, key in rows:
        one = TableProfile(
            1,
            {
                "x": NumericProfile.of(np.array([number]), EDGES),
                "word": CategoricalProfile.of({word: 1}, frozenset("ab"), bound=1),
            },
            {"word": CategoricalProfile.of({"a": 1})},
            CategoricalProfile.of({f"{word}\x1fa": 1}),
            {word: NumericProfile.of(np.array([number]), EDGES)},
            {"errors": ExactSums.of({"size": np.array([number])})},
            DistinctProfile.of(np.array([key], dtype=np.uint64), bound=4),
            window,
            window + key,
        )
        for segment in ((), (("word", word),)):
            cell = ProfileKey(window, version, segment)
            cells[cell] = cells.get(cell, TableProfile()).merge(one)
    return Profile(cells, sum(1 for row in rows if row[4] == 0))


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, ROWS)
def test_profiles_add_up_and_come_back(a: Any, b: Any, c: Any) -> None:
    first, second, third = profile_of(a), profile_of(b), profile_of(c)
    content = to_bytes(profile_of(a + b + c), {"origin": "rows"})
    assert to_bytes(first.merge(second).merge(third), {"origin": "rows"}) == content
    assert to_bytes(merge_profiles([third, second, first]), {"origin": "rows"}) == content
    back, about = from_bytes(content)
    assert about == {"origin": "rows"}
    assert to_bytes(back, about) == content
    assert back.rows == len(a + b + c)
    assert back.whole().rows == back.rows


def test_a_column_that_is_numeric_here_and_categorical_there_does_not_add_up() -> None:
    numeric = TableProfile(1, {"x": NumericProfile.of(np.zeros(0), EDGES)})
    with pytest.raises(ProfileMismatchError):
        numeric.merge(TableProfile(1, {"x": CategoricalProfile()}))


@pytest.mark.parametrize("bins", [2, 10, 300])
@pytest.mark.parametrize("filled", [0.0, 0.2, 0.24, 0.26, 1.0])
def test_counts_come_back_however_many_bins_are_empty(bins: int, filled: float) -> None:
    counts = np.zeros(bins, dtype=np.int64)
    counts[: round(filled * bins)] = np.arange(1, round(filled * bins) + 1) * 40_000
    columns = {
        name: NumericProfile(np.arange(bins - 1.0), np.roll(counts, shift), n=int(counts.sum()))
        for shift, name in enumerate("abc")
    }
    back, _ = from_bytes(to_bytes(Profile({ProfileKey(): TableProfile(1, columns)})))
    for name, column in back.cells[ProfileKey()].columns.items():
        assert isinstance(column, NumericProfile)
        assert column.counts.tolist() == columns[name].counts.tolist()


def test_full_columns_share_their_places() -> None:
    full = NumericProfile(np.arange(1_999.0), np.full(2_000, 7), n=14_000)
    sizes = [
        len(to_bytes(Profile({ProfileKey(): TableProfile(1, {f"x{place}": full for place in range(count)})})))
        for count in (1, 40)
    ]
    assert sizes[1] < 2 * sizes[0]


def archive(header: dict[str, Any]) -> bytes:
    into = io.BytesIO()
    text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(into, header=text, floats=np.zeros(1), ints=np.zeros(1, dtype=np.int64), hashes=np.zeros(0))
    return into.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no profile"),
        (b"PK\x03\x04 broken", "no profile"),
        (to_bytes(Profile())[:-30], "no profile"),
        (archive({"format": 2}), "has format 2; this version reads format 1"),
        (archive({"format": 1}), "no profile"),
        (archive([1]), "no profile"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_profile_is_told(content: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        from_bytes(content)


def test_counts_that_were_tampered_with_are_refused() -> None:
    profile = Profile({ProfileKey(): TableProfile(1, {"x": NumericProfile(EDGES, np.array([0, 1, 0]), n=2)})})
    with pytest.raises(ValueError, match="do not add up"):
        from_bytes(to_bytes(profile))
