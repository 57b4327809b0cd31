"""Units: what is read, and the laws of their algebra."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.model.measurement_unit import (
    CURRENCIES,
    PLAIN,
    MeasurementUnit,
    UnitError,
    parse_unit,
    plural,
    singular,
)

WORDS = ["EUR", "ms", "s", "min", "h", "day", "week", "month", "%", "point", "share", "order", "predictions", "calls"]
UNITS = st.lists(st.tuples(st.sampled_from(WORDS), st.integers(1, 2)), min_size=1, max_size=3).map(
    lambda parts: parse_unit("/".join(f"{word}^{power}" for word, power in parts))
)


def same(one: MeasurementUnit, other: MeasurementUnit) -> bool:
    return one.fits(other) and math.isclose(one.scale, other.scale, rel_tol=1e-9)


@given(UNITS, UNITS, UNITS)
def test_units_multiply_like_a_commutative_group(a: MeasurementUnit, b: MeasurementUnit, c: MeasurementUnit) -> None:
    assert same(a * b, b * a)
    assert same((a * b) * c, a * (b * c))
    assert same(a * PLAIN, a)
    assert same(a / a, PLAIN)
    assert same((a * b) / b, a)
    assert same(a / (b / c), (a * c) / b)
    assert same(a**2, a * a)
    assert same((a**2).root(), a)
    assert same(a**0, PLAIN)


@given(UNITS, UNITS)
def test_units_fit_as_equal_things_do(a: MeasurementUnit, b: MeasurementUnit) -> None:
    assert a.fits(a)
    assert a.fits(b) == b.fits(a) == (a / b).is_plain


@given(UNITS)
def test_a_unit_that_is_shown_fits_and_is_read_again(a: MeasurementUnit) -> None:
    for unit in (a, a * parse_unit("s"), a / parse_unit("order")):
        assert unit.shown.fits(unit)
        if unit.text and " " not in unit.text:
            assert parse_unit(unit.text).fits(unit)


@pytest.mark.parametrize(
    ("text", "powers", "scale"),
    [
        ("EUR", (("EUR", 1),), 1.0),
        ("€", (("EUR", 1),), 1.0),
        ("EUR/order", (("EUR", 1), ("order", -1)), 1.0),
        ("EUR per order", (("EUR", 1), ("order", -1)), 1.0),
        ("orders", (("order", 1),), 1.0),
        ("queries", (("query", 1),), 1.0),
        ("ms", (("s", 1),), 0.001),
        ("hours", (("s", 1),), 3600.0),
        ("EUR/day per point", (("EUR", 1), ("s", -1)), 1 / 86400 / 0.01),
        ("1/s", (("s", -1),), 1.0),
        ("%", (), 0.01),
        ("share", (), 1.0),
    ],
)
def test_units_are_read(text: str, powers: tuple[tuple[str, int], ...], scale: float) -> None:
    unit = parse_unit(text)
    assert unit.powers == powers
    assert unit.scale == pytest.approx(scale)


@pytest.mark.parametrize(
    "text", ["", "2", "EUR/", "/s", "EUX", "EUR USD", "EUR/USD", "s^10", "a b", "s" * 50, "ms*ms", "s/" * 11 + "s"]
)
def test_what_is_no_unit_is_refused(text: str) -> None:
    with pytest.raises(UnitError) as error:
        parse_unit(text)
    assert error.value.message


@given(st.text(max_size=20))
def test_any_text_is_a_unit_or_refused(text: str) -> None:
    try:
        unit = parse_unit(text)
    except UnitError:
        return
    assert unit.shown.fits(unit)


@pytest.mark.parametrize("word", ["order", "query", "class", "box", "branch", "day", "prediction"])
def test_plural_and_singular_are_inverse(word: str) -> None:
    assert singular(plural(word)) == word


def test_money_is_known_as_such() -> None:
    assert parse_unit("EUR").is_money
    assert not parse_unit("EUR").is_money_rate
    assert parse_unit("EUR/month").is_money_rate
    assert parse_unit("EUR/order").currency == "EUR"
    assert not parse_unit("EUR/order").is_money
    assert not parse_unit("orders/day").is_money_rate
    assert len(CURRENCIES) > 150
