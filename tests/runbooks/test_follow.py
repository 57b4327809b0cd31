"""Every command of every page, as the page for one alert shows it, followed in the state that the page is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelwatch.cli import group
from modelwatch.config.vocabulary import KINDS
from modelwatch.errors import Exit
from modelwatch.runbooks.check import command_problem, split_commands
from modelwatch.runbooks.page import (
    CODE_SPAN,
    PAGES_DIR,
    PLACEHOLDER,
    decision_rows,
    fill_placeholders,
    parse_page,
    read_page,
)
from modelwatch.runbooks.render import FITS
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn
from tests.cli.conftest import make_world
from tests.cli.world import Ran, World

from .conftest import add_versions
from .gh import Gh
from .scenes import SCENES
from .stage import Stage, environment_kept

FIRST, RECOVERY, AFTERWARDS = "First five minutes", "How to confirm recovery", "Afterwards"
UNDELIVERED = "delivery-failed"
"""No rule raises it: its page is asked for by its name. Of its commands ``status`` says that PagerDuty is down."""


@dataclass(frozen=True)
class Part:
    """Commands that are followed one after another in one state: all that look, or one mitigation."""

    kind: str
    name: str
    numbers: tuple[int, ...]
    """Of the page's blocks."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.name.partition(',')[0].lower()} {self.numbers[0]}"


def blocks(text: str) -> list[tuple[str, list[str]]]:
    """(section, commands) of a page, in order. It begins with the command that prints it: every test runs that one."""
    return [found for found in _blocks(text) if found[0]]


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    page = parse_page(PAGES_DIR, text)
    section, inside = "", False
    found: list[str] = []
    for line, fenced in zip(page.lines, page.fenced, strict=True):
        section = line[3:] if line.startswith("## ") and not fenced else section
        if fenced and not line.strip().startswith("```"):
            found.append(line.strip())
        elif inside and not fenced and found:
            yield section, found
            found = []
        if not fenced:
            yield from (
                (section, [span]) for span in CODE_SPAN.findall(line) if span.startswith(("modelwatch ", "gh "))
            )
        inside = fenced
        if line.strip() == "```" and found:
            yield section, found
            found = []


def all_parts() -> Iterator[Part]:
    """The first five minutes together, since they change nothing; each mitigation alone; what comes after recovery."""
    for kind in KINDS:
        found: dict[str, list[int]] = {}
        for number, (section, _) in enumerate(blocks((PAGES_DIR / f"{kind}.md").read_text("utf-8"))):
            together = section in (FIRST, RECOVERY, AFTERWARDS)
            name = RECOVERY if section == AFTERWARDS else section
            found.setdefault(name if together else f"{section} {number}", []).append(number)
        yield from (Part(kind, name, tuple(numbers)) for name, numbers in found.items())


@dataclass(frozen=True)
class Scenery:
    """The scene of a kind: the page as it is printed for its alert, and a token for GitHub's command line."""

    kind: str
    stage: Stage
    page: str
    token: str


@pytest.fixture(scope="module")
def sceneries(
    tmp_path_factory: pytest.TempPathFactory, wandb: tuple[Server[WandbStandIn], dict[str, str]]
) -> Iterator[Callable[[str], Scenery]]:
    """Plays the scene of a kind, once for all of its parts, which come one after another."""
    with ExitStack() as stack:
        found: list[Scenery] = []

        def scenery(kind: str) -> Scenery:
            if not found or found[0].kind != kind:
                stack.close()
                stack.enter_context(environment_kept())
                world = stack.enter_context(make_world(tmp_path_factory.mktemp("scene")))
                found[:] = [play(kind, world, wandb, tmp_path_factory.mktemp("stage") / "copy")]
            return found[0]

        yield scenery


def play(kind: str, world: World, wandb: tuple[Server[WandbStandIn], dict[str, str]], copy: Path) -> Scenery:
    scene = SCENES[kind]
    if scene.moves:
        add_versions(wandb, world.setenv)
    scene.play(world)
    asked = [kind, "--model", "churn"] if kind == UNDELIVERED else ["--alert", f"churn/{scene.alert}"]
    found = world.run("runbooks", "render", *asked, "--format", "markdown")
    assert found.code == 0, found.err
    token = world.github.standin.state.add_token("alice", kind="user")
    stage = Stage.of(world, (world.github, world.pagerduty, wandb[0]), copy)
    return Scenery(kind, stage, found.out, token)


def follow(world: World, gh: Gh, line: str) -> Ran:
    """Run one command line; what is still to be filled in is found as the index says."""
    newest = gh("run", "list", "--limit", "1").out.rpartition("\t")[2]
    line = fill_placeholders(line.partition(" | ")[0], {"RUN": newest}).replace("--for 2h", "--for 1m")
    assert not PLACEHOLDER.search(re.sub(r'"[^"]*"|PAGERDUTY_\w+|WANDB_\w+', "", line)), line
    ((program, *rest),) = split_commands(line)
    if program == "gh":
        return gh(*rest)
    timed = not command_problem(["modelwatch", *rest, "--now", "0"], group)
    return world.run(*rest, now=timed)


def expected(part: Part, line: str) -> int:
    """Where a service does not answer, what asks it says so; where the log has no times of labels, what needs them."""
    if line.startswith("modelwatch labels delay"):
        return Exit.USAGE
    if line.startswith("modelwatch watchdog"):
        return Exit.ERROR if part.name == FIRST else Exit.OK
    unanswered = ("modelwatch status",) if part.name == RECOVERY else ("modelwatch status", "modelwatch run --dry-run")
    return Exit.PARTIAL if part.kind == UNDELIVERED and line.startswith(unanswered) else Exit.OK


@pytest.mark.parametrize("part", list(all_parts()), ids=str)
def test_what_the_page_says_works(part: Part, sceneries: Callable[[str], Scenery]) -> None:
    scenery = sceneries(part.kind)
    scenery.stage.begin()
    text, world = scenery.page, scenery.stage.world
    gh = Gh(world, scenery.token)
    if part.name == RECOVERY:
        SCENES[part.kind].recover(world)
    before, shown = len(world.runs), []
    page = blocks(text)
    for section, lines in [page[number] for number in part.numbers]:
        said = [followed(world, gh, part, line) for line in lines]
        if section == RECOVERY:
            recovered(lines, said)
        shown += said
        for line in lines:
            if '--body "/modelwatch' in line:
                obeyed(world, line, before)
    if part.name == FIRST:
        told(part.kind, shown, world)
        assert marked_causes(text) == SCENES[part.kind].causes


def marked_causes(text: str) -> str:
    """The likely causes of the marked rows, a line each."""
    return "\n".join(cells[1] for _, cells in decision_rows(parse_page(PAGES_DIR, text)) if FITS in cells[0])


def followed(world: World, gh: Gh, part: Part, line: str) -> str:
    """What a command shows; it ends as the page expects."""
    ran = follow(world, gh, line)
    assert ran.code == expected(part, line), f"{line}: {ran.err or ran.out}"
    return ran.out + ran.err


def recovered(lines: list[str], said: list[str]) -> None:
    for line, text in zip(lines, said, strict=True):
        if "modelwatch diagnose" in line:
            assert text.startswith("HEALTHY"), text
        if "modelwatch check" in line:
            assert " firing" not in text, text
            assert " healthy" in text, text
        if "modelwatch watchdog" in line:
            assert "every check is ok" in text, text
        elif "--dry-run" in line:
            assert "No changes needed." in text, text


def obeyed(world: World, line: str, before: int) -> None:
    """The comment was understood, and what it asks for happened."""
    world.run("run")
    verb, *rest = re.findall(r"/modelwatch ([^\"]+)", line)[0].split()
    bodies = "\n".join([*world.comments, *(issue.body for issue in world.issues)])
    assert "refused" not in bodies, world.comments
    if verb in ("rollback", "retrain", "degrade"):
        new = [run for run in world.runs[before:] if f" {verb} " in f" {run.title} "]
        assert new, [run.title for run in world.runs]
        assert all(name in str(new[0].payload) for name in rest)
    else:
        word = {"silence": "silenced", "ack": "acknowledged", "reject": "rejected"}[verb]
        assert word in bodies


def told(kind: str, said: list[str], world: World) -> None:
    """The first five minutes show what the decision table quotes."""
    shown = " ".join(" ".join([*said, *(issue.body for issue in world.issues)]).split())
    quotes = {
        span
        for _, cells in decision_rows(read_page(PAGES_DIR / f"{kind}.md"))[2:]
        for span in CODE_SPAN.findall(cells[0])
    }
    missing = [quote for quote in SCENES[kind].seen if quote not in quotes or quote not in shown]
    assert missing == [], shown
    assert SCENES[kind].seen
