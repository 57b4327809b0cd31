"""Rows of the gate's answer, and its numbers in words."""

from __future__ import annotations

import math

from ..model.gate import GateCheck, GateRow, GateVerdict
from ..stats.paired.difference import Difference


def row_of(
    check: GateCheck, part: str, what: str, verdict: GateVerdict, words: str, found: Difference, shift: float = 0.0
) -> GateRow:
    """A row with the figures of a comparison; ``shift`` is taken from its bounds."""
    return GateRow(
        check=check,
        part=part,
        what=what,
        verdict=verdict,
        words=words,
        champion=known(found.champion),
        candidate=known(found.candidate),
        difference=known(found.value),
        low=known(found.low - shift),
        high=known(found.high - shift),
        n=found.n,
        p=known(found.p),
        how=found.how,
        unit=found.unit,
    )


def known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def number(value: float | None) -> str:
    return "—" if value is None else f"{value:.4g}"


def signed(value: float) -> str:
    return f"{value:+.3g}"


def short(value: float) -> str:
    """Two digits: of what is no more than an order of size."""
    return f"{value:.2g}"
