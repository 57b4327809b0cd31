"""Pulls the series of models from their sources, many models side by side, and the reference profiles of drift rules.

A source that fails never hides another model: its failure is ``PulledSeries.error``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from ..clients.wandb import WandbSessions
from ..errors import SourceError, SourceNameError, SourceSetupError, UserError, unforeseen
from ..model.monitored_model import Model
from ..model.release import CanaryPeriod
from ..model.series import FailureScope, Histograms, PulledSeries
from ..timeutil import DAY, HOUR
from .base import ReadContext, Source, SourceResult
from .requirements import CLOCK_SKEW, ReadRequest, histogram_patterns, key_requests, plan_read
from .series_builder import SeriesBuilder
from .shown_keys import shown_request
from .wandb_api import read_runs
from .wandb_offline import read_offline_runs


def _read_tables(model: Model, request: ReadRequest, context: ReadContext) -> SourceResult | None:
    if model.table is None:
        return None
    from .table_source import read_tables

    return read_tables(model.table, request, context)


SOURCES: list[Source] = [
    _read_tables,
    read_offline_runs,
    read_runs,
]
"""Every kind of source. A model is read from the first one that it names."""
WORKERS = 16
"""Calls to W&B at one time."""
MODEL_WORKERS = 8
"""As above, for one model."""
PULL_SECONDS = 300.0
"""In which a model has to be read, so that a source that is slow without end hides no other model."""


@dataclass(frozen=True, slots=True)
class PulledWrites:
    """Everything that a model's source has of a stretch of time, with when each value was logged."""

    builder: SeriesBuilder
    """Keeps log times."""
    references: tuple[Histograms, ...] = ()
    """As in ``PulledSeries``."""
    notes: tuple[str, ...] = ()
    error: str = ""
    """Why the source failed; then the builder is empty."""
    scope: FailureScope = FailureScope.EVALUATOR


Progress = Callable[[str, int, int], None]
"""Called with (model, models done, number of models)."""


def pull_all(
    models: Sequence[Model],
    now: float,
    sessions: WandbSessions,
    *,
    workers: int = WORKERS,
    seconds: float = PULL_SECONDS,
    progress: Progress | None = None,
    canary_periods: Mapping[str, tuple[CanaryPeriod, ...]] | None = None,
    second_look: float | None = None,
) -> dict[str, PulledSeries]:
    """The series that the evaluation of ``models`` at ``now`` needs, by model name, with at most ``workers`` calls to
    W&B at one time, and ``seconds`` for each model. ``canary_periods``: the canaries of models, by name.
    ``second_look``: after so many seconds models whose server was down are read once more; by default they are not.

    Models share no queue of calls: one whose calls hang takes only its own places.
    """
    requests = {
        model.name: replace(plan_read(model, now), canary_periods=(canary_periods or {}).get(model.name, ()))
        for model in models
    }

    def pull(model: Model, context: ReadContext) -> PulledSeries:
        return _pull_model(model, requests[model.name], now, context)

    pulls = _pull_each(models, pull, sessions, workers, seconds, progress)
    failed = [model for model in models if pulls[model.name].error and pulls[model.name].scope is FailureScope.SERVER]
    if failed and second_look is not None and sessions.forget_outages():
        time.sleep(second_look * sessions.retry.wait_scale)
        pulls |= pull_all(failed, now, sessions, workers=workers, seconds=seconds, canary_periods=canary_periods)
    return {model.name: pulls[model.name] for model in models}


def pull_shown(
    models: Sequence[Model],
    now: float,
    sessions: WandbSessions,
    *,
    workers: int = WORKERS,
    seconds: float = PULL_SECONDS,
) -> dict[str, PulledSeries]:
    """What pages show beside what rules read, by model name: series and histograms, and ``error`` where the source
    failed. See ``shown_keys``."""

    def pull(model: Model, context: ReadContext) -> PulledSeries:
        try:
            builder = _read_source(model, shown_request(model, now), context).builder
            return PulledSeries(model.name, builder.series(), histograms=builder.histograms())
        except Exception as error:  # noqa: BLE001 - the barrier between models
            return _failed_pull(model, error)

    return _pull_each(models, pull, sessions, workers, seconds)


def pull_writes(
    models: Sequence[Model],
    since: float,
    sessions: WandbSessions,
    *,
    workers: int = WORKERS,
    seconds: float = PULL_SECONDS,
    progress: Progress | None = None,
) -> dict[str, PulledWrites]:
    """Every write that evaluations at ``since`` (seconds, UTC) and later could have known, by model name, so that
    ``SeriesBuilder.as_of`` gives what each of them knew. ``models``: as an evaluation at ``since`` has them."""

    def pull(model: Model, context: ReadContext) -> PulledWrites:
        request = replace(plan_read(model, since), logged_until=math.inf, keeps_log_times=True)
        try:
            result = _read_source(model, request, context)
            references, notes = _read_references(model, request, context)
        except Exception as error:  # noqa: BLE001 - the barrier between models
            failed = _failed_pull(model, error)
            return PulledWrites(SeriesBuilder(request), error=failed.error, scope=failed.scope)
        return PulledWrites(result.builder, references, (*result.notes, *result.builder.notes(), *notes))

    return _pull_each(models, pull, sessions, workers, seconds, progress)


def _read_references(
    model: Model, request: ReadRequest, context: ReadContext
) -> tuple[tuple[Histograms, ...], tuple[str, ...]]:
    if not request.histograms:
        return (), ()
    from .measured_profiles import fetch_profiles, read_references

    fetch = partial(fetch_profiles, context, model.wandb.base_url if model.wandb else "")
    return read_references(model.rules, fetch)


_Pulled = TypeVar("_Pulled")


def _pull_each(
    models: Sequence[Model],
    pull: Callable[[Model, ReadContext], _Pulled],
    sessions: WandbSessions,
    workers: int,
    seconds: float,
    progress: Progress | None = None,
) -> dict[str, _Pulled]:
    places = max(min(workers // 2, len(models)), 1)

    def pull_one(model: Model) -> _Pulled:
        with ThreadPoolExecutor(max(workers // places, 1)) as executor:
            return pull(model, ReadContext(sessions, executor, time.monotonic() + seconds))

    pulls: dict[str, _Pulled] = {}
    with ThreadPoolExecutor(places) as pool:
        tasks = {pool.submit(pull_one, model): model for model in models}
        for count, task in enumerate(as_completed(tasks), start=1):
            pulls[tasks[task].name] = task.result()
            if progress:
                progress(tasks[task].name, count, len(tasks))
    return pulls


def pull_period(
    model: Model, since: float, until: float, sessions: WandbSessions, *, wandb_run: str = "", now: float = math.inf
) -> PulledSeries:
    """The series of ``model`` from ``since`` to ``until`` (seconds, UTC), as known at ``now``; only of ``wandb_run``,
    if any."""
    keys, notes = key_requests(model.rules, model.business)
    patterns, known = histogram_patterns(model.rules), now + CLOCK_SKEW
    request = ReadRequest(keys, since, until, notes, patterns, logged_until=known, wandb_run=wandb_run)
    with ThreadPoolExecutor(MODEL_WORKERS) as executor:
        return _pull_model(model, request, until, ReadContext(sessions, executor))


def _pull_model(model: Model, request: ReadRequest, now: float, context: ReadContext) -> PulledSeries:
    try:
        return _read_model(model, request, now, context)
    except Exception as error:  # noqa: BLE001  (a bug in reading one model must not hide the other models)
        return _failed_pull(model, error, request.notes)


def _failed_pull(model: Model, error: Exception, notes: tuple[str, ...] = ()) -> PulledSeries:
    if isinstance(error, UserError):
        return PulledSeries(model.name, (), error=str(error), notes=notes, scope=_failure_scope(error))
    return PulledSeries(model.name, (), error=unforeseen("reading", error), scope=_failure_scope(error))


def _failure_scope(error: Exception) -> FailureScope:
    if isinstance(error, (SourceSetupError, ImportError)):
        return FailureScope.EVALUATOR
    if isinstance(error, SourceNameError):
        return FailureScope.CONFIGURATION if error.is_misconfigured else FailureScope.NAMES
    if isinstance(error, SourceError):
        return FailureScope.SERVER if error.is_shared else FailureScope.DATA
    return FailureScope.EVALUATOR if isinstance(error, UserError) else FailureScope.DATA


def _read_model(model: Model, request: ReadRequest, now: float, context: ReadContext) -> PulledSeries:
    result = _read_source(model, request, context)
    pulled = build_series(model, result.builder)
    notes, histograms = (*result.notes, *result.builder.notes(), *pulled.notes), pulled.histograms
    references, unreadable = _read_references(model, request, context)
    if request.histograms:
        from .measured_profiles import fetch_profiles, refine_histograms

        fetch = partial(fetch_profiles, context, model.wandb.base_url if model.wandb else "")
        histograms, judged_by = refine_histograms(model, request.histograms, histograms, fetch, context.executor)
        notes += (*unreadable, *judged_by)
    return replace(
        pulled,
        notes=(*notes, *_staleness_notes(model, result.builder, now)),
        links=result.links,
        histograms=histograms,
        references=references,
    )


def build_series(model: Model, builder: SeriesBuilder) -> PulledSeries:
    """The series of ``model``, derived ones included, from the rows that ``builder`` holds. Its notes are about derived
    series only; references and measured profiles are not read."""
    series, canary_series = builder.series(), builder.series(canary=True)
    notes: tuple[str, ...] = ()
    if model.business is not None and model.business.derived:
        from .derived_series import derive_series

        series, notes = derive_series(model.business, model.rules, series)
        canary_series, _ = derive_series(model.business, model.rules, canary_series)
    return PulledSeries(
        model=model.name,
        series=series,
        deployments=builder.deployments(),
        starts=builder.service_starts(),
        notes=notes,
        histograms=builder.histograms(),
        canary_periods=builder.request.canary_periods,
        canary_series=canary_series,
    )


def _read_source(model: Model, request: ReadRequest, context: ReadContext) -> SourceResult:
    results = (read(model, request, context) for read in SOURCES)
    result = next((result for result in results if result is not None), None)
    if result is None:
        raise SourceSetupError("the model has no source.", hint="Give it `wandb:` or `table:`.", where=model.where)
    return result


def _staleness_notes(model: Model, builder: SeriesBuilder, now: float) -> tuple[str, ...]:
    """How old the newest point is, where that is more than every rule expects."""
    expected = max((rule.lag + rule.every + rule.window for rule in model.rules), default=DAY)
    age = now - builder.newest
    if age == float("inf") or age <= expected:
        return ()
    length = f"{age / DAY:.1f} days" if age >= 2 * DAY else f"{age / HOUR:.0f} hours"
    return (f"the newest point is {length} old",)
