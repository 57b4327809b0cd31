"""``modelwatch config`` and ``schema``: check and describe a configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from .. import step_files
from ..config.lint import lint_config
from ..config.literals import format_duration
from ..config.loader import load_config
from ..config.schema import json_schema, reference_page
from ..errors import ConfigError, Exit, UserError
from ..model.monitored_model import Config
from ..model.rule import Rule, Tier
from ..model.sensitivity import ModelSensitivity
from ..model.unit import unit_of
from ..pagerduty_setup.desired_state import find_conflicts
from ..report.sensitivity import COLUMNS, advice_lines, budget_lines, sensitivity_rows
from ..timeutil import DAY
from . import CommandGroup
from .options import FOLDER, Choice, config_option, format_option, level_option, path_option, print_json, rows_option


@click.group("config", cls=CommandGroup)
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
@rows_option("Also print how small a change each rule sees in a proportion, such as an accuracy, of so many rows.")
@level_option
@click.option(
    "--segments",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="With --rows-per-hour: how many segments a rule has.",
)
@format_option
def check_config(
    path: Path | None,
    config_path: Path,
    secrets: bool,
    root: Path,
    rows_per_hour: float | None,
    level: float,
    segments: int,
    style: str,
) -> Exit:
    """Report every problem in PATH (the same as --config), give advice, and explain the budget of false alarms."""
    path = path or config_path
    if style == "json":
        return _check_as_json(path, root, require_secrets=secrets)
    config, warnings, problems = _examine(path, root, require_secrets=secrets)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    if problems:
        raise ConfigError(problems)
    counts = {"model": len(config.models), "rule": sum(len(model.rules) for model in config.models)}
    if warnings:
        counts["warning"] = len(warnings)
    texts = [f"{count} {what}{'' if count == 1 else 's'}" for what, count in counts.items()]
    for line in _chart_lines(config):
        click.echo(line)
    click.echo(f"{path}: {', '.join(texts)}, no problem.")
    for model in config.models:
        for line in budget_lines(model):
            click.echo(line)
    if rows_per_hour is not None:
        _print_expectations(config, rows_per_hour, level, segments)
    return Exit.OK


def _examine(
    path: Path, root: Path, *, require_secrets: bool
) -> tuple[Config, tuple[object, ...], tuple[UserError, ...]]:
    """The configuration, its warnings and its problems; ConfigError where it cannot be read."""
    # Only this command needs the addresses of messages.
    from ..targets.messages.addresses import address_findings

    config = load_config(path, os.environ, require_secrets=require_secrets)
    findings = lint_config(config, root)
    unusable, unavailable = address_findings(config)
    advice = (finding for finding in findings if not isinstance(finding, UserError))
    problems = (finding for finding in findings if isinstance(finding, UserError))
    return config, (*config.warnings, *advice, *unavailable), (*problems, *find_conflicts(config), *unusable)


def _check_as_json(path: Path, root: Path, *, require_secrets: bool) -> Exit:
    found: dict[str, object] = {}
    warnings: tuple[object, ...] = ()
    try:
        config, warnings, problems = _examine(path, root, require_secrets=require_secrets)
        budgets = {model.name: list(budget_lines(model)) for model in config.models}
        found = {"models": [model.name for model in config.models], "charts": list(_chart_lines(config))}
        found |= {"budgets": budgets}
    except ConfigError as error:
        problems = error.problems
    rows = [{"where": problem.where, "message": problem.message, "hint": problem.hint} for problem in problems]
    print_json({"path": str(path), "problems": rows, "warnings": list(map(str, warnings)), **found})
    return Exit.USAGE if problems else Exit.OK


def _chart_lines(config: Config) -> Iterator[str]:
    """How often each control chart signals though nothing changed, and how soon it finds a change."""
    for model in config.models:
        for rule in model.rules:
            yield from (f"{model.name} / {rule.name}: {_chart_line(rule, tier)}" for tier in rule.tiers if tier.chart)


def _chart_line(rule: Rule, tier: Tier) -> str:
    """How often a tier's chart signals on a series with one point for every evaluation."""
    # NumPy loads only for configurations that have charts.
    from ..evaluate.chart_signals import budget_limit, chart_run_length, has_budget_limit

    false = chart_run_length(tier, rule.better, rule.every)
    found = chart_run_length(tier, rule.better, rule.every, shift=1.0)
    days, step = false * rule.every / DAY, format_duration(rule.every)
    chart = tier.chart.method if tier.chart else ""
    budget = format_duration(tier.false_alarms) if tier.false_alarms else ""
    name, finds = f"the {chart} chart of `{tier.severity}`", "finds a change of 1 standard deviation after"
    if has_budget_limit(tier):
        return f"{name} signals falsely at most once in {budget} over all series, and {finds} about {found:,.1f}."
    text = (
        f"{name} signals falsely once in {false:,.0f} points ({days:,.1f} d at one point every {step}) for each "
        f"series, and {finds} {found:,.1f}."
    )
    if tier.false_alarms is None or false * rule.every >= tier.false_alarms:
        return text
    limit = budget_limit(tier, rule.better, rule.every)
    cure = f"without `arl` and `limit` it keeps that, at about {limit:.2f}" if limit else "no limit moves it"
    return f"{text} Its budget allows one in {budget}: {cure}."


def _print_expectations(config: Config, rows_per_hour: float, level: float, segments: int) -> None:
    """What the rules are going to see at this volume."""
    from ..evaluate.sensitivity import expected_sensitivities
    from ..report.console import print_table

    found = [
        ModelSensitivity(
            model.name,
            tuple(
                seen for rule in model.rules for seen in expected_sensitivities(rule, rows_per_hour, level, segments)
            ),
            units=tuple((rule.name, unit_of(rule)) for rule in model.rules),
        )
        for model in config.models
    ]
    click.echo(
        f"\nAt {rows_per_hour:g} rows an hour, where the metric is {level:g} unless its baseline says otherwise:\n"
    )
    if rows := [row for model in found for row in sensitivity_rows(model, with_model=len(found) > 1)]:
        print_table(COLUMNS, rows)
    else:
        click.echo("Nothing is known: no rule has a `weight` and a limit that compares with a baseline.")
    for model_found in found:
        for line in advice_lines(model_found):
            click.echo(f"\n{model_found.model}: {line}")


@config.command("schema")
def print_config_schema() -> None:
    """Print the JSON Schema of modelwatch.yml, for completion and checks in editors."""
    print_json(json_schema())


@config.command("reference")
def print_reference() -> None:
    """Print every key of modelwatch.yml, as Markdown."""
    click.echo(reference_page(), nl=False)


@click.command("schema")
@click.argument("name", type=Choice(["series", "alerts", "plan", "receipts", "baseline", "gate"]))
def schema(name: str) -> None:
    """Print the JSON Schema (draft 2020-12) of NAME."""
    print_json(step_files.schema(name))
