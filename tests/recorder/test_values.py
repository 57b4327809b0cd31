"""What becomes of cells of any type."""

from __future__ import annotations

import enum
import time
from collections import deque
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.recorder.columns import plain_column
from modelwatch.recorder.conversion import plain_value
from modelwatch.recorder.protection import MASKED, hash_cell, protect_cells
from modelwatch.recorder.values import HEAD_CHARACTERS, MAX_NUMBERS, UNREADABLE


class Color(enum.Enum):
    RED = "red"


class Size(NamedTuple):
    height: int
    width: int


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (2**70, float(2**70)),
        (0.5, 0.5),
        ("a", "a"),
        ("\ud800", "?"),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.datetime64("2026-11-20"), "2026-11-20"),
        (np.array(2.5), 2.5),
        (Decimal("0.1"), 0.1),
        (datetime(2026, 11, 20, tzinfo=UTC), "2026-11-20T00:00:00+00:00"),
        (date(2026, 11, 20), "2026-11-20"),
        (timedelta(minutes=1), 60.0),
        (b"abc", "abc"),
        (Color.RED, "red"),
        (pd.NaT, None),
        (pd.NA, None),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ([1, 2.5], [1, 2.5]),
        (np.array([1.0, 2.0]), [1.0, 2.0]),
        ({"a": [1]}, '{"a": [1]}'),
        ({Color.RED: Color.RED, 1: {b"a": Decimal("0.5")}}, '{"red": "red", "1": {"a": 0.5}}'),
        (Size(1, 2), '{"height": 1, "width": 2}'),
        (deque([1, 2]), [1, 2]),
        (range(3), [0, 1, 2]),
        ((1, None), "[1, null]"),
        (pd.Series([1.0, 2.0]), [1.0, 2.0]),
        (pd.Series({"a": 1}), '{"a": 1}'),
        (pd.DataFrame({"a": [1, 2]}), '{"a": [1, 2]}'),
        (pa.array([1, 2]), [1, 2]),
        (np.array([(1, "a")], dtype=[("n", int), ("t", "U1")])[0], '{"n": 1, "t": "a"}'),
        (np.datetime64("NaT"), None),
        (np.timedelta64(3, "s"), 3.0),
        (time.gmtime(0), f"{UNREADABLE} (struct_time)"),
        (["a", "b"], '["a", "b"]'),
        (Hostile(), f"{UNREADABLE} (Hostile)"),
    ],
)
def test_cells_become_plain(value: Any, plain: Any) -> None:
    found = plain_value(value)
    assert (found, type(found)) == (plain, type(plain))


def test_long_values_are_bounded() -> None:
    text = plain_value("x" * 1_000_000)
    assert len(text) < HEAD_CHARACTERS + 20
    assert text != plain_value("x" * 1_000_001)
    assert isinstance(plain_value([0.0] * (MAX_NUMBERS + 1)), str)
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    assert UNREADABLE in plain_value(nested)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals() | st.dates(),
        lambda children: st.lists(children) | st.dictionaries(st.text(), children),
        max_leaves=8,
    )
)
def test_whatever_is_recorded_can_be_written(value: Any) -> None:
    msgspec.msgpack.encode(plain_value(value))


@pytest.mark.parametrize("kind", ["<f8", ">f8", "f4", "f2", "i1", "u8", "?"])
def test_arrays_of_numbers_are_copied_as_they_are(kind: str) -> None:
    array = np.array([0, 1, 0, 1]).astype(kind)
    packed = plain_column(array, 4)
    array[:] = 0
    name, _, content = packed.partition(b" ")
    assert np.frombuffer(content, name.decode()).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("column", "plain"),
    [
        (["a", 1, None], ["a", 1, None]),
        (("a", "b", "c"), ["a", "b", "c"]),
        (pd.Series(["a", "b", None], dtype=object), ["a", "b", None]),
        (pa.array(["a", "b", None]), ["a", "b", None]),
        (np.array(["2026-11-20", "NaT", "2026-11-21"], "M8[D]"), ["2026-11-20", None, "2026-11-21"]),
        (np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        ("eu", ["eu", "eu", "eu"]),
        (None, [None, None, None]),
        (np.float64(1.5), [1.5, 1.5, 1.5]),
    ],
)
def test_columns_of_many_kinds(column: Any, plain: list[Any]) -> None:
    assert plain_column(column, 3) == plain


def test_a_column_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="2 rows, and not 3"):
        plain_column([1, 2], 3)


def test_masks_and_hashes() -> None:
    cells: dict[str, Any] = {"name": "Ada", "mail": ["a@b.c", None], "age": 7}
    protect_cells(cells, ["name", "absent"], ["mail"], b"key")
    assert cells == {"name": MASKED, "mail": [hash_cell("a@b.c", b"key"), None], "age": 7}
    assert hash_cell("a@b.c", b"key") != hash_cell("a@b.c", b"other")
    assert "a@b.c" not in str(cells)
