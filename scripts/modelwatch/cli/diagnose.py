"""``modelwatch diagnose``: the first five minutes of an incident in one command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import pipeline
from ..errors import Exit, UserError
from .options import config_option, format_option, now_option, read_config

if TYPE_CHECKING:
    from ..model.monitored_model import Config
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
    known = collect_known(config, now)
    found = diagnose(known, now)
    if style == "json":
        import json

        click.echo(json.dumps(as_json(found), indent=2, ensure_ascii=False))
    else:
        from shutil import get_terminal_size

        click.echo(diagnosis_text(found, get_terminal_size().columns))
    return Exit.SOURCE_DOWN if found.down else Exit.OK


def collect_known(config: Config, now: float) -> DiagnosisInput:
    """Everything that can be read of the only model; targets are looked at while the source answers."""
    from concurrent.futures import ThreadPoolExecutor

    from ..report.diagnosis import DiagnosisInput

    (model,) = config.models
    with ThreadPoolExecutor(1) as pool:
        observing = pool.submit(_observe, config, now)
        pulls = pipeline.pull(config, now)
        judgement = pipeline.judge(config, pulls, now)
        observed, troubles = observing.result()
    registry = None
    if model.release is not None:
        from ..clients.retry import RetryPolicy
        from ..release.registry import read_registry

        try:
            registry = pipeline.make_redactor(config).redact(
                read_registry(model, os.environ, RetryPolicy.from_env(os.environ))
            )
        except UserError as error:
            troubles.append(f"the registry cannot be read: {error}")
    return DiagnosisInput(model, judgement.groups, pulls[model.name], observed, registry, tuple(troubles))


def _observe(config: Config, now: float) -> tuple[ModelObservation | None, list[str]]:
    try:
        (found,) = pipeline.observe(config, now).values()
    except UserError as error:
        return None, [str(error)]
    reasons: dict[str, list[str]] = {}
    for trouble in found.errors:
        reasons.setdefault(trouble.reason, []).append(str(trouble.target))
    return found, [f"{' and '.join(targets)} cannot be observed: {reason}" for reason, targets in reasons.items()]


def as_json(found: Diagnosis) -> dict[str, object]:
    sections = {section.title.lower().replace(" ", "_") or "state": list(section.lines) for section in found.sections}
    return {"headline": found.headline, "firing": found.firing, "down": found.down, "next": found.next, **sections}
