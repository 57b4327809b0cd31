"""``modelwatch demo``: three models that go wrong in three ways, told on screen."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..errors import UserError
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
@now_option()
def command(out: Path, models: tuple[str, ...], now: float) -> None:
    """Three models, a month each: a broken release is rolled back, a moving market retrained on, a broken pipeline
    mended without touching the model.

    Everything is real but the far end: the W&B client writes, modelwatch measures, reads, pages, opens issues and
    dispatches workflows; W&B, GitHub and PagerDuty are stand-ins on loopback. Nothing leaves this machine.
    """
    try:
        from ..demo.show import CHAPTERS, DAYS, show
        from ..demo.world import build
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed.", hint="Install modelwatch[standins].") from error
    from ..config.load import load_config
    from ..report.console import open_console

    start = now // 3600 * 3600 - DAYS * 24 * 3600
    folder = out.resolve()
    with build(folder / "repository", start, [chapter.home for chapter in CHAPTERS]) as world:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WANDB_", "GITHUB_", "PAGERDUTY_"))
        }
        os.environ.clear()
        os.environ.update(kept | world.variables)
        show(
            world,
            [chapter for chapter in CHAPTERS if not models or chapter.home.model in models],
            lambda: load_config(world.config_path, os.environ, require_baselines=False),
            start,
            folder,
            open_console(),
        )
