"""``modelwatch config``: check it, or print its keys for people or its JSON Schema for editors."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..errors import ConfigError, Exit, UserError
from .options import config_option


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
    from ..config.checks import lint_config
    from ..config.load import load_config
    from ..oncall.wanted import find_conflicts

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
    from ..config.reference import reference_page

    click.echo(reference_page(), nl=False)
