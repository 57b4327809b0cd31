"""``modelwatch shards``: a fleet as a workflow matrix."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from . import surroundings
from .options import config_option

MAX_JOBS = 256
"""GitHub's limit of jobs a matrix."""


@click.command("shards")
@config_option()
@click.option(
    "--max", "most", type=click.IntRange(1, MAX_JOBS), default=20, show_default=True, help="At most this many."
)
def shards(config_path: Path, most: int) -> None:
    """Print {"include": [{"shard", "models"}, ...]} for strategy.matrix; models are separated by spaces."""
    from ..config.load import load_config

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
    surroundings.write_outputs({"matrix": text, "shards": str(len(matrix["include"]))})


def split_round_robin(names: list[str], most: int) -> list[list[str]]:
    """``names`` dealt out in turn to at most ``most`` shards of nearly equal size; none is empty."""
    shards = min(most, len(names))
    return [names[start::shards] for start in range(shards)]
