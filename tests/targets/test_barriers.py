"""One group that cannot be planned, and one repository that cannot be observed, hurt no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.model.alert import group_key
from modelwatch.model.target import Target
from modelwatch.targets import plan as planning
from modelwatch.targets.draft import GroupPlan
from modelwatch.targets.order import TARGETS

from ..alerts.making import rule, tier
from .making import GROUP, config, issue, judged, later, register, seen
from .world import World

OTHER = rule("volume", tiers=(tier("error", ("issue", "page")),))
TEXT = "..ee"


@pytest.mark.parametrize("step", ["sync_group", "plan_group"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_group_that_cannot_be_planned_still_pages_and_hurts_no_other(
    monkeypatch: pytest.MonkeyPatch, step: str, times: int
) -> None:
    real, calls = getattr(planning, step), list[str]()

    def fail(draft: GroupPlan) -> None:
        calls.append(draft.group.key)
        if draft.group.key == GROUP and calls.count(GROUP) <= times:
            raise OverflowError("date value out of range")
        real(draft)

    both = config(*config().models[0].rules, OTHER)
    monkeypatch.setattr(planning, step, fail)
    made = planning.make_plan(judged(TEXT, both, volume=TEXT), both, seen(issue(register())), later(TEXT))
    by_group = {
        key: [str(one.kind) for one in made.changes if one.group == key]
        for key in {GROUP, group_key("churn", "volume")}
    }
    assert by_group[group_key("churn", "volume")] == ["open-issue", "trigger-incident"]
    assert by_group[GROUP] == ([] if (step, times) == ("plan_group", 2) else ["trigger-incident"])
    assert any("OverflowError: date value" in text for _, text in made.troubles)


def test_a_repository_that_cannot_be_observed_is_an_error_of_its_models(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RecursionError

    broken = tuple(replace(port, observe=fail) if port.name is Target.ISSUE else port for port in TARGETS)
    monkeypatch.setattr("modelwatch.targets.observe.TARGETS", broken)
    seen_errors = world.observe_model().errors
    assert [(error.target, "RecursionError" in error.reason) for error in seen_errors] == [(Target.ISSUE, True)]
