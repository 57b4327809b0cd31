"""Arrow columns as numbers, texts, times and hashes, for every type of column."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelwatch.profiling.arrow_columns import (
    count_shapes,
    count_texts,
    factorize,
    floats_by_row,
    hash_ids,
    parse_numbers,
)
from modelwatch.profiling.time_columns import times_by_row

DAY = dt.date(2026, 11, 20)
MOMENT = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
HUGE = "x" * 1_000_000


@pytest.mark.parametrize(
    ("array", "values", "missing", "other"),
    [
        (pa.array([1.5, None, np.nan, np.inf, -0.0]), [1.5, np.nan, np.inf, -0.0], 1, 0),
        (pa.array([1, None, 2**62]), [1.0, 2.0**62], 1, 0),
        (pa.array([True, False, None]), [1.0, 0.0], 1, 0),
        (pa.array([Decimal("1.50"), None]), [1.5], 1, 0),
        (pa.array([DAY, None]), [1795132800.0], 1, 0),
        (pa.array([MOMENT], pa.timestamp("ms", "UTC")), [1795176000.0], 0, 0),
        (pa.array([dt.time(1)], pa.time64("us")), [3600.0], 0, 0),
        (pa.array([dt.timedelta(seconds=90)]), [90.0], 0, 0),
        (pa.array(["1", " 2e3 ", "+.5", "1e400"]), [1.0, 2000.0, 0.5, np.inf], 0, 0),
        (pa.array(["1", "", "nan", "-Infinity", "1,000", "abc", None, HUGE]), [1.0, -np.inf], 3, 3),
        (pa.array(["1", "x", "1"]).dictionary_encode(), [1.0, 1.0], 0, 1),
        (pa.array([[1], None, [2, 3]]), [], 1, 2),
        (pa.array([b"1"]), [], 0, 1),
        (pa.nulls(3), [], 3, 0),
        (pa.array([], pa.float64()), [], 0, 0),
    ],
)
def test_numbers(array: Any, values: list[float], missing: int, other: int) -> None:
    found, gone, strange = parse_numbers(array)
    assert found.dtype == np.float64
    assert np.array_equal(found, values, equal_nan=True)
    assert (gone, strange) == (missing, other)


@pytest.mark.parametrize(
    ("array", "counts", "missing"),
    [
        (pa.array(["a", "b", "a", None, ""]), {"a": 2, "b": 1}, 2),
        (pa.array(["a", None, "a"]).dictionary_encode(), {"a": 2}, 1),
        (pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None]), pa.array(["a", "a", None])), {"a": 2}, 2),
        (pa.array([True, False, True]), {"true": 2, "false": 1}, 0),
        (pa.array([1, 2, 1]), {"1": 2, "2": 1}, 0),
        (pa.array([1.0, -0.0, 0.0, np.nan, None]), {"1": 1, "0": 2}, 2),
        (pa.array([DAY]), {"2026-11-20": 1}, 0),
        (pa.array([Decimal("1.50")]), {"1.5": 1}, 0),
        (pa.array([b"\xff", b"a"]), {"\\xff": 1, "a": 1}, 0),
        (pa.array([[1], None]), {"[1]": 1}, 1),
        (pa.nulls(2), {}, 2),
        (pa.array([HUGE]), {HUGE: 1}, 0),
    ],
)
def test_texts_are_counted(array: Any, counts: dict[str, int], missing: int) -> None:
    assert count_texts(array) == (counts, missing)
    codes, names = factorize(array)
    assert [names[code] for code in codes if code >= 0] == [
        text for row in range(len(array)) for text in count_texts(array.slice(row, 1))[0]
    ]


def test_one_number_a_row() -> None:
    found = floats_by_row(pa.array(["1", None, "x", "2.5"]))
    assert np.array_equal(found, [1, np.nan, np.nan, 2.5], equal_nan=True)
    assert np.array_equal(floats_by_row(pa.array([1, None])), [1, np.nan], equal_nan=True)
    assert np.isnan(floats_by_row(pa.array([[1], [2]]))).all()


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**30), max_value=10**30)))
@example([Decimal("0.600"), Decimal("-0.100")])
@example([Decimal(2**64)])
@example([Decimal(-(2**63)).scaleb(-3)])
def test_a_decimal_is_the_nearest_float(cells: list[Decimal]) -> None:
    for kind in (pa.decimal128(38, 3), pa.decimal256(50, 3)):
        assert floats_by_row(pa.array([None, *cells], kind)).tolist()[1:] == list(map(float, cells))


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1_795_176_000]),
        pa.array([1_795_176_000_000]),
        pa.array([1_795_176_000.0 * 1e9]),
        pa.array([MOMENT]),
        pa.array([dt.datetime(2026, 11, 20, 12)], pa.timestamp("s")),  # noqa: DTZ001 - a log without zones
        pa.array(["2026-11-20T12:00:00Z"]),
        pa.array(["2026-11-20 13:00:00+01:00"]),
        pa.array(["2026-11-20 12:00"]),
        pa.array(["1795176000"]),
    ],
)
def test_times_are_seconds_in_utc(array: Any) -> None:
    assert times_by_row(array).tolist() == [1_795_176_000.0]


@pytest.mark.parametrize(
    "texts",
    [
        ["2026-01-01", "2026-01-01T05:06:07.123456", "1969-12-31 23:59:59.5", None],
        ["2026-01-01T00:00:00Z", "2026-01-01T05:06:07.123456+02:00", "2026-03-01 05:06:07-0330"],
        ["0001-01-01", "9999-12-31T23:59:59.999999"],
        ["2026-01-01T00:00Z", "2026-01-01"],
        [" 2026-01-01 ", "", "2026-01-01T05:06:07.123456789", "2026-02-30", "1790000000000"],
    ],
)
def test_times_of_a_column_are_those_of_its_cells(texts: list[str | None]) -> None:
    """Arrow parses a column of like texts at once; Python parses what it refuses, cell by cell."""
    cells = [times_by_row(pa.array([text, "x"], pa.string()))[0] for text in texts]
    assert np.array_equal(times_by_row(pa.array(texts, pa.string())), cells, equal_nan=True)


def test_what_is_no_time_is_none() -> None:
    assert np.isnan(times_by_row(pa.array(["soon", "", None, "inf", "9999999999999999999999"]))[:4]).all()
    assert np.isnan(times_by_row(pa.array([None, np.nan, np.inf]))).all()


def test_shapes_of_text() -> None:
    assert count_shapes({"2026-11-20": 2, "1999-1-1": 1, "AB-c": 4, "Ünï": 1, "": 1}) == {
        "9-9-9": 3,
        "A-a": 4,
        "Aa": 1,
        "": 1,
    }
    assert count_shapes({"--": 1, "a  b": 1}) == {"--": 1, "a  a": 1}


def test_hashes_tell_ids_apart_and_are_the_same_for_the_same() -> None:
    texts = ["", "a", "b", "ab", "ba", "a" * 64, "a" * 65, "a" * 64 + "b", HUGE, HUGE + "y"]
    found, missing = hash_ids(pa.array([*texts, None]))
    assert missing == 1
    assert len(set(found.tolist())) == len(texts)
    sliced, _ = hash_ids(pa.array(["skipped", *texts]).slice(1))
    assert sliced.tolist() == found.tolist()
    assert hash_ids(pa.array(texts, pa.large_string()).dictionary_encode())[0].tolist() == found.tolist()
    whole, _ = hash_ids(pa.array(range(1000)))
    assert len(set(whole.tolist())) == 1000
    assert hash_ids(pa.array([7], pa.int8()))[0].tolist() == [whole[7]]
    assert hash_ids(pa.array([], pa.string()))[0].tolist() == []


def test_a_picture_is_told_apart_without_being_written_out() -> None:
    """Every byte that is no text was escaped: 2,000 pictures of 50 kB took half a minute and 1.5 GB."""
    picture = bytes(range(128, 256)) * 400
    counts, missing = count_texts(pa.array([picture, picture + b"x", picture, None, b"\xff short", b"text"]))
    assert missing == 1
    assert sorted(counts.values()) == [1, 1, 1, 2]
    assert {"text", "\\xff short"} < set(counts)
    assert max(map(len, counts)) < 400
