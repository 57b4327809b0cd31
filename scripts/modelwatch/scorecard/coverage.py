"""What nobody watches: projects without a model, keys that no rule reads, rules that never fired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..clients.wandb import find_projects
from ..config.resolve import OUR_RUNBOOKS
from ..context import RunContext
from ..doctor.wandb_runs import LoggedRuns, read_runs, server_of
from ..errors import SourceError, UserError
from ..model.keys import KeyPattern
from ..model.monitored_model import Config, Model
from ..model.scorecard import Coverage, LabelDelay, LedgerAlert
from ..sources.requirements import KeyResolver, plan_read
from ..sources.table_source import list_columns

DELAY_KEY = "labels/delay_days"
_NO_DELAY = "no delay is logged: `modelwatch measure` logs it where labels have a time"


@dataclass(frozen=True, slots=True)
class LoggedKeys:
    """What a model logs; ``error``: why that cannot be read."""

    keys: frozenset[str] = frozenset()
    newest: Mapping[str, object] | None = None
    """The last value of each key; ``None`` where the source has none."""
    error: str = ""


def read_logged_keys(context: RunContext) -> dict[str, LoggedKeys]:
    """By model, from the newest W&B runs or the columns of its table; two calls a model at most."""
    return {model.name: _read_keys(context, model) for model in context.config.models}


def _read_keys(context: RunContext, model: Model) -> LoggedKeys:
    try:
        if model.table is not None:
            return LoggedKeys(frozenset(list_columns(model.table)))
        if model.wandb is None or not server_of(model, context.env):
            return LoggedKeys(error="its source lists no keys")
        runs = read_runs(model.wandb, context.wandb)
    except UserError as error:
        return LoggedKeys(error=str(error))
    if isinstance(runs, SourceError):
        return LoggedKeys(error=str(runs))
    return _keys_of_runs(runs)


def _keys_of_runs(runs: LoggedRuns) -> LoggedKeys:
    return LoggedKeys(runs.keys, runs.summary) if runs.count else LoggedKeys(error="no W&B run matches")


@dataclass(frozen=True, slots=True)
class UnwatchedProjects:
    """What W&B has beside the projects of the models."""

    names: tuple[str, ...] = ()
    """``entity/project``"""
    unread: tuple[tuple[str, str], ...] = ()
    """(entity, reason) where the projects could not be listed."""


def find_unwatched_projects(context: RunContext, every: Config) -> UnwatchedProjects:
    """The projects of the entities that the models read, but for those that a model of ``every`` reads; one list for
    each entity."""
    own = {(spec.base_url, spec.entity) for model in context.config.models if (spec := model.wandb) and spec.entity}
    read = {(model.wandb.base_url, model.wandb.entity, model.wandb.project) for model in every.models if model.wandb}
    names, unread = [], []
    for server, entity in sorted(own):
        try:
            found = find_projects(context.wandb, server, entity)
        except SourceError as error:
            unread.append((entity, str(error)))
            continue
        names += [f"{entity}/{name}" for name in sorted(set(found)) if (server, entity, name) not in read]
    return UnwatchedProjects(tuple(names), tuple(unread))


def find_coverage(
    config: Config,
    logged: Mapping[str, LoggedKeys],
    alerts: Sequence[LedgerAlert] | None,
    projects: UnwatchedProjects,
    now: float,
) -> Coverage:
    """``alerts``: all that were read, ``None`` where issues could not be read, so that nobody knows what never fired.

    A key is watched where a rule, a derived metric or an amount of money reads it, be it as the count behind another
    one. Segments of one metric are one key here.
    """
    rules = [(model.name, rule) for model in config.models for rule in model.rules]
    general = {model.name for model in config.models if model.runbook_base in ("", OUR_RUNBOOKS)}
    fired = {(alert.model, alert.rule) for alert in alerts or ()}
    fired |= {name for alert in alerts or () for name in alert.followers}
    unwatched, unread, count = [], [], 0
    for model in config.models:
        found = logged.get(model.name, LoggedKeys(error="it was not read"))
        if found.error:
            unread.append((model.name, found.error))
            continue
        count += len(metric_names(found.keys, model))
        if missing := unwatched_metrics(model, found.keys, now):
            unwatched.append((model.name, missing))
    return Coverage(
        models=len(config.models),
        rules=len(rules),
        unwatched_projects=projects.names,
        without_runbook=tuple((model, rule.name) for model, rule in rules if not rule.runbook and model in general),
        never_fired=None
        if alerts is None
        else tuple((model, rule.name) for model, rule in rules if (model, rule.name) not in fired),
        unwatched=tuple(unwatched),
        logged=count,
        unread=(*unread, *projects.unread),
    )


def metric_names(keys: Iterable[str], model: Model) -> set[str]:
    """The metrics among logged keys, without segments, times, versions and what W&B adds."""
    source = model.wandb or model.table
    own = {source.version, source.time} if source else set()
    return {KeyPattern(key).name or key for key in keys if not key.startswith("_") and key not in own}


def unwatched_metrics(model: Model, keys: Iterable[str], now: float) -> tuple[str, ...]:
    """The metrics that are logged and that nothing reads, by name."""
    resolver = KeyResolver(plan_read(model, now).patterns)
    every = list(keys)
    watched = metric_names((key for key in every if resolver.resolve(key) is not None), model)
    return tuple(sorted(metric_names(every, model) - watched))


def label_delays(config: Config, logged: Mapping[str, LoggedKeys]) -> tuple[LabelDelay, ...]:
    """Of each model whose log has labels, as ``modelwatch measure`` logged it last."""
    delays = []
    for model in config.models:
        if model.measure is None or model.measure.outcomes is None:
            continue
        found = logged.get(model.name, LoggedKeys(error="it was not read"))
        half, most = (_number((found.newest or {}).get(f"{DELAY_KEY}/{name}")) for name in ("p50", "p90"))
        problem = found.error or (_NO_DELAY if half is None and most is None else "")
        delays.append(LabelDelay(model.name, half, most, problem))
    return tuple(delays)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None
