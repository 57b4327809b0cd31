"""What the pages show, read: from the sources and targets, or from the files that ``modelwatch run`` wrote.

A model is read, judged and described only when its pages have to be made anew: see ``ModelSource.digest``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from .. import pipeline, series_jsonl
from ..context import RunContext
from ..errors import UserError
from ..evaluate.evaluator import evaluate_model
from ..model.alert import Group, Judgement
from ..model.finding import ModelFindings
from ..model.label_maturity import follow_labels
from ..model.monitored_model import MessagesSpec, Model, PagerDutySpec
from ..model.plan import ModelObservation, Plan
from ..model.register import Register
from ..model.release import Registry
from ..model.series import FailureScope, PulledSeries
from ..sources.pull import pull_shown
from ..step_files import read_file, split_series
from ..targets.plan import observation_problems
from .addresses import hide_addresses
from .page import Annotation
from .snapshot import ModelSnapshot

SERIES, ALERTS, PLAN = "series.jsonl", "alerts.json", "plan.json"
ReadAnnotations = Callable[[Model], tuple[Annotation, ...]]


@dataclass(frozen=True, slots=True)
class ModelSource:
    """One model, to be read when its pages are made."""

    model: Model
    digest: str
    """Of everything that its pages depend on but the time: the same digest, the same pages."""
    read: Callable[[], ModelSnapshot]


@dataclass(frozen=True, slots=True)
class Collection:
    """The models of a site, as of ``now``."""

    models: tuple[ModelSource, ...]
    now: float
    problems: tuple[str, ...] = ()
    """What could not be read of any model."""
    unread_sources: tuple[str, ...] = ()
    """Whose metrics could not be read, and why."""
    unread_targets: tuple[str, ...] = ()
    """Why GitHub, PagerDuty or a registry could not be read."""


@dataclass(frozen=True, slots=True)
class Observations:
    """What the targets say, and why they do not."""

    by_model: Mapping[str, ModelObservation]
    problem: str = ""


def collect_live(context: RunContext, added: ReadAnnotations | None = None) -> Collection:
    """Pull, judge and observe; nothing is changed. What cannot be read is a problem on the page."""
    with ThreadPoolExecutor(1) as pool:
        observing = pool.submit(observe, context)
        findings, pulls = pipeline.find(context, pipeline.pull(context))
        judgement = pipeline.combine(context, findings, pulls)
        shown = pull_shown(context.config.models, context.now, context.wandb)
        observed = observing.result()
    groups, registers = pipeline.sync_groups(context, judgement, observed.by_model)
    models, failures = [], []
    for model in context.config.models:
        registry, failure = _read_registry(context, model)
        if failure:
            failures.append(f"{model.name}: {failure}")
        snapshot = _snapshot(
            model, context.now, pulls[model.name], findings[model.name], groups, registers, observed, added
        )
        more = context.redactor.redact(shown[model.name])
        unread = f"what no rule reads cannot be shown: {more.error}" if more.error and not snapshot.pull.error else ""
        problems = (*snapshot.problems, *filter(None, (failure, unread)))
        models.append(_known_source(replace(snapshot, registry=registry, shown=more, problems=problems)))
    sources = (f"{name}: the metrics cannot be read: {pull.error}" for name, pull in pulls.items() if pull.error)
    return Collection(
        tuple(models),
        context.now,
        unread_sources=context.redactor.redact(tuple(sources)),
        unread_targets=context.redactor.redact((*_observation_failures(observed), *failures)),
    )


def _observation_failures(observed: Observations) -> tuple[str, ...]:
    """Each once, whichever models it is about."""
    texts = [observed.problem] if observed.problem else []
    for one in observed.by_model.values():
        texts += observation_problems(one.errors)
    return tuple(dict.fromkeys(texts))


def collect_evaluation(
    context: RunContext, evaluation: pipeline.JudgedPulls, observed: Observations
) -> tuple[ModelSource, ...]:
    """The models of an evaluation that is at hand, with what was observed after it, and what no rule reads."""
    findings, pulls = pipeline.find(context, evaluation.pulls)
    shown = context.redactor.redact(pull_shown(context.config.models, context.now, context.wandb))
    groups, registers = pipeline.sync_groups(context, evaluation.judgement, observed.by_model)
    models = []
    for model in context.config.models:
        snapshot = _snapshot(
            model, context.now, pulls[model.name], findings[model.name], groups, registers, observed, None
        )
        models.append(_known_source(replace(snapshot, shown=shown[model.name])))
    return tuple(models)


def _known_source(snapshot: ModelSnapshot) -> ModelSource:
    pulls = (snapshot.pull, *([snapshot.shown] if snapshot.shown is not None else []))
    content = series_jsonl.encode(pulls, 0.0)
    return ModelSource(snapshot.model, _digest(snapshot, (content,)), _constant(_for_everybody(snapshot)))


def _for_everybody(snapshot: ModelSnapshot) -> ModelSnapshot:
    """``snapshot`` without addresses in what it says of failures."""
    pull = replace(snapshot.pull, error=hide_addresses(snapshot.pull.error)) if snapshot.pull.error else snapshot.pull
    return replace(snapshot, pull=pull, problems=tuple(map(hide_addresses, snapshot.problems)))


@dataclass(frozen=True, slots=True)
class Results:
    """The files of one evaluation; the series are decoded when they are shown."""

    judgement: Judgement
    series: Mapping[str, series_jsonl.EncodedPull]
    """By model."""
    plan: Plan | None
    """``None``: the evaluation made none."""


def read_results(folder: Path) -> Results:
    """What ``modelwatch run`` wrote into ``folder``. Raises UserError for files that are missing or do not fit."""
    judgement = read_file(folder / ALERTS, Judgement)
    series = {one.model: one for one in split_series(folder / SERIES)}
    return Results(judgement, series, read_file(folder / PLAN, Plan) if (folder / PLAN).exists() else None)


def collect_results(
    context: RunContext, results: Results, *, observes: bool = False, added: ReadAnnotations | None = None
) -> Collection:
    """From the files of an evaluation; ``context`` has its time. ``observes``: read GitHub and PagerDuty, too;
    without it nothing is asked of any service."""
    judgement, encoded, problems, doubts = results.judgement, results.series, list[str](), tuple[str, ...]()
    if judgement.config != context.config.digest:
        other = "The results were made with another configuration than the present one: run `modelwatch run` again."
        problems.append(other)
        doubts = (f"{other} Limits on this page are the present ones, alerts those of then.",)
    if observes:
        observed = observe(context)
        groups, registers = pipeline.sync_groups(context, judgement, observed.by_model)
    else:
        observed = Observations({}, "")
        groups, registers = judgement.groups, _planned_registers(results.plan)
        problems.append("GitHub and PagerDuty were not asked: issues, incidents and workflow runs are not shown.")
    models = []
    for model in context.config.models:
        pull = encoded.get(model.name)
        if pull is None:
            missing = pipeline.add_missing_models(replace(context.config, models=(model,)), {})[model.name]
            snapshot = _snapshot(
                model, context.now, missing, ModelFindings(()), groups, registers, observed, added, doubts
            )
            models.append(ModelSource(model, _digest(snapshot, ()), _constant(snapshot)))
            continue
        unread = PulledSeries(model.name, ())
        snapshot = _snapshot(model, context.now, unread, ModelFindings(()), groups, registers, observed, added, doubts)
        models.append(ModelSource(model, _digest(snapshot, pull.lines), _reader(context, snapshot, pull)))
    failures = context.redactor.redact(_observation_failures(observed))
    return Collection(tuple(models), context.now, tuple(problems), unread_targets=failures)


def _reader(
    context: RunContext, snapshot: ModelSnapshot, encoded: series_jsonl.EncodedPull
) -> Callable[[], ModelSnapshot]:
    def read() -> ModelSnapshot:
        pull = context.redactor.redact(encoded.decode())
        try:
            findings = evaluate_model(snapshot.model, pull, snapshot.now)
        except Exception as error:  # noqa: BLE001 - the barrier between models
            pull = replace(pull, error=f"judging failed: {error}", scope=FailureScope.DATA)
            findings = ModelFindings(())
        model = follow_labels(snapshot.model, pull)
        return _for_everybody(replace(snapshot, model=model, pull=pull, findings=findings))

    return read


def _constant(snapshot: ModelSnapshot) -> Callable[[], ModelSnapshot]:
    return lambda: snapshot


def _snapshot(
    model: Model,
    now: float,
    pull: PulledSeries,
    findings: ModelFindings,
    groups: Iterable[Group],
    registers: Mapping[str, Register],
    observed: Observations,
    added: ReadAnnotations | None,
    doubts: tuple[str, ...] = (),
) -> ModelSnapshot:
    """``doubts``: what a reader has to know of every model."""
    own = tuple(group for group in groups if group.model == model.name)
    observation = observed.by_model.get(model.name)
    leading = tuple(
        issue
        for name, other in observed.by_model.items()
        for issue in other.issues
        if name != model.name and issue.register and any(issue.register.leads(group.key) for group in own)
    )
    problems = [observed.problem] if observed.problem else []
    problems += observation_problems(observation.errors) if observation else []
    return ModelSnapshot(
        model=follow_labels(model, pull) if pull.series else model,
        now=now,
        pull=pull,
        findings=findings,
        groups=own,
        registers={group.key: registers[group.key] for group in own if group.key in registers},
        observation=observation,
        other_issues=leading,
        added=added(model) if added else (),
        problems=(*doubts, *problems),
    )


def observe(context: RunContext) -> Observations:
    """Read the targets; that they cannot be read at all is no error here."""
    try:
        return Observations(pipeline.observe(context))
    except UserError as failure:
        return Observations({}, str(failure))


def _read_registry(context: RunContext, model: Model) -> tuple[Registry | None, str]:
    if model.release is None:
        return None, ""
    try:
        return context.read_registry(model), ""
    except UserError as error:
        return None, f"the registry cannot be read: {error}"


def _planned_registers(plan: Plan | None) -> dict[str, Register]:
    """What the plan writes into issues: of the groups that it changes."""
    changes = plan.changes if plan else ()
    return {change.group: change.register for change in changes if change.register is not None}


def _digest(snapshot: ModelSnapshot, content: Iterable[bytes]) -> str:
    """Of the points, the configuration, and the state of alerts and targets. Evaluation times are no part of it, which
    move on where nothing else has changed."""
    import msgspec

    hashed = hashlib.sha256()
    for line in content:
        hashed.update(line)
        hashed.update(b"\n")
    states = [
        (
            group.key,
            group.state,
            group.severity,
            group.start,
            group.end,
            group.config,
            group.mutes,
            group.do,
            [(alert.fingerprint, alert.state, alert.severity) for alert in group.alerts],
        )
        for group in snapshot.groups
    ]
    model = snapshot.model
    public = replace(
        model,
        # The history begins at a whole week, so that its length changes with every look.
        history=0.0,
        messages=MessagesSpec(),
        pagerduty=PagerDutySpec(service=model.pagerduty.service),
        release=model.release and replace(model.release, webhook=None),
    )
    rest = (
        public,
        snapshot.registers,
        snapshot.observation,
        snapshot.other_issues,
        snapshot.registry,
        snapshot.added,
        snapshot.problems,
    )
    hashed.update(msgspec.json.encode((states, rest), order="deterministic"))
    return hashed.hexdigest()
