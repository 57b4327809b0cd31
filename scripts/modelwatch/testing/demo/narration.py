"""The stories on a terminal: a line for everything that happens, then what exists and where to look."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...model.monitored_model import Config
from ...report.console import wrap_text
from ...report.formatting import utc_time
from . import churn, credit, fraud, location, pricing
from .environment import DemoEnvironment, DemoModel
from .export import export_site, export_story, model_incidents, model_repository
from .story import Story

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {
    "warning": "yellow",
    "error": "red",
    "critical": "bold red",
    "change": "cyan",
    "refused": "magenta",
    "workflow": "magenta",
    "deploy": "bold",
    "green": "green",
    "why": "italic",
    "dim": "dim",
}
TIME_WIDTH = 18
"""Columns that the time takes."""
DAYS = 30
"""No story begins earlier."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """One model's story. ``lasts``: seconds that its workflow runs take, by verb."""

    demo_model: DemoModel
    title: str
    run_seconds: dict[str, float]
    run_story: Callable[[Story, float], None]


CHAPTERS = tuple(
    Chapter(one.MODEL, one.TITLE, one.RUN_SECONDS, one.run_story) for one in (churn, pricing, fraud, location, credit)
)


def narrate_stories(
    world: DemoEnvironment,
    chapters: Sequence[Chapter],
    read_config: Callable[[], Config],
    start: float,
    folder: Path,
    console: Console,
) -> None:
    """Tell each story from ``start`` and write what it leaves behind into a folder of its own."""
    from rich.rule import Rule
    from rich.text import Text

    def say(at: float, text: str, style: str) -> None:
        stamp = Text(f"{utc_time(at)[:-4]}  ", style="dim")
        body = wrap_text(text, console.width, TIME_WIDTH) if console.is_terminal else text
        console.print(stamp + Text(body, style=STYLES.get(style, "")), soft_wrap=True)

    began = time.monotonic()
    told: list[tuple[Chapter, Story]] = []
    for chapter in chapters:
        console.print(Rule(chapter.title, style="dim"))
        story = Story(world, chapter.demo_model, read_config, say, chapter.run_seconds)
        chapter.run_story(story, start)
        export_story(story, folder / chapter.demo_model.name)
        told.append((chapter, story))
        console.print()
    site = export_site([story for _, story in told], folder / "site")
    console.print(Rule("What exists now", style="dim"))
    for chapter, story in told:
        console.print(Text(chapter.title, style="bold"), soft_wrap=True)
        for text in _list_objects(story):
            console.print(Text(f"  {text}"), soft_wrap=True)
    console.print(Rule("Where to look", style="dim"))
    for text in _list_files(told, folder, site):
        console.print(Text(f"  {text}"), soft_wrap=True)
    evaluations = sum(story.evaluations for _, story in told)
    seconds = time.monotonic() - began
    console.print(f"\n{evaluations} evaluations in {seconds:.0f} s; nothing left this machine.")
    call = f"`{own_command()} demo --interactive` puts you on call for churn, for one night."
    console.print(Text(call), soft_wrap=True)


def own_command() -> str:
    """What a shell calls modelwatch by, here: `make` installs it where the shell does not look."""
    if shutil.which("modelwatch"):
        return "modelwatch"
    program = Path(sys.executable).with_name("modelwatch")
    if not program.is_file():
        return f"{sys.executable} -m modelwatch"
    return str(program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program)


def _list_objects(story: Story) -> Iterator[str]:
    repo = model_repository(story)
    comments = repo.comments.items.values()
    if story.demo_model.downstream:
        theirs = story.environment.github.standin.state.repo(story.demo_model.downstream.repository)
        yield f"{len(theirs.issues.items) or 'no'} issue of {story.demo_model.downstream.name}"
    for issue in repo.issues.items.values():
        count = sum(comment.issue == issue.number for comment in comments)
        yield f"issue #{issue.number} ({issue.state}): {issue.title}, {count} comment{'' if count == 1 else 's'}"
    for incident in model_incidents(story):
        yield f"incident {incident.number} ({incident.status}, {incident.severity}): {incident.title}"
    runs = list(repo.runs.items.values())
    for found in runs:
        yield f"workflow run ({found.conclusion or found.status}): {found.title.split()[1]}"
    if not runs:
        yield "no workflow run"


def _list_files(told: Sequence[tuple[Chapter, Story]], folder: Path, site: Path) -> Iterator[str]:
    yield f"{_short_path(site)}: the dashboard of these models, each at its worst moment; open it in a browser"
    for chapter, story in told:
        for number in story.worst_issues:
            yield _short_path(folder / chapter.demo_model.name / f"issue-{number}-at-its-worst.md")
    yield f"{_short_path(folder)}: issues, incidents, workflow runs, every plan, the summary at the worst moment"
    yield f"{_short_path(told[0][1].environment.config_path)}: the configuration of all of them"


def _short_path(path: Path) -> str:
    """Short, where it lies below the present directory."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) and path != here else str(path)
