"""``modelwatch measure``: prediction logs into W&B metrics."""

from __future__ import annotations

import math
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..clients.retry import RetryPolicy
from ..errors import Exit, UserError
from ..profiling import measure as profiling
from ..profiling.engines.engine import open_engine
from ..profiling.row_explanation import Periods, RowExplanation, explain_rows
from ..profiling.wandb_profiles import EarlierMeasurements, find_earlier_measurements
from ..profiling.wandb_profiles import publish as publish_profile
from ..profiling.window_selection import WindowSelection
from ..report.formatting import number, p_value, whole_percent
from ..stats.profile.codec import to_bytes
from ..stats.segment_search import SIGNIFICANCE_LEVEL, Suspect, format_pairs
from ..timeutil import DAY
from .options import (
    FOLDER,
    Choice,
    config_option,
    format_option,
    now_option,
    path_option,
    print_json,
    read_config,
    retry_policy,
    run_options,
    time_option,
)

if TYPE_CHECKING:
    from ..model.monitored_model import Model


@click.command("measure")
@run_options
@path_option("--out", type=FOLDER, help="Folder for the full profiles, one file for each model.")
@click.option("--publish/--no-publish", default=True, show_default=True, help="Write the metrics to W&B.")
@time_option("--since", "Measure windows from this time on; by default those that W&B lacks.")
@time_option("--until", "Measure windows that end by this time.")
@click.option(
    "--partition",
    metavar="NAME",
    default="",
    help="Name of the part, if the log holds only part of the rows; other parts are kept.",
)
@click.option(
    "--profile",
    "profiles",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    help="Use a profile that --out wrote instead of the log; several profiles of distinct rows are added up.",
)
@click.option(
    "--engine",
    type=Choice(["local", "spark", "dask", "ray"]),
    default="local",
    show_default=True,
    help="What reads and counts the rows: this process, or the workers of a cluster.",
)
@format_option
def measure(
    config_path: Path,
    models: tuple[str, ...],
    out: Path | None,
    publish: bool,
    since: float | None,
    until: float | None,
    partition: str,
    profiles: tuple[Path, ...],
    engine: str,
    style: str,
    now: float,
) -> Exit:
    """Profile prediction logs by window, version and segment, and write metrics and profiles to W&B.

    Windows that have not ended are left for later. Measuring a window again replaces its earlier values. Without
    --since, measures the days that W&B does not have yet, and again the windows younger than `measure: {late}`.
    """
    # Secrets for pages and baselines of rules can be missing: it pages nobody, and judges nothing.
    config = read_config(config_path, models, read_only=True, judges=False)
    policy = retry_policy()
    measured = [model for model in config.models if model.measure is not None or models]
    if partition and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}", partition):
        hint = "Letters, digits, `.`, `_` and `-`; at most 50."
        raise UserError(f"{partition!r} is no name of a partition.", hint=hint)
    if profiles and len(measured) != 1:
        raise UserError("--profile is for one model.", hint="Name it with --model.")
    if not measured:
        click.echo("No model of this configuration has a `measure:` section: there is nothing to measure.", err=True)
    rows: list[dict[str, object]] = []
    reader = open_engine(engine, os.environ)
    for model in measured:
        is_explicit = since is not None or until is not None or bool(profiles) or bool(partition)
        choice = _select_windows(model, since, until, partition, publish and not is_explicit, now, policy)
        with tempfile.TemporaryDirectory(prefix="modelwatch-measure-") as scratch:
            result = profiling.measure(model, now, os.environ, policy, Path(scratch), choice, profiles, reader)
        for note in result.notes:
            click.echo(f"{model.name}: {note}", err=True)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{model.name}.npz").write_bytes(to_bytes(result.profile, {"model": model.name}))
        windows = "1 window" if len(result.rows) == 1 else f"{len(result.rows)} windows"
        task = f"; {result.task}" if result.task else ""
        echo = partial(click.echo, err=style == "json")
        echo(f"{model.name}: {result.profile.rows:,} rows, {windows}{task}.")
        paths: list[str] = []
        if publish:
            others = result.other_partitions
            for path in publish_profile(model, result.profile, result.rows, os.environ, policy, partition, others):
                echo(f"  {path}")
                paths.append(str(path))
        counts = {"rows": result.profile.rows, "windows": len(result.rows), "task": result.task}
        rows.append({"model": model.name, **counts, "notes": list(result.notes), "published": paths})
    if style == "json":
        print_json({"models": rows})
    return Exit.OK


def _select_windows(
    model: Model,
    since: float | None,
    until: float | None,
    partition: str,
    only_new: bool,
    now: float,
    policy: RetryPolicy,
) -> WindowSelection:
    known = find_earlier_measurements(model, os.environ, policy) if only_new else EarlierMeasurements()
    late = -math.inf
    if model.measure and known.days:
        late = min(now - model.measure.remeasured, known.mature_until)
    first = -math.inf if since is None else since
    return WindowSelection(first, math.inf if until is None else until, known.days, late, partition)


@click.command("explain")
@config_option
@click.option("--model", "name", required=True, help="The model whose prediction log is searched.")
@time_option("--since", "Beginning of the drop; by default a day before its end.")
@time_option("--until", "End of the drop; by default now.")
@time_option("--before", "Beginning of the earlier period; by default 7 days before --since.")
@format_option
@now_option
def explain(
    config_path: Path,
    name: str,
    since: float | None,
    until: float | None,
    before: float | None,
    style: str,
    now: float,
) -> Exit:
    """Find where a metric dropped: compare two periods of a prediction log by segment, feature, and pairs of these."""
    model = read_config(config_path, (name,)).models[0]
    end = until if until is not None else now
    start = since if since is not None else end - DAY
    periods = Periods(before if before is not None else start - 7 * DAY, start, end)
    if not periods.before < periods.since < periods.until:
        raise UserError("the times are not in order: --before, --since, --until.")
    with tempfile.TemporaryDirectory(prefix="modelwatch-explain-") as scratch:
        explanation = explain_rows(model, periods, os.environ, retry_policy(), Path(scratch))
    for note in explanation.notes:
        click.echo(f"{model.name}: {note}", err=True)
    if style == "json":
        print_json(_explanation_json(explanation))
        return Exit.OK
    for line in _report_lines(explanation):
        click.echo(line)
    return Exit.OK


def _explanation_json(explanation: RowExplanation) -> dict[str, object]:
    result = explanation.search_result
    suspects = [asdict(suspect) | {"segment": list(map(list, suspect.segment))} for suspect in result.suspects]
    return {
        "metric": explanation.metric,
        "before": explanation.before,
        "after": explanation.after,
        "rows": list(explanation.row_counts),
        "segments_tested": result.segments_tested,
        "segments": [part for part in suspects if part["p"] < SIGNIFICANCE_LEVEL],
        "columns": [asdict(column) for column in result.columns],
    }


def _report_lines(explanation: RowExplanation) -> Iterator[str]:
    rows = f"{explanation.row_counts[0]:,} rows before, {explanation.row_counts[1]:,} after"
    yield f"{explanation.metric}: {number(explanation.before)} to {number(explanation.after)} ({rows})"
    result = explanation.search_result
    if result.significant_suspect() is None:
        yield f"No segment is significantly worse than the others; {result.segments_tested} were searched."
    else:
        yield f"Significantly worse than the others, of {result.segments_tested} segments:"
    for suspect in result.suspects:
        if suspect.p < SIGNIFICANCE_LEVEL:
            yield f"  {_describe_suspect(suspect)}"
    moved = [f"{column.column} ({whole_percent(column.share)})" for column in result.columns if column.share > 0.05]
    if moved:
        yield f"Share of the change in rows whose own column values moved: {', '.join(moved)}"


def _describe_suspect(suspect: Suspect) -> str:
    values = f"{number(suspect.before)} to {number(suspect.after)}"
    part = f"{whole_percent(suspect.share)} of the change"
    return f"{', '.join(format_pairs(suspect.segment))}: {values}, {part}, {p_value(suspect.p)}"
