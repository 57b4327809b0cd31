"""Amounts of money with their uncertainty, and the return on the investment in a model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MoneyImpact:
    """What a change that an alert measured is worth, as money a day; negative amounts are lost."""

    amount: float
    currency: str
    low: float | None = None
    high: float | None = None
    """95 % interval, carried through from that of the metric's value; ``None`` where it has none."""
    worth: str = ""
    """The value function as the configuration states it; empty: the metric is money itself."""
    share: float = 1.0
    """Of the rows of the whole: a segment is worth its share."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval, where one is known."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class ReturnPeriod:
    """One month, or all of the time; money of the whole period. ``None``: not known."""

    name: str
    """``2026-05`` or ``since 2026-05-01``."""
    since: float
    until: float
    days: int
    """Whole days that have a value."""
    value: float | None
    before: float | None
    """What the model before would have earned in those days."""
    gained: Estimate | None
    """``value - before``."""
    predicted: float | None
    """Of the days for which it was promised."""
    promised_days: int
    predicted_gained: Estimate | None
    """What was gained in those days."""
    serving: float | None
    retraining: float | None
    retrainings: int | None
    labelling: float | None
    net: Estimate | None
    """What was gained without the costs that are known."""
    roi: Estimate | None
    """``net`` over those costs: 2.5 is 250 %."""

    @property
    def cost(self) -> float | None:
        """The costs that are known, together."""
        known = [cost for cost in (self.serving, self.retraining, self.labelling) if cost is not None]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class DailyValue:
    """Value and its comparison of one day (seconds, UTC, of its beginning)."""

    day: float
    value: float
    before: float | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class ReturnOnInvestment:
    model: str
    currency: str
    since: float
    until: float
    total: ReturnPeriod | None
    """``None`` where no day has a value."""
    months: tuple[ReturnPeriod, ...] = ()
    days: tuple[DailyValue, ...] = ()
    assumptions: tuple[str, ...] = ()
    """What the numbers rest on, as text."""
    missing: tuple[str, ...] = ()
    """What is not stated, or has no data."""
