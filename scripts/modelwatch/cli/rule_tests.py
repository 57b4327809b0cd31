"""``modelwatch test``: rules on series that people write out, with the alerts that they expect."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from ..clients.workflow_commands import annotation
from ..config.loader import load_config
from ..errors import Exit, UserError
from ..model.monitored_model import Config
from ..rule_tests.report import failure_texts, result_lines, summary_line, to_json, to_junit
from ..rule_tests.schema import json_schema, reference_page
from ..rule_tests.suite import FileResult, find_test_files, read_suites, run_suites
from .options import FILE, Choice, config_option, format_option, models_option, print_json
from .runner import write_workflow_command

DEFAULT_FILE = "modelwatch-tests.yml"


@click.command("test")
@click.argument("files", nargs=-1, type=FILE)
@config_option
@models_option
@click.option("--name", default="", metavar="TEXT", help="Only tests whose name contains this text.")
@click.option("--junit", type=FILE, help="Write the results as JUnit XML to this file, too.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Processes, for many tests; by default one for each CPU.")
@format_option
@click.option(
    "--print",
    "page",
    type=Choice(["reference", "schema"]),
    help="Run nothing; print every key as Markdown, or the JSON Schema for editors.",
)
def test(
    files: tuple[Path, ...],
    config_path: Path,
    models: tuple[str, ...],
    name: str,
    junit: Path | None,
    jobs: int | None,
    style: str,
    page: str | None,
) -> Exit:
    """Run the tests of rules in FILES: series in, alerts and actions expected.

    By default the files beside the configuration whose names end in modelwatch-tests.yml. A file can name its
    configuration; else it is modelwatch.yml beside it, or --config. Reads nothing from W&B, and changes nothing.
    Exit code 2 where a test fails.
    """
    if page is not None:
        if page == "schema":
            print_json(json_schema())
        else:
            click.echo(reference_page(), nl=False)
        return Exit.OK
    paths = list(files) or find_test_files(config_path)
    if not paths:
        hint = f"Write a {DEFAULT_FILE}; .github/BACKTEST.md shows how. Or name a file."
        raise UserError("there is no file of rule tests.", hint=hint, where=str(config_path.parent))
    began, results = time.monotonic(), list[FileResult]()
    suites = read_suites(paths, config_path, _load, models)
    for result in run_suites(suites, name, jobs or os.cpu_count() or 1):
        results.append(result)
        if style == "text":
            _print_file(result)
    if name and not any(result.results for result in results):
        raise UserError(f"no test has {name!r} in its name.", hint="`--name` is a part of the name of a test.")
    if style == "json":
        print_json(to_json(results))
    else:
        click.echo(summary_line(results, time.monotonic() - began))
    if junit is not None:
        _write_junit(junit, results)
    failures = list(failure_texts(results))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for where, text in failures:
            write_workflow_command(annotation("error", text, where))
    return Exit.USAGE if failures else Exit.OK


def _load(path: Path) -> Config:
    return load_config(path, os.environ, require_secrets=False)


def _write_junit(path: Path, results: list[FileResult]) -> None:
    try:
        path.write_bytes(to_junit(results))
    except OSError as error:
        raise UserError(f"the results cannot be written: {error.strerror}.", where=str(path)) from error


def _print_file(file: FileResult) -> None:
    click.echo(f"{file.path} (rules of {file.config})")
    for result in file.results:
        for line in result_lines(result):
            click.echo(line)
