"""A small sample of ``make false-promotions``: equal models are held, better ones get through."""

from __future__ import annotations

import pytest

from modelwatch.model.gate import GateDecision

from .measure import decisions, least
from .worlds import IMPROVED, UNFIT


@pytest.mark.parametrize("name", UNFIT)
def test_what_is_no_better_is_promoted_no_more_often_than_alpha(name: str) -> None:
    world, sizes = UNFIT[name]
    found = decisions(world, min(sizes), 200)
    assert least(found[GateDecision.PROMOTE], 200) <= world.spec.alpha
    assert least(found[GateDecision.REJECT], 200) <= 2 * world.spec.alpha


@pytest.mark.parametrize("name", [name for name in IMPROVED if "1 point" not in name])
def test_a_better_candidate_is_promoted_given_rows(name: str) -> None:
    world, sizes = IMPROVED[name]
    found = decisions(world, max(sizes), 20)
    assert found[GateDecision.PROMOTE] >= 14
    assert found[GateDecision.REJECT] == 0
