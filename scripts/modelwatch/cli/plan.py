"""``modelwatch plan``: alerts.json and the observed world into plan.json."""

from __future__ import annotations

from pathlib import Path

import click

from .. import pipeline
from ..errors import Exit
from . import surroundings
from .options import config_option, format_option, models_option, now_option, read_config


@click.command("plan")
@config_option()
@models_option()
@click.option(
    "--alerts", type=click.Path(path_type=Path), default="alerts.json", show_default=True, help="What evaluate wrote."
)
@click.option("--out", type=click.Path(path_type=Path), default="plan.json", show_default=True, help="File to write.")
@format_option()
@now_option()
def plan(config_path: Path, models: tuple[str, ...], alerts: Path, out: Path, style: str, now: float) -> Exit:
    """Look at GitHub and PagerDuty and write down every change that is wanted, with its reason. Changes nothing."""
    from ..files import encode_plan, read_judgement, write_plan

    config = read_config(config_path, models)
    judgement = read_judgement(alerts)
    plan = pipeline.make_plan(config, judgement, now)
    digest = write_plan(out, plan)
    if style == "json":
        click.echo(encode_plan(plan))
    else:
        from ..report.console import open_console, show_plan

        show_plan(open_console(), plan, judgement=judgement)
        click.echo(f"{out}: digest {digest}")
    surroundings.write_judgement_summary(judgement, plan)
    surroundings.write_outputs({"plan": str(out), "plan-digest": digest, "changes": str(len(plan.changes))})
    return Exit.PARTIAL if plan.troubles else Exit.OK
