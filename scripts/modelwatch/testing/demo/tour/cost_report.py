"""What a night cost, beside the same night with other decisions of the person on call."""

from __future__ import annotations

from dataclasses import dataclass

from ....timeutil import MINUTE
from .production import BAD_VERSION, GOOD_VERSION, Production

DOLLARS_PER_WRONG_DECISION = 4
"""Of one wrong decision: a discount given for nothing, or a customer lost for want of one."""


@dataclass(frozen=True, slots=True)
class NightCost:
    """What a night cost, from the page to the end of the shift, beside a night on the good version."""

    wrong_decisions: int
    """Decisions that would have been right."""
    minutes: int | None
    """From the page until the bad version had stopped serving; ``None`` where it never did."""

    @property
    def dollars(self) -> float:
        return self.wrong_decisions * DOLLARS_PER_WRONG_DECISION


@dataclass(frozen=True, slots=True)
class CostComparison:
    """Three nights with the same people in them; only what served differs."""

    wrong_before_page: int
    """Wrong decisions until the page: nobody could prevent them any more."""
    actual: NightCost
    without_action: NightCost
    ideal: NightCost


def compare_costs(production: Production, began: float, paged: float, until: float, rollout: float) -> CostComparison:
    """``began``: when the bad version was deployed. ``rollout``: seconds from the decision until a version serves."""
    good = Production.starting_with(began, GOOD_VERSION)
    nobody, ideal = production.copy(paged), production.copy(paged)
    ideal.deploy(GOOD_VERSION, paged + rollout)

    def bill(night: Production) -> NightCost:
        left = night.removal_time(BAD_VERSION, paged)
        minutes = None if left is None or left > until else round((left - paged) / MINUTE)
        return NightCost(night.count_wrong_decisions(paged, until) - good.count_wrong_decisions(paged, until), minutes)

    before = production.count_wrong_decisions(began, paged) - good.count_wrong_decisions(began, paged)
    return CostComparison(before, bill(production), bill(nobody), bill(ideal))


def lost_dollars(production: Production, paged: float, now: float) -> float:
    """Dollars that were lost between two times, beside the good version."""
    good = Production.starting_with(production.start_times[0], GOOD_VERSION)
    return (
        production.count_wrong_decisions(paged, now) - good.count_wrong_decisions(paged, now)
    ) * DOLLARS_PER_WRONG_DECISION
