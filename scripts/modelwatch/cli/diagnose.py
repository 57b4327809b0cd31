"""``modelwatch diagnose``: the first five minutes of an incident in one command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from .. import pipeline
from ..context import RunContext, make_context
from ..enrichment import find_past_episodes, find_recent_changes
from ..errors import Exit, UserError
from ..model.alert import Group, Judgement
from ..model.label_maturity import follow_labels
from ..model.past_episode import PastEpisodes
from ..model.recent_change import RecentChanges
from ..model.register import Register
from ..model.target import Target
from ..report import diagnosis
from ..report.diagnosis import Diagnosis, DiagnosisInput
from ..targets.plan import observation_problems
from .exit_codes import source_exit_code
from .options import config_option, format_option, now_option, print_json, read_config, select_models

if TYPE_CHECKING:
    from ..model.monitored_model import Model
    from ..model.plan import ModelObservation


@click.command("diagnose")
@click.argument("model", default="")
@config_option
@format_option
@now_option
def diagnose(model: str, config_path: Path, style: str, now: float) -> Exit:
    """Show where a metric got worse, why, what changed since the last healthy version, and one next step.

    Without MODEL it shows the worst model, and names the others that fire. Changes nothing.
    Anything unreadable is reported; the rest is shown.
    """
    config = read_config(config_path, read_only=True)
    if model:
        select_models(config, (model,), config_path)
    known = collect_input(make_context(config, now), model)
    result = diagnosis.diagnose(known, now)
    if style == "json":
        print_json(as_json(result))
    else:
        click.echo(diagnosis.diagnosis_text(result, get_terminal_size().columns))
    return source_exit_code([known.pull.scope] if result.down else [])


def collect_input(context: RunContext, name: str = "", shown: str = "") -> DiagnosisInput:
    """Everything that can be read of the model ``name``; by default of the worst. Targets are read while the source
    answers, of the models whose issues can lead its alerts, too.

    ``shown``: key of the group to show, where it fires; by default the worst.
    """
    from concurrent.futures import ThreadPoolExecutor

    from ..alerts.causes import related_models

    everything = context
    if (named := context.config.model(name)) is not None:
        models = related_models(context.config, named)
        context, everything = context.only(named), replace(context, config=replace(context.config, models=models))
    with ThreadPoolExecutor(1) as pool:
        observing = pool.submit(_observe, everything)
        evaluation = pipeline.evaluate(context)
        observed, failure = observing.result()
    judgement = evaluation.judgement
    _, registers = pipeline.sync_groups(context, judgement, observed)
    model = max(context.config.models, key=lambda model: _urgency(model, judgement, registers, context.now))
    problems = [failure] if failure else []
    observation = observed.get(model.name)
    problems += observation_problems(observation.errors) if observation else []
    registry = None
    if model.release is not None:
        try:
            registry = context.read_registry(model)
        except UserError as error:
            problems.append(f"the registry cannot be read: {error}")
        if observation is not None:
            failure = problems[-1] if registry is None else ""
            observed[model.name] = replace(observation, registry=registry, registry_error=failure)
    groups, registers = pipeline.sync_groups(context, judgement, observed)
    own = tuple(group for group in groups if group.model == model.name)
    others = tuple(group for group in groups if group.model != model.name)
    pulled = evaluation.pulls[model.name]
    ranked = diagnosis.rank_firing_groups(own, registers, context.now, shown)
    first = ranked[0][0] if ranked else None
    recent = find_recent_changes(context, model, first, own) if first else RecentChanges()
    past = _past_episodes(context, model, first, observation) if first and observation else PastEpisodes()
    issues = tuple(issue for other, one in observed.items() if other != model.name for issue in one.issues)
    return DiagnosisInput(
        follow_labels(model, pulled),
        own,
        pulled,
        observation,
        registry,
        tuple(problems),
        others,
        recent,
        past,
        registers,
        shown,
        issues,
    )


def _past_episodes(context: RunContext, model: Model, group: Group, observation: ModelObservation) -> PastEpisodes:
    """The past episodes that the alert's issue has, else those that are read; none where GitHub cannot be observed."""
    issues = [issue for issue in observation.issues if issue.group == group.key and issue.is_under_way]
    register = next((issue.register for issue in issues if issue.register is not None), None)
    if observation.error_for(Target.ISSUE) or (register is not None and register.past_episodes.count):
        return register.past_episodes if register else PastEpisodes()
    start = register.start if register else group.newest if group.start is None else group.start
    return find_past_episodes(context, model, group.rule, start)


def _urgency(
    model: Model, judgement: Judgement, registers: Mapping[str, Register], now: float
) -> tuple[bool, int, bool]:
    """What calls for action, then the worst of what fires, then a source that is down."""
    own = [group for group in judgement.groups if group.model == model.name]
    ranked = diagnosis.rank_firing_groups(own, registers, now)
    worst = max((group.severity.code for group, _ in ranked if group.severity), default=-1)
    is_down = any(failure.model == model.name for failure in judgement.failures)
    calls = any(diagnosis.calls_for_action(group, registers.get(group.key), now) for group, _ in ranked)
    return calls, worst, is_down


def _observe(context: RunContext) -> tuple[dict[str, ModelObservation], str]:
    """What was observed of each model, or why nothing can be observed."""
    try:
        return pipeline.observe(context), ""
    except UserError as failure:
        return {}, str(failure)


def as_json(result: Diagnosis) -> dict[str, object]:
    sections = {title.lower() or "state": list(lines) for title, lines in result.sections.items()}
    return {"headline": result.headline, "firing": result.firing, "down": result.down, "next": result.next, **sections}
