"""``modelwatch labels``: which rows to have labelled, how far those who label agree, and how long labels take."""

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
from ..profiling.label_delay_report import DelayReport, report_delays
from ..profiling.label_plan import REPRESENTATIVE, STRATEGIES, LabellingPlan, plan_labels
from ..report.formatting import duration, number
from ..stats.labels.delay import MIN_ROWS
from ..timeutil import DAY, format_utc
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
    from ..stats.labels.delay import Quantile
    from ..stats.performance.estimate import Estimate

SHOWN_STRATA = 30


@click.group("labels", cls=CommandGroup)
def labels() -> None:
    """Plan which rows to have labelled; see how far annotators agree, and how long labels take."""


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

    Rows are drawn by a hash of their id within strata of segments and tenths of the score: the same rows every time.
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
    worth = f", weighed by `weight` worth {found.effective:,.0f} drawn evenly" if found.rows else ""
    click.echo(f"{len(found.rows):,} of {found.unlabelled:,} rows without a label{worth}.")
    click.echo(f"{'drawn':>7}  {'unlabelled':>10}  {'labelled':>8}  stratum")
    for stratum in found.strata[:SHOWN_STRATA]:
        click.echo(f"{stratum.drawn:>7,}  {stratum.unlabelled:>10,.0f}  {stratum.labelled:>8,}  {stratum.name}")
    if len(found.strata) > SHOWN_STRATA:
        click.echo(f"... and {len(found.strata) - SHOWN_STRATA} more strata; --format json has them all.")
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
        "agreement_share": _interval(found.agreeing),
        "annotator_error": _interval(found.error),
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
    click.echo(f"Pairs of judgements that agree: {_text(found.agreeing)}")
    if not math.isnan(found.error.value):
        click.echo(f"Judgements that are wrong, if annotators err independently and alike: {_text(found.error)}")
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


@labels.command("delay", short_help="How long labels take: recently and usually, each class, and who still waits.")
@click.argument("name", metavar="MODEL")
@config_option
@format_option
@now_option
def delay(name: str, config_path: Path, style: str, now: float) -> Exit:
    """Print how long labels take, with rows that still wait counted as such (Kaplan-Meier).

    "Recently" is the last week, or longer where labels come in batches. Windows are mature once they have 95 % of the
    labels that come; younger ones are published under `young/`.
    """
    model = _model(config_path, name)
    with tempfile.TemporaryDirectory(prefix="modelwatch-labels-") as scratch:
        found = report_delays(model, now, os.environ, retry_policy(), Path(scratch))
    if style == "json":
        print_json({"model": model.name, "delays": None if found is None else _delay_json(found)})
    elif found is None:
        click.echo(f"Nothing is known of delays yet: it takes {MIN_ROWS} rows of windows that are over.")
    else:
        _print_delays(found)
    return Exit.OK


def _delay_json(found: DelayReport) -> dict[str, Any]:
    def days(quantile: Quantile) -> dict[str, float]:
        return {"value": quantile.value / DAY, "low": quantile.low / DAY, "high": quantile.high / DAY}

    return {
        "rows": found.rows,
        "coverage": found.coverage,
        "observed_days": found.observed / DAY,
        "quantiles": {
            one.name: {
                "recent": days(one.recent),
                "usual": days(one.usual),
                "classes": {label: age / DAY for label, age in one.by_class},
            }
            for one in found.quantiles
        },
        "missing_share": [{"days": age, "recent": recent, "usual": usual} for age, recent, usual in found.missing],
        "maturity_days": found.maturity / DAY,
        "needed_days": None if math.isnan(found.needed) else math.ceil(found.needed / DAY),
        "why_unknown": found.why_unknown or None,
        "mature_until": format_utc(found.frontier) if math.isfinite(found.frontier) else None,
    }


def _print_delays(found: DelayReport) -> None:
    click.echo(f"{found.rows:,.0f} rows, observed for up to {_days(found.observed)}; {found.coverage:.1%} get a label.")
    for one in found.quantiles:
        share = f"{int(one.name[1:])} % of the labels are there after"
        changed = "  CHANGED" if one.recent.low > one.usual.high or one.recent.high < one.usual.low else ""
        click.echo(f"{share} {_age(one.usual)} usually, {_age(one.recent)} recently{changed}")
        for label, age in one.by_class:
            click.echo(f"  {label}: {_days(age)}")
    known = [row for row in found.missing if not math.isnan(row[2])]
    if known:
        click.echo(f"\n{'age':>8}  {'without a label, recently':>25}  {'usually':>8}")
    for age, recent, usual in known:
        shown = "-" if math.isnan(recent) else f"{recent:.1%}"
        click.echo(f"{_days(age * DAY):>8}  {shown:>25}  {usual:>8.1%}")
    if math.isinf(found.maturity):
        if found.why_unknown:
            click.echo(f"\nWhen windows have their labels is not known yet: {found.why_unknown}")
        else:
            click.echo("\nWindows do not wait for their labels (`maturity: off`).")
    else:
        until = (
            f"; those that end by {format_utc(found.frontier)} are"
            if math.isfinite(found.frontier)
            else "; none is yet"
        )
        click.echo(f"\nWindows are mature after {_days(found.maturity)}{until}.")


def _age(quantile: Quantile) -> str:
    high = _days(quantile.high) if math.isfinite(quantile.high) else "..."
    return f"{'' if quantile.is_reached else 'more than '}{_days(quantile.value)} [{_days(quantile.low)}, {high}]"


def _days(seconds: float) -> str:
    return f"{seconds / DAY:.3g} d" if seconds >= DAY else duration(seconds)


def _model(config_path: Path, name: str) -> Model:
    return read_config(config_path, (name,), read_only=True, judges=False).models[0]
