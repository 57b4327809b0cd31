"""``modelwatch sensitivity``: what each rule can see, from the volume and the noise of its series."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from .. import pipeline
from ..errors import Exit
from ..report.console import make_table, make_text, open_console
from ..report.group_states import failure_title
from ..report.markdown import plain_line
from ..report.sensitivity import COLUMNS, advice_lines, level_lines, sensitivity_rows
from .exit_codes import source_exit_code
from .options import format_option, print_json, read_context, run_options
from .runner import progress_bar


@click.command("sensitivity")
@run_options
@format_option
def sensitivity(config_path: Path, models: tuple[str, ...], style: str, now: float) -> Exit:
    """Pull the metrics, and print how small a change each rule can see, and how soon. Changes nothing.

    "seen in a day" and "seen in a week" are the smallest changes that are found within that time. "false alarms a year"
    is the most to expect. "found in" says how soon a change of each size is found. Of a rule's segments, only the one
    that sees least is shown. A static limit, or a limit of a quantile, gets a sentence of its own.
    """
    context = read_context(config_path, now, models, read_only=True)
    with progress_bar(len(context.config.models)) as progress:
        pulls = pipeline.pull(replace(context, progress=progress))
    found = pipeline.measure_sensitivities(context, pulls)
    if style == "json":
        import msgspec

        print_json({"models": msgspec.to_builtins(found)})
    else:
        console = open_console()
        if rows := [row for model in found for row in sensitivity_rows(model, with_model=len(found) > 1)]:
            console.print(make_table(COLUMNS, rows))
            console.print()
        for model in found:
            for line in (*level_lines(model), *advice_lines(model)):
                console.print(make_text(plain_line(f"{model.model}: {line}", 600)))
            for rule, why in () if model.error else model.others:
                console.print(make_text(plain_line(f"{model.model}: {rule}: {why}.", 600), "dim"))
            if model.error:
                title = f"{model.model}: {failure_title(pulls[model.model].scope)}"
                console.print(make_text(f"{title}: {plain_line(model.error, 400)}", "red"))
    return source_exit_code(pulled.scope for pulled in pulls.values() if pulled.error)
