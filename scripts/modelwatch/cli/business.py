"""``modelwatch business``: what a model is worth."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Exit, UserError
from . import CommandGroup
from .options import Choice, config_option, now_option, print_json, read_context

if TYPE_CHECKING:
    from ..context import RunContext
    from ..model.money import ReturnOnInvestment
    from ..model.monitored_model import Model


@click.group("business", cls=CommandGroup)
def business() -> None:
    """What a model is worth, and what it costs."""


@business.command("roi", short_help="Value against the model before, the promise and the costs.")
@click.argument("name", metavar="[MODEL]", default="")
@config_option
@click.option(
    "--format",
    "style",
    type=Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="A table, JSON for scripts, or Markdown.",
)
@now_option
def roi(name: str, config_path: Path, style: str, now: float) -> Exit:
    """Print what MODEL, or every model with a `business` section, is worth: what it earned, what it would have
    earned without this model, whether what was promised came true, what it costs, and the return.

    By month and since it began to earn, each with a 95 % interval; it says what it assumes and what is missing.
    """
    from ..report.return_on_investment import roi_markdown, roi_text

    context = read_context(config_path, now, (name,) if name else (), read_only=True)
    models = [model for model in context.config.models if model.business is not None]
    if not models:
        hint = 'State at least `currency` and `value`: `business: {currency: EUR, value: "{business/revenue}"}`.'
        raise UserError("no model has a `business` section.", hint=hint, where=str(config_path))
    results = [_read_roi(context, model) for model in models]
    if style == "json":
        print_json([asdict(result) for result in results] if not name else asdict(results[0]))
    else:
        write = roi_markdown if style == "markdown" else roi_text
        click.echo("\n\n".join(write(result) for result in results).rstrip())
    return Exit.OK


def _read_roi(context: RunContext, model: Model) -> ReturnOnInvestment:
    from ..evaluate.business.return_on_investment import compute_roi, roi_history_start
    from ..history import read_period

    pulled = read_period(context, model, roi_history_start(model, context.now), context.now)
    retrainings = None
    if model.release is not None:
        retrainings = [version.created for version in context.read_registry(model, producers=False).versions]
    return context.redactor.redact(compute_roi(model, pulled, retrainings, context.now))
