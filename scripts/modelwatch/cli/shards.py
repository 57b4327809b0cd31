"""``modelwatch shards``: a fleet as a workflow matrix."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from ..errors import Exit
from ..shards import merge_shards
from . import actions_env, exit_codes
from .options import config_option, exit_code_option

MAX_JOBS = 256
"""GitHub's limit of jobs a matrix."""


@click.command("shards")
@config_option()
@click.option(
    "--max", "most", type=click.IntRange(1, MAX_JOBS), default=20, show_default=True, help="At most this many."
)
def shards(config_path: Path, most: int) -> None:
    """Print {"include": [{"shard", "models"}, ...]} for strategy.matrix; models are separated by spaces."""
    from ..config.loader import load_config

    # Neither secrets nor baselines are needed to split: the job that does it should not have the secrets.
    config = load_config(config_path, os.environ, require_secrets=False, require_baselines=False)
    names = [model.name for model in config.models]
    matrix = {
        "include": [
            {"shard": str(place), "models": " ".join(part)}
            for place, part in enumerate(split_round_robin(names, most), 1)
        ]
    }
    text = json.dumps(matrix, separators=(",", ":"))
    click.echo(text)
    actions_env.write_outputs({"matrix": text, "shards": str(len(matrix["include"]))})


def split_round_robin(names: list[str], most: int) -> list[list[str]]:
    """``names`` dealt out in turn to at most ``most`` shards of nearly equal size; none is empty."""
    shards = min(most, len(names))
    return [names[start::shards] for start in range(shards)]


@click.command("gather")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--expect", type=int, default=None, help="How many shards there must be; fewer is an error.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write the Markdown report here too.")
@exit_code_option()
def gather(folders: tuple[Path, ...], expect: int | None, out: Path | None, exit_code: bool) -> Exit:
    """Read FOLDERS (each written by `modelwatch run --out`), and tell one story. A shard without results is told."""
    from ..report.summary import job_summary, summary_line
    from ..step_files import write_text

    done, missing = merge_shards(folders, expect)
    text = job_summary(done.judgement, done.plan, done.receipts)
    if out:
        write_text(out, text)
    actions_env.write_judgement_summary(done.judgement, done.plan, done.receipts)
    actions_env.write_outputs(actions_env.judgement_outputs(done.judgement))
    click.echo(summary_line(done.judgement))
    for told in missing:
        click.echo(f"error: {told}", err=True)
    if missing:
        return Exit.SOURCE_DOWN
    return (
        exit_codes.receipts_exit_code(done.plan, done.receipts) if done.receipts else Exit.OK
    ) or exit_codes.judgement_exit_code(done.judgement, exit_code)
