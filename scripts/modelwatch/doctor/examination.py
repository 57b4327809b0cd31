"""Every check of a configuration, topic by topic. A service that is down is one line, and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from ..clients.wandb import WandbDownError, WandbKeyError
from ..context import RunContext
from ..errors import SourceError, SourceSetupError, UserError, unforeseen
from ..model.monitored_model import Model
from ..model.series import NO_COUNT, NO_POINTS, PulledSeries
from ..pipeline import measure_sensitivities, pull
from ..sources.table_source import list_columns
from . import github, workflows
from .baselines import check_baselines
from .configuration import check_configuration
from .metrics import check_metrics
from .pagerduty import check_pagerduty
from .placeholders import check_placeholders, is_placeholder, source_is_placeholder
from .release import check_commands, check_registry
from .runbook_pages import check_runbooks
from .setup_check import CheckStatus, SetupCheck, report_error, report_problem, report_warning
from .visibility import check_visibility
from .wandb_runs import (
    LoggedRuns,
    check_keys,
    check_newest_point,
    check_runs,
    read_runs,
    report_source_error,
    runs_title,
    server_of,
)
from .wandb_setup import check_wandb_setup

WORKERS = 8
"""Lists of W&B runs that are read at one time."""


@dataclass(slots=True)
class _SourceFacts:
    """What was read of the sources, for every topic that needs it."""

    runs: dict[str, LoggedRuns] = field(default_factory=dict)
    pulls: dict[str, PulledSeries] = field(default_factory=dict)
    """Of models whose source could be read."""
    down: set[str] = field(default_factory=set)
    """Servers of W&B that were reported already."""
    faulty: set[tuple[str, str]] = field(default_factory=set)
    """Models and rules that lack a key."""


def examine(context: RunContext, path: Path, root: Path) -> tuple[SetupCheck, ...]:
    """Every check of the configuration at ``path``; ``root`` is the working tree of the repository."""
    facts = _SourceFacts()
    topics: list[tuple[str, Callable[[], Iterable[SetupCheck]]]] = [
        ("configuration", lambda: check_configuration(context.config, path)),
        ("name", lambda: _each_model(context, check_placeholders)),
        ("source", lambda: _check_sources(context, facts)),
        ("metric", lambda: _check_data(context, facts)),
        ("sensitivity", lambda: _check_visibility(context, facts)),
        ("release", lambda: _check_releases(context, facts, root)),
        ("runbook", lambda: _each_model(context, partial(check_runbooks, root=root))),
        ("workflow", lambda: workflows.check_files(context.config, root)),
        ("GitHub", lambda: _check_github(context, root)),
        ("PagerDuty", lambda: check_pagerduty(context)),
        ("W&B setup", lambda: check_wandb_setup(context, root, facts.pulls)),
    ]
    checks = [check for subject, topic in topics for check in _guard(subject, topic)]
    return context.redactor.redact(tuple(checks))


def _guard(subject: str, topic: Callable[[], Iterable[SetupCheck]]) -> Iterator[SetupCheck]:
    """The checks of one topic: an error in it hides no other topic."""
    try:
        yield from topic()
    except UserError as error:
        yield report_error(subject, error)
    except Exception as error:  # noqa: BLE001 - the barrier between topics
        yield SetupCheck(subject, CheckStatus.UNKNOWN, unforeseen("this check", error))


def _each_model(context: RunContext, check: Callable[[Model], Iterable[SetupCheck]]) -> Iterator[SetupCheck]:
    for model in context.config.models:
        yield from check(model)


def _check_sources(context: RunContext, facts: _SourceFacts) -> Iterator[SetupCheck]:
    """The W&B runs of each model, then its series; a server that is down is reported once."""
    models = [model for model in context.config.models if not source_is_placeholder(model)]
    with ThreadPoolExecutor(WORKERS) as executor:
        answers = list(executor.map(partial(_read_runs, context), models))
    readable = []
    for model, answer in zip(models, answers, strict=True):
        check = _judge_runs(context, model, answer, facts)
        if check is not None:
            yield check
        elif server_of(model, context.env) not in facts.down:
            readable.append(model)
    if not readable:
        return
    pulls = pull(replace(context, config=replace(context.config, models=tuple(readable))))
    for model in readable:
        pulled = pulls[model.name]
        if pulled.error:
            yield report_problem("source", pulled.error, model=model.name)
            continue
        facts.pulls[model.name] = pulled
        runs = facts.runs.get(model.name)
        where = runs_title(model.wandb, runs) if runs and model.wandb else _place(model)
        if check := check_newest_point(model, where, pulled, context.now):
            yield check


def _place(model: Model) -> str:
    return model.table.path if model.table else model.wandb.offline if model.wandb else ""


def _read_runs(context: RunContext, model: Model) -> LoggedRuns | SourceError | None:
    """``None`` for a model that reads no W&B server."""
    if model.wandb is None or not server_of(model, context.env):
        return None
    return read_runs(model.wandb, context.wandb)


def _judge_runs(
    context: RunContext, model: Model, answer: LoggedRuns | SourceError | None, facts: _SourceFacts
) -> SetupCheck | None:
    """What is wrong with the W&B runs of a model; ``None`` where some match, and for other sources."""
    server = server_of(model, context.env)
    if answer is None or model.wandb is None or server in facts.down:
        return None
    if isinstance(answer, LoggedRuns):
        facts.runs[model.name] = answer
        return check_runs(model, model.wandb, answer)
    if isinstance(answer, (WandbDownError, WandbKeyError, SourceSetupError)):
        facts.down.add(server)
        return report_error("W&B", answer)
    return report_source_error(model, answer, context.wandb)


def _check_data(context: RunContext, facts: _SourceFacts) -> Iterator[SetupCheck]:
    for model in context.config.models:
        pulled, runs = facts.pulls.get(model.name), facts.runs.get(model.name)
        if pulled is not None:
            yield from _table_notes(model, pulled)
            wrong_time = False
            if runs is not None and model.wandb is not None:
                found = tuple(check_keys(model, model.wandb, runs, pulled))
                wrong_time = bool(model.wandb.time) and model.wandb.time not in runs.keys
                yield from found
            if not wrong_time:
                reported: set[SetupCheck] = set()
                for rule, checks in check_metrics(model, pulled, _logged_keys(model, runs)).items():
                    yield from (check for check in checks if check not in reported)
                    reported.update(checks)
                    if any(check.status is not CheckStatus.OK for check in checks):
                        facts.faulty.add((model.name, rule))
        yield from check_baselines(model, pulled, context.now)


def _table_notes(model: Model, pulled: PulledSeries) -> Iterator[SetupCheck]:
    """What reading the table notes, without what the checks of W&B's runs and of metrics say of other sources, too."""
    for note in pulled.notes if model.table is not None else ():
        if NO_COUNT not in note and not note.startswith(NO_POINTS):
            yield report_warning("source", note, model=model.name)


def _logged_keys(model: Model, runs: LoggedRuns | None) -> frozenset[str]:
    if model.table is not None:
        return frozenset(list_columns(model.table))
    return runs.keys if runs else frozenset()


def _check_visibility(context: RunContext, facts: _SourceFacts) -> Iterator[SetupCheck]:
    models = tuple(model for model in context.config.models if model.name in facts.pulls)
    narrowed = replace(context, config=replace(context.config, models=models))
    found = measure_sensitivities(narrowed, facts.pulls) if models else ()
    for model, sensitivity in zip(models, found, strict=True):
        faulty = {rule for name, rule in facts.faulty if name == model.name}
        yield from check_visibility(model, sensitivity, faulty)


def _check_releases(context: RunContext, facts: _SourceFacts, root: Path) -> Iterator[SetupCheck]:
    for model in context.config.models:
        spec = model.release
        if spec is None:
            continue
        server = model.wandb_url(context.env) or "api.wandb.ai"
        if server not in facts.down and not is_placeholder(spec.artifact):
            yield check_registry(model, spec, context)
        yield from check_commands(model, spec, root, context.env.get("PATH", ""))


def _check_github(context: RunContext, root: Path) -> Iterator[SetupCheck]:
    """Each repository; after the first outage of a server its other repositories are skipped."""
    for model in context.config.models:
        if not model.github.repository:
            hint = "Set `github: {repository: owner/name}`."
            yield report_problem("GitHub", "no repository is configured.", hint, model=model.name)
    usable = [model for model in context.config.models if not is_placeholder(model.github.repository)]
    down: set[str] = set()
    for repository in github.shared_repositories(context, usable):
        server = repository.client.api_url
        if server in down:
            continue
        for check in _check_one_repository(repository, root):
            yield check
            if check.status is CheckStatus.UNKNOWN and check.exit_code:
                down.add(server)
                break


def _check_one_repository(repository: github.SharedRepository, root: Path) -> Iterator[SetupCheck]:
    first = list(github.check_repository(repository))
    yield from first
    if any(check.status is not CheckStatus.OK for check in first):
        return
    topics: Mapping[str, Callable[[], Iterable[SetupCheck]]] = {
        "GitHub": lambda: github.check_issues(repository),
        "contents": lambda: github.check_events(repository),
        "people": lambda: github.check_people(repository),
        "workflow": lambda: workflows.check_dispatch(repository, root),
    }
    for subject, topic in topics.items():
        yield from _guard(subject, topic)
