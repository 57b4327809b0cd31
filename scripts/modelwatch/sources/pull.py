"""Reference profiles of drift rules: each column of a captured training set as one histogram."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..clients.environment import environment
from ..clients.retry import RetryPolicy
from ..errors import SourceError, UserError
from ..model.drift import DriftSpec, drift_spec
from ..model.keys import KeyPattern, escape_label
from ..model.monitored_model import Model, WandbSpec
from ..model.prediction_log import PROFILE_ARTIFACT_TYPE, PROFILE_FILE, is_artifact
from ..model.release import CanaryPeriod
from ..model.rule import BaselineSpec, Rule
from ..model.series import Histograms, PulledSeries
from ..timeutil import DAY, HOUR
from .requirements import ReadRequest, histogram_patterns, key_requests, plan_read
from .series_builder import SeriesBuilder

if TYPE_CHECKING:
    import wandb

    from ..stats.profile.table import TableProfile
    from .wandb_api import SourceResult


def read_references(
    rules: Iterable[Rule], fetch: Callable[[str], Path]
) -> tuple[tuple[Histograms, ...], tuple[str, ...]]:
    """What rules about drift compare with, each once, and notes about files that cannot be used. ``fetch``: gives the
    file of a W&B artifact.

    Never raises: a feature without a reference is undecided, and told.
    """
    found: dict[tuple[str, str, object], Histograms] = {}
    notes: dict[str, None] = {}
    profiles: dict[str, TableProfile | str] = {}
    for rule in rules:
        asked = drift_spec(rule)
        for spec in (rule.baseline, *rule.also) if asked is not None and asked.patterns else ():
            if not spec.profile:
                continue
            profile = profiles.get(spec.place)
            if profile is None:
                profile = profiles[spec.place] = _read_profile(spec, fetch)
            if isinstance(profile, str):
                notes[profile] = None
            elif asked is not None:
                found |= {(one.source, one.name, one.labels): one for one in _profile_histograms(spec, asked, profile)}
    return tuple(found.values()), tuple(notes)


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
    from ..stats.profile.categorical import CategoricalProfile
    from ..stats.profile.wandb_histogram import to_histogram

    for column, known in profile.columns.items():
        pattern = drift.patterns[-1 if isinstance(known, CategoricalProfile) else 0]
        labels = pattern.match(_histogram_key(drift, pattern, column))
        histogram = to_histogram(known)
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
    """The key of the column's histogram: it stands for the pattern's last ``*``, or is the feature's own name."""
    escaped = escape_label(column)
    head, star, tail = pattern.text.rpartition("*")
    if star:
        return f"{head}{escaped}{tail}"
    return pattern.text if drift.patterns[0].text.rpartition("/")[2] == escaped else ""


WORKERS = 16
"""Calls to W&B at one time."""
MODEL_WORKERS = 8
"""As above, for one model."""
MAX_FAILURES = 3
"""Models that one server may fail before the others are told without asking."""

Progress = Callable[[str, int, int], None]
"""Called with (model, models done, models in all)."""


def pull(
    model: Model, now: float, *, workers: int = MODEL_WORKERS, env: Mapping[str, str] | None = None
) -> PulledSeries:
    """The series that the evaluation of ``model`` at ``now`` needs. Never raises for a source: see ``Pull.error``."""
    return pull_all([model], now, workers=workers, env=env)[model.name]


def pull_all(
    models: Sequence[Model],
    now: float,
    *,
    workers: int = WORKERS,
    progress: Progress | None = None,
    env: Mapping[str, str] | None = None,
    canary_periods: Mapping[str, tuple[CanaryPeriod, ...]] | None = None,
) -> dict[str, PulledSeries]:
    """As ``pull`` for many models, with at most ``workers`` calls to W&B at one time.

    ``env`` (by default the process's environment) holds WANDB_API_KEY, and WANDB_BASE_URL where the configuration
    names no server. ``trials``: the canaries of models, by name.
    """
    tried = canary_periods or {}
    env = environment() if env is None else env
    sessions = WandbSessions(env)
    done: dict[str, PulledSeries] = {}
    with _open_executor(workers) as readers, ThreadPoolExecutor(max(min(workers, len(models)), 1)) as pool:
        tasks = {
            pool.submit(_pull_model, model, _plan_read(model, now, tried), now, sessions, readers): model
            for model in models
        }
        for count, task in enumerate(as_completed(tasks), start=1):
            done[tasks[task].name] = task.result()
            if progress:
                progress(tasks[task].name, count, len(tasks))
    return {model.name: done[model.name] for model in models}


def _plan_read(model: Model, now: float, canary_periods: Mapping[str, tuple[CanaryPeriod, ...]]) -> ReadRequest:
    return replace(plan_read(model, now), canary_periods=canary_periods.get(model.name, ()))


def pull_period(
    model: Model, since: float, until: float, *, wandb_run: str = "", env: Mapping[str, str] | None = None
) -> PulledSeries:
    """The series of ``model`` from ``since`` to ``until`` (seconds, UTC); only of the W&B run with that id, if any."""
    wants, notes = key_requests(model.rules)
    sessions = WandbSessions(environment() if env is None else env)
    with _open_executor(MODEL_WORKERS) as readers:
        return _pull_model(
            model,
            ReadRequest(wants, since, until, notes, histogram_patterns(model.rules)),
            until,
            sessions,
            readers,
            wandb_run,
        )


class WandbSessions:
    """One session per W&B server, opened when first asked for and shared by all threads; so is its failure."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.retry = RetryPolicy.from_env(env)
        self._env = env
        self._lock = threading.Lock()
        self._open: dict[str, wandb.Api | SourceError] = {}
        self._failures: dict[str, int] = {}

    def session(self, spec: WandbSpec) -> wandb.Api:
        """Raises SourceError where it cannot be opened, or where the server has let down too many before."""
        url = self._url(spec)
        with self._lock:
            if url not in self._open:
                self._open[url] = self._open_session(url, spec.entity)
            session = self._open[url]
        if isinstance(session, SourceError):
            raise session
        return session

    def fetch_profile(self, spec: WandbSpec | None, artifact: str) -> Path:
        """The file of a profile that is a W&B artifact. Raises SourceError."""
        from ..clients.wandb import download_artifact_file

        url = self._url(spec) if spec else self._env.get("WANDB_BASE_URL", "")
        return download_artifact_file(artifact, PROFILE_ARTIFACT_TYPE, PROFILE_FILE, url, self._env, self.retry)

    def record_failure(self, spec: WandbSpec, error: SourceError) -> None:
        """Remember that a server failed: after a few times it is not asked any more, lest every model waits in turn."""
        url = self._url(spec)
        with self._lock:
            self._failures[url] = self._failures.get(url, 0) + 1
            if self._failures[url] >= MAX_FAILURES:
                self._open[url] = error

    def _url(self, spec: WandbSpec) -> str:
        return spec.base_url or self._env.get("WANDB_BASE_URL", "")

    def _open_session(self, url: str, entity: str) -> wandb.Api | SourceError:
        from ..clients.wandb import open_api

        try:
            return open_api(url, self._env.get("WANDB_API_KEY", ""), self.retry, entity)
        except SourceError as error:
            return error


def _open_executor(workers: int) -> ThreadPoolExecutor | nullcontext[None]:
    return ThreadPoolExecutor(workers) if workers > 1 else nullcontext()


def _pull_model(
    model: Model, request: ReadRequest, now: float, sessions: WandbSessions, readers: Executor | None, run_id: str = ""
) -> PulledSeries:
    try:
        return _read_model(model, request, now, sessions, readers, run_id)
    except UserError as error:
        return PulledSeries(model.name, (), error=str(error), notes=request.notes)
    except Exception as error:  # noqa: BLE001  (a bug in reading one model must not hide the other models)
        return PulledSeries(
            model.name, (), error=f"reading failed in an unforeseen way: {type(error).__name__}: {error}"
        )


def _read_model(
    model: Model, request: ReadRequest, now: float, sessions: WandbSessions, readers: Executor | None, run_id: str
) -> PulledSeries:
    links: tuple[tuple[str, str], ...] = ()
    if model.table is not None:
        from .table_source import read_table

        assembler, notes = read_table(model.table, request)
    elif model.wandb is not None and model.wandb.offline:
        from .wandb_offline import read_offline

        assembler, notes = read_offline(model.wandb, request, run_id)
    elif model.wandb is not None:
        found = _read_wandb_api(model.wandb, request, sessions, readers, run_id)
        assembler, notes, links = found.builder, found.notes, found.links
    else:
        raise SourceError("the model has no source.", hint="Give it `wandb:` or `table:`.", where=model.where)
    references, lost = read_references(model.rules, lambda name: sessions.fetch_profile(model.wandb, name))
    return PulledSeries(
        model=model.name,
        series=assembler.series(),
        deployments=assembler.deployments(),
        notes=(*notes, *assembler.notes(), *lost, *_staleness_notes(model, assembler, now)),
        links=links,
        histograms=assembler.histograms(),
        canary_periods=request.canary_periods,
        canary_series=assembler.canary_series(),
        references=references,
    )


def _read_wandb_api(
    spec: WandbSpec, request: ReadRequest, sessions: WandbSessions, readers: Executor | None, run_id: str
) -> SourceResult:
    from ..clients.wandb import WandbDownError
    from .wandb_api import WandbApiReader

    reader = WandbApiReader(sessions.session(spec), sessions.retry, readers)
    try:
        return reader.read(spec, request, run_id)
    except WandbDownError as error:
        sessions.record_failure(spec, error)
        raise


def _staleness_notes(model: Model, builder: SeriesBuilder, now: float) -> tuple[str, ...]:
    """How old the newest point is, where that is more than every rule expects."""
    expected = max((rule.lag + rule.every + rule.window for rule in model.rules), default=DAY)
    age = now - builder.newest
    if age == float("inf") or age <= expected:
        return ()
    return (
        f"the newest point is {age / DAY:.1f} days old"
        if age >= 2 * DAY
        else f"the newest point is {age / HOUR:.0f} hours old",
    )
