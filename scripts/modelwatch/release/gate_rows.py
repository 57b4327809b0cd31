"""Rows of the gate's answer, and its numbers in words."""

from __future__ import annotations

import math

from ..model.gate import GateCheck, GateRow, GateVerdict
from ..stats.paired.difference import Difference


def comparison_row(
    check: GateCheck, part: str, what: str, verdict: GateVerdict, words: str, difference: Difference, shift: float = 0.0
) -> GateRow:
    """A row with the figures of a comparison; ``shift`` is taken from its bounds."""
    return GateRow(
        check=check,
        part=part,
        what=what,
        verdict=verdict,
        words=words,
        champion=finite_or_none(difference.champion),
        candidate=finite_or_none(difference.candidate),
        difference=finite_or_none(difference.value),
        low=finite_or_none(difference.low - shift),
        high=finite_or_none(difference.high - shift),
        n=difference.n,
        p=finite_or_none(difference.p),
        how=difference.how,
        unit=difference.unit,
    )


def finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def format_number(value: float | None) -> str:
    return "—" if value is None else f"{value:.4g}"


def format_signed(value: float) -> str:
    return f"{value:+.3g}"


def format_short(value: float) -> str:
    """Two digits: of what is no more than an order of size."""
    return f"{value:.2g}"
