"""``modelwatch standins``: W&B, GitHub and PagerDuty on loopback, for trying things out."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import click

from ...cli.options import now_option
from .seed import PROJECT
from .servers import ENTITY, read_workflows, serve_all


@click.command("standins")
@click.option("--wandb-port", type=int, default=0, help="Port of the simulated W&B; 0 picks a free one.")
@click.option("--github-port", type=int, default=0, help="Port of the simulated GitHub; 0 picks a free one.")
@click.option("--pagerduty-port", type=int, default=0, help="Port of the simulated PagerDuty; 0 picks a free one.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    show_default=True,
    help="Folder to serve as the repository: its workflows can be dispatched.",
)
@click.option(
    "--act",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The program `act`: run dispatched workflows for real, in --folder.",
)
@click.option(
    "--webhook-url", metavar="URL", default="", help="Where to send PagerDuty's webhooks, such as to a relay."
)
@click.option(
    "--webhook-secret",
    metavar="SECRET",
    envvar="PAGERDUTY_WEBHOOK_SECRET",
    default="",
    help="The secret that signs webhooks.",
)
@click.option(
    "--seed", is_flag=True, help="Fill the W&B project acme/churn-prod with six weeks of a model that got worse."
)
@now_option
def standins(
    wandb_port: int,
    github_port: int,
    pagerduty_port: int,
    folder: Path,
    act: Path | None,
    webhook_url: str,
    webhook_secret: str,
    seed: bool,
    now: float,
) -> None:
    """Serve simulated copies of W&B, GitHub and PagerDuty on this machine until interrupted.

    Prints the environment variables that direct the real clients to them: paste the lines into another shell.
    """
    if webhook_url and not webhook_secret:
        raise click.UsageError("--webhook-url needs --webhook-secret: the receiver verifies the signature.")
    ports = wandb_port, github_port, pagerduty_port
    try:
        with serve_all(
            *ports,
            folder,
            act=act,
            webhook_url=webhook_url,
            webhook_secret=webhook_secret,
            seed_until=now if seed else None,
        ) as variables:
            for name, value in variables.items():
                if os.environ.get(name) != value:  # what the environment holds would be masked
                    click.echo(f"export {name}={value}")
            workflows = len(read_workflows(folder))
            found = f"{workflows} workflow{'' if workflows == 1 else 's'} of {folder / '.github' / 'workflows'}"
            click.echo(f"# serving on loopback, with {found}; Ctrl-C ends it", err=True)
            if not workflows:
                click.echo(
                    "# none can be dispatched until there are some: `modelwatch init` writes them. If this is not your "
                    "repository's folder, start me there, or name it with --folder",
                    err=True,
                )
            if seed:
                click.echo(f"# W&B has six weeks of {ENTITY}/{PROJECT}, whose newest version is worse", err=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("# stopped", err=True)
