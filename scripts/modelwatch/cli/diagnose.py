"""``modelwatch diagnose``: the first five minutes of an incident in one command."""

from __future__ import annotations

from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from .. import pipeline
from ..context import RunContext, make_context
from ..errors import Exit, UserError
from ..report import diagnosis
from ..report.diagnosis import Diagnosis, DiagnosisInput
from .options import config_option, format_option, now_option, print_json, read_config

if TYPE_CHECKING:
    from ..model.plan import ModelObservation


@click.command("diagnose")
@click.argument("model", default="")
@config_option
@format_option
@now_option
def diagnose(model: str, config_path: Path, style: str, now: float) -> Exit:
    """Show where a metric got worse, why, what changed since the last healthy version, and one next step.

    Changes nothing. Anything unreadable is reported; the rest is shown.
    """
    config = read_config(config_path, (model,) if model else (), read_only=True)
    if not model and len(config.models) > 1:
        names = ", ".join(model.name for model in config.models[:10])
        raise UserError("the configuration has several models.", hint=f"Name one: {names}.", where=str(config_path))
    result = diagnosis.diagnose(collect_input(make_context(config, now)), now)
    if style == "json":
        print_json(as_json(result))
    else:
        click.echo(diagnosis.diagnosis_text(result, get_terminal_size().columns))
    return Exit.SOURCE_DOWN if result.down else Exit.OK


def collect_input(context: RunContext) -> DiagnosisInput:
    """Everything that can be read of the only model; targets are read while the source answers."""
    from concurrent.futures import ThreadPoolExecutor

    (model,) = context.config.models
    with ThreadPoolExecutor(1) as pool:
        observing = pool.submit(_observe, context)
        evaluation = pipeline.evaluate(context)
        observation, problems = observing.result()
    registry = None
    if model.release is not None:
        try:
            registry = context.read_registry(model)
        except UserError as error:
            problems.append(f"the registry cannot be read: {error}")
    groups, pulled = evaluation.judgement.groups, evaluation.pulls[model.name]
    return DiagnosisInput(model, groups, pulled, observation, registry, tuple(problems))


def _observe(context: RunContext) -> tuple[ModelObservation | None, list[str]]:
    try:
        (observation,) = pipeline.observe(context).values()
    except UserError as failure:
        return None, [str(failure)]
    reasons: dict[str, list[str]] = {}
    for error in observation.errors:
        reasons.setdefault(error.reason, []).append(str(error.target))
    problems = [f"{' and '.join(targets)} cannot be observed: {reason}" for reason, targets in reasons.items()]
    return observation, problems


def as_json(result: Diagnosis) -> dict[str, object]:
    sections = {title.lower() or "state": list(lines) for title, lines in result.sections.items()}
    return {"headline": result.headline, "firing": result.firing, "down": result.down, "next": result.next, **sections}
