"""``modelwatch apply``: plan.json into receipts.json, and into the world."""

from __future__ import annotations

from pathlib import Path

import click

from .. import pipeline
from ..errors import Exit
from ..model.plan import Target
from . import ending, surroundings
from .options import config_option, format_option, now_option, read_config


@click.command("apply")
@config_option()
@click.option(
    "--plan",
    "plan_path",
    type=click.Path(path_type=Path),
    default="plan.json",
    show_default=True,
    help="What plan wrote.",
)
@click.option(
    "--digest", required=True, metavar="HEX", help="The digest that plan printed; it travels apart from the file."
)
@click.option(
    "--only", multiple=True, type=click.Choice([str(target) for target in Target]), help="Only these; may be repeated."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default="receipts.json", show_default=True, help="File to write."
)
@format_option()
@now_option()
def apply(
    config_path: Path, plan_path: Path, digest: str, only: tuple[str, ...], out: Path, style: str, now: float
) -> Exit:
    """Carry out a plan. Every change is checked against the world just before, and ends in a receipt."""
    from ..files import encode_receipts, load_verified_plan, write_receipts

    surroundings.require_default_branch()
    config = read_config(config_path)
    plan = load_verified_plan(plan_path, digest, now)
    wanted = frozenset(Target(word) for word in only) or frozenset(Target)
    place = pipeline.RunContext(surroundings.workflow_run_url())
    receipts = pipeline.apply(config, plan, digest, wanted, now, place)
    write_receipts(out, receipts)
    if style == "json":
        click.echo(encode_receipts(receipts))
    else:
        from ..report.console import open_console, show_plan

        show_plan(open_console(), plan, receipts)
    surroundings.write_outputs({"receipts": str(out)})
    return ending.receipts_exit_code(plan, receipts)
