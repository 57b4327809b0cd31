"""The next step works, and is the same everywhere: property tests over nights on call."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelwatch.model.rule import Mode
from modelwatch.timeutil import HOUR

from .advice import COMMENT, START, Night, night
from .setups import Setup

EXAMPLES = int(os.environ.get("ADVICE_EXAMPLES", "30"))
modes = st.sampled_from([Mode.ACT, Mode.PROPOSE, Mode.PROPOSE, Mode.OBSERVE, None])
setups = st.builds(
    Setup,
    people=st.sampled_from([True, True, False]),
    rollback=modes,
    retrain=modes,
    degrade=st.sampled_from([None, None, Mode.PROPOSE, Mode.ACT]),
    release=st.booleans(),
    versions=st.sampled_from(["fit", "fit", "unfit", "down"]),
    token=st.booleans(),
    key=st.sampled_from([True, True, False]),
    budget=st.sampled_from([4, 4, 1, 0]),
    share=st.sampled_from([1.0, 1.0, 0.4, 0.12, 0.05]),
    kind=st.sampled_from(["accuracy-drop", "accuracy-drop", "data-drift"]),
    runbook=st.sampled_from([True, True, False]),
    second=st.sampled_from(["", "depends", "depends", "apart"]),
    silent=st.sampled_from(["", "", "", "accuracy", "nulls", "sales"]),
    cooldown=st.sampled_from([24 * HOUR, 24 * HOUR, 2 * HOUR, 0.0]),
    dispatches=st.sampled_from([5, 5, 1]),
    pages=st.sampled_from([10, 10, 1]),
    commands=st.sampled_from([True, True, False]),
)
letters = st.sampled_from("...~iwweeccc")
hands = st.sampled_from(
    [
        *[""] * 6,
        *["follow", "follow", "follow last", "start"],
        *["succeed", "succeed", "fail", "cancel"],
        *["close", "not planned", "reopen", "resolve", "acknowledge"],
        *["ack", "silence 3h known", "unsilence", "false-positive", "approve", "reject", "rollback v1", "retrain"],
        *["lose", "down"],
    ]
)
hours = st.lists(
    st.tuples(letters, st.sampled_from("......e"), st.sampled_from("......e"), st.sampled_from("......wec"), hands),
    min_size=1,
    max_size=9,
)


@pytest.fixture(scope="module")
def nights() -> Iterator[Night]:
    with night() as servers:
        yield servers


def intervene(time: Night, hand: str) -> list[str]:
    """What people and services do after an hour; returns what went wrong about it."""
    opened = [issue for issue in time.issues() if issue.state == "open"]
    closed = [issue for issue in time.issues() if issue.state == "closed"]
    match hand:
        case "follow" | "follow last":
            offers = [(line, advice.group) for advice in time.advice() for line in COMMENT.findall(advice.section)]
            if offers and time.setup.people:
                line, group = offers[0 if hand == "follow" else -1]
                answer = time.comment(line, group)
                return [f"{line} gets {answer!r}"] if "refused" in answer or not answer else []
        case "start":
            for line in [line for advice in time.advice() for line in START.findall(advice.section)][:1]:
                time.start(line)
                time.evaluate()
        case "succeed" | "fail" | "cancel":
            time.finish({"succeed": "success", "fail": "failure", "cancel": "cancelled"}[hand])
        case "close" | "not planned" if opened:
            time.person().close_issue(opened[-1].number, "completed" if hand == "close" else "not_planned")
        case "reopen" if closed:
            time.person().reopen_issue(closed[-1].number)
        case "resolve" | "acknowledge":
            pages = time.pagerduty.standin.state
            for incident in [incident for incident in pages.incidents if incident.is_open]:
                (pages.resolve_as_person if hand == "resolve" else pages.acknowledge_as_person)(incident)
        case "lose":
            time.lose_dispatches()
        case "down":
            time.down = True
        case "ack" | "silence 3h known" | "unsilence" | "false-positive" | "approve" | "reject":
            time.comment(f"/modelwatch {hand}")
        case "rollback v1" | "retrain":
            time.comment(f"/modelwatch {hand}")
    return []


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(setups, hours)
def test_the_step_offered_works_and_is_the_same_everywhere(
    nights: Night, setup: Setup, story: list[tuple[str, str, str, str, str]]
) -> None:
    """In each hour: issue, page, ``diagnose`` and runbook advise the same; each command that they offer is accepted by
    the code that carries it out; every command is answered; what is shown as muted neither pages nor dispatches."""
    nights.begin(setup)
    for accuracy, nulls, p95, sales, hand in story:
        plan = nights.hour(accuracy=accuracy, nulls=nulls, p95=p95, sales=sales)
        was_down, nights.down = nights.down, False
        assert nights.muting_problems(plan) == []
        if not was_down:
            assert nights.problems() == []
        assert intervene(nights, hand) == []
