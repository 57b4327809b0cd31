"""Expressions over metrics: their parts, how they are written, their keys, and their unit.

``({business/revenue} - {business/cost}) / {business/orders}`` is a tree of the parts below. ``config`` reads it,
``expression_values`` computes it. Nothing here evaluates code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from .measurement_unit import PLAIN, MeasurementUnit, UnitError

MAX_DEPTH = 40
"""Of parts within parts."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A number with its unit: ``0.02 EUR/order``, ``5 %``."""

    value: float
    """In ``unit``; never negative."""
    unit: MeasurementUnit = PLAIN
    column: int = field(default=0, compare=False)
    """Characters before it in the expression, here and below."""


@dataclass(frozen=True, slots=True)
class KeyReference:
    """The value of a key at the same time: ``{business/revenue}``."""

    key: str
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Negation:
    operand: Expression
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Operation:
    operator: str
    """One of ``+ - * /``."""
    left: Expression
    right: Expression
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Power:
    base: Expression
    exponent: int
    """From 0 to 9."""
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    """A key of ``FUNCTIONS``."""
    arguments: tuple[Expression, ...]
    column: int = field(default=0, compare=False)


Expression = Literal | KeyReference | Negation | Operation | Power | Call


@dataclass(frozen=True, slots=True)
class Function:
    least: int
    most: int
    """How many arguments it takes."""
    description: str


MAX_ARGUMENTS = 20
FUNCTIONS: Mapping[str, Function] = {
    "min": Function(2, MAX_ARGUMENTS, "the smallest of its arguments"),
    "max": Function(2, MAX_ARGUMENTS, "the largest of its arguments"),
    "mean": Function(2, MAX_ARGUMENTS, "the mean of its arguments"),
    "abs": Function(1, 1, "its argument without the sign"),
    "clip": Function(3, 3, "`clip(x, low, high)`: not below `low`, not above `high`"),
    "round": Function(1, 1, "the nearest whole number, in the unit of its argument"),
    "sqrt": Function(1, 1, "the square root"),
    "log": Function(1, 1, "the natural logarithm of a plain number"),
    "exp": Function(1, 1, "e to the power of a plain number"),
    "default": Function(2, 2, "`default(x, y)`: x, or y where x has no value"),
}


class ExpressionError(ValueError):
    """What is wrong with an expression, at which character (from 0), and what to do."""

    def __init__(self, column: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.column, self.message, self.hint = column, message, hint


def children(part: Expression) -> tuple[Expression, ...]:
    match part:
        case Negation():
            return (part.operand,)
        case Operation():
            return (part.left, part.right)
        case Power():
            return (part.base,)
        case Call():
            return part.arguments
        case _:
            return ()


def walk(expression: Expression) -> Iterator[Expression]:
    """The expression and its parts, from left to right."""
    yield expression
    for child in children(expression):
        yield from walk(child)


def keys_of(expression: Expression) -> tuple[str, ...]:
    """The keys, in the order in which they are named."""
    return tuple(dict.fromkeys(part.key for part in walk(expression) if isinstance(part, KeyReference)))


def required_keys(expression: Expression) -> tuple[str, ...]:
    """The keys without whose value there is none: those that no ``default`` replaces."""
    return tuple(dict.fromkeys(_required(expression)))


def _required(part: Expression) -> Iterator[str]:
    if isinstance(part, KeyReference):
        yield part.key
    followed = part.arguments[1:] if isinstance(part, Call) and part.function == "default" else children(part)
    for child in followed:
        yield from _required(child)


def replace_keys(expression: Expression, rename: Callable[[str], str]) -> Expression:
    """The expression with other keys."""
    match expression:
        case KeyReference(key, column):
            return KeyReference(rename(key), column)
        case Negation(operand, column):
            return Negation(replace_keys(operand, rename), column)
        case Operation(operator, left, right, column):
            return Operation(operator, replace_keys(left, rename), replace_keys(right, rename), column)
        case Power(base, exponent, column):
            return Power(replace_keys(base, rename), exponent, column)
        case Call(function, arguments, column):
            return Call(function, tuple(replace_keys(each, rename) for each in arguments), column)
        case _:
            return expression


_LEVELS = {"+": 1, "-": 1, "*": 2, "/": 2}


def format_expression(expression: Expression) -> str:
    """As people write it; reading it gives the same expression."""
    return _format(expression, 0)


def _format(part: Expression, level: int) -> str:
    """``level``: how tightly what stands around it binds."""
    match part:
        case Literal(value, unit):
            return _in_parentheses(f"{_number(value)} {unit.text}", level > 4) if unit.text else _number(value)
        case KeyReference(key):
            return "{" + key + "}"
        case Negation(operand):
            return _in_parentheses(f"-{_format(operand, 3)}", level > 2)
        case Operation(operator, left, right):
            own = _LEVELS[operator]
            return _in_parentheses(f"{_format(left, own)} {operator} {_format(right, own + 1)}", level > own)
        case Power(base, exponent):
            return _in_parentheses(f"{_format(base, 5)}^{exponent}", level > 4)
        case Call(function, arguments):
            return f"{function}({', '.join(_format(argument, 0) for argument in arguments)})"


def _in_parentheses(text: str, needed: bool) -> str:
    return f"({text})" if needed else text


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and value < 1e15 else repr(value)


UnitOfKey = Callable[[str], MeasurementUnit | None]
"""The unit of a key; ``None`` where none is stated: then its values are plain numbers."""


def unit_of_expression(expression: Expression, unit_of: UnitOfKey) -> MeasurementUnit:
    """The unit of its values. Raises ``ExpressionError`` where units do not fit, at the operator or function."""
    try:
        return _unit(expression, unit_of)
    except UnitError as error:  # a unit too large; where two currencies meet the place is known
        raise ExpressionError(expression.column, error.message, error.hint) from None


def _unit(part: Expression, unit_of: UnitOfKey) -> MeasurementUnit:
    match part:
        case Literal():
            return part.unit
        case KeyReference():
            return unit_of(part.key) or PLAIN
        case Negation():
            return _unit(part.operand, unit_of)
        case Operation("+" | "-", left, right):
            verb = "be added to" if part.operator == "+" else "be subtracted from"
            return _common(part.column, (left, right), unit_of, lambda a, b: f"{b} cannot {verb} {a}")
        case Operation(operator, left, right):
            one, other = _unit(left, unit_of), _unit(right, unit_of)
            try:
                return one * other if operator == "*" else one / other
            except UnitError as error:
                raise ExpressionError(part.column, error.message, error.hint) from None
        case Power(base, exponent):
            return _unit(base, unit_of) ** exponent
        case Call():
            return _call_unit(part, unit_of)


def _call_unit(call: Call, unit_of: UnitOfKey) -> MeasurementUnit:
    if call.function in ("log", "exp"):
        unit = _unit(call.arguments[0], unit_of)
        if not unit.is_plain:
            message = f"`{call.function}` takes a plain number, not {_name(unit)}."
            raise ExpressionError(call.column, message, "Divide by an amount of the same unit first.")
        return PLAIN
    if call.function == "sqrt":
        try:
            return _unit(call.arguments[0], unit_of).root()
        except UnitError as error:
            raise ExpressionError(call.column, error.message) from None
    return _common(call.column, call.arguments, unit_of, lambda a, b: f"`{call.function}` cannot compare {a} with {b}")


def _common(
    column: int, parts: tuple[Expression, ...], unit_of: UnitOfKey, complaint: Callable[[str, str], str]
) -> MeasurementUnit:
    """The unit that all ``parts`` share: that of the first that has one. A literal 0 has every unit."""
    units = [(part, _unit(part, unit_of)) for part in parts if not _is_zero(part)]
    if not units:
        return PLAIN
    first, unit = units[0]
    for other, own in units[1:]:
        if not own.fits(unit):
            raise ExpressionError(column, complaint(_name(unit), _name(own)) + ".", _advice(unit, own, first, other))
    return unit


def _is_zero(part: Expression) -> bool:
    return isinstance(part, Literal) and part.value == 0 and part.unit == PLAIN


def _name(unit: MeasurementUnit) -> str:
    return unit.text or "a plain number"


def _advice(one: MeasurementUnit, other: MeasurementUnit, left: Expression, right: Expression) -> str:
    """What to do about two units that do not fit."""
    if one.currency and other.currency and one.currency != other.currency:
        return "modelwatch knows no exchange rates: log the amounts in one currency."
    for unit, part, wanted in ((one, left, other), (other, right, one)):
        if unit == PLAIN and isinstance(part, Literal):
            return f"Give the number its unit: `{_number(part.value)} {wanted.text}`."
        if unit == PLAIN and isinstance(part, KeyReference):
            return f"State the unit under `business: units`: `{part.key}: {wanted.text}`."
    return (
        "Convert one of them first, for example with a price (`0.02 EUR/s * {seconds}`), or correct `business: units`."
    )
