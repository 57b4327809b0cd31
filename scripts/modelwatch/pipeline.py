"""The whole story: pull -> evaluate -> alerts -> plan (wanted minus observed) -> apply -> report.

Pure parts are called with plain values; whatever touches the world (sources, targets) is named here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from .clients.environment import environment
from .clients.retry import RetryPolicy
from .errors import UserError
from .model.alert import AlertState
from .model.series import PulledSeries

if TYPE_CHECKING:
    from .clients.redaction import Redactor
    from .model.alert import Judgement
    from .model.monitored_model import Config
    from .model.plan import Command, ModelObservation, Plan, Receipts, Target
    from .model.release import Registry

Progress = Callable[[str, int, int], None]
"""Called with (model, models done, models in all)."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """Where this evaluation takes place."""

    run_url: str = ""
    """The workflow run that is evaluating; empty on a terminal."""


@dataclass(frozen=True, slots=True)
class ManualRequest:
    """What a person asks for by other means than a comment: something happened at PagerDuty."""

    model: str
    group: str
    command: Command | None = None
    """``None``: only for fresh evidence."""


@dataclass(frozen=True, slots=True)
class JudgedPulls:
    """What was pulled, and what it says."""

    pulls: Mapping[str, PulledSeries]
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class RunResult:
    """One whole evaluation. ``receipts`` is ``None`` where nothing was to be applied."""

    pulls: Mapping[str, PulledSeries]
    judgement: Judgement
    plan: Plan
    digest: str
    receipts: Receipts | None


def evaluate(config: Config, now: float, progress: Progress | None = None) -> JudgedPulls:
    """Pull and judge."""
    pulls = pull(config, now, progress)
    return JudgedPulls(pulls, judge(config, pulls, now))


def converge(
    config: Config,
    evaluation: JudgedPulls,
    only: frozenset[Target],
    now: float,
    context: RunContext,
    request: ManualRequest | None = None,
) -> RunResult:
    """Plan, and apply what ``only`` names; an empty ``only`` applies nothing. ``asked``: what a person has asked for
    elsewhere than on the issue."""
    from .step_files import plan_digest

    plan = make_plan(config, evaluation.judgement, now, request)
    digest = plan_digest(plan)
    receipts = apply(config, plan, digest, only, now, context) if only else None
    return RunResult(evaluation.pulls, evaluation.judgement, plan, digest, receipts)


def pull(config: Config, now: float, progress: Progress | None = None) -> dict[str, PulledSeries]:
    """The series of every model, side by side. A source that fails is a ``Pull`` with its ``error`` set."""
    from .sources.pull import pull_all

    _preload_imports(config)
    redactor = make_redactor(config)
    registries, said = _read_registries(config, now)
    trials = {name: registry.canary_periods for name, registry in registries.items()}
    pulls = pull_all(config.models, now, progress=progress, canary_periods=trials)
    for name, registry in registries.items():
        pulls[name] = replace(pulls[name], moves=registry.moves)
    for name, notes in said.items():
        pulls[name] = replace(pulls[name], notes=(*pulls[name].notes, *notes))
    return {name: redactor.redact(found) for name, found in pulls.items()}


def _read_registries(config: Config, now: float) -> tuple[dict[str, Registry], dict[str, list[str]]]:
    """Versions and moves of every release, and what people should know of them, such as versions that nobody can go
    back to any more; or why they cannot be read, and then the metrics are judged all the same."""
    registries: dict[str, Registry] = {}
    notes: dict[str, list[str]] = {}
    for model in config.models:
        if model.release is None:
            continue
        from .release.registry import read_releases
        from .report.release import lost_version_warnings, overdue_warnings

        env = environment()
        try:
            registries[model.name] = read_releases(model, env, RetryPolicy.from_env(env))
        except UserError as error:
            notes[model.name] = [f"the moves of the release cannot be read: {error}"]
        else:
            found = registries[model.name]
            notes[model.name] = [
                *lost_version_warnings(found, model.release.keep),
                *overdue_warnings(found, model.release.every, now),
            ]
    return registries, notes


def _preload_imports(config: Config) -> None:
    """Import what comes next while the W&B client waits for its process to start: a tenth of a small check's time."""
    if not any(model.wandb and not model.table for model in config.models):
        return

    def load() -> None:
        with suppress(ImportError):  # told where it matters: at the import that needs it
            import wandb  # noqa: F401, I001 - waits for the pull's own import: before that nobody is idle

            import rich.table  # noqa: F401
            from .alerts import grouping  # noqa: F401
            from .evaluate import evaluator  # noqa: F401
            from .report import console  # noqa: F401

    Thread(target=load, daemon=True).start()


def make_redactor(config: Config) -> Redactor:
    """Takes the secrets out of whatever comes from outside or from the configuration, before it goes anywhere."""
    from .clients.redaction import Redactor

    return Redactor(secret.reveal() for secret in config.secrets)


def add_missing_models(config: Config, pulls: Mapping[str, PulledSeries]) -> dict[str, PulledSeries]:
    """``pulls`` with a failed one for every model of ``config`` that is missing: a missing source closes nothing."""
    missing = "was not pulled: it is missing from the series file"
    return {model.name: pulls.get(model.name) or PulledSeries(model.name, (), error=missing) for model in config.models}


def judge(config: Config, pulls: Mapping[str, PulledSeries], now: float) -> Judgement:
    """Pure: every rule of every model on its series, folded into alerts and groups."""
    from .alerts.grouping import judge_models
    from .evaluate.evaluator import evaluate_model
    from .evaluate.explanation.explainer import explain

    findings = {model.name: evaluate_model(model, pulls[model.name], now) for model in config.models}
    return make_redactor(config).redact(judge_models(config, findings, pulls, now, explain))


def observe(config: Config, now: float) -> dict[str, ModelObservation]:
    """What exists at GitHub and PagerDuty, model by model."""
    from .targets.observe import observe_models
    from .targets.sessions import open_sessions

    observed = observe_models(open_sessions(config), config.models, None, now)
    redactor = make_redactor(config)
    return {name: redactor.redact(found) for name, found in observed.items()}


def make_plan(config: Config, judgement: Judgement, now: float, request: ManualRequest | None = None) -> Plan:
    """Look at GitHub and PagerDuty, and say what differs from what the judgement asks for."""
    from .targets.observe import observe_models
    from .targets.plan import make_plan as diff
    from .targets.sessions import open_sessions

    seen = observe_models(open_sessions(config), config.models, judgement, now)
    if request is not None:
        from .inbound.decide import with_command, with_stale_evidence

        seen[request.model] = with_stale_evidence(seen[request.model], request.group)
        if request.command is not None:
            seen[request.model] = with_command(seen[request.model], request.group, request.command)
    observed = _add_registries(config, judgement, seen)
    return make_redactor(config).redact(diff(judgement, config, observed, now))


def _add_registries(
    config: Config, judgement: Judgement, observed: Mapping[str, ModelObservation]
) -> dict[str, ModelObservation]:
    """Versions and moves at W&B, for the models where a rollback is asked for, a person has said something, or a move
    may have been made that PagerDuty knows of."""
    found = dict(observed)
    for model in config.models:
        groups = [group for group in judgement.groups if group.model == model.name]
        asked = any("rollback" in group.do for group in groups if group.state is AlertState.FIRING)
        said = any(issue.commands for issue in found[model.name].issues)
        if model.release is None or not (asked or said or _has_unannounced_move(found[model.name], judgement.at)):
            continue
        from .release.registry import read_registry

        env = environment()
        try:
            registry = read_registry(model, env, RetryPolicy.from_env(env))
        except UserError as error:
            found[model.name] = replace(found[model.name], registry_error=str(error))
        else:
            found[model.name] = replace(found[model.name], registry=registry)
    return found


def _has_unannounced_move(observed: ModelObservation, now: float) -> bool:
    """Whether a workflow that moves the release is under way, or has ended lately and PagerDuty may not know."""
    from .model.release import ANNOUNCED_VERBS
    from .targets.workflows.guards import DISPATCHED_STATES
    from .timeutil import DAY

    registers = [issue.register for issue in observed.issues if issue.register is not None]
    records = [record for register in registers for record in register.dispatches]
    news = [one for one in records if now - (one.at if one.ended is None else one.ended) <= DAY]
    return any(one.verb in ANNOUNCED_VERBS and one.state in DISPATCHED_STATES and not one.told for one in news)


def apply(
    config: Config, plan: Plan, digest: str, only: frozenset[Target], now: float, context: RunContext
) -> Receipts:
    """Carry out ``plan``; every change ends in a receipt, whatever happened to the others."""
    from .targets.apply import apply_plan
    from .targets.sessions import open_sessions

    receipts = apply_plan(plan, digest, open_sessions(config), only, now, context.run_url)
    return make_redactor(config).redact(receipts)


def write_results(folder: Path, result: RunResult, now: float) -> None:
    """The files that travel between steps, and the summary, into ``folder``."""
    from .report.summary import job_summary
    from .step_files import write_judgement, write_plan, write_receipts, write_series, write_text

    if not folder.exists():
        folder.mkdir(parents=True)
        write_text(folder / ".gitignore", "*\n")  # results are no part of the repository that is watched over
    write_series(folder / "series.jsonl", tuple(result.pulls.values()), now)
    write_judgement(folder / "alerts.json", result.judgement)
    write_plan(folder / "plan.json", result.plan)
    if result.receipts:
        write_receipts(folder / "receipts.json", result.receipts)
    write_text(folder / "summary.md", job_summary(result.judgement, result.plan, result.receipts))
