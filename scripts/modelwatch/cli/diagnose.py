"""``modelwatch diagnose``: the first five minutes of an incident in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import pipeline
from ..context import RunContext, make_context
from ..errors import Exit, UserError
from .options import config_option, format_option, now_option, read_config

if TYPE_CHECKING:
    from ..model.plan import ModelObservation
    from ..report.diagnosis import Diagnosis, DiagnosisInput


@click.command("diagnose")
@click.argument("model", default="")
@config_option()
@format_option()
@now_option()
def diagnose(model: str, config_path: Path, style: str, now: float) -> Exit:
    """Where it is worse, why, what changed since the last healthy version, what is open, and one next step.

    Changes nothing. What cannot be read is told, and the rest is shown all the same.
    """
    from ..report.diagnosis import diagnose, diagnosis_text

    config = read_config(config_path, (model,) if model else (), read_only=True)
    if not model and len(config.models) > 1:
        names = ", ".join(one.name for one in config.models[:10])
        raise UserError("which model?", hint=f"There are: {names}.", where=str(config_path))
    known = collect_known(make_context(config, now))
    found = diagnose(known, now)
    if style == "json":
        import json

        click.echo(json.dumps(as_json(found), indent=2, ensure_ascii=False))
    else:
        from shutil import get_terminal_size

        click.echo(diagnosis_text(found, get_terminal_size().columns))
    return Exit.SOURCE_DOWN if found.down else Exit.OK


def collect_known(context: RunContext) -> DiagnosisInput:
    """Everything that can be read of the only model; targets are looked at while the source answers."""
    from concurrent.futures import ThreadPoolExecutor

    from ..report.diagnosis import DiagnosisInput

    (model,) = context.config.models
    with ThreadPoolExecutor(1) as pool:
        observing = pool.submit(_observe, context)
        evaluation = pipeline.evaluate(context)
        observed, troubles = observing.result()
    registry = None
    if model.release is not None:
        try:
            registry = context.read_registry(model)
        except UserError as error:
            troubles.append(f"the registry cannot be read: {error}")
    return DiagnosisInput(
        model, evaluation.judgement.groups, evaluation.pulls[model.name], observed, registry, tuple(troubles)
    )


def _observe(context: RunContext) -> tuple[ModelObservation | None, list[str]]:
    try:
        (found,) = pipeline.observe(context).values()
    except UserError as error:
        return None, [str(error)]
    reasons: dict[str, list[str]] = {}
    for trouble in found.errors:
        reasons.setdefault(trouble.reason, []).append(str(trouble.target))
    return found, [f"{' and '.join(targets)} cannot be observed: {reason}" for reason, targets in reasons.items()]


def as_json(found: Diagnosis) -> dict[str, object]:
    sections = {section.title.lower().replace(" ", "_") or "state": list(section.lines) for section in found.sections}
    return {"headline": found.headline, "firing": found.firing, "down": found.down, "next": found.next, **sections}
