"""``modelwatch config``, ``init`` and ``schema``: check, describe and start a configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from .. import step_files
from ..config.lint import lint_config
from ..config.literals import format_duration
from ..config.loader import load_config
from ..config.schema import json_schema, reference_page
from ..config.templates import render_starter_files
from ..errors import ConfigError, Exit, UserError
from ..model.monitored_model import Config
from ..model.rule import Rule, Tier
from ..pagerduty_setup.desired_state import find_conflicts
from ..timeutil import DAY
from .options import DEFAULT_CONFIG, FOLDER, config_option, path_option, print_json


@click.group("config")
def config() -> None:
    """Check the configuration, or print its keys."""


@config.command("check")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@config_option
@click.option("--secrets/--no-secrets", default=False, show_default=True, help="Require that every secret is set.")
@path_option(
    "--root",
    type=FOLDER,
    default=".",
    help="Repository whose .github/workflows are checked against the dispatch contract.",
)
def check_config(path: Path | None, config_path: Path, secrets: bool, root: Path) -> Exit:
    """Report every problem in PATH (the same as --config), and give advice."""
    path = path or config_path
    config = load_config(path, os.environ, require_secrets=secrets)
    findings = lint_config(config, root)
    for warning in (*config.warnings, *(advice for advice in findings if not isinstance(advice, UserError))):
        click.echo(f"warning: {warning}", err=True)
    problems = (*(problem for problem in findings if isinstance(problem, UserError)), *find_conflicts(config))
    if problems:
        raise ConfigError(problems)
    counts = {"model": len(config.models), "rule": sum(len(model.rules) for model in config.models)}
    texts = [f"{count} {what}{'' if count == 1 else 's'}" for what, count in counts.items()]
    for line in _chart_lines(config):
        click.echo(line)
    click.echo(f"{path}: {', '.join(texts)}, no problem.")
    return Exit.OK


def _chart_lines(config: Config) -> Iterator[str]:
    """How often each control chart signals though nothing changed, and how soon it finds a change."""
    for model in config.models:
        for rule in model.rules:
            yield from (f"{model.name} / {rule.name}: {_chart_line(rule, tier)}" for tier in rule.tiers if tier.chart)


def _chart_line(rule: Rule, tier: Tier) -> str:
    """Of a series with one point for every evaluation."""
    # NumPy loads only for configurations that have charts.
    from ..evaluate.chart_signals import chart_run_length

    false = chart_run_length(tier, rule.better, rule.every)
    found = chart_run_length(tier, rule.better, rule.every, shift=1.0)
    days, step = false * rule.every / DAY, format_duration(rule.every)
    chart = tier.chart.method if tier.chart else ""
    return (
        f"the {chart} chart of `{tier.severity}` signals falsely once in {false:,.0f} points ({days:,.1f} d at one "
        f"point every {step}) for each series, and finds a change of 1 standard deviation after {found:,.1f}."
    )


@config.command("schema")
def print_config_schema() -> None:
    """Print the JSON Schema of modelwatch.yml, for completion and checks in editors."""
    print_json(json_schema())


@config.command("reference")
def print_reference() -> None:
    """Print every key of modelwatch.yml, as Markdown."""
    click.echo(reference_page(), nl=False)


@click.command("init")
@click.argument("folder", type=FOLDER, default=".")
@click.option("--model", default="my-model", show_default=True, help="Name of the first model to monitor.")
@click.option("--entity", default="my-team", show_default=True, help="W&B entity.")
@click.option("--project", default="my-project", show_default=True, help="W&B project.")
@click.option("--repository", default="my-org/my-repo", show_default=True, help="owner/name of this repository.")
@click.option("--owner", default="@my-org/my-team", show_default=True, help="Who owns the model.")
@click.option("--release", is_flag=True, help="Also write workflows that retrain, promote, roll back and degrade.")
def init(folder: Path, model: str, entity: str, project: str, repository: str, owner: str, release: bool) -> Exit:
    """Write modelwatch.yml, the workflows and a runbook stub into FOLDER; existing files are kept."""
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
        step_files.write_text(path, text)
        click.echo(f"written  {path}")
    if release:
        click.echo("In modelwatch.yml, give `release:` the commands that train, deploy and degrade.")
    click.echo("Next: set the secrets WANDB_API_KEY and PAGERDUTY_ROUTING_KEY, then `modelwatch config check`.")
    return Exit.OK


def _validate_config(text: str) -> None:
    """UserError before anything is written, where the options give a configuration that cannot be read."""
    with TemporaryDirectory() as folder:
        path = Path(folder, DEFAULT_CONFIG)
        path.write_text(text, "utf-8")
        try:
            load_config(path, {}, require_secrets=False, require_baselines=False)
        except ConfigError as error:
            message = " ".join(problem.message for problem in error.problems)
            raise UserError(message, hint="Nothing was written.", where="init") from error


@click.command("schema")
@click.argument("name", type=click.Choice(["series", "alerts", "plan", "receipts", "baseline", "gate"]))
def schema(name: str) -> None:
    """Print the JSON Schema (draft 2020-12) of NAME."""
    print_json(step_files.schema(name))
