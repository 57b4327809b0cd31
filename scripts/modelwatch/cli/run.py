"""``modelwatch run`` and ``watch``: whole evaluations, once or every few minutes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import pipeline
from ..config.literals import format_duration, parse_duration
from ..context import RunContext, make_context
from ..errors import Exit
from ..model.plan import ChangeResult
from ..model.severity import Severity
from ..model.target import Target
from ..report.console import open_console, show_judgement
from ..report.formatting import utc_time
from ..report.group_states import summary_line
from ..report.plan_tables import show_plan
from ..step_files import encode_result
from ..timeutil import MINUTE, format_iso
from . import actions_env, exit_codes
from .options import RESULTS, exit_code_option, format_option, path_option, read_context, run_options, second_look
from .runner import UnreportedError, print_error, print_warning, progress_bar, reporting

if TYPE_CHECKING:
    from ..model.monitored_model import Config

_out_option = path_option("--out", default=str(RESULTS), help="Folder for the files.")


@click.command("run")
@run_options
@_out_option
@click.option("--dry-run", is_flag=True, help="Stop after the plan.")
@format_option
@exit_code_option
def run(
    config_path: Path, models: tuple[str, ...], out: Path, dry_run: bool, style: str, exit_code: bool, now: float
) -> Exit:
    """Pull, evaluate, plan and apply. Writes series.jsonl, alerts.json, plan.json, receipts.json and summary.md."""
    if not dry_run:
        actions_env.require_default_branch()
    context = read_context(config_path, now, models, read_only=dry_run)
    only = frozenset() if dry_run else frozenset(Target)
    with reporting_crash(context, only):
        with progress_bar(len(context.config.models)) as progress:
            wait = None if dry_run else second_look()
            evaluation = pipeline.evaluate(replace(context, progress=progress, second_look=wait))
        done = pipeline.converge(context, evaluation, only)
    warn_about_heartbeat(done)
    with reporting(exit_codes.list_done(done.receipts)):
        pipeline.write_results(out, done, now)
        _print_result(done, style)
        outputs = {"plan": str(out / "plan.json"), "plan-digest": done.digest, "changes": str(len(done.plan.changes))}
        outputs |= {"receipts": str(out / "receipts.json")} if done.receipts else {}
        actions_env.write_judgement(done.judgement, done.plan, done.receipts, outputs)
    return exit_codes.result_exit_code(done, exit_code)


@contextmanager
def reporting_crash(context: RunContext, only: frozenset[Target]) -> Iterator[None]:
    """Around an evaluation: one that acts and ends by an error is reported to the monitor that expects heartbeats."""
    try:
        yield
    except Exception as error:
        if only:
            pipeline.report_crash(context, error)
        raise


def warn_about_heartbeat(done: pipeline.RunResult) -> None:
    """Say that the monitor was not reached. The exit code stays that of the evaluation."""
    receipt = done.receipts.heartbeat if done.receipts else None
    if receipt is not None and receipt.result is ChangeResult.FAILED:
        print_warning(f"the heartbeat was not sent: {receipt.detail}")


def _print_result(done: pipeline.RunResult, style: str) -> None:
    if style == "json":
        click.echo(encode_result(done.judgement, done.plan, done.receipts))
    else:
        console = open_console()
        show_judgement(console, done.judgement)
        show_plan(console, done.plan, done.receipts, done.judgement)


MIN_INTERVAL = MINUTE


def _parse_duration_option(_ctx: click.Context, _param: click.Parameter, value: str) -> float:
    seconds = parse_duration(value)
    if not seconds:
        raise click.BadParameter(f"{value!r} is not a duration; write 2h, 5m or 30s.")
    return seconds


@click.command("watch")
@run_options
@click.option("--for", "length", default="2h", show_default=True, callback=_parse_duration_option, help="How long.")
@click.option("--every", default="5m", show_default=True, callback=_parse_duration_option, help="How often.")
@_out_option
@click.option("--dry-run", is_flag=True, help="Stop after each plan.")
@format_option
def watch(
    config_path: Path,
    models: tuple[str, ...],
    length: float,
    every: float,
    out: Path,
    dry_run: bool,
    style: str,
    now: float,
) -> Exit:
    """Pull, evaluate, plan and apply every few minutes, sooner than a GitHub schedule would.

    Rules are evaluated at every round; a tier with `for: 2` applies after two rounds with new points. A round that
    fails is reported, and the next one continues. Ends with 12 as soon as a critical alert fires, so that a deploy job
    fails; else with the exit code of the last round. The last line says which, and why. With --format json each line is
    a JSON object.
    """
    if not dry_run:
        actions_env.require_default_branch()
    context = read_context(config_path, now, models, read_only=dry_run)
    config = with_interval(context.config, every)
    only = frozenset() if dry_run else frozenset(Target)
    started, code, at = time.monotonic(), Exit.OK, now
    while True:
        fresh = replace(make_context(config, at, run_url=context.run_url), second_look=second_look() if only else None)
        code, worst = _evaluate_once(fresh, only, out, style)
        if worst is not None and worst >= Severity.CRITICAL:
            _report_end(style, Exit.CRITICAL, "a critical alert fires")
            return Exit.CRITICAL
        elapsed = time.monotonic() - started
        following = (elapsed // every + 1) * every
        if following > length:
            _report_end(style, code, f"{format_duration(length)} are over: {LAST_ROUND[code]}")
            return code
        time.sleep(max(following - elapsed, 0.0))
        at = now + following


LAST_ROUND = {
    Exit.OK: "nothing critical fires",
    Exit.USAGE: "in the last round W&B had no such name as the configuration says",
    Exit.SOURCE_DOWN: "in the last round a source was down",
    Exit.PARTIAL: "in the last round GitHub or PagerDuty failed, or a change was refused",
}


def _report_end(style: str, code: Exit, why: str) -> None:
    if style == "json":
        click.echo(json.dumps({"ended": why, "exit_code": code.value}))
    else:
        click.echo(f"Ended with exit code {code.value}: {why}.")


def with_interval(config: Config, every: float) -> Config:
    """``config`` with every rule evaluated at least this often, at most once a minute."""
    every = max(every, MIN_INTERVAL)
    models = tuple(
        replace(model, rules=tuple(replace(rule, every=min(rule.every, every)) for rule in model.rules))
        for model in config.models
    )
    return replace(config, models=models)


def _evaluate_once(context: RunContext, only: frozenset[Target], out: Path, style: str) -> tuple[Exit, Severity | None]:
    """One evaluation: its exit code, and the worst severity that fires."""
    with reporting_crash(context, only):
        done = pipeline.converge(context, pipeline.evaluate(context), only)
    warn_about_heartbeat(done)
    code = exit_codes.result_exit_code(done)
    try:
        with reporting(exit_codes.list_done(done.receipts)):
            pipeline.write_results(out, done, context.now)
            summary, changes = summary_line(done.judgement), len(done.plan.changes)
            if style == "json":
                row = {"at": format_iso(context.now), "summary": summary, "changes": changes, "exit_code": code.value}
                click.echo(json.dumps(row, ensure_ascii=False))
            else:
                click.echo(f"{utc_time(context.now)}: {summary}, {changes} changes")
    except UnreportedError as error:  # the next round acts all the same
        print_error(error)
        code = error.exit_code
    return code, done.judgement.worst_severity
