"""``modelwatch explain``: which segment explains a drop, from the rows of the prediction log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Exit, UserError
from .options import config_option, now_option, parse_time_option, read_config

if TYPE_CHECKING:
    from ..measure.explain import RowExplanation
    from ..stats.search import Suspect

DAY = 86_400.0


@click.command("explain")
@config_option()
@click.option("--model", "name", required=True, help="The model whose prediction log is searched.")
@click.option("--since", callback=parse_time_option, help="Beginning of the drop; by default a day before its end.")
@click.option("--until", callback=parse_time_option, help="Its end; by default now.")
@click.option(
    "--before", callback=parse_time_option, help="Beginning of the period before it; by default 7 days before it."
)
@now_option()
def explain(
    config_path: Path, name: str, since: float | None, until: float | None, before: float | None, now: float
) -> Exit:
    """Compare two periods of a prediction log, and search all segments and features, and their crossings, for where
    the later one is worse than the earlier one."""
    import os
    import tempfile

    from ..clients.patience import RetryPolicy
    from ..measure.explain import Periods, explain_rows

    model = read_config(config_path, (name,)).models[0]
    end = until if until is not None else now
    start = since if since is not None else end - DAY
    periods = Periods(before if before is not None else start - 7 * DAY, start, end)
    if not periods.before < periods.since < periods.until:
        raise UserError("the times are not in order: --before, --since, --until.")
    with tempfile.TemporaryDirectory(prefix="modelwatch-explain-") as scratch:
        found = explain_rows(model, periods, os.environ, RetryPolicy.from_env(os.environ), Path(scratch))
    for line in _report_lines(found):
        click.echo(line)
    return Exit.OK


def _report_lines(of: RowExplanation) -> Iterator[str]:
    from ..report.words import number

    rows = f"{of.row_counts[0]:,} rows before, {of.row_counts[1]:,} after"
    yield f"{of.metric}: {number(of.before)} to {number(of.after)} ({rows})"
    found = of.search_result
    if found.significant_suspect() is None:
        yield f"No segment is worse than the others beyond chance; {found.segments_tested} were searched."
    else:
        yield f"Worse than the others beyond chance, of {found.segments_tested} segments that were searched:"
    for suspect in found.suspects:
        if suspect.p < 0.05:
            yield f"  {_describe_suspect(suspect)}"
    moved = [f"{one.column} ({one.share:.0%})" for one in found.columns if one.share > 0.05]
    if moved:
        yield f"Of the change, this much lies where a column's own values moved: {', '.join(moved)}"


def _describe_suspect(suspect: Suspect) -> str:
    from ..report.words import number
    from ..stats.search import format_pairs

    likely = "p < 0.001" if suspect.p < 0.001 else f"p = {suspect.p:.2g}"
    values = f"{number(suspect.before)} to {number(suspect.after)}"
    return f"{', '.join(format_pairs(suspect.segment))}: {values}, {suspect.share:.0%} of the change, {likely}"
