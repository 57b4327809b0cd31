"""``modelwatch shards``: a fleet as a workflow matrix."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path

import click

from ..alerts.causes import share_source, upstream_models
from ..config.loader import load_config
from ..errors import Exit
from ..model.monitored_model import Model
from ..report.group_states import summary_line
from ..report.summary import job_summary
from ..step_files import write_text
from . import actions_env, exit_codes
from .options import config_option, exit_code_option, path_option

MAX_SAME_DATA = 100
"""Models that read the same data stay in one shard up to this number, which a job judges in about ten seconds."""


@click.command("shards")
@config_option
@click.option(
    "--max",
    "max_shards",
    type=click.IntRange(1, 256),  # a matrix of GitHub has no more jobs
    default=20,
    show_default=True,
    help="The largest number of jobs.",
)
def shards(config_path: Path, max_shards: int) -> None:
    """Print {"include": [{"shard", "models"}, ...]} for strategy.matrix; models are separated by spaces.

    Models that depend on each other or read the same data stay in one shard, so that one cause is one incident.
    """
    # Neither secrets nor baselines are needed to split: the job that does it should not have the secrets.
    config = load_config(config_path, os.environ, require_secrets=False, require_baselines=False)
    parts = split_models(config.models, max_shards)
    jobs = [{"shard": str(number), "models": " ".join(names)} for number, names in enumerate(parts, 1)]
    text = json.dumps({"include": jobs}, separators=(",", ":"))
    click.echo(text)
    actions_env.write_outputs({"matrix": text, "shards": str(len(jobs))})


def split_models(models: Sequence[Model], max_shards: int) -> list[list[str]]:
    """Names of models by shard. A model can share a cause only with those of its shard, so these stay together."""
    fair = math.ceil(len(models) / max_shards)
    known = {model.name: model for model in models}
    families = [[model] for model in models]
    for model in models:
        related = upstream_models(known, model.name) | {model.name}
        families = _join(families, [family for family in families if any(member.name in related for member in family)])
    for model in models:
        alike = [family for family in families if any(share_source(member, model) for member in family)]
        if sum(map(len, alike)) <= max(fair, MAX_SAME_DATA):
            families = _join(families, alike)
    shards: list[list[str]] = [[] for _ in range(min(max_shards, len(families)))]
    for family in sorted(families, key=len, reverse=True):
        min(shards, key=len).extend(model.name for model in family)
    return shards


def _join(families: list[list[Model]], parts: list[list[Model]]) -> list[list[Model]]:
    """``families`` with ``parts``, which are some of them, as one, where the first of those was."""
    if len(parts) < 2:
        return families
    whole = [model for family in parts for model in family]
    return [whole if family is parts[0] else family for family in families if family not in parts[1:]]


@click.command("gather")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--expect", type=int, help="The number of shards; fewer results are an error.")
@path_option("--out", help="Also write the Markdown report to this file.")
@exit_code_option
def gather(folders: tuple[Path, ...], expect: int | None, out: Path | None, exit_code: bool) -> Exit:
    """Merge FOLDERS (each written by `modelwatch run --out`) into one report. Shards without results are reported."""
    from ..shards import merge_shards  # brings the pipeline, and with it NumPy, which splitting a fleet does not need

    done, missing = merge_shards(folders, expect)
    if out:
        write_text(out, job_summary(done.judgement, done.plan, done.receipts))
    actions_env.write_judgement(done.judgement, done.plan, done.receipts)
    click.echo(summary_line(done.judgement))
    for message in missing:
        click.echo(f"error: {message}", err=True)
    if missing:
        return Exit.SOURCE_DOWN
    return exit_codes.result_exit_code(done, exit_code)
