"""``modelwatch release status``, ``history`` and ``diff``: nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Exit, UserError
from .options import config_option
from .release import json_option, model_option, read_model, retry_policy

if TYPE_CHECKING:
    from ..model.monitored_model import Model
    from ..model.release import Registry, Version


@click.command("status")
@config_option()
@model_option()
@click.option("--exit-code", is_flag=True, help="End with 10 where a warning is told.")
@json_option()
def status(config_path: Path, name: str, exit_code: bool, as_json: bool) -> Exit:
    """Who is in production, canary, staging, candidate and before: what it is made of, who put it there, and why."""
    from ..report.release import registry_warnings, status_json, status_rows

    model, registry = _read_registry(config_path, name)
    keep = model.release.keep if model.release else 0
    told = registry_warnings(registry, keep)
    if as_json:
        _print_json(status_json(registry, keep))
    else:
        click.echo(f"{registry.model}: {registry.artifact}, {len(registry.versions)} versions")
        print_table(("alias", "version", "commit", "data", "metrics", "since", "by", "why"), status_rows(registry))
    _print_warnings(told)
    return Exit.WARNING if told and exit_code else Exit.OK


@click.command("history")
@config_option()
@model_option()
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="So many of the newest moves.")
@json_option()
def history(config_path: Path, name: str, limit: int, as_json: bool) -> Exit:
    """Every move: what went where, when, by whom and why, and how it ended. Newest first."""
    from ..report.release import history_rows, move_json

    _, registry = _read_registry(config_path, name)
    if as_json:
        _print_json([move_json(move, registry) for move in registry.moves[:limit]])
    elif registry.moves:
        print_table(("when (UTC)", "verb", "from", "to", "state", "by", "why"), history_rows(registry)[:limit])
    else:
        click.echo("Nothing has been moved yet.")
    return Exit.OK


@click.command("diff")
@click.argument("a")
@click.argument("b")
@config_option()
@model_option()
@click.option("--all", "everything", is_flag=True, help="What is the same too.")
@json_option()
def diff(a: str, b: str, config_path: Path, name: str, everything: bool, as_json: bool) -> Exit:
    """What differs between version A and version B (v7, 1.4.0 or an alias): data, commit, configuration, metrics."""
    from ..report.release import version_differences

    _, registry = _read_registry(config_path, name)
    one, other = _find_version(registry, a), _find_version(registry, b)
    lines = version_differences(one, other)
    shown = lines if everything else [found for found in lines if not found.same]
    same = sum(found.same for found in lines)
    if as_json:
        changed = {found.what: [found.a, found.b] for found in lines if not found.same}
        _print_json({"a": one.name, "b": other.name, "changed": changed, "unchanged": same})
        return Exit.OK
    print_table(("", one.title, other.title), [found.cells for found in shown])
    click.echo(f"{len(lines) - same} differ, {same} are the same.")
    return Exit.OK


def _read_registry(config_path: Path, name: str) -> tuple[Model, Registry]:
    from ..release.registry import read_registry

    _, model = read_model(config_path, name, read_only=True)
    return model, read_registry(model, os.environ, retry_policy())


def _find_version(registry: Registry, text: str) -> Version:
    found = registry.version(text)
    if found is None:
        titles = ", ".join(version.title for version in registry.versions[:10])
        raise UserError(f"there is no version {text!r} of {registry.artifact}.", hint=f"There are: {titles or 'none'}.")
    return found


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.text import Text

    from ..report.console import fit_table, make_table, open_console

    table = make_table(columns)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    open_console().print(fit_table(table))


def _print_warnings(told: list[str]) -> None:
    from ..clients.workflow_commands import annotation
    from ..report.markdown import plain_line
    from .runner import write_workflow_command

    for text in told:
        if os.environ.get("GITHUB_ACTIONS") == "true":
            write_workflow_command(annotation("warning", plain_line(text, 600)))
        else:
            click.echo(f"{click.style('warning', fg='yellow', bold=True)}: {plain_line(text, 600)}", err=True)


def _print_json(value: object) -> None:
    import json

    click.echo(json.dumps(value, indent=2))
