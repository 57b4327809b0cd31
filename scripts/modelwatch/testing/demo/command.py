"""``modelwatch demo``: five stories of models that go wrong, told on screen; or a night on call for one of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import chdir, nullcontext
from io import TextIOWrapper
from pathlib import Path

import click

from ...cli import group, main
from ...cli.options import Choice, now_option
from ...config.loader import load_config
from ...dashboard.site import check_extra
from ...report.console import open_console
from ...timeutil import DAY, HOUR
from .environment import replace_environment, start_environment
from .narration import CHAPTERS, DAYS, narrate_stories
from .tour.production import DECLINES
from .tour.repl import LineReader, open_script
from .tour.setup import HISTORY_SECONDS, MODEL
from .tour.tour import night_variables, release_time, run_tour


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="modelwatch-out/demo",
    show_default=True,
    help="Folder for the files.",
)
@click.option(
    "--model",
    "models",
    type=Choice([chapter.demo_model.name for chapter in CHAPTERS]),
    multiple=True,
    help="Tell only the story of this model; repeatable.",
)
@click.option("--interactive", is_flag=True, help="Be on call for one night; your commands take effect.")
@click.option(
    "--script",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With --interactive: read the commands from this file instead of the keyboard.",
)
@click.option(
    "--night",
    type=Choice(tuple(DECLINES)),
    help="With --interactive: which night; `worse` goes on after you have acknowledged it.  [default: release]",
)
@now_option
def demo(
    out: Path, models: tuple[str, ...], interactive: bool, script: Path | None, night: str | None, now: float
) -> None:
    """Five stories, a month each: a rollback after a broken release, a retraining after the market moved, a broken
    pipeline that is fixed without touching the model, two models with one upstream cause, and an estimate that warns
    before late labels do.

    Only the servers are stand-ins, on loopback: the real W&B client writes, and modelwatch measures, reads, pages,
    opens issues and dispatches workflows. Nothing leaves this machine.

    With --interactive you are on call. The clock runs while you work, and at the end you see what the
    night cost, and what other decisions would have cost.
    """
    if (script or night) and not interactive:
        raise click.UsageError("--script and --night go with --interactive.")
    if models and interactive:
        raise click.UsageError("--interactive runs only churn: leave --model out.")
    if interactive:
        _run_interactive(out.resolve(), script, now, night or "release")
    else:
        _run_story(out.resolve(), models, now)


def _run_story(folder: Path, models: tuple[str, ...], now: float) -> None:
    check_extra()
    start = now // HOUR * HOUR - DAYS * DAY
    with start_environment(folder / "repository", start, [chapter.demo_model for chapter in CHAPTERS]) as world:
        replace_environment(world.variables)
        narrate_stories(
            world,
            [chapter for chapter in CHAPTERS if not models or chapter.demo_model.name in models],
            lambda: load_config(world.config_path, os.environ, require_baselines=False),
            start,
            folder,
            open_console(),
        )


def _run_interactive(folder: Path, script: Path | None, now: float, night: str) -> None:
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    released = release_time(now)
    reading = open_script(script) if script else nullcontext()
    with (
        reading as stream,
        start_environment(folder / "repository", released - HISTORY_SECONDS, [MODEL]) as world,
        chdir(world.folder),
    ):
        replace_environment(night_variables(world))
        run_tour(
            world,
            lambda: load_config(world.config_path, os.environ, require_baselines=False),
            released,
            invoke_command,
            LineReader(stream),
            open_console(),
            folder / MODEL.name,
            night,
        )


def invoke_command(words: Sequence[str], now: float) -> int:
    """Run one command of modelwatch at the simulated time, in this process; gives its exit code."""
    dated = _accepts_now(words) and not any(word.partition("=")[0] == "--now" for word in words)
    try:
        main([*words, *(["--now", f"{now:.0f}"] if dated else [])])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


def _accepts_now(words: Sequence[str]) -> bool:
    """Whether the command that ``words`` begin with has an option ``--now``."""
    command: click.Command | None = group
    for word in words:
        if not isinstance(command, click.Group):
            break
        command = command.get_command(click.Context(command), word)
    return command is not None and any(param.name == "now" for param in command.params)
