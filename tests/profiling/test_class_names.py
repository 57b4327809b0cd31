"""Names of classes: one name however a class is spelled, and the positive one of two, which is never guessed."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.profiling.arrow_columns import factorize
from modelwatch.profiling.class_names import ClassNames, merge_booleans, positive_class


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([True, False]),
        pa.array([1, 0]),
        pa.array([1.0, 0.0]),
        pa.array([1.0, -0.0], pa.float32()),
        pa.array([Decimal("1.00"), Decimal("0.00")]),
        pa.array(["True", "false"]),
        pa.array([" 1 ", "0.0"]),
        pa.array([b"TRUE", b"0"]),
        pa.array(["1", "0"]).dictionary_encode(),
    ],
    ids=lambda cells: str(cells.type),
)
@pytest.mark.parametrize("known", [("0", "1"), ("false", "true")])
def test_two_classes_in_every_type(cells: pa.Array, known: tuple[str, str]) -> None:
    codes, names = factorize(cells, ClassNames(known))
    assert [names[code] for code in codes] == [known[1], known[0]]


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("7", "7"),
        ("7.", "7"),
        ("-1.000", "-1"),
        ("1000000", "1000000"),
        ("1.10", "1.10"),
        ("v1.0", "v1.0"),
        ("007", "007"),
        ("Fraud ", "Fraud"),
    ],
)
def test_other_classes_keep_what_they_say(cell: str, name: str) -> None:
    assert ClassNames()(cell) == name


def test_a_number_of_any_size_is_its_own_name() -> None:
    wide = pa.array([Decimal("12345678901234567890123456789.50"), Decimal("2.00")])
    assert factorize(wide)[1] == ["12345678901234567890123456789.5", "2"]
    assert factorize(pa.array([1e6, 1e15, 0.5]))[1] == ["1000000", "1000000000000000", "0.5"]


def test_case_counts_unless_it_is_ignored() -> None:
    assert ClassNames()("Fraud") == "Fraud"
    assert ClassNames(ignore_case=True)("Fraud") == "fraud"
    assert ClassNames(("Fraud",), ignore_case=True)("FRAUD") == "Fraud"


@given(st.text(max_size=30), st.lists(st.text(max_size=8), max_size=4), st.booleans())
def test_a_name_is_its_own_name(cell: str, known: list[str], ignore_case: bool) -> None:
    names = ClassNames(known, ignore_case=ignore_case)
    assert names(names(cell)) == names(cell) == names(f" {cell}\t")


def test_words_and_digits_in_one_column_are_two_classes() -> None:
    assert merge_booleans(["true", "0", "1"]) == ("false", "true")
    assert merge_booleans(["2", "0", "1"]) == ("0", "1", "2")
    assert merge_booleans(["true", "0", "2"]) == ("0", "2", "true")


@pytest.mark.parametrize(
    ("classes", "fields", "positive"),
    [
        (("0", "1"), {}, "1"),
        (("false", "true"), {}, "true"),
        (("No", "YES"), {}, "YES"),
        (("fraud", "legit"), {}, ""),
        (("1", "2"), {}, ""),
        (("fraud", "legit"), {"positive": "legit"}, "legit"),
        (("fraud", "legit"), {"positive": "frod"}, ""),
        (("0", "1"), {"positive": "0"}, "0"),
        (("0", "1"), {"positive": "false"}, "0"),
        (("Fraud", "legit"), {"positive": "fraud", "ignore_case": True}, "Fraud"),
        (("fraud", "legit"), {"scores": (("fraud", "p"),)}, "fraud"),
        (("fraud", "legit"), {"scores": (("fraud", "p"), ("legit", "q"))}, ""),
        (("a", "b", "c"), {"positive": "a"}, ""),
        (("1",), {}, ""),
    ],
)
def test_the_positive_class(classes: tuple[str, ...], fields: dict[str, object], positive: str) -> None:
    assert positive_class(classes, MeasureSpec("log", **fields)) == positive  # type: ignore[arg-type]
