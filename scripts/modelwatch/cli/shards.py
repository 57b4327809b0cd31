"""``modelwatch shards``: a fleet as a workflow matrix."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from ..clients.http import call_monitor, monitor_retry_policy
from ..config.loader import load_config
from ..errors import Exit, UserError
from ..model.plan import ChangeResult, Receipt
from ..pipeline import RunResult
from ..report.group_states import summary_line
from ..report.heartbeat import heartbeat_line
from ..report.summary import job_summary
from ..shards import merge_shards, split_models
from ..step_files import encode_result, write_text
from . import actions_env, exit_codes
from .options import config_option, exit_code_option, format_option, path_option
from .runner import print_warning


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


@click.command("gather")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--expect", type=int, help="The number of shards; fewer results are an error.")
@path_option("--out", help="Also write the Markdown report to this file.")
@click.option(
    "--heartbeat",
    metavar="VARIABLE",
    help="The environment variable with the address of the monitor that is called if every shard did everything.",
)
@format_option
@exit_code_option
def gather(
    folders: tuple[Path, ...], expect: int | None, out: Path | None, heartbeat: str | None, style: str, exit_code: bool
) -> Exit:
    """Merge FOLDERS (each written by `modelwatch run --out`) into one report. Shards without results are reported."""
    done, missing = merge_shards(folders, expect)
    if heartbeat:
        done = _send_heartbeat(done, missing, heartbeat)
    if out:
        write_text(out, job_summary(done.judgement, done.plan, done.receipts))
    actions_env.write_judgement(done.judgement, done.plan, done.receipts)
    if style == "json":
        click.echo(encode_result(done.judgement, done.plan, done.receipts))
    else:
        click.echo(summary_line(done.judgement))
    for message in missing:
        click.echo(f"error: {message}", err=True)
    if missing:
        return Exit.SOURCE_DOWN
    return exit_codes.result_exit_code(done, exit_code)


def _send_heartbeat(done: RunResult, missing: Sequence[str], variable: str) -> RunResult:
    """Call the monitor if no shard is missing and each did everything: a shard alone sends none. Returns ``done`` with
    the receipt. Never fails."""
    change, receipts = done.plan.heartbeat, done.receipts
    if receipts is None or change is None:
        click.echo("watchdog: no heartbeat is planned by every shard, so none is sent", err=True)
        return done
    result, detail = ChangeResult.DONE, ""
    if missing or exit_codes.result_exit_code(done):
        result, detail = ChangeResult.REFUSED, "not every shard did everything"
    else:
        try:
            address = os.environ.get(variable, "").strip()
            text = b"modelwatch: the watchdog fires: every shard did everything"
            call_monitor(address, variable, "POST", text, monitor_retry_policy(os.environ))
        except UserError as error:
            result, detail = ChangeResult.FAILED, str(error)
            print_warning(f"the heartbeat was not sent: {error}")
    receipt = Receipt(change.id, change.kind, change.model, change.group, result, receipts.at, detail)
    done = replace(done, receipts=replace(receipts, heartbeat=receipt))
    click.echo(heartbeat_line(done.judgement, done.plan, done.receipts), err=True)
    return done
