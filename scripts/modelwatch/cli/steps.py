"""``modelwatch pull``, ``evaluate``, ``plan`` and ``apply``: the steps of an evaluation, with files between them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from .. import pipeline
from ..errors import Exit, UserError
from ..model.alert import Judgement
from ..model.target import Target
from ..report.console import open_console
from ..report.group_states import summary_line
from ..report.plan_tables import show_plan
from ..series_table import check_table_path
from ..step_files import (
    encode_file,
    load_verified_plan,
    plan_digest,
    read_file,
    read_series,
    write_file,
    write_series,
    write_series_table,
)
from . import actions_env, exit_codes
from .options import (
    Choice,
    config_option,
    exit_code_option,
    format_option,
    now_option,
    path_option,
    prepare_results,
    print_json,
    read_context,
    result_option,
    run_options,
    second_look,
)
from .runner import one_line, progress_bar, reporting


@click.command("pull")
@run_options
@result_option("--out", "series.jsonl", "File to write.")
@path_option("--table", help="Also write the points as a table for notebooks: a .csv or .parquet file.")
@format_option
def pull(config_path: Path, models: tuple[str, ...], out: Path, table: Path | None, style: str, now: float) -> Exit:
    """Read the metrics of every model into a file. A model that cannot be read is written with its error."""
    if table is not None:
        check_table_path(table)
    context = read_context(config_path, now, models, read_only=True)
    with progress_bar(len(context.config.models)) as progress:
        pulls = pipeline.pull(replace(context, progress=progress, second_look=second_look()))
    prepare_results(out)
    write_series(out, tuple(pulls.values()), now)
    if table is not None:
        write_series_table(table, tuple(pulls.values()))
    for pulled in pulls.values():
        if pulled.error:
            click.echo(f"{pulled.model}: {one_line(pulled.error)}", err=True)
        for note in pulled.notes:
            click.echo(f"{pulled.model}: note: {one_line(note)}", err=True)
    counts = {name: sum(map(len, pulled.series)) for name, pulled in pulls.items()}
    if style == "json":
        rows = [
            {"model": name, "points": counts[name], "error": pulled.error, "notes": list(pulled.notes)}
            for name, pulled in pulls.items()
        ]
        print_json({"file": str(out), "models": rows})
    else:
        models_text = f"{len(pulls)} model{'s' if len(pulls) != 1 else ''}"
        click.echo(f"{out}: {models_text}, {sum(counts.values()):,} points", err=True)
    return exit_codes.source_exit_code(pulled.scope for pulled in pulls.values() if pulled.error)


@click.command("evaluate")
@run_options
@result_option("--series", "series.jsonl", "The file that pull wrote.")
@result_option("--out", "alerts.json", "File to write.")
@format_option
@exit_code_option
def evaluate(
    config_path: Path, models: tuple[str, ...], series: Path, out: Path, style: str, exit_code: bool, now: float
) -> Exit:
    """Evaluate the pulled metrics. The same series, configuration and time give the same alerts."""
    context = read_context(config_path, now, models, read_only=True)
    pulls = {pulled.model: pulled for pulled in read_series(series)}
    judgement = pipeline.judge(context, pipeline.add_missing_models(context.config, pulls))
    prepare_results(out)
    write_file(out, judgement)
    if style == "json":
        click.echo(encode_file(judgement))
    else:
        click.echo(f"{out}: {summary_line(judgement)}", err=True)
    actions_env.write_judgement(judgement, outputs={"alerts": str(out)})
    return exit_codes.judgement_exit_code(judgement, exit_code)


@click.command("plan")
@run_options
@result_option("--alerts", "alerts.json", "The file that evaluate wrote.")
@result_option("--out", "plan.json", "File to write.")
@format_option
def plan(config_path: Path, models: tuple[str, ...], alerts: Path, out: Path, style: str, now: float) -> Exit:
    """Read GitHub and PagerDuty, and write every intended change with its reason. Changes nothing."""
    context = read_context(config_path, now, models)
    judgement = read_file(alerts, Judgement)
    plan = pipeline.make_plan(context, judgement)
    prepare_results(out)
    write_file(out, plan)
    digest = plan_digest(plan)
    if style == "json":
        click.echo(encode_file(plan))
    else:
        show_plan(open_console(), plan, judgement=judgement)
        click.echo(f"{out}: digest {digest}")
    actions_env.write_judgement_summary(judgement, plan)
    actions_env.write_outputs({"plan": str(out), "plan-digest": digest, "changes": str(len(plan.changes))})
    return Exit.PARTIAL if plan.troubles else Exit.OK


@click.command("apply")
@config_option
@result_option("--plan", "plan.json", "The file that plan wrote.", "plan_path")
@click.option(
    "--digest", required=True, metavar="HEX", help="The digest that plan printed; pass it separately from the file."
)
@click.option(
    "--only", multiple=True, type=Choice([str(target) for target in Target]), help="Apply only these; repeatable."
)
@result_option("--out", "receipts.json", "File to write.")
@format_option
@now_option
def apply(
    config_path: Path, plan_path: Path, digest: str, only: tuple[str, ...], out: Path, style: str, now: float
) -> Exit:
    """Apply a plan. Each change is checked against GitHub and PagerDuty just before, and gets a receipt."""
    actions_env.require_default_branch()
    context = read_context(config_path, now)
    plan = load_verified_plan(plan_path, digest, now)
    if plan.config != context.config.digest:
        raise UserError(
            "the plan was made with another configuration than the present one.",
            hint="Nothing was applied. Evaluate and plan again.",
            where=str(plan_path),
        )
    targets = frozenset(Target(word) for word in only) or frozenset(Target)
    receipts = pipeline.apply(context, plan, digest, targets)
    with reporting(exit_codes.list_done(receipts)):
        prepare_results(out)
        write_file(out, receipts)
        if style == "json":
            click.echo(encode_file(receipts))
        else:
            show_plan(open_console(), plan, receipts)
        actions_env.write_outputs({"receipts": str(out)})
    return exit_codes.receipts_exit_code(plan, receipts)
