"""Values of expressions, column by column. NaN: no value, here and in every result."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .expression import (
    Call,
    Expression,
    KeyReference,
    Literal,
    Negation,
    Operation,
    Power,
    UnitOfKey,
    unit_of_expression,
)
from .measurement_unit import PLAIN

Column = list[float]
NAN = math.nan


@dataclass(frozen=True, slots=True)
class ExpressionValues:
    """``values`` are in base units (seconds, shares of 1); see ``MeasurementUnit.scale``."""

    values: Column
    divided_by_zero: int
    """Rows without a value because something was divided by zero."""


def evaluate_columns(
    expression: Expression, columns: Mapping[str, Sequence[float]], unit_of: UnitOfKey, size: int
) -> ExpressionValues:
    """The value in each of ``size`` rows. ``columns``: of each key the values as logged; a key that is missing has
    none. What is not finite, such as the logarithm of a negative number, is no value."""
    by_zero: set[int] = set()
    values = _values(expression, columns, unit_of, size, by_zero)
    finite = [value if math.isfinite(value) else NAN for value in values]
    return ExpressionValues(finite, sum(math.isnan(finite[row]) for row in by_zero))


def _values(
    part: Expression, columns: Mapping[str, Sequence[float]], unit_of: UnitOfKey, size: int, by_zero: set[int]
) -> Column:
    def compute(operand: Expression) -> Column:
        return _values(operand, columns, unit_of, size, by_zero)

    match part:
        case Literal(value, unit):
            return [value * unit.scale] * size
        case KeyReference(key):
            column = columns.get(key)
            scale = (unit_of(key) or PLAIN).scale
            return [NAN] * size if column is None else [value * scale for value in column]
        case Negation(operand):
            return [-value for value in compute(operand)]
        case Operation("/", left, right):
            return _quotients(compute(left), compute(right), by_zero)
        case Operation(operator, left, right):
            rows = zip(compute(left), compute(right), strict=True)
            if operator == "*":
                return [a * b for a, b in rows]
            return [a + b for a, b in rows] if operator == "+" else [a - b for a, b in rows]
        case Power(base, exponent):
            return [_guarded(lambda value: value**exponent, value) for value in compute(base)]
        case Call(function, arguments):
            return _call(function, [compute(argument) for argument in arguments], part, unit_of)


def _quotients(above: Column, below: Column, by_zero: set[int]) -> Column:
    result = []
    for row, (a, b) in enumerate(zip(above, below, strict=True)):
        if b == 0 and not math.isnan(a):
            by_zero.add(row)
        result.append(a / b if b else NAN)
    return result


def _call(function: str, arguments: list[Column], part: Call, unit_of: UnitOfKey) -> Column:
    rows = zip(*arguments, strict=True)
    match function:
        case "default":
            return [b if math.isnan(a) else a for a, b in rows]
        case "round":
            scale = unit_of_expression(part, unit_of).scale
            return [NAN if not math.isfinite(value) else round(value / scale) * scale for (value,) in rows]
        case "clip":
            return [NAN if _is_missing(row) else max(row[1], min(row[2], row[0])) for row in rows]
    compute = _FUNCTIONS[function]
    return [NAN if _is_missing(row) else _guarded(compute, *row) for row in rows]


_FUNCTIONS: dict[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "mean": lambda *values: math.fsum(values) / len(values),
    "abs": abs,
    "sqrt": math.sqrt,
    "log": math.log,
    "exp": math.exp,
}


def _is_missing(row: tuple[float, ...]) -> bool:
    return any(math.isnan(value) for value in row)


def _guarded(compute: Callable[..., float], *arguments: float) -> float:
    try:
        return float(compute(*arguments))
    except (ValueError, OverflowError, ZeroDivisionError):
        return NAN
