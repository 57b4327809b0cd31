"""``modelwatch check``: pull and evaluate, for people."""

from __future__ import annotations

from pathlib import Path

import click

from .. import pipeline
from ..errors import Exit
from . import ending, surroundings
from .options import config_option, exit_code_option, format_option, models_option, now_option, read_config
from .progress import progress_bar


@click.command("check")
@config_option()
@models_option()
@format_option()
@exit_code_option()
@now_option()
def check(config_path: Path, models: tuple[str, ...], style: str, exit_code: bool, now: float) -> Exit:
    """Pull the metrics and say what fires and what does not. Changes nothing."""
    config = read_config(config_path, models, read_only=True)
    with progress_bar(len(config.models)) as progress:
        pulls = pipeline.pull(config, now, progress)
    judgement = pipeline.judge(config, pulls, now)
    if style == "json":
        from ..files import encode_judgement

        click.echo(encode_judgement(judgement))
    else:
        from ..report.console import open_console, show_judgement

        show_judgement(open_console(), judgement)
    surroundings.write_judgement_summary(judgement)
    surroundings.write_outputs(surroundings.judgement_outputs(judgement))
    return ending.judgement_exit_code(judgement, exit_code)
