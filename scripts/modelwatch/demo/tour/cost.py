"""What a night cost, beside the same night with other decisions of the person on call."""

from __future__ import annotations

from dataclasses import dataclass

from .production import BAD, GOOD, MINUTE, Production

DOLLARS = 4
"""Of one wrong decision: a discount given for nothing, or a customer lost for want of one."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What a night cost, from the page to the end of the shift, beside a night on the good version."""

    wrong: int
    """Decisions that would have been right."""
    minutes: int | None
    """From the page until the bad version had stopped serving; ``None`` where it never did."""

    @property
    def dollars(self) -> float:
        return self.wrong * DOLLARS


@dataclass(frozen=True, slots=True)
class Reckoning:
    """Three nights with the same people in them; only what served differs."""

    before: int
    """Wrong decisions until the page: nobody could prevent them any more."""
    yours: Bill
    nobody: Bill
    ideal: Bill


def reckon(production: Production, began: float, paged: float, until: float, rollout: float) -> Reckoning:
    """``began``: when the bad version was deployed. ``rollout``: seconds from the decision until a version serves."""
    good = Production.beginning(began, GOOD)
    nobody, ideal = production.copy(paged), production.copy(paged)
    ideal.deploy(GOOD, paged + rollout)

    def bill(night: Production) -> Bill:
        left = night.left(BAD, paged)
        minutes = None if left is None or left > until else round((left - paged) / MINUTE)
        return Bill(night.wrong(paged, until) - good.wrong(paged, until), minutes)

    before = production.wrong(began, paged) - good.wrong(began, paged)
    return Reckoning(before, bill(production), bill(nobody), bill(ideal))
