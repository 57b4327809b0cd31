"""``modelwatch check``: pull, evaluate and print. It imports nothing of what plans and applies: a sixth of its time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from .. import pipeline
from ..errors import Exit
from ..report.console import open_console, show_judgement
from . import actions_env, exit_codes
from .options import exit_code_option, format_option, read_context, run_options
from .runner import progress_bar


@click.command("check")
@run_options
@format_option
@exit_code_option
def check(config_path: Path, models: tuple[str, ...], style: str, exit_code: bool, now: float) -> Exit:
    """Pull the metrics and print which alerts fire and which do not. Changes nothing."""
    context = read_context(config_path, now, models, read_only=True)
    with progress_bar(len(context.config.models)) as progress:
        judgement = pipeline.evaluate(replace(context, progress=progress)).judgement
    if style == "json":
        from ..step_files import encode_file

        click.echo(encode_file(judgement))
    else:
        show_judgement(open_console(), judgement)
    actions_env.write_judgement(judgement)
    return exit_codes.judgement_exit_code(judgement, exit_code)
