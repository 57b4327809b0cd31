"""``modelwatch demo``: thirty days of a degrading model, told on screen."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..errors import UserError
from .options import now_option


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="modelwatch-out/demo",
    show_default=True,
    help="Folder for the files.",
)
@now_option()
def command(out: Path, now: float) -> None:
    """Thirty days of a churn model: healthy, then failing in one region, rolled back, recovered.

    Everything is real but the far end: the W&B client writes, modelwatch reads, pages, opens an issue and dispatches
    workflows; W&B, GitHub and PagerDuty are stand-ins on loopback. Nothing leaves this machine.
    """
    try:
        from ..demo.show import show
        from ..demo.world import build
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed.", hint="Install modelwatch[standins].") from error
    from ..config.load import load_config
    from ..demo.story import DAYS
    from ..report.console import open_console

    start = now // 3600 * 3600 - DAYS * 24 * 3600
    folder = out.resolve()
    with build(folder / "repository", start) as world:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WANDB_", "GITHUB_", "PAGERDUTY_"))
        }
        os.environ.clear()
        os.environ.update(kept | world.variables)
        show(
            world,
            lambda: load_config(world.config_path, os.environ, require_baselines=False),
            start,
            folder,
            open_console(),
        )
