"""``modelwatch standins``: W&B, GitHub and PagerDuty on loopback, for trying things out."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("standins")
@click.option("--wandb-port", type=int, default=0, help="0 picks a free one.")
@click.option("--github-port", type=int, default=0, help="0 picks a free one.")
@click.option("--pagerduty-port", type=int, default=0, help="0 picks a free one.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    show_default=True,
    help="GitHub's repository has the workflows that are in this one.",
)
def standins(wandb_port: int, github_port: int, pagerduty_port: int, folder: Path) -> None:
    """Serve until interrupted; prints the variables that point the real clients here."""
    import threading

    try:
        from ..testing.standins.servers import serve_all
    except ModuleNotFoundError as error:
        from ..errors import UserError

        raise UserError(f"{error.name} is not installed.", hint="Install modelwatch[standins].") from error
    try:
        with serve_all(wandb_port, github_port, pagerduty_port, folder) as variables:
            for name, value in variables.items():
                click.echo(f"export {name}={value}")
            click.echo("# serving on loopback; Ctrl-C ends it", err=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("# stopped", err=True)
