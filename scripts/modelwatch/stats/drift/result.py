"""What every statistic of drift answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

MIN_RELIABLE_COUNT = 100
"""With fewer values on either side a statistic is noise (PSI > 0.1 in 83 % of windows without any change)."""


@dataclass(frozen=True, slots=True)
class DriftStatistic:
    """One statistic of one feature. Always an answer: where none is defined, ``value`` is NaN and a note says why."""

    method: str
    value: float
    """The statistic itself."""
    p_value: float | None
    """How often chance alone gives as much; ``None`` where nothing is defined."""
    effect: float
    """How large it is, whatever the size of the samples: what a tier's limit is held against."""
    n_reference: int
    n_current: int
    notes: tuple[str, ...] = ()

    @property
    def defined(self) -> bool:
        return not math.isnan(self.value)

    @property
    def reliable(self) -> bool:
        """Enough values on both sides to say anything."""
        return self.defined and min(self.n_reference, self.n_current) >= MIN_RELIABLE_COUNT


def undefined_drift(method: str, n_reference: int, n_current: int, *notes: str) -> DriftStatistic:
    return DriftStatistic(method, math.nan, None, math.nan, n_reference, n_current, notes)


def emptiness_reason(n_reference: int, n_current: int) -> str:
    """Why nothing can be compared; the empty string where both sides hold values."""
    if n_reference <= 0 and n_current <= 0:
        return "neither side holds values"
    if n_reference <= 0:
        return "the reference holds no values"
    return "" if n_current > 0 else "the current side holds no values"


def reliability_notes(n_reference: int, n_current: int) -> tuple[str, ...]:
    least = min(n_reference, n_current)
    return (f"unreliable: {least} values are fewer than {MIN_RELIABLE_COUNT}",) if least < MIN_RELIABLE_COUNT else ()
