"""``modelwatch labels``: which rows to have labelled, and how far those who label agree."""

from __future__ import annotations

import math
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import Exit, UserError
from ..profiling.annotations import AgreementReport, read_annotations, report_agreement
from ..profiling.label_plan import REPRESENTATIVE, STRATEGIES, LabellingPlan, plan_labels
from ..report.formatting import number
from . import CommandGroup
from .options import (
    Choice,
    config_option,
    format_option,
    now_option,
    print_json,
    read_config,
    retry_policy,
    time_option,
)
from .options import path_option as path

if TYPE_CHECKING:
    from ..model.monitored_model import Model
    from ..stats.performance.estimate import Estimate

SHOWN_STRATA = 30


@click.group("labels", cls=CommandGroup)
def labels() -> None:
    """Plan which rows to have labelled, and see how far annotators agree."""


@labels.command("plan", short_help="Choose which rows without a label to have labelled.")
@click.argument("name", metavar="MODEL")
@config_option
@click.option("--budget", type=click.IntRange(1, 1_000_000), required=True, help="How many rows can be labelled.")
@click.option(
    "--strategy",
    type=Choice(STRATEGIES),
    default=REPRESENTATIVE,
    show_default=True,
    help="Rows that represent all scores and segments, or more of those where performance is least certain.",
)
@time_option("--since", "Only rows from this time on.")
@time_option("--until", "Only rows before this time.")
@path("--out", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), help="CSV file to write, or `-`.")
@format_option
@now_option
def plan(
    name: str,
    config_path: Path,
    budget: int,
    strategy: str,
    since: float | None,
    until: float | None,
    out: Path | None,
    style: str,
    now: float,
) -> Exit:
    """Choose at most --budget rows without a label, with the probability by which each was drawn.

    Rows are drawn by a hash of their id within groups of segments and tenths of the score: the same rows every time.
    Weigh each label by its `weight` when you compute something for all rows. The list is in random order, so that its
    beginning is a plan for a smaller budget.
    """
    model = _model(config_path, name)
    times = (-math.inf if since is None else since, math.inf if until is None else until)
    with tempfile.TemporaryDirectory(prefix="modelwatch-labels-") as scratch:
        found = plan_labels(model, budget, strategy, *times, now, os.environ, retry_policy(), Path(scratch))
    for note in found.notes:
        click.echo(f"{model.name}: {note}", err=True)
    if out is not None and str(out) == "-":
        click.echo(found.to_csv(), nl=False)
        return Exit.OK
    if out is not None:
        out.write_text(found.to_csv(), "utf-8")
    if style == "json":
        print_json(_plan_json(model.name, found, strategy))
    else:
        _print_plan(found, out)
    return Exit.OK


def _plan_json(name: str, found: LabellingPlan, strategy: str) -> dict[str, Any]:
    rows = [asdict(row) | {"segments": dict(zip(found.segments, row.segments, strict=True))} for row in found.rows]
    strata = [asdict(stratum) for stratum in found.strata]
    return {"model": name, "strategy": strategy, "unlabelled": found.unlabelled, "strata": strata, "rows": rows}


def _print_plan(found: LabellingPlan, out: Path | None) -> None:
    click.echo(f"{len(found.rows):,} of {found.unlabelled:,} rows without a label.")
    click.echo(f"{'drawn':>7}  {'unlabelled':>10}  {'labelled':>8}  group")
    for stratum in found.strata[:SHOWN_STRATA]:
        click.echo(f"{stratum.drawn:>7,}  {stratum.unlabelled:>10,.0f}  {stratum.labelled:>8,}  {stratum.name}")
    if len(found.strata) > SHOWN_STRATA:
        click.echo(f"... and {len(found.strata) - SHOWN_STRATA} more groups; --format json has them all.")
    click.echo(f"Written to {out}." if out is not None else "Add --out plan.csv to write the rows.")


@labels.command("agreement", short_help="How far annotators agree: all, each class, each annotator, each pair.")
@click.argument("name", metavar="MODEL")
@config_option
@time_option("--since", "Only items whose last judgement is from this time on.")
@time_option("--until", "Only items whose last judgement is before this time.")
@format_option
@now_option
def agreement(name: str, config_path: Path, since: float | None, until: float | None, style: str, now: float) -> Exit:
    """Print how far annotators agree beyond chance, from `measure: {annotations}`, with 95 % intervals.

    1 is full agreement, 0 what chance gives. For each annotator also the earlier and the later half of the items: an
    annotator who drifts falls there.
    """
    model = _model(config_path, name)
    if model.measure is None or model.measure.annotations is None:
        hint = "Give `measure: {annotations: {files, id, annotator, label, time}}`."
        raise UserError(f"the model {model.name!r} names no annotations.", hint=hint, where=str(config_path))
    annotations = read_annotations(model.measure, now)
    for note in annotations.notes:
        click.echo(f"{model.name}: {note}", err=True)
    times = (-math.inf if since is None else since, math.inf if until is None else until)
    found = report_agreement(annotations, *times)
    if style == "json":
        print_json({"model": model.name, **_agreement_json(found)})
    else:
        _print_agreement(found)
    return Exit.OK


def _agreement_json(found: AgreementReport) -> dict[str, Any]:
    return {
        "scale": found.scale,
        "krippendorff_alpha": _interval(found.alpha),
        "fleiss_kappa": found.fleiss,
        "classes": [{"class": one.label, **_interval(one)} for one in found.classes],
        "annotators": [
            {"annotator": one.label, **_interval(one), "earlier": _interval(before), "later": _interval(after)}
            for one, before, after in found.annotators
        ],
        "pairs": [{"annotators": [left, right], **_interval(one)} for left, right, one in found.pairs],
    }


def _interval(estimate: Estimate) -> dict[str, Any]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "items": int(estimate.n)}


def _print_agreement(found: AgreementReport) -> None:
    click.echo(f"Krippendorff's alpha ({found.scale}): {_text(found.alpha)}")
    click.echo(f"Fleiss' kappa: {'-' if math.isnan(found.fleiss) else number(found.fleiss)}")
    if found.classes:
        click.echo("\nEach class against the others (alpha):")
        for one in found.classes:
            click.echo(f"  {one.label}: {_text(one)}")
    click.echo("\nEach annotator against the rest (kappa):")
    for one, before, after in found.annotators:
        fell = "  FELL" if after.high < before.low else ""
        click.echo(f"  {one.label}: {_text(one)}; earlier {_value(before)}, later {_value(after)}{fell}")
    if found.pairs:
        click.echo("\nEach pair (Cohen's kappa):")
        for left, right, one in found.pairs:
            click.echo(f"  {left}, {right}: {_text(one)}")


def _value(estimate: Estimate) -> str:
    return "-" if math.isnan(estimate.value) else number(estimate.value)


def _text(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return f"not defined ({estimate.n:,.0f} items)"
    bounds = "" if math.isnan(estimate.low) else f" [{number(estimate.low)}, {number(estimate.high)}]"
    return f"{number(estimate.value)}{bounds} ({estimate.n:,.0f} items)"


def _model(config_path: Path, name: str) -> Model:
    return read_config(config_path, (name,), read_only=True).models[0]
