"""``modelwatch annotate``: mark on the dashboard's charts that something happened."""

from __future__ import annotations

from pathlib import Path

import click

from ..config.annotations import MAX_TEXT, annotations_path, append_annotation, read_annotations
from ..errors import ConfigError, Exit, UserError
from ..model.added_annotation import AddedAnnotation
from ..timeutil import format_iso
from .options import (
    config_option,
    format_option,
    models_option,
    now_option,
    print_json,
    read_config,
    select_models,
    time_option,
)


@click.command("annotate")
@click.argument("text")
@config_option
@models_option
@time_option("--at", "When it happened or began; by default now.")
@time_option("--until", "When it ended; without it a moment is marked.")
@click.option("--url", default="", help="Where to read more.")
@click.option("--by", default="", help="Who says so; by default nobody is named.")
@click.option(
    "--incident", is_flag=True, help="The model was worse in this period: `backtest` checks that rules find it."
)
@format_option
@now_option
def annotate(
    text: str,
    config_path: Path,
    models: tuple[str, ...],
    at: float | None,
    until: float | None,
    url: str,
    by: str,
    incident: bool,
    style: str,
    now: float,
) -> Exit:
    """Mark on the charts of the dashboard that something happened: a campaign, a price change, a holiday.

    Appends to annotations.yml beside the configuration; commit it, and every page shows it from then on.
    """
    config = read_config(config_path, read_only=True, judges=False)
    select_models(config, models, config_path)
    words = " ".join(text.split())
    if not words or len(words) > MAX_TEXT:
        raise UserError(f"the text has {len(words)} characters.", hint=f"Write 1 to {MAX_TEXT}.")
    annotation = AddedAnnotation(now if at is None else at, words, until, models, url, by, incident)
    if until is not None and until < annotation.at:
        raise UserError("it ends before it begins.", hint="--until is later than --at, which is now by default.")
    if incident and until is None:
        raise UserError("an incident has an end.", hint="Say when it ended with --until.")
    path = annotations_path(config_path)
    # A file that cannot be read is not made longer.
    if problems := read_annotations(path, frozenset(model.name for model in config.models))[1]:
        raise ConfigError(problems)
    try:
        is_new = append_annotation(path, annotation)
    except OSError as error:
        raise UserError(f"the file cannot be written: {error.strerror}.", where=str(path)) from error
    whom = ", ".join(models) or "every model"
    if style == "json":
        print_json({"file": str(path), "added": is_new})
    elif is_new:
        click.echo(f"{path}: added for {whom} at {format_iso(annotation.at)}. Commit the file to publish it.")
    else:
        click.echo(f"{path}: has this entry already. No changes needed.")
    return Exit.OK
