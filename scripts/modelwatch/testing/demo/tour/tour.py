"""The whole tour: the services are built, the page goes out, the person works, and the ending is printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ....model.monitored_model import Config
from ....timeutil import DAY, HOUR
from ..environment import DemoEnvironment
from ..export import export_story
from . import setup, summary
from .messages import INSTRUCTIONS, INTRODUCTION, TITLE
from .repl import CommandRunner, LineReader, Repl
from .simulation import OnCallShift, TimelineEntry

if TYPE_CHECKING:
    from rich.console import Console

RELEASE_OFFSET = 2 * HOUR
"""After midnight: when the bad version is deployed."""


def release_time(now: float) -> float:
    """When the bad version is deployed, in the night before ``now``; seconds, UTC."""
    return (now // DAY - 1) * DAY + RELEASE_OFFSET


def run_tour(
    world: DemoEnvironment,
    read_config: Callable[[], Config],
    released: float,
    invoke: CommandRunner,
    lines: LineReader,
    console: Console,
    folder: Path,
    night: str = "release",
) -> Repl:
    """One night from the bad release on; leaves its files in ``folder``. ``night``: one of ``DECLINES``."""
    from rich.rule import Rule

    desk = Repl(invoke, console, lines)
    console.print(Rule(TITLE, style="dim"))
    for text in (INTRODUCTION, INSTRUCTIONS):
        desk.print_paragraph(text)
        console.print()
    story, production = setup.prepare_night(
        world, read_config, lambda at, text, style: desk.shift.add_entry(at, text, style), released, night
    )
    desk.shift = shift = OnCallShift(story, production, released, desk.print_entry)
    console.print("While you sleep:", style="dim")
    shift.run_until_paged()
    desk.print_entry(TimelineEntry(shift.now, "Your phone rings.", "critical"))
    console.print()
    desk.print_incident()
    desk.run()
    export_story(story, folder)
    summary.print_summary(desk, folder)
    return desk


def night_variables(world: DemoEnvironment) -> dict[str, str]:
    """The variables that lead every command of the night into ``world``."""
    return world.variables | {"MODELWATCH_CONFIG": str(world.config_path), "USER": setup.ON_CALL_LOGIN}
