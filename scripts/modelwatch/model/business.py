"""What a model is worth: the units of its keys, derived metrics, value and costs, and what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass

from .measurement_unit import MeasurementUnit


@dataclass(frozen=True, slots=True)
class BusinessSpec:
    """``business:`` of one model."""

    currency: str = ""
    """Code of ISO 4217; empty: nothing is about money."""
    units: tuple[tuple[str, MeasurementUnit], ...] = ()
    """Of keys that are logged, by key."""
