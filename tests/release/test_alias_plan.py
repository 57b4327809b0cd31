"""The aliases that each verb sets, and the order of the steps."""

from __future__ import annotations

from itertools import product

import pytest

from modelwatch.model.release import MoveVerb, Registry, Version
from modelwatch.release.alias_plan import (
    current_holders,
    desired_aliases,
    steps_back,
    steps_forward,
    superseded_by,
)

NAMES = ("v0", "v1", "v2")


def registry(**held: str) -> Registry:
    """``alias="v1"``: who holds what."""
    versions = [
        Version(name, tuple(alias for alias, holder in held.items() if holder == name), name, float(place))
        for place, name in enumerate(NAMES)
    ]
    return Registry("churn", "acme/train/churn", tuple(reversed(versions)))


def held(of: Registry) -> dict[str, str]:
    return {alias: version.name for version in of.versions for alias in version.aliases}


def test_a_promotion_remembers_who_served_and_takes_the_candidate_s_aliases() -> None:
    before = registry(production="v1", previous="v0", candidate="v2", canary="v2", staging="v0")
    found = dict(desired_aliases(MoveVerb.PROMOTE, before, before.version("v2")))
    assert found == {"production": "v2", "previous": "v1", "candidate": "", "canary": ""}


def test_a_rollback_remembers_what_failed_and_ends_every_canary() -> None:
    before = registry(production="v2", previous="v1", canary="v0", degraded="v2")
    found = dict(desired_aliases(MoveVerb.ROLLBACK, before, before.version("v1")))
    assert found == {"production": "v1", "previous": "v2", "canary": "", "degraded": ""}


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        (MoveVerb.CANARY, {"canary": "v2"}),
        (MoveVerb.ABORT, {"canary": ""}),
        (MoveVerb.DEGRADE, {"degraded": "v2"}),
        (MoveVerb.RESTORE, {"degraded": ""}),
        (MoveVerb.REGISTER, {"candidate": "v2", "1.4.0": "v2"}),
        (MoveVerb.RETRAIN, {}),
    ],
)
def test_the_other_verbs_move_what_is_theirs(verb: MoveVerb, expected: dict[str, str]) -> None:
    before = registry(production="v1")
    assert dict(desired_aliases(verb, before, before.version("v2"), "1.4.0")) == expected


ALL = [
    (production, previous, canary, target)
    for production, previous, canary, target in product(("", *NAMES), ("", *NAMES), ("", *NAMES), NAMES)
    if production != target
]


@pytest.mark.parametrize("verb", [MoveVerb.PROMOTE, MoveVerb.ROLLBACK])
def test_wherever_it_stops_one_version_serves_and_it_can_go_on_or_back(verb: MoveVerb) -> None:
    for production, previous, canary, target in ALL:
        start = {"production": production, "previous": previous, "canary": canary, "candidate": target}
        first = registry(**{alias: name for alias, name in start.items() if name})
        after = desired_aliases(verb, first, first.version(target))
        before = current_holders(first, after)
        steps = steps_forward(before, after, dict(before))
        served = []
        for done in range(len(steps) + 1):
            now = {**start}
            for step in steps[:done]:
                now[step.alias] = "" if step.removes else step.version
            served.append(now["production"])
            if now["production"] == target and production:
                assert now["previous"] == production, "who served is on record before another does"
            on, back = dict(now), dict(now)
            for step in steps_forward(before, after, now):
                on[step.alias] = "" if step.removes else step.version
            for step in steps_back(before, after, now):
                back[step.alias] = "" if step.removes else step.version
            assert steps_forward(before, after, on) == []
            assert on["production"] == target
            assert back == start
            assert superseded_by(before, after, now) == ""
        assert set(served) <= {production, target}
        assert served[-1] == target


def test_what_somebody_else_moved_meanwhile_is_left_alone() -> None:
    before = (("candidate", "v2"), ("previous", ""), ("production", "v1"))
    after = (("candidate", ""), ("previous", "v1"), ("production", "v2"))
    now = {"candidate": "v0", "previous": "v1", "production": "v2"}
    assert steps_forward(before, after, now) == []
    assert [step.alias for step in steps_back(before, after, now)] == ["production", "previous"]
    assert superseded_by(before, after, {**now, "production": "v0"}) == "v0"
    assert superseded_by(before, after, {"candidate": "v0"}) == "nobody"
