"""Derived metrics as expressions of W&B's line plots: four operations on keys, each written ``${key}``."""

from __future__ import annotations

from ..model.business import BusinessSpec, DerivedMetric
from ..model.expression import Expression, KeyReference, Literal, Negation, Operation
from ..model.keys import KeyPattern

MAX_LENGTH = 1000
"""Characters; a longer one is not drawn."""
_OWN_SIGNS = "${}"


def can_be_named(key: str) -> bool:
    """Whether a key can stand between ``${`` and ``}``, which nothing escapes there."""
    return KeyPattern(key).is_plain and not any(sign in key for sign in _OWN_SIGNS)


def plain_number(value: float) -> str:
    """Without an exponent."""
    text = f"{value:.12g}"
    return text if "e" not in text else f"{value:.15f}".rstrip("0").rstrip(".")


def derived_expression(metric: DerivedMetric, business: BusinessSpec) -> str:
    """The metric in its own unit; empty where it has a function, a power, or a key that cannot be named."""
    text = _write(metric.expression, business)
    scale = metric.unit.scale
    if text and scale != 1.0:
        text = f"({text}) / {plain_number(scale)}"
    return text if len(text) <= MAX_LENGTH else ""


def _write(part: Expression, business: BusinessSpec) -> str:
    """In base units."""
    match part:
        case Literal():
            return plain_number(part.value * part.unit.scale)
        case KeyReference():
            return _write_key(part.key, business)
        case Negation():
            inner = _write(part.operand, business)
            return f"(0 - {inner})" if inner else ""
        case Operation():
            left, right = _write(part.left, business), _write(part.right, business)
            return f"({left} {part.operator} {right})" if left and right and len(left) + len(right) < MAX_LENGTH else ""
        case _:
            return ""


def _write_key(key: str, business: BusinessSpec) -> str:
    derived = business.derived_metric(key)
    if derived is not None:
        return _write(derived.expression, business)
    if not can_be_named(key):
        return ""
    unit = business.unit_of(key)
    scaled = unit is not None and unit.scale != 1.0
    return f"(${{{key}}} * {plain_number(unit.scale)})" if unit is not None and scaled else f"${{{key}}}"
