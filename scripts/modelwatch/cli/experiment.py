"""``modelwatch experiment``: what A/B experiments and cohorts show, and whether to ship, stop or go on."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import Exit, UserError
from ..profiling.experiments import Reading, read_cohorts, read_experiment, read_plan, select_experiments
from ..report.console import make_table, make_text, open_console
from ..report.experiments import (
    ARM_COLUMNS,
    COHORT_COLUMNS,
    EFFECT_COLUMNS,
    GUARDRAIL_COLUMNS,
    PLAN_COLUMNS,
    SEGMENT_COLUMNS,
    arm_rows,
    cohort_line,
    cohort_markdown,
    cohort_rows,
    decision_line,
    effect_rows,
    experiment_markdown,
    fact_lines,
    guardrail_rows,
    plan_line,
    plan_markdown,
    plan_rows,
    segment_rows,
)
from ..report.markdown import plain_line
from .options import Choice, config_option, now_option, print_json, read_config, retry_policy

if TYPE_CHECKING:
    from rich.console import Console

    from ..model.experiment import CohortValues, ExperimentPlan, ExperimentResult
    from ..model.monitored_model import Model


@click.command("experiment")
@click.argument("name", metavar="[MODEL]", required=False)
@click.argument("experiment_name", metavar="[NAME]", required=False)
@config_option
@click.option(
    "--format",
    "style",
    type=Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="Tables, Markdown for an issue, or JSON for scripts.",
)
@now_option
def experiment(name: str | None, experiment_name: str | None, config_path: Path, style: str, now: float) -> Exit:
    """Print what experiments show so far: arms, differences with intervals, guardrails, who is harmed; ship, stop or
    go on. And the value of predictions by cohort.

    Intervals hold at all looks together: you may look daily, and stop when you like. Of an experiment that has not
    begun, how long it will take. Changes nothing.
    """
    config = read_config(config_path, (name,) if name else (), read_only=True, judges=False)
    models = [model for model in config.models if _has_experiments(model) or name]
    with tempfile.TemporaryDirectory(prefix="modelwatch-experiment-") as scratch:
        found = [
            _read(model, experiment_name or "", now, Path(scratch) / str(place)) for place, model in enumerate(models)
        ]
    if not any(one.results or one.plans or one.cohorts for one in found):
        hint = "Give `business: {experiments: [...]}`; .github/EXPERIMENTS.md has an example."
        raise UserError("no model here has an experiment.", hint=hint, where=str(config_path))
    if style == "json":
        print_json({"models": [one.to_json() for one in found]})
        return Exit.OK
    for one in found:
        _show_markdown(one) if style == "markdown" else _print_model(one)
    return Exit.OK


@dataclass(frozen=True, slots=True)
class _ModelExperiments:
    """What was read of one model."""

    model: Model
    results: list[ExperimentResult]
    plans: list[ExperimentPlan]
    cohorts: CohortValues | None

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model.name,
            "experiments": [asdict(result) | {"decision_text": decision_line(result)} for result in self.results],
            "plans": [asdict(plan) for plan in self.plans],
            "cohorts": None if self.cohorts is None else asdict(self.cohorts),
        }


def _has_experiments(model: Model) -> bool:
    return model.business is not None and bool(model.business.experiments or model.business.cohorts)


def _read(model: Model, name: str, now: float, scratch: Path) -> _ModelExperiments:
    reading = Reading(model, os.environ, retry_policy(), scratch)
    specs = select_experiments(model, name)
    results = [read_experiment(reading, spec, now) for spec in specs if spec.start <= now]
    plans = [read_plan(reading, spec, now) for spec in specs if spec.start > now]
    cohorts = model.business.cohorts if model.business and not name else None
    return _ModelExperiments(model, results, plans, read_cohorts(reading, cohorts, [now])[0] if cohorts else None)


def _show_markdown(found: _ModelExperiments) -> None:
    for result in found.results:
        click.echo(experiment_markdown(result))
    for plan in found.plans:
        click.echo(plan_markdown(plan))
    if found.cohorts is not None:
        click.echo(cohort_markdown(found.cohorts))


def _print_model(found: _ModelExperiments) -> None:
    console = open_console()
    for result in found.results:
        _print_experiment(console, found.model, result)
    for plan in found.plans:
        console.print(make_text(plain_line(f"{found.model.name}: {plan.spec.name} {plan_line(plan)}", 800)))
        console.print()
        console.print(make_table(PLAN_COLUMNS, plan_rows(plan)))
        console.print()
    if found.cohorts is not None:
        _print_cohorts(console, found.model, found.cohorts)


def _print_experiment(console: Console, model: Model, result: ExperimentResult) -> None:
    console.print(make_text(plain_line(f"{model.name}: {result.spec.name}"), "bold"))
    console.print(make_text(plain_line(decision_line(result), 800)))
    for columns, rows in (
        (ARM_COLUMNS, arm_rows(result)),
        (EFFECT_COLUMNS, effect_rows(result)),
        (GUARDRAIL_COLUMNS, guardrail_rows(result)),
        (SEGMENT_COLUMNS, segment_rows(result)),
    ):
        if rows:
            console.print()
            console.print(make_table(columns, rows))
    console.print()
    for line in fact_lines(result):
        console.print(make_text(plain_line(line, 600)))
    for note in result.notes:
        console.print(make_text(plain_line(note, 600), "dim"))
    console.print()


def _print_cohorts(console: Console, model: Model, values: CohortValues) -> None:
    console.print(make_text(plain_line(f"{model.name}: {cohort_line(values)}", 600), "bold"))
    console.print(make_table(COHORT_COLUMNS, cohort_rows(values)))
    for note in values.notes:
        console.print(make_text(plain_line(note, 600), "dim"))
