"""The whole story: pull -> evaluate -> alerts -> plan (wanted minus observed) -> apply -> report.

Pure parts are called with plain values; whatever touches the world (sources, targets) is named here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from .clients.environment import environment
from .clients.patience import Patience
from .errors import UserError
from .model.alert import AlertState
from .model.series import Pull

if TYPE_CHECKING:
    from .clients.redact import Redactor
    from .model.alert import Alert, Judgement
    from .model.finding import Track
    from .model.plan import Command, Observed, Plan, Receipts, Target
    from .model.release import Registry
    from .model.watched import Config
    from .model.why import Why

Progress = Callable[[str, int, int], None]
"""Called with (model, models done, models in all)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where this evaluation takes place."""

    run_url: str = ""
    """The workflow run that is evaluating; empty on a terminal."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks for by other means than a comment: something happened at PagerDuty."""

    model: str
    group: str
    command: Command | None = None
    """``None``: only for fresh evidence."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was pulled, and what it says."""

    pulls: Mapping[str, Pull]
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Done:
    """One whole evaluation. ``receipts`` is ``None`` where nothing was to be applied."""

    pulls: Mapping[str, Pull]
    judgement: Judgement
    plan: Plan
    digest: str
    receipts: Receipts | None


def evaluate(config: Config, now: float, progress: Progress | None = None) -> Evaluation:
    """Pull and judge."""
    pulls = pull(config, now, progress)
    return Evaluation(pulls, judge(config, pulls, now))


def converge(
    config: Config,
    evaluation: Evaluation,
    only: frozenset[Target],
    now: float,
    place: Place,
    asked: Asked | None = None,
) -> Done:
    """Plan, and apply what ``only`` names; an empty ``only`` applies nothing. ``asked``: what a person has asked for
    elsewhere than on the issue."""
    from .files import plan_digest

    plan = make_plan(config, evaluation.judgement, now, asked)
    digest = plan_digest(plan)
    receipts = apply(config, plan, digest, only, now, place) if only else None
    return Done(evaluation.pulls, evaluation.judgement, plan, digest, receipts)


def pull(config: Config, now: float, progress: Progress | None = None) -> dict[str, Pull]:
    """The series of every model, side by side. A source that fails is a ``Pull`` with its ``error`` set."""
    from .sources.pull import pull_all

    _import_meanwhile(config)
    redactor = redactor_of(config)
    registries, said = _releases(config, now)
    trials = {name: registry.trials for name, registry in registries.items()}
    pulls = pull_all(config.models, now, progress=progress, trials=trials)
    for name, registry in registries.items():
        pulls[name] = replace(pulls[name], moves=registry.moves)
    for name, notes in said.items():
        pulls[name] = replace(pulls[name], notes=(*pulls[name].notes, *notes))
    return {name: redactor.within(found) for name, found in pulls.items()}


def _releases(config: Config, now: float) -> tuple[dict[str, Registry], dict[str, list[str]]]:
    """Versions and moves of every release, and what people should know of them, such as versions that nobody can go
    back to any more; or why they cannot be read, and then the metrics are judged all the same."""
    registries: dict[str, Registry] = {}
    notes: dict[str, list[str]] = {}
    for model in config.models:
        if model.release is None:
            continue
        from .release.registry import read_releases
        from .report.release import lost_words, overdue_words

        env = environment()
        try:
            registries[model.name] = read_releases(model, env, Patience.from_env(env))
        except UserError as error:
            notes[model.name] = [f"the moves of the release cannot be read: {error}"]
        else:
            found = registries[model.name]
            notes[model.name] = [
                *lost_words(found, model.release.keep),
                *overdue_words(found, model.release.every, now),
            ]
    return registries, notes


def _import_meanwhile(config: Config) -> None:
    """Import what comes next while the W&B client waits for its process to start: a tenth of a small check's time."""
    if not any(model.wandb and not model.table for model in config.models):
        return

    def load() -> None:
        with suppress(ImportError):  # told where it matters: at the import that needs it
            import wandb  # noqa: F401, I001 - waits for the pull's own import: before that nobody is idle

            import rich.table  # noqa: F401
            from .alerts import groups  # noqa: F401
            from .evaluate import tracks  # noqa: F401
            from .report import console  # noqa: F401

    Thread(target=load, daemon=True).start()


def redactor_of(config: Config) -> Redactor:
    """Takes the secrets out of whatever comes from outside or from the configuration, before it goes anywhere."""
    from .clients.redact import Redactor

    return Redactor(secret.reveal() for secret in config.secrets)


def complete(config: Config, pulls: Mapping[str, Pull]) -> dict[str, Pull]:
    """``pulls`` with a failed one for every model of ``config`` that is missing: a missing source closes nothing."""
    missing = "was not pulled: it is missing from the series file"
    return {model.name: pulls.get(model.name) or Pull(model.name, (), error=missing) for model in config.models}


def judge(config: Config, pulls: Mapping[str, Pull], now: float) -> Judgement:
    """Pure: every rule of every model on its series, folded into alerts and groups."""
    from .alerts.groups import judge as judge_alerts
    from .evaluate.tracks import evaluate_model

    evaluations = {model.name: evaluate_model(model, pulls[model.name], now) for model in config.models}
    return redactor_of(config).within(judge_alerts(config, evaluations, pulls, now, _explain))


def _explain(
    tracks: Sequence[Track], alerts: Sequence[Alert], everything: Sequence[Track], pull: Pull | None
) -> Why | None:
    """Asked for groups that are not quiet only: a healthy check does not pay for it."""
    from .evaluate.why import explain

    return explain(tracks, alerts, everything, pull)


def observe(config: Config, now: float) -> dict[str, Observed]:
    """What exists at GitHub and PagerDuty, model by model."""
    from .targets.connect import connect

    redactor = redactor_of(config)
    return {name: redactor.within(found) for name, found in connect(config).observe(now=now).items()}


def make_plan(config: Config, judgement: Judgement, now: float, asked: Asked | None = None) -> Plan:
    """Look at GitHub and PagerDuty, and say what differs from what the judgement asks for."""
    from .planning.diff import make_plan as diff
    from .targets.connect import connect

    seen = connect(config).observe(judgement, now)
    if asked is not None:
        from .planning.receiving import with_command, with_stale_evidence

        seen[asked.model] = with_stale_evidence(seen[asked.model], asked.group)
        if asked.command is not None:
            seen[asked.model] = with_command(seen[asked.model], asked.group, asked.command)
    observed = _with_registries(config, judgement, seen)
    return redactor_of(config).within(diff(judgement, config, observed, now))


def _with_registries(config: Config, judgement: Judgement, observed: Mapping[str, Observed]) -> dict[str, Observed]:
    """Versions and moves at W&B, for the models where a rollback is asked for, a person has said something, or a move
    may have been made that PagerDuty knows of."""
    found = dict(observed)
    for model in config.models:
        groups = [group for group in judgement.groups if group.model == model.name]
        asked = any("rollback" in group.do for group in groups if group.state is AlertState.FIRING)
        said = any(issue.commands for issue in found[model.name].issues)
        if model.release is None or not (asked or said or _moving(found[model.name], judgement.at)):
            continue
        from .release.registry import read_registry

        env = environment()
        try:
            registry = read_registry(model, env, Patience.from_env(env))
        except UserError as error:
            found[model.name] = replace(found[model.name], registry_trouble=str(error))
        else:
            found[model.name] = replace(found[model.name], registry=registry)
    return found


def _moving(observed: Observed, now: float) -> bool:
    """Whether a workflow that moves the release is under way, or has ended lately and PagerDuty may not know."""
    from .model.release import ANNOUNCED
    from .model.rule import DAY
    from .planning.guards import HAPPENED

    registers = [issue.register for issue in observed.issues if issue.register is not None]
    records = [record for register in registers for record in register.dispatches]
    news = [one for one in records if now - (one.at if one.ended is None else one.ended) <= DAY]
    return any(one.verb in ANNOUNCED and one.state in HAPPENED and not one.told for one in news)


def apply(config: Config, plan: Plan, digest: str, only: frozenset[Target], now: float, place: Place) -> Receipts:
    """Carry out ``plan``; every change ends in a receipt, whatever happened to the others."""
    from .report.texts import Texts
    from .targets.apply import apply_plan
    from .targets.connect import connect

    redactor = redactor_of(config)
    writer = Texts(config, place.run_url, redactor.text)
    return redactor.within(apply_plan(plan, digest, connect(config), writer, only, now))


def write_all(folder: Path, done: Done, now: float) -> None:
    """The files that travel between steps, and the summary, into ``folder``."""
    from .files import write_judgement, write_plan, write_receipts, write_series, write_text
    from .report.summary import summary

    if not folder.exists():
        folder.mkdir(parents=True)
        write_text(folder / ".gitignore", "*\n")  # results are no part of the repository that is watched over
    write_series(folder / "series.jsonl", tuple(done.pulls.values()), now)
    write_judgement(folder / "alerts.json", done.judgement)
    write_plan(folder / "plan.json", done.plan)
    if done.receipts:
        write_receipts(folder / "receipts.json", done.receipts)
    write_text(folder / "summary.md", summary(done.judgement, done.plan, done.receipts))
