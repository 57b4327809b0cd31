"""``modelwatch release status``, ``history`` and ``diff``: they change nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..clients.workflow_commands import annotation
from ..errors import Exit, UserError, did_you_mean
from ..model.release import PRODUCTION
from ..release.registry import read_registry
from ..report.console import print_table
from ..report.markdown import plain_line
from ..report.release import (
    history_rows,
    move_json,
    registry_warnings,
    status_json,
    status_rows,
    version_differences,
)
from ..report.rollback_choice import candidate_rows, candidates_json
from .options import config_option, now_option, print_json, retry_policy
from .release import MoveContext, json_option, model_option, read_model
from .release_rollback import rank_versions
from .runner import write_workflow_command

if TYPE_CHECKING:
    from ..model.monitored_model import Model
    from ..model.release import Registry, Version


@click.command("status")
@config_option
@model_option
@click.option("--exit-code", is_flag=True, help="Exit with 10 if there is a warning.")
@click.option(
    "--rollback/--no-rollback",
    default=True,
    help="Rank the versions to go back to, which reads the history of metrics, or do not.",
)
@json_option
@now_option
def status(config_path: Path, name: str, exit_code: bool, rollback: bool, as_json: bool, now: float) -> Exit:
    """Show which version has each alias, what it was made of, who assigned the alias, when and why."""
    config, model = read_model(config_path, name)
    registry = read_registry(model, os.environ, retry_policy())
    ranked = None
    if rollback and registry.holder(PRODUCTION) is not None and registry.served_versions:
        ranked = rank_versions(MoveContext(config, model, now, as_json=as_json), registry).ranked
    keep = model.release.keep if model.release else 0
    warnings = registry_warnings(registry, keep)
    if as_json:
        ranking = {} if ranked is None else {"rollback": candidates_json(ranked)}
        print_json(status_json(registry, keep) | ranking)
    else:
        click.echo(f"{registry.model}: {registry.artifact}, {len(registry.versions)} versions")
        print_table(("alias", "version", "commit", "data", "metrics", "since", "by", "why"), status_rows(registry))
        if ranked is not None:
            click.echo("\nTo go back to:" if ranked else "\nNo version to go back to.")
            rows = [tuple(plain_line(cell, 300) for cell in row) for row in candidate_rows(ranked)]
            print_table(("rank", "version", "why"), rows)
    _print_warnings(warnings)
    return Exit.WARNING if warnings and exit_code else Exit.OK


@click.command("history")
@config_option
@model_option
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Show at most this many moves."
)
@json_option
def history(config_path: Path, name: str, limit: int, as_json: bool) -> Exit:
    """List every move, the newest first: what moved where, when, by whom, why, and how it ended."""
    _, registry = _read_registry(config_path, name)
    if as_json:
        print_json([move_json(move, registry) for move in registry.moves[:limit]])
    elif registry.moves:
        print_table(("when (UTC)", "verb", "from", "to", "state", "by", "why"), history_rows(registry)[:limit])
    else:
        click.echo("Nothing has been moved yet.")
    return Exit.OK


@click.command("diff")
@click.argument("a")
@click.argument("b")
@config_option
@model_option
@click.option("--all", "everything", is_flag=True, help="Also show what does not differ.")
@json_option
def diff(a: str, b: str, config_path: Path, name: str, everything: bool, as_json: bool) -> Exit:
    """Compare versions A and B (v7, 1.4.0 or an alias): data, commit, configuration, metrics."""
    _, registry = _read_registry(config_path, name)
    version, other = _find_version(registry, a), _find_version(registry, b)
    lines = version_differences(version, other)
    rows = lines if everything else [line for line in lines if not line.same]
    same = sum(line.same for line in lines)
    if as_json:
        changed = {line.what: [line.a, line.b] for line in lines if not line.same}
        print_json({"a": version.name, "b": other.name, "changed": changed, "unchanged": same})
        return Exit.OK
    print_table(("", version.title, other.title), [line.cells for line in rows])
    click.echo(f"{len(lines) - same} differ, {same} are the same.")
    return Exit.OK


def _read_registry(config_path: Path, name: str) -> tuple[Model, Registry]:
    _, model = read_model(config_path, name)
    return model, read_registry(model, os.environ, retry_policy())


def _find_version(registry: Registry, text: str) -> Version:
    version = registry.version(text)
    if version is None:
        aliases = [alias for version in registry.versions for alias in version.aliases]
        titles = ", ".join(version.title for version in registry.versions[:10])
        hint = did_you_mean(text, aliases, f"Versions: {titles or 'none'}.")
        raise UserError(f"there is no version {text!r} of {registry.artifact}.", hint=hint)
    return version


def _print_warnings(warnings: list[str]) -> None:
    for warning in warnings:
        text = plain_line(warning, 600)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            write_workflow_command(annotation("warning", text))
        else:
            click.echo(f"{click.style('warning', fg='yellow', bold=True)}: {text}", err=True)
