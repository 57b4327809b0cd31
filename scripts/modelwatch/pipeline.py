"""Read this first: pull, evaluate, plan (desired minus observed), apply, report.

The stages that reach outside (sources, registries, targets) are called here; the others are pure. Each stage imports
what it needs when it runs: reading needs no NumPy, and a check no target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from threading import Thread
from typing import TYPE_CHECKING

from .context import RunContext
from .errors import UserError, unforeseen
from .model.alert import SOURCE_OUTAGE, Alert, Group, Judgement, group_key
from .model.calibration import is_about_scores
from .model.explanation import Explanation
from .model.finding import ModelFindings, Track
from .model.monitored_model import Config, Model
from .model.register import Register
from .model.release import Registry
from .model.sensitivity import ModelSensitivity
from .model.series import FailureScope, PulledSeries, move_starts
from .model.target import Target
from .model.unit import unit_of

if TYPE_CHECKING:
    from .model.plan import Command, ModelObservation, Plan, Receipts


@dataclass(frozen=True, slots=True)
class ManualRequest:
    """A request that came from PagerDuty instead of a comment."""

    model: str
    group: str
    command: Command | None = None
    """``None`` requests fresh evidence only."""


@dataclass(frozen=True, slots=True)
class JudgedPulls:
    """The pulled series and their judgement."""

    pulls: Mapping[str, PulledSeries]
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of one evaluation. ``receipts`` is ``None`` where nothing was applied."""

    pulls: Mapping[str, PulledSeries]
    judgement: Judgement
    plan: Plan
    digest: str
    receipts: Receipts | None


def evaluate(context: RunContext) -> JudgedPulls:
    """Pull and judge."""
    pulls = pull(context)
    return JudgedPulls(pulls, judge(context, pulls))


def converge(
    context: RunContext, evaluation: JudgedPulls, only: frozenset[Target], request: ManualRequest | None = None
) -> RunResult:
    """Plan, and apply the changes of the targets in ``only``; an empty ``only`` applies nothing."""
    from .step_files import plan_digest

    plan = make_plan(context, evaluation.judgement, request)
    digest = plan_digest(plan)
    receipts = apply(context, plan, digest, only, token_hex(8)) if only else None
    kept = {group.key: group for group in plan.groups if group.outlasts_history}
    groups = tuple(kept.get(group.key, group) for group in evaluation.judgement.groups)
    return RunResult(evaluation.pulls, replace(evaluation.judgement, groups=groups), plan, digest, receipts)


def pull(context: RunContext) -> dict[str, PulledSeries]:
    """The series of every model, side by side. A source that fails is a ``PulledSeries`` with its ``error`` set."""
    from .sources.pull import pull_all

    _preload_imports(context.config)
    registries, notes = _read_releases(context)
    canary_periods = {name: registry.canary_periods for name, registry in registries.items()}
    pulls = pull_all(
        context.config.models,
        context.now,
        context.wandb,
        progress=context.progress,
        canary_periods=canary_periods,
        second_look=context.second_look,
    )
    for name, registry in registries.items():
        pulls[name] = add_release(pulls[name], registry)
    for name, texts in notes.items():
        pulls[name] = replace(pulls[name], notes=(*pulls[name].notes, *texts))
    return {name: context.redactor.redact(series) for name, series in pulls.items()}


def add_release(pulled: PulledSeries, registry: Registry) -> PulledSeries:
    """``pulled`` with the moves of its release, and what they say about the versions that served."""
    by_move = move_starts(pulled.deployments, registry)
    known = {(start.version, start.since): start for start in (*pulled.starts, *by_move)}
    versions = {deployment.version: registry.version(deployment.version) for deployment in pulled.deployments}
    reasons = registry.rolled_back
    rolled_back = [
        (text, reasons[version.name]) for text, version in versions.items() if version and version.name in reasons
    ]
    return replace(pulled, moves=registry.moves, starts=tuple(known.values()), rolled_back=tuple(rolled_back))


def _read_releases(context: RunContext) -> tuple[dict[str, Registry], dict[str, list[str]]]:
    """Versions and moves of every release, and notes about them, such as versions that cannot be restored any more.

    Where they cannot be read, a note says why, and the metrics are judged anyway.
    """
    registries: dict[str, Registry] = {}
    notes: dict[str, list[str]] = {}
    for model in context.config.models:
        if model.release is None:
            continue
        try:
            registry = registries[model.name] = context.read_registry(model, producers=False)
        except UserError as error:
            notes[model.name] = [f"the moves of the release cannot be read: {error}"]
        else:
            from .report.release import lost_version_warnings, overdue_warnings

            late = overdue_warnings(registry, model.release.every, context.now)
            notes[model.name] = [*lost_version_warnings(registry, model.release.keep), *late]
    return registries, notes


def _preload_imports(config: Config) -> None:
    """Import what comes next while the W&B client waits for its process to start: a tenth of a small check's time."""
    if not any(model.wandb and not model.table for model in config.models):
        return

    def load() -> None:
        with suppress(ImportError):  # reported where it matters: at the import that needs it
            import wandb  # noqa: F401, I001 - waits for the pull's own import: before that nobody is idle

            import rich.table  # noqa: F401
            from .alerts import grouping  # noqa: F401
            from .evaluate import evaluator  # noqa: F401
            from .report import console  # noqa: F401

    Thread(target=load, daemon=True).start()


def add_missing_models(config: Config, pulls: Mapping[str, PulledSeries]) -> dict[str, PulledSeries]:
    """``pulls`` with a failed one for each missing model of ``config``: a missing source closes nothing."""
    missing = "was not pulled: it is missing from the series file"
    return {model.name: pulls.get(model.name) or PulledSeries(model.name, (), error=missing) for model in config.models}


def judge(context: RunContext, pulls: Mapping[str, PulledSeries]) -> Judgement:
    """Judge every rule of every model on its series, and combine the findings into alerts and groups."""
    return combine(context, *find(context, pulls))


def find(
    context: RunContext, pulls: Mapping[str, PulledSeries]
) -> tuple[dict[str, ModelFindings], Mapping[str, PulledSeries]]:
    """What the rules of every model find on its series, and the series: of a model that could not be judged they say
    so."""
    from .evaluate.evaluator import evaluate_model

    findings: dict[str, ModelFindings] = {}
    for model in context.config.models:
        try:
            findings[model.name] = evaluate_model(model, pulls[model.name], context.now)
        except Exception as error:  # noqa: BLE001 - the barrier between models
            failed = replace(pulls[model.name], error=unforeseen("judging", error), scope=FailureScope.DATA)
            findings[model.name], pulls = ModelFindings(()), {**pulls, model.name: failed}
    return findings, pulls


def combine(context: RunContext, findings: Mapping[str, ModelFindings], pulls: Mapping[str, PulledSeries]) -> Judgement:
    """Combine what ``find`` gives into alerts and groups, with their evidence."""
    from .alerts.grouping import judge_models

    config = context.config
    judgement = judge_models(config, findings, pulls, context.now, _explain)
    judgement = _add_calibration(judgement, config, pulls)
    judgement = _add_money(judgement, config, pulls)
    return context.redactor.redact(_add_sensitivity(judgement, config, findings))


def _add_calibration(judgement: Judgement, config: Config, pulls: Mapping[str, PulledSeries]) -> Judgement:
    """Add to the evidence of rules about scores whether the model is less confident, or worse."""
    from .evaluate.explanation.calibration import describe_calibration

    rules = {(model.name, rule.name): rule for model in config.models for rule in model.rules if is_about_scores(rule)}
    groups = list(judgement.groups)
    for place, group in enumerate(groups):
        rule = rules.get((group.model, group.rule))
        if rule is not None and group.alerts:
            change = describe_calibration(rule, group.start, group.newest, pulls[group.model])
            groups[place] = replace(group, evidence=replace(group.evidence, calibration=change))
    return replace(judgement, groups=tuple(groups))


def _add_money(judgement: Judgement, config: Config, pulls: Mapping[str, PulledSeries]) -> Judgement:
    """Add to the evidence of groups that are not quiet what the change is worth."""
    models = {model.name: model for model in config.models if model.business is not None}
    groups, notes = list(judgement.groups), list(judgement.notes)
    for place, group in enumerate(groups):
        if group.model in models and group.alerts:
            from .evaluate.business.alert_money import measure_money

            try:
                worth = measure_money(models[group.model], group, pulls[group.model])
            except Exception as error:  # noqa: BLE001 - what it is worth must not hide what happened
                notes.append(f"{group.model}: {unforeseen('computing what the change is worth', error)}")
                continue
            groups[place] = replace(group, evidence=replace(group.evidence, money=worth))
    return replace(judgement, groups=tuple(groups), notes=tuple(notes))


def _add_sensitivity(judgement: Judgement, config: Config, findings: Mapping[str, ModelFindings]) -> Judgement:
    """Add what a rule can see: to the evidence of groups that are not quiet, and a note for each rule that does not see
    its own limit within a week."""
    groups, notes = list[Group](), list(judgement.notes)
    for model in config.models:
        own = [group for group in judgement.groups if group.model == model.name]
        try:
            own, blind = _with_sensitivity(model, own, findings[model.name])
        except Exception as error:  # noqa: BLE001 - the barrier between models
            blind = [unforeseen("measuring what the rules can see", error)]
        groups += own
        notes += (f"{model.name}: {text}" for text in blind)
    return replace(judgement, groups=tuple(groups), notes=tuple(notes))


def _with_sensitivity(model: Model, groups: list[Group], found: ModelFindings) -> tuple[list[Group], list[str]]:
    from .evaluate.sensitivity import find_blind, measure_sensitivity
    from .report.sensitivity import blindness_note

    tracks, notes = found.by_rule(), []
    for place, group in enumerate(groups):
        if group.alerts:
            own = tracks.get(group.rule, ())
            worst = next((track for track in own if track.labels == group.alerts[0].labels), None)
            seen = measure_sensitivity(worst) if worst else None
            groups[place] = replace(group, evidence=replace(group.evidence, sensitivity=seen))
    blind = ModelFindings(tuple(find_blind(found.tracks))).by_rule()
    for rule in model.rules:
        if rule.name in blind and (seen := measure_sensitivity(blind[rule.name][0])):
            segments = sum(bool(track.labels) for track in tracks[rule.name])
            notes.append(blindness_note(seen, len(blind[rule.name]), segments, unit_of(rule)))
    return groups, notes


def measure_sensitivities(context: RunContext, pulls: Mapping[str, PulledSeries]) -> tuple[ModelSensitivity, ...]:
    """Compute what the rules of every model can see in ``pulls``."""
    from .evaluate.evaluator import evaluate_model
    from .evaluate.level_sensitivity import measure_level_sensitivities
    from .evaluate.sensitivity import measure_sensitivity
    from .report.sensitivity import unknown_reason

    found: list[ModelSensitivity] = []
    for model in context.config.models:
        judged = evaluate_model(model, pulls[model.name], context.now)
        tracks, by_rule = judged.tracks, judged.by_rule()
        series = tuple(seen for track in tracks if (seen := measure_sensitivity(track)))
        levels = tuple(seen for track in tracks for seen in measure_level_sensitivities(track))
        covered = {seen.rule for seen in series} | {seen.rule for seen in levels}
        found.append(
            ModelSensitivity(
                model.name,
                series,
                units=tuple((rule.name, unit_of(rule)) for rule in model.rules if rule.name in covered),
                others=tuple(
                    (
                        rule.name,
                        unknown_reason(rule, has_data=any(any(track.points) for track in by_rule.get(rule.name, ()))),
                    )
                    for rule in model.rules
                    if rule.name not in covered
                ),
                error=pulls[model.name].error,
                levels=levels,
            )
        )
    return context.redactor.redact(tuple(found))


def _explain(
    tracks: Sequence[Track], alerts: Sequence[Alert], all_tracks: Sequence[Track], pull: PulledSeries | None
) -> Explanation | None:
    """See ``explain``, which is imported for the first alert."""
    from .evaluate.explanation.explainer import explain

    return explain(tracks, alerts, all_tracks, pull)


def observe(context: RunContext) -> dict[str, ModelObservation]:
    """What exists at GitHub and PagerDuty, model by model."""
    from .targets.observe import observe_models

    observed = observe_models(context.sessions, context.config.models, None, context.now)
    return {name: context.redactor.redact(observation) for name, observation in observed.items()}


def sync_groups(
    context: RunContext, judgement: Judgement, observed: Mapping[str, ModelObservation]
) -> tuple[tuple[Group, ...], dict[str, Register]]:
    """The groups as the next plan finds them, and their registers with what has happened since, by group key."""
    from .alerts.moved_baselines import keep_firing
    from .targets.plan import sync_groups as sync

    judgement = keep_firing(judgement, context.config, observed, context.now)
    drafts = sync(judgement, context.config, observed, context.now)
    registers = {key: draft.register for key, draft in drafts.items() if draft.register is not None}
    groups = (drafts[group.key].group if group.key in drafts else group for group in judgement.groups)
    return context.redactor.redact(tuple(groups)), registers


def make_plan(context: RunContext, judgement: Judgement, request: ManualRequest | None = None) -> Plan:
    """Observe GitHub and PagerDuty, and plan what differs from what the judgement demands."""
    from .alerts.moved_baselines import keep_firing
    from .alerts.source_outage import add_source_outages
    from .alerts.watchdog_silence import add_watchdog_silence, watchdog_host
    from .enrichment import add_past_episodes, add_recent_changes, add_registries
    from .model.plan import ObservationError
    from .targets.observe import observe_models
    from .targets.plan import make_plan as plan_changes
    from .targets.watchdog_runs import read_watchdog_runs

    config, now = context.config, context.now
    observed = observe_models(context.sessions, config.models, judgement, now)
    # What a request is about was judged without the other models, so another model's outage looks like its own.
    if request is None or request.group == group_key(request.model, SOURCE_OUTAGE):
        judgement = add_source_outages(judgement, config, observed, now)
    if config.watchdog is not None and (host := watchdog_host(config)) is not None:
        runs = read_watchdog_runs(context.sessions, config.watchdog, host)
        if runs.error:
            error = ObservationError(Target.DISPATCH, runs.error, config.watchdog.workflow)
            known = observed[host.name]
            observed[host.name] = replace(known, errors=(*known.errors, error))
        judgement = add_watchdog_silence(judgement, config, runs, now)
    judgement = keep_firing(judgement, config, observed, now)
    if request is not None:
        from .inbound.decide import with_request

        observed[request.model] = with_request(observed[request.model], request.group, request.command)
    add_registries(context, judgement, observed)
    add_recent_changes(context, judgement, observed)
    add_past_episodes(context, judgement, observed)
    return context.redactor.redact(plan_changes(judgement, config, observed, now))


def apply(context: RunContext, plan: Plan, digest: str, only: frozenset[Target], writer: str = "") -> Receipts:
    """Apply ``plan``; every change gets a receipt, whatever happened to the others. ``writer``: see ``apply_plan``."""
    from .targets.apply import apply_plan

    receipts = apply_plan(plan, digest, context.sessions, only, context.now, context.run_url, writer)
    return context.redactor.redact(receipts)


def report_crash(context: RunContext, error: Exception) -> None:
    """Tell the monitor outside, where it has an address for failures, that this evaluation has ended by ``error``."""
    spec = context.config.heartbeat
    if spec is not None and not context.config.is_partial:
        from .targets.heartbeat.apply import report_failure

        bug = f"the evaluation has ended by a bug ({type(error).__name__})"
        reason = str(error) if isinstance(error, UserError) else bug
        report_failure(spec, context.sessions, f"{reason}: {context.run_url}" if context.run_url else reason)


def write_results(folder: Path, result: RunResult, now: float) -> None:
    """Write the files that steps pass on, and the summary, into ``folder``."""
    from .report.summary import job_summary
    from .step_files import make_results_folder, write_file, write_series, write_text

    make_results_folder(folder)
    write_series(folder / "series.jsonl", tuple(result.pulls.values()), now)
    write_file(folder / "alerts.json", result.judgement)
    write_file(folder / "plan.json", result.plan)
    if result.receipts:
        write_file(folder / "receipts.json", result.receipts)
    write_text(folder / "summary.md", job_summary(result.judgement, result.plan, result.receipts))
