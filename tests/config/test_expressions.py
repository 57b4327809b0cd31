"""Expressions: what is read, how it is written back, what is refused and where, and that nothing of Python runs."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.config.expressions import MAX_LENGTH, MAX_PARTS, check_expression, parse_expression
from modelwatch.model.expression import (
    FUNCTIONS,
    MAX_DEPTH,
    Call,
    Expression,
    ExpressionError,
    KeyReference,
    Literal,
    Negation,
    Operation,
    Power,
    format_expression,
    keys_of,
    required_keys,
    unit_of_expression,
)
from modelwatch.model.expression_values import evaluate_columns
from modelwatch.model.measurement_unit import MeasurementUnit, parse_unit

UNITS = {
    "revenue": "EUR",
    "cost": "EUR",
    "dollars": "USD",
    "orders": "orders",
    "calls": "predictions",
    "latency": "ms",
    "wait": "s",
    "accuracy": "share",
    "accuracy_percent": "%",
}
VALUES = {
    "revenue": 10.0,
    "cost": 4.0,
    "orders": 3.0,
    "calls": 100.0,
    "latency": 250.0,
    "wait": 2.0,
    "accuracy": 0.9,
    "accuracy_percent": 90.0,
    "plain": 7.0,
}


def unit_of(key: str) -> MeasurementUnit | None:
    return parse_unit(UNITS[key]) if key in UNITS else None


def result(text: str, **values: float) -> tuple[float, str]:
    expression = parse_expression(text)
    unit = unit_of_expression(expression, unit_of).shown
    columns = {key: [value] for key, value in (VALUES | values).items()}
    return evaluate_columns(expression, columns, unit_of, 1).values[0] / unit.scale, unit.text


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("({revenue} - {cost}) / {orders}", 2.0, "EUR/order"),
        ("{revenue} - 0.02 EUR/prediction * {calls}", 8.0, "EUR"),
        ("{revenue} - 0.02 EUR per prediction * {calls}", 8.0, "EUR"),
        ("{latency} + {wait}", 2250.0, "ms"),
        ("{wait} + {latency}", 2.25, "s"),
        ("{orders} / {wait}", 1.5, "orders/s"),
        ("{orders} / 2 h", 1.5, "orders/h"),
        ("{accuracy} - 5 %", 0.85, ""),
        ("{accuracy_percent} - {accuracy}", 0.0, ""),
        ("1290 EUR/day per point * {accuracy}", 116_100.0, "EUR/day"),
        ("30 EUR/month", 30.0, "EUR/month"),
        ("2 €/order * {orders}", 6.0, "EUR"),
        ("max(0, {cost} - {revenue})", 0.0, "EUR"),
        ("min({revenue}, {cost}, 3 EUR)", 3.0, "EUR"),
        ("mean({revenue}, {cost})", 7.0, "EUR"),
        ("abs({cost} - {revenue})", 6.0, "EUR"),
        ("clip({accuracy}, 0, 80%)", 0.8, ""),
        ("round({revenue} / 3)", 3.0, "EUR"),
        ("round({latency} / 3)", 83.0, "ms"),
        ("sqrt({wait}^2)", 2.0, "s"),
        ("exp(log({plain}))", 7.0, ""),
        ("default({unknown}, 5)", 5.0, ""),
        ("-2^2", -4.0, ""),
        ("2 ** 3", 8.0, ""),
        ("1 - 2 - 3", -4.0, ""),
        ("8 / 2 / 2", 2.0, ""),
        ("2 + 3 * 4", 14.0, ""),
        ("1.5e3 + .5 + +1", 1501.5, ""),
        ("2 s^2 / {wait}", 1.0, "s"),
    ],
)
def test_values_and_units(text: str, value: float, unit: str) -> None:
    computed, own = result(text)
    assert own == unit
    assert computed == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ("{revenue} + {latency}", 10, "ms cannot be added to EUR", "Convert"),
        ("{revenue} - {dollars}", 10, "USD cannot be subtracted from EUR", "one currency"),
        ("{revenue} * {dollars}", 10, "two currencies", "one currency"),
        ("{revenue} + 5", 10, "a plain number cannot be added to EUR", "`5 EUR`"),
        ("{revenue} + {plain}", 10, "a plain number cannot be added", "`plain: EUR`"),
        ("max({orders}, {revenue})", 0, "`max` cannot compare orders with EUR", ""),
        ("2 * log({revenue})", 4, "`log` takes a plain number, not EUR", "Divide"),
        ("sqrt({revenue})", 0, "no square root", ""),
        ("{revenue} / {nope", 12, "`{` is not closed", "braces"),
        ("({revenue}", 0, "`(` is not closed", ""),
        ("{revenue})", 9, "`)` was not opened", ""),
        ("{revenue} {cost}", 10, "an operator such as `*` is missing", ""),
        ("{revenue} *", 11, "ends too early", ""),
        ("", 0, "ends too early", ""),
        ("1,290 * {revenue}", 1, "separates the arguments", "1290"),
        ("revenue", 0, "`revenue` has no meaning", "`{revenue}`"),
        ("{a/*/b}", 0, "without `*`", ""),
        ("{}", 0, "the key of a metric", ""),
        ("{/a}", 0, "the key of a metric", ""),
        ("clip({plain}, 1)", 0, "`clip` takes 3 arguments, not 2", "low"),
        ("maxx({plain}, 1)", 0, "there is no function `maxx`", "`max`"),
        ("2 EUX", 2, "`EUX` is not the code of a currency", "`EUR`"),
        ("{a}^{b}", 4, "a whole number from 0 to 9", "sqrt"),
        ("{a} == 1", 4, "`=` has no meaning", "assigns none"),
        ("{a} > 1", 4, "`>` has no meaning", "clip"),
        ("{a} × 2", 4, "`×` has no meaning", "`*`"),
        ("'a'", 0, "has no meaning", "braces"),
        ("1e999 + {a}", 0, "too large", ""),
    ],
)
def test_errors_have_a_place_and_say_what_to_do(text: str, column: int, message: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as error:
        unit_of_expression(parse_expression(text), unit_of)
    assert error.value.column == column
    assert message in error.value.message
    assert hint in error.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('id')",
        "().__class__.__bases__",
        "{revenue}.__class__",
        "open({a})",
        "lambda: 0",
        "[1 for _ in {a}]",
        "{a} if {b} else {c}",
        "eval({a})",
        "getattr({a}, {b})",
        "{a}[0]",
        "{a}; {b}",
        "{a} or {b}",
        "$(id)",
        "`id`",
        "#{a}",
        "{a}\\{b}",
    ],
)
def test_no_code_is_read(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 500 + "1" + ")" * 499,
        "(" * 60 + "1" + ")" * 60,
        "-" * 900 + "1",
        "+" * 900 + "1",
        "abs(" * 200 + "1" + ")" * 199,
        "1" + "+1" * 499,
        "1" * 5000,
        "{" + "a" * 5000 + "}",
        "1 " + "/ s " * 300,
        "((((" * 9 + "{a}" + "+1) * 2)" * 60,
    ],
)
def test_long_and_deep_input_is_refused_at_once(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_expression(text)


def test_the_largest_expressions_are_read_computed_and_written() -> None:
    nested = "(" * MAX_DEPTH + "1" + ")" * MAX_DEPTH
    chain = " + ".join(["{plain}"] * (MAX_PARTS // 2))
    assert len(chain) <= MAX_LENGTH
    for text in (nested, chain):
        assert parse_expression(format_expression(parse_expression(text))) == parse_expression(text)
        assert math.isfinite(result(text)[0])


LITERALS = st.builds(
    Literal,
    st.one_of(st.integers(0, 10**6).map(float), st.floats(0, 1e9, allow_subnormal=False)),
    st.sampled_from(["", "EUR", "ms", "%", "EUR/order", "EUR/day/point", "s^2", "orders"]).map(
        lambda text: parse_unit(text) if text else MeasurementUnit()
    ),
)
KEYS = st.sampled_from([*UNITS, "plain", "business/arm=holdout/revenue"]).map(KeyReference)


def extend(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    calls = [
        st.builds(Call, st.just(name), st.lists(inner, min_size=least, max_size=min(most, least + 2)).map(tuple))
        for name, (least, most) in ((name, (each.least, each.most)) for name, each in FUNCTIONS.items())
    ]
    return st.one_of(
        st.builds(Negation, inner),
        st.builds(Operation, st.sampled_from("+-*/"), inner, inner),
        st.builds(Power, inner, st.integers(0, 9)),
        *calls,
    )


EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(LITERALS | KEYS, extend, max_leaves=12)


@given(EXPRESSIONS)
def test_what_is_written_is_read_again(expression: Expression) -> None:
    text = format_expression(expression)
    if len(text) <= MAX_LENGTH:
        assert parse_expression(text) == expression


@given(EXPRESSIONS)
def test_units_are_checked_and_values_are_finite_or_missing(expression: Expression) -> None:
    columns = {key: [value, math.nan, 0.0, math.inf, -1e308] for key, value in VALUES.items()}
    try:
        unit = unit_of_expression(expression, unit_of)
    except ExpressionError:
        return
    assert unit.shown.fits(unit)
    computed = evaluate_columns(expression, columns, unit_of, 5)
    assert all(math.isfinite(value) or math.isnan(value) for value in computed.values)
    assert 0 <= computed.divided_by_zero <= 5


@given(st.text(alphabet=st.sampled_from("0123456789.,eE+-*/^()[]{}%€$ abEURsmaxlogper_/'\"=<>\n\t\x00é"), max_size=60))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        expression = parse_expression(text)
    except ExpressionError as error:
        refused = error
        assert 0 <= refused.column <= len(text), refused.message
        return
    assert parse_expression(format_expression(expression)) == expression


def test_missing_values_and_divisions_by_zero_are_no_values() -> None:
    columns = {"a": [1.0, 2.0, math.nan, 4.0], "b": [0.0, 2.0, 0.0, math.nan]}
    computed = evaluate_columns(parse_expression("{a} / {b}"), columns, unit_of, 4)
    assert [None if math.isnan(value) else value for value in computed.values] == [None, 1.0, None, None]
    assert computed.divided_by_zero == 1
    rescued = evaluate_columns(parse_expression("default({a} / {b}, 7)"), columns, unit_of, 4)
    assert rescued.values == [7.0, 1.0, 7.0, 7.0]
    assert rescued.divided_by_zero == 0


def test_keys_and_those_without_which_there_is_no_value() -> None:
    expression = parse_expression("default({refunds}, 0 EUR) + {revenue} + max({revenue}, {cost})")
    assert keys_of(expression) == ("refunds", "revenue", "cost")
    assert required_keys(expression) == ("revenue", "cost")


def test_every_function_is_listed_with_what_it_does() -> None:
    assert all(re.match("the |its |`|e ", each.description) for each in FUNCTIONS.values())


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("{cost} / (1 - 1)", 7, "divides by 0"),
        ("{revenue} / 0", 10, "divides by 0"),
        ("clip({accuracy}, 1, 0)", 0, "lower bound"),
        ("clip({latency}, 2 s, 300 ms)", 0, "lower bound"),
        ("1 - default({accuracy}, 0)", 4, "never fills in"),
    ],
)
def test_parts_that_never_have_the_expected_value_are_refused(text: str, column: int, message: str) -> None:
    with pytest.raises(ExpressionError, match=message) as found:
        check_expression(parse_expression(text))
    assert found.value.column == column


@pytest.mark.parametrize(
    "text",
    [
        "{cost} / 2",
        "clip({accuracy}, 0, 1)",
        "clip({latency}, 200 ms, 3 s)",
        "{revenue} - default({cost}, 0)",
        "default({cost}, {revenue})",
        "{cost} / log(1 + {orders})",
    ],
)
def test_parts_that_can_have_a_value_are_accepted(text: str) -> None:
    check_expression(parse_expression(text))
