"""One story: a metric falls, stays down and recovers, while everything around the evaluations goes wrong."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from modelwatch.clients.github import github_retry_policy
from modelwatch.clients.pagerduty import pagerduty_retry_policy
from modelwatch.model.alert import group_key
from modelwatch.model.register import DispatchState, Register
from modelwatch.targets.register.codec import parse_body
from modelwatch.testing.standins.github.records import Issue
from modelwatch.testing.standins.http import Server

from ..crash import reads
from ..crash.cell import KILLED, unsettled
from ..crash.facts import NOTE, finish_runs
from ..crash.process import Forge
from ..crash.scenarios import GOOD, OPENS, WORST
from ..crash.world import ACCOUNT, PERSON, REPOSITORY, Clock, Evaluated, World, at, worlds
from . import strangers
from .troubles import GITHUB, PAGERDUTY, WANDB, Trouble, draw_troubles

GROUP = group_key("churn", "accuracy")
FALLS, FIRES, RECOVERS, CLOSES, ENDS = 30, 32, 38, 40, 45
"""Hours: the metric is good until the first, pages are due from the second, it is good again after the third, which is
proved from the fourth on."""
VALUES = (*(GOOD,) * FALLS, *(WORST,) * (RECOVERS - FALLS), *(GOOD,) * (ENDS + 3 - RECOVERS))
CALM = "calm"
PAIR = "two at once"
LOAD = 20.0
"""Seconds that a loaded machine may add to whatever is measured."""


@dataclass(frozen=True, slots=True)
class Played:
    """One evaluation, or two at once: what went wrong around it, and how it ended."""

    troubles: tuple[str, ...]
    codes: tuple[int, ...]
    page_after: float | None = None
    """Seconds from its start to the page, where one was due."""


@dataclass(slots=True)
class Story:
    """``wrong``: what was lost, doubled, late or obeyed; nothing, as a rule."""

    seed: int
    flood: int
    played: list[Played] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    is_left_to_person: bool = False
    """Whether the dispatch was lost before a person acknowledged: from then on nothing is dispatched for them."""


@contextmanager
def stages() -> Iterator[tuple[World, World]]:
    """A world, and the same world from another folder with processes of its own."""
    with worlds() as world, Forge() as forge, TemporaryDirectory(prefix="modelwatch-chaos-") as folder:
        yield world, replace(world, folder=Path(folder), forge=forge)


def page_deadline(world: World) -> float:
    """Seconds within which a page leaves that is due, whatever GitHub does."""
    policies = (github_retry_policy(world.env), pagerduty_retry_policy(world.env))
    return sum(policy.deadline() for policy in policies)


def play(
    world: World, other: World, seed: int, *, flood: int = 0, source: bool = False, every: int = 1, pairs: float = 0.2
) -> Story:
    """Play the story of ``seed``: one to three evaluations in every ``every``-th hour, from the fall to the recovery.

    ``flood``: how many comments strangers write; ``source``: the metric comes from W&B instead of a table;
    ``pairs``: how many evaluations begin beside another one."""
    random, story = Random(seed), Story(seed, flood)
    _prepare(world, other, source=source)
    services = (GITHUB, GITHUB, PAGERDUTY, *((WANDB,) if source else ()))
    for hour in (*range(FALLS + 1, RECOVERS, every), *range(CLOSES, ENDS, every)):
        if hour == CLOSES:
            _check_firing(world, story)
        for minute in sorted(random.sample(range(50), random.choice((1, 1, 2, 3)))):
            pair = random.random() < pairs
            _disturb(world, other, story, random, hour + minute / 60, services, pair=pair)
        if flood and (issues := _own_issues(world)):
            strangers.comment(world, issues[0].number, GROUP, flood, random)
            world.github.standin.person(REPOSITORY, PERSON).add_comment(issues[0].number, "/modelwatch ack")
            flood = 0
    _calm_down(world)
    story.wrong += [f"in the end {problem}" for problem in unsettled(world, replace(OPENS, hour=ENDS))]
    _check_end(world, story)
    story.wrong += world.bugs()
    return story


def _prepare(world: World, other: World, *, source: bool) -> None:
    world.renew(VALUES)
    if source:
        reads.log_to_wandb(world, VALUES)
    shutil.copytree(world.folder, other.folder, ignore=shutil.ignore_patterns("wandb*", "out*"), dirs_exist_ok=True)
    # The clock of the services is set once for both.
    other.clock, other.values = Clock(), world.values
    other.env = {**world.env, "HOME": str(other.folder), "TMPDIR": str(other.folder)}


def _disturb(
    world: World, other: World, story: Story, random: Random, hour: float, services: tuple[str, ...], *, pair: bool
) -> None:
    """One evaluation or two, under random troubles."""
    _calm_down(world)
    world.github.standin.state.lag.seconds = random.choice((0, 2, 10) if pair else (0, 10, 3600))
    # Who waits for the other has to wait longer than a slow request takes.
    world.env["MODELWATCH_WAIT_SCALE"] = other.env["MODELWATCH_WAIT_SCALE"] = "1" if pair else "0.001"
    due = FIRES <= hour < RECOVERS and not world.pagerduty.standin.state.incidents
    victim = lambda: random.choice([one for one in (world.forge.pid, other.forge.pid) if one] or [0])  # noqa: E731
    troubles = draw_troubles(random, (GITHUB,) if due else services, victim, due=due)
    servers: dict[str, Server[Any]] = {GITHUB: world.github, PAGERDUTY: world.pagerduty, WANDB: world.wandb}
    for trouble in troubles:
        servers[trouble.service].inject(trouble.fault)
    began = time.time()
    done = _evaluate(world, other, hour, random.random() if pair else None)
    names = tuple(trouble.name for trouble in troubles if trouble.fault.strike_count)
    pages = [asked.at - began for asked in world.pagerduty.requests if asked.path.endswith("/enqueue")]
    due = due and not _excused(troubles, done)
    after = min(pages, default=None) if due else None
    story.played.append(Played((*names, *((PAIR,) if pair else ())), tuple(one.code for one in done), after))
    where = f"hour {hour:.2f}, {', '.join(names) or CALM}{', two at once' if pair else ''}"
    if due and after is None:
        story.wrong.append(f"{where}: nobody was paged ({done[0].ended.told[-300:]})")
    elif after is not None and after > page_deadline(world) + LOAD:
        story.wrong.append(f"{where}: the page left after {after:.0f} s")
    story.wrong += [f"{where}: a bug: {one.ended.told[-900:]}" for one in done if "Traceback" in one.ended.told]
    story.wrong += [
        f"{where}: exit code {one.code}: {one.ended.told[-300:]}" for one in done if one.code not in (0, 3, 4, KILLED)
    ]


def _evaluate(world: World, other: World, hour: float, offset: float | None) -> list[Evaluated]:
    """At ``hour``; with an ``offset`` a second evaluation begins so many seconds after the first."""
    if offset is None:
        return [world.evaluate(at(hour))]
    done: list[Evaluated] = []

    def evaluate_later() -> None:
        time.sleep(offset)
        done.append(other.evaluate(at(hour)))

    thread = threading.Thread(target=evaluate_later, name="chaos-second")
    thread.start()
    done.append(world.evaluate(at(hour)))
    thread.join()
    return done


def _excused(troubles: list[Trouble], done: list[Evaluated]) -> bool:
    """Whether no page can be expected: its service or the source was disturbed, or every evaluation killed."""
    struck = {trouble.service for trouble in troubles if trouble.fault.strike_count}
    return bool(struck & {PAGERDUTY, WANDB}) or any(one.code == KILLED for one in done)


def _calm_down(world: World) -> None:
    for server in (world.github, world.pagerduty, world.wandb):
        server.faults.clear()
        server.requests.clear()
    world.github.standin.state.catch_up_lists()


def _check_firing(world: World, story: Story) -> None:
    """While it fires: one issue, one incident, one workflow run, each once."""
    _calm_down(world)
    story.wrong += [f"while it fires {problem}" for problem in unsettled(world, replace(OPENS, hour=RECOVERS))]
    incidents = [(one.status, one.severity) for one in world.pagerduty.standin.state.incidents]
    if incidents not in ([("triggered", "critical")], [("acknowledged", "critical")]):
        story.wrong.append(f"incidents while it fires: {incidents}")
    register = _register(world)
    if register is not None and register.ack_by == PERSON:
        story.is_left_to_person = [record.state for record in register.dispatches] == [DispatchState.LOST]
    _check_counts(world, story, "open")
    if story.flood and register is not None and register.ack_by != PERSON:
        story.wrong.append(f"{PERSON}'s acknowledgement was not obeyed")
    finish_runs(world)


def _check_end(world: World, story: Story) -> None:
    incidents = [(one.status, one.severity) for one in world.pagerduty.standin.state.incidents]
    if incidents != [("resolved", "critical")]:
        story.wrong.append(f"incidents in the end: {incidents}")
    _check_counts(world, story, "closed")


def _check_counts(world: World, story: Story, state: str) -> None:
    issues = [issue for issue in _own_issues(world) if issue.state_reason != "duplicate"]
    if [issue.state for issue in issues] != [state]:
        story.wrong.append(f"issues: {[(issue.number, issue.state) for issue in issues]}, and one should be {state}")
    repo = world.github.standin.state.repo(REPOSITORY)
    runs = [run.title.split()[1] for run in repo.runs.items.values()]
    register = _register(world)
    if runs != ([] if story.is_left_to_person else ["retrain"]):
        story.wrong.append(f"workflow runs: {runs}")
    ours = [one for one in repo.comments.items.values() if one.login == ACCOUNT]
    keys = [(one.issue, key) for one in ours for key in NOTE.findall(one.body)]
    # Two evaluations at the same time may comment twice: the page on architecture says so.
    alone = not any(PAIR in one.troubles for one in story.played)
    doubled = sorted({key for key in keys if alone and keys.count(key) > 1})
    story.wrong += [f"the note {key} stands {keys.count((issue, key))} times on #{issue}" for issue, key in doubled]
    answers = [one for one in ours if any(login in one.body for login in strangers.STRANGERS)]
    if len(answers) > len(story.played):
        story.wrong.append(f"strangers got {len(answers)} answers in {len(story.played)} evaluations")
    if register is not None and (register.silence_by or register.verdict or register.ack_by not in ("", PERSON)):
        story.wrong.append(f"obeyed: {register.silence_by}, {register.verdict}, {register.ack_by}")


def _own_issues(world: World) -> list[Issue]:
    """Those of the group that are ours, oldest first."""
    issues = sorted(world.github.standin.state.repo(REPOSITORY).issues.items.values(), key=lambda one: one.number)
    return [one for one in issues if one.login == ACCOUNT and parse_body(one.body or "").group == GROUP]


def _register(world: World) -> Register | None:
    issues = _own_issues(world)
    return parse_body(issues[0].body or "").register if issues else None
