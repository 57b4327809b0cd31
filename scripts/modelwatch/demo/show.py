"""The story on a terminal: a line for everything that happens, at the end what exists and where to look."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..model.watched import Config
from ..report.words import when
from .keep import keep
from .story import DAYS, Story, tell
from .world import REPOSITORY, World

if TYPE_CHECKING:
    from rich.console import Console

STYLE = {
    "warning": "yellow",
    "error": "red",
    "critical": "bold red",
    "change": "cyan",
    "workflow": "magenta",
    "deploy": "bold",
    "green": "green",
    "dim": "dim",
}


def show(world: World, read_config: Callable[[], Config], start: float, folder: Path, console: Console) -> None:
    """Tell the story from ``start`` and write what it leaves behind into ``folder``."""
    from rich.rule import Rule
    from rich.text import Text

    def say(at: float, text: str, style: str) -> None:
        line = Text(f"{when(at)[:-4]}  ", style="dim") + Text(text, style=STYLE.get(style, ""))
        console.print(line, soft_wrap=True)

    began = time.monotonic()
    console.print(Rule(f"{DAYS} days of the model churn", style="dim"))
    story = tell(world, read_config, start, say)
    console.print(Rule("What exists now", style="dim"))
    for text in _what_exists(story):
        console.print(Text(text), soft_wrap=True)
    console.print(Rule("Where to look", style="dim"))
    for path in keep(story, folder):
        console.print(Text(f"  {path}"), soft_wrap=True)
    seconds = time.monotonic() - began
    console.print(f"\n{story.evaluations} hourly evaluations in {seconds:.0f} s; nothing left this machine.")


def _what_exists(story: Story) -> Iterator[str]:
    repo = story.world.github.standin.state.repo(REPOSITORY)
    comments = repo.comments.items.values()
    for issue in repo.issues.items.values():
        count = sum(comment.issue == issue.number for comment in comments)
        yield f"  issue #{issue.number} ({issue.state}): {issue.title}, {count} comments"
    for incident in story.world.pagerduty.standin.state.incidents:
        yield f"  incident {incident.number} ({incident.status}, {incident.severity}): {incident.title}"
    for found in repo.runs.items.values():
        yield f"  workflow run ({found.conclusion or found.status}): {found.title}"
