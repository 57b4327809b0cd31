"""``modelwatch baseline``: reference values from history."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import Exit, UserError
from .options import config_option, now_option, read_time
from .secrecy import with_secrets


@click.group("baseline")
def command() -> None:
    """Capture reference values from history."""


@command.command("capture")
@config_option()
@click.option("--model", "name", required=True, help="The model whose baseline file is to be written.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Baseline file to write; entries of other series in it stay.",
)
@click.option("--since", callback=read_time, help="Beginning of the period; by default 28 days before its end.")
@click.option("--until", callback=read_time, help="End of the period; by default now.")
@click.option("--wandb-run", "wandb_run", default="", metavar="ID", help="Only this W&B run, whole.")
@click.option("--version", default="", help="Only points of this model version.")
@now_option()
def capture(
    config_path: Path,
    name: str,
    out: Path,
    since: float | None,
    until: float | None,
    wandb_run: str,
    version: str,
    now: float,
) -> Exit:
    """Write value, count, interval, percentiles, version and origin of every metric that the model's rules name."""
    import os

    from .. import pipeline
    from ..config.load import load_config
    from ..files import read_baselines, write_baselines
    from ..report.words import number

    config = with_secrets(load_config(config_path, os.environ, require_secrets=False, require_baselines=False))
    model = config.model(name)
    if model is None:
        raise UserError(f"there is no model {name!r}.", where=str(config_path))
    period = pipeline.Period(since, until, wandb_run, version)
    entries = pipeline.capture_baseline(config, model, period, now)
    known = {(entry.name, entry.labels): entry for entry in (read_baselines(out) if out.exists() else ())}
    known |= {(entry.name, entry.labels): entry for entry in entries}
    out.parent.mkdir(parents=True, exist_ok=True)
    write_baselines(out, tuple(known[key] for key in sorted(known)))
    for entry in entries:
        labels = "".join(f" {label}={value}" for label, value in entry.labels)
        click.echo(f"{entry.name}{labels}: {number(entry.value)} (n = {number(entry.n)}, {entry.points} points)")
    click.echo(f"{out}: {len(entries)} captured, {len(known)} in all.", err=True)
    return Exit.OK
