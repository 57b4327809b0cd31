"""``modelwatch evaluate``: series.jsonl into alerts.json."""

from __future__ import annotations

from pathlib import Path

import click

from .. import pipeline
from ..errors import Exit
from . import ending, surroundings
from .options import config_option, exit_code_option, models_option, now_option, read_config


@click.command("evaluate")
@config_option()
@models_option()
@click.option(
    "--series", type=click.Path(path_type=Path), default="series.jsonl", show_default=True, help="What pull wrote."
)
@click.option("--out", type=click.Path(path_type=Path), default="alerts.json", show_default=True, help="File to write.")
@exit_code_option()
@now_option()
def evaluate(config_path: Path, models: tuple[str, ...], series: Path, out: Path, exit_code: bool, now: float) -> Exit:
    """Judge what was pulled. Pure: the same series, configuration and time give the same alerts."""
    from ..files import read_series, write_judgement
    from ..report.overview import summary_line

    config = read_config(config_path, models, read_only=True)
    pulls = {found.model: found for found in read_series(series)}
    judgement = pipeline.judge(config, pipeline.add_missing_models(config, pulls), now)
    write_judgement(out, judgement)
    click.echo(f"{out}: {summary_line(judgement)}", err=True)
    surroundings.write_judgement_summary(judgement)
    surroundings.write_outputs(surroundings.judgement_outputs(judgement) | {"alerts": str(out)})
    return ending.judgement_exit_code(judgement, exit_code)
