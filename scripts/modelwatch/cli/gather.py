"""``modelwatch gather``: the folders that shards left behind, as one report."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import Exit
from ..gathering import merge_shards
from . import ending, surroundings
from .options import exit_code_option


@click.command("gather")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--expect", type=int, default=None, help="How many shards there must be; fewer is an error.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write the Markdown report here too.")
@exit_code_option()
def gather(folders: tuple[Path, ...], expect: int | None, out: Path | None, exit_code: bool) -> Exit:
    """Read FOLDERS (each written by `modelwatch run --out`), and tell one story. A shard without results is told."""
    from ..files import write_text
    from ..report.overview import summary_line
    from ..report.summary import job_summary

    done, missing = merge_shards(folders, expect)
    text = job_summary(done.judgement, done.plan, done.receipts)
    if out:
        write_text(out, text)
    surroundings.write_judgement_summary(done.judgement, done.plan, done.receipts)
    surroundings.write_outputs(surroundings.judgement_outputs(done.judgement))
    click.echo(summary_line(done.judgement))
    for told in missing:
        click.echo(f"error: {told}", err=True)
    if missing:
        return Exit.SOURCE_DOWN
    return (
        ending.receipts_exit_code(done.plan, done.receipts) if done.receipts else Exit.OK
    ) or ending.judgement_exit_code(done.judgement, exit_code)
