"""The whole tour: the world is built, the page goes out, the person works, and the ending is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ...model.watched import Config
from ..keep import keep
from ..story import DAY, HOUR
from ..world import World
from . import ending, scene
from .desk import Desk, Invoke, Lines
from .shift import Entry, Shift
from .texts import HOW, TITLE, WHO

if TYPE_CHECKING:
    from rich.console import Console

RELEASED = 2 * HOUR
"""After midnight: when the bad version is deployed."""


def night(now: float) -> float:
    """When the bad version is deployed, in the night before ``now``; seconds, UTC."""
    return (now // DAY - 1) * DAY + RELEASED


def tour(
    world: World,
    read_config: Callable[[], Config],
    released: float,
    invoke: Invoke,
    lines: Lines,
    console: Console,
    folder: Path,
) -> Desk:
    """One night from the bad release on; leaves its files in ``folder``."""
    from rich.rule import Rule

    desk = Desk(invoke, console, lines)
    console.print(Rule(TITLE, style="dim"))
    for text in (WHO, HOW):
        desk.paragraph(text)
        console.print()
    story, production = scene.stage(
        world, read_config, lambda at, text, style: desk.shift.tell(at, text, style), released
    )
    desk.shift = shift = Shift(story, production, released, desk.say)
    console.print("While you sleep:", style="dim")
    shift.until_the_page()
    desk.say(Entry(shift.now, "Your phone rings.", "critical"))
    console.print()
    desk.page()
    desk.work()
    keep(story, folder)
    ending.show(desk, folder)
    return desk


def environment(world: World) -> dict[str, str]:
    """The variables of this process, with those that lead every command into ``world``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WANDB_", "GITHUB_", "PAGERDUTY_", "GH_", "MODELWATCH_"))
    }
    return kept | world.variables | {"MODELWATCH_CONFIG": str(world.config_path), "USER": scene.YOU}
