"""``modelwatch measure``: prediction logs into W&B metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Exit, UserError
from ..timeutil import DAY
from .options import config_option, models_option, now_option, parse_time_option, read_config

if TYPE_CHECKING:
    from ..clients.retry import RetryPolicy
    from ..model.monitored_model import Model
    from ..profiling.measure import WindowSelection
    from ..profiling.row_explanation import RowExplanation
    from ..stats.segment_search import Suspect


@click.command("measure")
@config_option()
@models_option()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the full profiles, a file a model.",
)
@click.option("--publish/--no-publish", default=True, show_default=True, help="Write the metrics to W&B.")
@click.option(
    "--since", callback=parse_time_option, help="From this time on, whole windows. Default: what W&B has not yet."
)
@click.option("--until", callback=parse_time_option, help="Only windows that are over by then.")
@click.option(
    "--partition",
    metavar="NAME",
    default="",
    help="The log is one part of the rows, of this name: other parts of the same days are added, this one replaced.",
)
@click.option(
    "--profile",
    "profiles",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    help="Instead of the log: a profile that --out wrote elsewhere; several, of distinct rows, are added up.",
)
@now_option()
def measure(
    config_path: Path,
    models: tuple[str, ...],
    out: Path | None,
    publish: bool,
    since: float | None,
    until: float | None,
    partition: str,
    profiles: tuple[Path, ...],
    now: float,
) -> Exit:
    """Count what prediction logs hold, by window, version and segment, and write metrics and profiles to W&B.

    Windows that are not over yet are left for later. Measuring a window again replaces what W&B said of it. Without
    --since those windows are measured of whose day W&B has nothing, and those that `measure: {late}` is longer than.
    """
    import os
    import tempfile

    from ..clients.retry import RetryPolicy
    from ..profiling.measure import measure
    from ..profiling.wandb_profiles import publish as write
    from ..stats.profile.codec import to_bytes

    config = read_config(config_path, models, read_only=True)  # It pages nobody: the secrets for that may be missing.
    patience = RetryPolicy.from_env(os.environ)
    wanted = [model for model in config.models if model.measure is not None or models]
    _check_options(partition, profiles, len(wanted))
    if not wanted:
        click.echo("No model of this configuration has a `measure:` section: there is nothing to measure.", err=True)
    for model in wanted:
        given = since is not None or until is not None or bool(profiles) or bool(partition)
        choice = _select_windows(model, since, until, partition, publish and not given, now, patience)
        with tempfile.TemporaryDirectory(prefix="modelwatch-measure-") as scratch:
            found = measure(model, now, os.environ, patience, Path(scratch), choice, profiles)
        for note in found.notes:
            click.echo(f"{model.name}: {note}", err=True)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{model.name}.npz").write_bytes(to_bytes(found.profile, {"model": model.name}))
        paths: list[str] = []
        if publish:
            paths = write(model, found.profile, found.rows, os.environ, patience, partition, found.other_partitions)
        click.echo(f"{model.name}: {found.profile.rows} rows, {len(found.rows)} windows.")
        for path in paths:
            click.echo(f"  {path}")
    return Exit.OK


def _select_windows(
    model: Model,
    since: float | None,
    until: float | None,
    partition: str,
    only_new: bool,
    now: float,
    patience: RetryPolicy,
) -> WindowSelection:
    import math
    import os

    from ..profiling.measure import WindowSelection
    from ..profiling.wandb_profiles import find_measured_days

    known = find_measured_days(model, os.environ, patience) if only_new else frozenset()
    late = now - model.measure.late if model.measure and known else -math.inf
    first = -math.inf if since is None else since
    return WindowSelection(first, math.inf if until is None else until, known, late, partition)


def _check_options(partition: str, profiles: tuple[Path, ...], models: int) -> None:
    if partition and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}", partition):
        hint = "Letters, digits, `.`, `_` and `-`; at most 50."
        raise UserError(f"{partition!r} is no name of a partition.", hint=hint)
    if profiles and models != 1:
        raise UserError("profiles are of one model.", hint="Name it with --model.")


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

    from ..clients.retry import RetryPolicy
    from ..profiling.row_explanation import Periods, explain_rows

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
    from ..report.formatting import number

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
    from ..report.formatting import number
    from ..stats.segment_search import format_pairs

    likely = "p < 0.001" if suspect.p < 0.001 else f"p = {suspect.p:.2g}"
    values = f"{number(suspect.before)} to {number(suspect.after)}"
    return f"{', '.join(format_pairs(suspect.segment))}: {values}, {suspect.share:.0%} of the change, {likely}"
