"""``modelwatch run``: everything, for one scheduled evaluation."""

from __future__ import annotations

from pathlib import Path

import click

from .. import pipeline
from ..errors import Exit
from ..model.plan import Target
from . import ending, surroundings
from .options import config_option, exit_code_option, format_option, models_option, now_option, read_config
from .progress import progress_bar


@click.command("run")
@config_option()
@models_option()
@click.option(
    "--out", type=click.Path(path_type=Path), default="modelwatch-out", show_default=True, help="Folder for the files."
)
@click.option("--dry-run", is_flag=True, help="Stop after the plan.")
@format_option()
@exit_code_option()
@now_option()
def run(
    config_path: Path, models: tuple[str, ...], out: Path, dry_run: bool, style: str, exit_code: bool, now: float
) -> Exit:
    """Pull, evaluate, plan and apply. Writes series.jsonl, alerts.json, plan.json, receipts.json and summary.md."""
    if not dry_run:
        surroundings.require_default_branch()
    config = read_config(config_path, models, read_only=dry_run)
    with progress_bar(len(config.models)) as progress:
        evaluation = pipeline.evaluate(config, now, progress)
    place = pipeline.RunContext(surroundings.workflow_run_url())
    only = frozenset() if dry_run else frozenset(Target)
    done = pipeline.converge(config, evaluation, only, now, place)
    pipeline.write_results(out, done, now)
    _print_result(done, style)
    surroundings.write_judgement_summary(done.judgement, done.plan, done.receipts)
    surroundings.write_outputs(
        surroundings.judgement_outputs(done.judgement)
        | {"plan": str(out / "plan.json"), "plan-digest": done.digest, "changes": str(len(done.plan.changes))}
        | ({"receipts": str(out / "receipts.json")} if done.receipts else {})
    )
    code = ending.receipts_exit_code(done.plan, done.receipts) if done.receipts else Exit.OK
    return code or ending.judgement_exit_code(done.judgement, exit_code)


def _print_result(done: pipeline.RunResult, style: str) -> None:
    if style == "json":
        from ..files import encode_judgement, encode_plan, encode_receipts

        receipts = encode_receipts(done.receipts) if done.receipts else "null"
        click.echo(
            f'{{"judgement":{encode_judgement(done.judgement)},"plan":{encode_plan(done.plan)},"receipts":{receipts}}}'
        )
        return
    from ..report.console import open_console, show_judgement, show_plan

    console = open_console()
    show_judgement(console, done.judgement)
    show_plan(console, done.plan, done.receipts, done.judgement)
