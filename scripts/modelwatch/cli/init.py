"""``modelwatch init``: a working configuration and workflows in a user's repository."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import ConfigError, Exit, UserError
from .options import DEFAULT_CONFIG


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--model", default="my-model", show_default=True, help="Name of the first watched model.")
@click.option("--entity", default="my-team", show_default=True, help="W&B entity.")
@click.option("--project", default="my-project", show_default=True, help="W&B project.")
@click.option("--repository", default="my-org/my-repo", show_default=True, help="owner/name of this repository.")
@click.option("--owner", default="@my-org/my-team", show_default=True, help="Who owns the model.")
@click.option("--release", is_flag=True, help="Retraining, canaries, promotions, rollbacks and degrading too.")
def init(folder: Path, model: str, entity: str, project: str, repository: str, owner: str, release: bool) -> Exit:
    """Write modelwatch.yml, the workflows and a runbook stub into FOLDER; files that are there stay as they are."""
    from ..config.starter import render_starter_files
    from ..files import write_text

    files = render_starter_files(
        model=model, entity=entity, project=project, repository=repository, owner=owner, release=release
    )
    _validate_config(files[DEFAULT_CONFIG])
    for name, text in files.items():
        path = folder / name
        if path.exists():
            click.echo(f"kept     {path}")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
        click.echo(f"written  {path}")
    if release:
        click.echo("Name in modelwatch.yml, `release:`, the commands that train, deploy and degrade.")
    click.echo("Next: set the secrets WANDB_API_KEY and PAGERDUTY_ROUTING_KEY, then `modelwatch config check`.")
    return Exit.OK


def _validate_config(text: str) -> None:
    """What the options say must make a configuration that can be read. Raises UserError before anything is written."""
    from tempfile import TemporaryDirectory

    from ..config.load import load_config

    with TemporaryDirectory() as folder:
        path = Path(folder, DEFAULT_CONFIG)
        path.write_text(text, "utf-8")
        try:
            load_config(path, {}, require_secrets=False, require_baselines=False)
        except ConfigError as error:
            told = " ".join(problem.message for problem in error.problems)
            raise UserError(told, hint="Nothing was written.", where="init") from error
