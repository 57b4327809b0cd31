"""``modelwatch config``: check it, or print its keys for people or its JSON Schema for editors."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..errors import ConfigError, Exit, UserError
from .options import DEFAULT_CONFIG, config_option


@click.group("config")
def config() -> None:
    """Check the configuration, or print what it may hold."""


@config.command("check")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@config_option()
@click.option("--secrets/--no-secrets", default=False, show_default=True, help="Demand that every secret is set.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    show_default=True,
    help="Repository whose .github/workflows are held against the dispatch contract.",
)
def check_config(path: Path | None, config_path: Path, secrets: bool, root: Path) -> Exit:
    """Say everything that is wrong with PATH (the same as --config), and what is doubtful."""
    from ..config.lint import lint_config
    from ..config.loader import load_config
    from ..pagerduty_setup.desired_state import find_conflicts

    path = path or config_path
    config = load_config(path, os.environ, require_secrets=secrets)
    found = lint_config(config, root)
    for told in (*config.warnings, *(told for told in found if not isinstance(told, UserError))):
        click.echo(f"warning: {told}", err=True)
    problems = (*(told for told in found if isinstance(told, UserError)), *find_conflicts(config))
    if problems:
        raise ConfigError(problems)
    models, rules = len(config.models), sum(len(model.rules) for model in config.models)
    click.echo(f"{path}: {_count_text(models, 'model')}, {_count_text(rules, 'rule')}, no problem.")
    return Exit.OK


def _count_text(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


@config.command("schema")
def print_config_schema() -> None:
    """The JSON Schema of modelwatch.yml; editors complete and check with it."""
    import json

    from ..config.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@config.command("reference")
def print_reference() -> None:
    """Every key of modelwatch.yml, as Markdown."""
    from ..config.schema import reference_page

    click.echo(reference_page(), nl=False)


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
    from ..config.templates import render_starter_files
    from ..step_files import write_text

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

    from ..config.loader import load_config

    with TemporaryDirectory() as folder:
        path = Path(folder, DEFAULT_CONFIG)
        path.write_text(text, "utf-8")
        try:
            load_config(path, {}, require_secrets=False, require_baselines=False)
        except ConfigError as error:
            told = " ".join(problem.message for problem in error.problems)
            raise UserError(told, hint="Nothing was written.", where="init") from error


SCHEMA_NAMES = ("series", "alerts", "plan", "receipts", "baseline", "gate")


@click.command("schema")
@click.argument("name", type=click.Choice(SCHEMA_NAMES))
def schema(name: str) -> None:
    """Print the JSON Schema (draft 2020-12) of NAME."""
    import json

    from ..step_files import schema

    click.echo(json.dumps(schema(name), indent=2))
