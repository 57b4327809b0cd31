"""Pulls the series of models from their sources, many models side by side, and the reference profiles of drift rules.

A source that fails never hides another model: its failure is ``PulledSeries.error``.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..clients.wandb import WandbSessions
from ..errors import SourceError, UserError
from ..model.drift import DriftSpec, drift_spec
from ..model.keys import KeyPattern, escape_label
from ..model.monitored_model import Model
from ..model.prediction_log import PROFILE_ARTIFACT_TYPE, PROFILE_FILE, is_artifact
from ..model.release import CanaryPeriod
from ..model.rule import BaselineSpec, Rule
from ..model.series import Histograms, PulledSeries
from ..timeutil import DAY, HOUR
from .base import ReadContext, Source
from .measured_profiles import refine_histograms
from .requirements import ReadRequest, histogram_patterns, key_requests, plan_read
from .series_builder import SeriesBuilder
from .table_source import TableSource
from .wandb_api import WandbApiSource
from .wandb_offline import WandbOfflineSource

if TYPE_CHECKING:
    from ..stats.profile.table import TableProfile

SOURCES: list[type[Source]] = [
    TableSource,
    WandbOfflineSource,
    WandbApiSource,
]
"""Every kind of source. A model is read from the first one that it names."""
WORKERS = 16
"""Calls to W&B at one time."""
MODEL_WORKERS = 8
"""As above, for one model."""

Progress = Callable[[str, int, int], None]
"""Called with (model, models done, models in all)."""


def pull_all(
    models: Sequence[Model],
    now: float,
    sessions: WandbSessions,
    *,
    workers: int = WORKERS,
    progress: Progress | None = None,
    canary_periods: Mapping[str, tuple[CanaryPeriod, ...]] | None = None,
) -> dict[str, PulledSeries]:
    """The series that the evaluation of ``models`` at ``now`` needs, by model name, with at most ``workers`` calls to
    W&B at one time. ``canary_periods``: the canaries of models, by name."""
    requests = {
        model.name: replace(plan_read(model, now), canary_periods=(canary_periods or {}).get(model.name, ()))
        for model in models
    }
    pulls: dict[str, PulledSeries] = {}
    with _open_executor(workers) as executor, ThreadPoolExecutor(max(min(workers, len(models)), 1)) as pool:
        context = ReadContext(sessions, executor)
        tasks = {pool.submit(_pull_model, model, requests[model.name], now, context): model for model in models}
        for count, task in enumerate(as_completed(tasks), start=1):
            pulls[tasks[task].name] = task.result()
            if progress:
                progress(tasks[task].name, count, len(tasks))
    return {model.name: pulls[model.name] for model in models}


def pull_period(
    model: Model, since: float, until: float, sessions: WandbSessions, *, wandb_run: str = ""
) -> PulledSeries:
    """The series of ``model`` from ``since`` to ``until`` (seconds, UTC); only of ``wandb_run``, if any."""
    keys, notes = key_requests(model.rules)
    request = ReadRequest(keys, since, until, notes, histogram_patterns(model.rules), wandb_run=wandb_run)
    with _open_executor(MODEL_WORKERS) as executor:
        return _pull_model(model, request, until, ReadContext(sessions, executor))


def _open_executor(workers: int) -> ThreadPoolExecutor | nullcontext[None]:
    return ThreadPoolExecutor(workers) if workers > 1 else nullcontext()


def _pull_model(model: Model, request: ReadRequest, now: float, context: ReadContext) -> PulledSeries:
    try:
        return _read_model(model, request, now, context)
    except UserError as error:
        return PulledSeries(model.name, (), error=str(error), notes=request.notes)
    except Exception as error:  # noqa: BLE001  (a bug in reading one model must not hide the other models)
        return PulledSeries(
            model.name, (), error=f"reading failed in an unforeseen way: {type(error).__name__}: {error}"
        )


def _read_model(model: Model, request: ReadRequest, now: float, context: ReadContext) -> PulledSeries:
    source = next((source for kind in SOURCES if (source := kind.of(model)) is not None), None)
    if source is None:
        raise SourceError("the model has no source.", hint="Give it `wandb:` or `table:`.", where=model.where)
    result = source.read(request, context)
    builder = result.builder
    base_url = model.wandb.base_url if model.wandb else ""

    def fetch(artifact: str) -> Path:
        return context.sessions.download_file(artifact, PROFILE_ARTIFACT_TYPE, PROFILE_FILE, base_url)

    def fetch_folder(artifact: str) -> Path:
        return context.sessions.download_folder(artifact, PROFILE_ARTIFACT_TYPE, base_url)

    references, unreadable = read_references(model.rules, fetch)
    histograms, judged_by = refine_histograms(
        model, request.histograms, builder.histograms(), fetch_folder, context.executor
    )
    return PulledSeries(
        model=model.name,
        series=builder.series(),
        deployments=builder.deployments(),
        notes=(*result.notes, *builder.notes(), *unreadable, *judged_by, *_staleness_notes(model, builder, now)),
        links=result.links,
        histograms=histograms,
        canary_periods=request.canary_periods,
        canary_series=builder.canary_series(),
        references=references,
    )


def _staleness_notes(model: Model, builder: SeriesBuilder, now: float) -> tuple[str, ...]:
    """How old the newest point is, where that is more than every rule expects."""
    expected = max((rule.lag + rule.every + rule.window for rule in model.rules), default=DAY)
    age = now - builder.newest
    if age == float("inf") or age <= expected:
        return ()
    length = f"{age / DAY:.1f} days" if age >= 2 * DAY else f"{age / HOUR:.0f} hours"
    return (f"the newest point is {length} old",)


def read_references(
    rules: Iterable[Rule], fetch: Callable[[str], Path]
) -> tuple[tuple[Histograms, ...], tuple[str, ...]]:
    """The reference profiles that drift rules compare with, each once: each column of a captured training set as one
    histogram; and notes about files that cannot be used. ``fetch`` gives the file of a W&B artifact.

    Never raises: a feature without a reference is undecided, and reported.
    """
    histograms: dict[tuple[str, str, object], Histograms] = {}
    notes: dict[str, None] = {}
    profiles: dict[str, TableProfile | str] = {}
    for rule in rules:
        drift = drift_spec(rule.metric)
        if drift is None or not drift.patterns:
            continue
        for spec in (rule.baseline, *rule.also):
            if not spec.profile:
                continue
            if spec.place not in profiles:
                profiles[spec.place] = _read_profile(spec, fetch)
            profile = profiles[spec.place]
            if isinstance(profile, str):
                notes[profile] = None
            else:
                columns = _profile_histograms(spec, drift, profile)
                histograms |= {(column.source, column.name, column.labels): column for column in columns}
    return tuple(histograms.values()), tuple(notes)


def _read_profile(spec: BaselineSpec, fetch: Callable[[str], Path]) -> TableProfile | str:
    from ..stats.profile.codec import from_bytes

    try:
        place = spec.place or spec.path
        path = fetch(place) if is_artifact(place) and not Path(place).exists() else Path(place)
        profile, _ = from_bytes(path.read_bytes())
        return profile.whole()
    except OSError as error:
        return f"the reference profile {spec.path} cannot be read ({error.strerror or type(error).__name__})"
    except (ValueError, UserError) as error:
        return f"the reference profile {spec.path} cannot be read ({error})"


def _profile_histograms(spec: BaselineSpec, drift: DriftSpec, profile: TableProfile) -> Iterator[Histograms]:
    """Under the names and labels that the rule's keys would give the columns."""
    from ..stats.profile.numeric import NumericProfile
    from ..stats.profile.wandb_histogram import full_histogram, to_histogram

    for column, known in profile.columns.items():
        pattern = drift.patterns[0 if isinstance(known, NumericProfile) else -1]
        labels = pattern.match(_histogram_key(drift, pattern, column))
        histogram = full_histogram(known) if isinstance(known, NumericProfile) and known.n else to_histogram(known)
        if labels is not None and histogram is not None:
            edges, counts = (array("d", side.tolist()) for side in histogram)
            yield Histograms(
                name=pattern.name,
                labels=labels,
                times=array("d", [0.0]),
                edges=(edges,),
                counts=(counts,),
                version_of=array("i", [-1]),
                source=spec.path,
            )


def _histogram_key(drift: DriftSpec, pattern: KeyPattern, column: str) -> str:
    """The key of the column's histogram: the column replaces the pattern's last ``*``, or is the feature's own name."""
    escaped = escape_label(column)
    head, star, tail = pattern.text.rpartition("*")
    if star:
        return f"{head}{escaped}{tail}"
    return pattern.text if drift.patterns[0].text.rpartition("/")[2] == escaped else ""
