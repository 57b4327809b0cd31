"""``modelwatch pull``: metrics into series.jsonl."""

from __future__ import annotations

from pathlib import Path

import click

from .. import pipeline
from ..errors import Exit
from .options import config_option, models_option, now_option, read_config
from .progress import progress_bar
from .shell import one_line


@click.command("pull")
@config_option()
@models_option()
@click.option(
    "--out", type=click.Path(path_type=Path), default="series.jsonl", show_default=True, help="File to write."
)
@now_option()
def pull(config_path: Path, models: tuple[str, ...], out: Path, now: float) -> Exit:
    """Read the metrics of every model into a file. A model that cannot be read stands in it with its error."""
    from ..files import write_series

    config = read_config(config_path, models, read_only=True)
    with progress_bar(len(config.models)) as progress:
        pulls = pipeline.pull(config, now, progress)
    write_series(out, tuple(pulls.values()), now)
    for found in pulls.values():
        if found.error:
            click.echo(f"{found.model}: {one_line(found.error)}", err=True)
        for note in found.notes:
            click.echo(f"{found.model}: note: {one_line(note)}", err=True)
    points = sum(len(series) for found in pulls.values() for series in found.series)
    click.echo(f"{out}: {len(pulls)} model{'s' if len(pulls) != 1 else ''}, {points:,} points", err=True)
    return Exit.SOURCE_DOWN if any(found.error for found in pulls.values()) else Exit.OK
