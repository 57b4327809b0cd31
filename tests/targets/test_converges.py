"""Plans applied to a world in memory, with crashes, targets that are down, and people in between."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelwatch.model.plan import ChangeKind, Plan
from modelwatch.model.target import Target

from .making import World, config, later

MOST_REQUESTS = 12
letters = st.sampled_from(".....~iwec?_")
hands = st.sampled_from(
    [
        *["", "", "", "", "close", "not-planned", "reopen", "resolve", "silence", "ack", "unsilence"],
        *["approve", "reject", "rollback", "retrain", "false-positive"],
    ]
)
faults = st.sampled_from(["", "", "", "crash", "github", "pagerduty", "lag"])
hours = st.lists(st.tuples(letters, st.integers(1, 3), hands, faults, st.integers(0, 8)), min_size=1, max_size=14)


def intervene(world: World, hand: str, now: float) -> None:
    match hand:
        case "close":
            world.close(now)
        case "not-planned":
            world.close(now, "not_planned")
        case "reopen":
            world.reopen()
        case "resolve":
            world.resolve_by_hand(now)
        case "silence":
            world.comment(now, "silence", "5h known")
        case "ack" | "unsilence" | "approve" | "reject" | "rollback" | "retrain" | "false-positive":
            world.comment(now, hand)


def sound(world: World) -> None:
    keys = [run.key for run in world.runs]
    assert len(keys) == len(set(keys)), "at most one dispatch per key"
    assert len(world.open_incidents) <= 1
    groups = [found.group for found in world.open_issues]
    assert len(groups) == len(set(groups)), "one issue a group"
    for posted in world.notes.values():
        assert len(posted) == len(set(posted)), "no comment twice"


def reasoned(plan: Plan) -> None:
    """ "Every change and every non-change carries its reason." """
    assert all(change.reason for change in plan.changes)
    assert all(skip.reason for skip in plan.skips)


def settle(world: World, text: str) -> None:
    """Evaluate until nothing is left to do; a second plan after a perfect application is empty.

    But for the resolve that nobody can remember, without an issue and without REST: it is repeated for a day.
    """
    for _ in range(4):
        changes = world.evaluate(text).changes
        if all(change.kind is ChangeKind.RESOLVE_INCIDENT and change.expect.issue is None for change in changes):
            return
    pytest.fail(f"still changing: {world.plan(text).changes}")


def fault(world: World, name: str, requests: int) -> None:
    world.budget = requests if name == "crash" else 10**9
    world.down = {"github": frozenset({Target.ISSUE, Target.DISPATCH}), "pagerduty": frozenset({Target.PAGE})}.get(
        name, frozenset()
    )
    world.hidden = name == "lag"


@settings(max_examples=100, deadline=None)
@given(hours, st.booleans())
def test_whatever_happens_it_converges(story: list[tuple[str, int, str, str, int]], rest: bool) -> None:
    """ "Losing any one evaluation loses nothing; the next one converges." """
    world = World(config(), rest=rest)
    text = "..."
    for letter, length, hand, trouble, requests in story:
        for _ in range(length):
            text += letter
            fault(world, trouble, requests)
            reasoned(world.evaluate(text))
            sound(world)
        fault(world, "", 0)
        intervene(world, hand, later(text) + 60)
        reasoned(world.evaluate(text, later(text) + 120))
        sound(world)
        world.finish_runs()


@settings(max_examples=100, deadline=None)
@given(hours, st.booleans())
@example([("i", 1, "", "", 0), ("e", 1, "close", "crash", 3)], False)
@example([("e", 1, "", "", 0), (".", 1, "", "", 0), (".", 1, "", "", 0), ("e", 1, "close", "crash", 3)], False)
@example([("e", 1, "", "crash", 0)], False)
def test_everything_is_closed_after_recovery(story: list[tuple[str, int, str, str, int]], rest: bool) -> None:
    """ "... and all of it closed again when the metric recovers." Also after crashes and people's hands.

    Without REST, PagerDuty down or up: an incident that was paged while GitHub was down, for an alert that was over
    when it came back, is beyond knowledge; so GitHub is up here.
    """
    world = World(config(), rest=rest)
    text = "..."
    for letter, length, hand, trouble, requests in story:
        text += letter * length
        fault(world, "" if trouble == "github" else trouble, requests)
        world.evaluate(text)
        fault(world, "", 0)
        intervene(world, hand, later(text) + 60)
    for hours_later in (1, 1, 12, 1, 1, 1, 1):  # after 12 h a flapping episode may recover, too
        text += "." * hours_later
        settle(world, text)
        world.finish_runs()
        settle(world, text)
    assert not world.open_issues
    assert not world.open_incidents


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="..~iwec?_", min_size=1, max_size=30), st.booleans())
def test_a_second_plan_is_empty(tail: str, rest: bool) -> None:
    """A plan for the world that a perfect application left has no changes."""
    world = World(config(), rest=rest)
    for size in range(1, len(tail) + 1):
        text = "..." + tail[:size]
        world.evaluate(text)
        assert not world.plan(text).changes
        sound(world)


def story(world: World, crash: int | None) -> World:
    """A rise to critical; the process is killed after ``crash`` requests of the evaluation that sees it."""
    for text in ("...", "...c"):
        world.budget = crash if crash is not None and text == "...c" else 10**9
        world.evaluate(text)
    return world


@pytest.mark.parametrize("rest", [False, True])
@pytest.mark.parametrize("crash", range(MOST_REQUESTS))
def test_killed_while_it_opens(crash: int, rest: bool) -> None:
    """Crash matrix, opening: one issue, one incident, at most one dispatch a key, nothing lost."""
    world = story(World(config(), rest=rest), crash)
    settle(world, "...c")
    assert len(world.issues) == 1
    assert len(world.incidents) == 1
    sound(world)
    world.evaluate("...cc")  # an hour later an intent without a receipt is lost: a retraining is repeated
    verbs = sorted(run.verb for run in world.runs)
    register = world.issues[1].register
    assert register is not None
    settled = {record.verb: record.state.value for record in register.dispatches}
    assert verbs.count("rollback") + (settled["rollback"] == "proposed") == 1
    assert verbs.count("retrain") <= 1


@pytest.mark.parametrize("rest", [False, True])
@pytest.mark.parametrize("crash", range(MOST_REQUESTS))
def test_killed_while_it_closes(crash: int, rest: bool) -> None:
    """Crash matrix, closing: "an incident still open on an issue already closed is resolved too"."""
    world = story(World(config(), rest=rest), None)
    world.evaluate("...c.")
    world.budget = crash
    world.evaluate("...c..")
    settle(world, "...c..")
    assert not world.open_issues
    assert not world.open_incidents
    assert len(world.issues) == len(world.incidents) == 1
    sound(world)


@pytest.mark.parametrize("target", [Target.ISSUE, Target.PAGE, Target.DISPATCH])
def test_one_target_down_never_stops_another(target: Target) -> None:
    """ "One target's failure never stops another"; "GitHub down → the page still goes"."""
    world = World(config(), rest=True)
    plan = world.plan("...c")
    world.down = frozenset({target})
    world.apply(plan)
    assert bool(world.issues) == (target is not Target.ISSUE)
    assert bool(world.incidents) == (target is not Target.PAGE)
    assert bool(world.runs) == (target is Target.PAGE), "without an issue there is no intent, so no dispatch"
    world.down = frozenset()
    settle(world, "...c")
    assert len(world.issues) == len(world.incidents) == 1


def test_the_whole_story() -> None:
    world = World(config())
    for hour in range(4, 16):
        world.evaluate("...wwweecc......"[:hour])
        world.finish_runs()
    assert world.paged == ["error", "critical"]
    assert [run.verb for run in world.runs] == ["retrain", "rollback"]
    assert not world.open_issues
    assert not world.open_incidents
    said = [key.split(".", 2)[2] for key in world.notes[1]]
    assert [topic.split(".")[0] for topic in said] == ["workflow", "worse", "worse", "workflow", "recovered"]
