"""``modelwatch demo``: three models that go wrong in three ways, told on screen; or a night on call for one of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from ..errors import UserError
from ..timeutil import DAY, HOUR
from .options import now_option

MODELS = ("churn", "pricing", "fraud")


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="modelwatch-out/demo",
    show_default=True,
    help="Folder for the files.",
)
@click.option("--model", "models", type=click.Choice(MODELS), multiple=True, help="Tell only this model's story.")
@click.option("--interactive", is_flag=True, help="Be on call for one night: your commands really act.")
@click.option(
    "--script",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With --interactive: lines of this file instead of the keyboard.",
)
@now_option()
def demo(out: Path, models: tuple[str, ...], interactive: bool, script: Path | None, now: float) -> None:
    """Three models, a month each: a broken release is rolled back, a moving market retrained on, a broken pipeline
    mended without touching the model.

    Everything is real but the far end: the W&B client writes, modelwatch measures, reads, pages, opens issues and
    dispatches workflows; W&B, GitHub and PagerDuty are stand-ins on loopback. Nothing leaves this machine.

    With --interactive it is you who is paged. The clock runs while you work, and in the end you see what the night
    cost, and what it would have cost.
    """
    if script and not interactive:
        raise click.UsageError("--script goes with --interactive.")
    if models and interactive:
        raise click.UsageError("--interactive is about churn alone: leave --model out.")
    try:
        from ..testing.demo import environment  # noqa: F401
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed.", hint="Install modelwatch[standins].") from error
    if interactive:
        _run_interactive(out.resolve(), script, now)
    else:
        _run_story(out.resolve(), models, now)


def _run_story(folder: Path, models: tuple[str, ...], now: float) -> None:
    from ..config.loader import load_config
    from ..report.console import open_console
    from ..testing.demo.environment import start_environment
    from ..testing.demo.narration import CHAPTERS, DAYS, narrate_stories

    start = now // HOUR * HOUR - DAYS * DAY
    with start_environment(folder / "repository", start, [chapter.demo_model for chapter in CHAPTERS]) as world:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WANDB_", "GITHUB_", "PAGERDUTY_"))
        }
        os.environ.clear()
        os.environ.update(kept | world.variables)
        narrate_stories(
            world,
            [chapter for chapter in CHAPTERS if not models or chapter.demo_model.name in models],
            lambda: load_config(world.config_path, os.environ, require_baselines=False),
            start,
            folder,
            open_console(),
        )


def _run_interactive(folder: Path, script: Path | None, now: float) -> None:
    import sys
    from contextlib import chdir, nullcontext
    from io import TextIOWrapper

    from ..config.loader import load_config
    from ..report.console import open_console
    from ..testing.demo.environment import start_environment
    from ..testing.demo.tour.repl import LineReader, open_script
    from ..testing.demo.tour.setup import HISTORY_SECONDS, MODEL
    from ..testing.demo.tour.tour import environment_variables, release_time, run_tour

    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    released = release_time(now)
    reading = open_script(script) if script else nullcontext()
    with (
        reading as stream,
        start_environment(folder / "repository", released - HISTORY_SECONDS, [MODEL]) as world,
        chdir(world.folder),
    ):
        variables = environment_variables(world)
        os.environ.clear()
        os.environ.update(variables)
        run_tour(
            world,
            lambda: load_config(world.config_path, os.environ, require_baselines=False),
            released,
            invoke_command,
            LineReader(stream),
            open_console(),
            folder / MODEL.name,
        )


def invoke_command(words: Sequence[str], now: float) -> int:
    """One command of modelwatch as of the simulated time, in this process; gives its exit code."""
    from . import main

    dated = _accepts_now(words) and not any(word.partition("=")[0] == "--now" for word in words)
    try:
        main([*words, *(["--now", f"{now:.0f}"] if dated else [])])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


def _accepts_now(words: Sequence[str]) -> bool:
    """Whether the command that ``words`` begin with has an option ``--now``."""
    from . import group

    found: click.Command | None = group
    for word in words:
        if not isinstance(found, click.Group):
            break
        found = found.get_command(click.Context(found), word)
    return found is not None and any(param.name == "now" for param in found.params)
