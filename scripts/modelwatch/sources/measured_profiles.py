"""The profiles that drift rules judge: references, and what ``modelwatch measure`` published of each day, where its
histograms in W&B are coarse. NumPy loads with this module, so only models with such rules import it.

Beside the rows of a day ``measure`` publishes the profile behind them as a W&B artifact, with some 2,500 bins a column
where a histogram in the history has 130. Drift rules judge those where they can be had at a bounded price: one download
for each version and day, at most ``MAX_ARTIFACTS`` of them. Otherwise the histograms stay, and a note says so; PSI,
Kolmogorov-Smirnov and Cramer-von Mises still come out within 0.002, Wasserstein within a quarter where values
went far beyond the reference's range.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from ..clients.wandb_artifacts import download_profiles
from ..errors import SourceError, UserError
from ..model.drift import DriftSpec, drift_spec
from ..model.keys import KeyPattern, escape_label
from ..model.monitored_model import Model
from ..model.prediction_log import (
    PROFILE_ARTIFACT_TYPE,
    PROFILE_FILE,
    MeasureSpec,
    is_artifact,
    measured_run_id,
    profile_artifact,
)
from ..model.rule import BaselineSpec, Rule
from ..model.series import Histograms
from ..regular_file import read_regular_file
from ..stats.profile.categorical import CategoricalProfile
from ..stats.profile.codec import MAX_FILE_BYTES, from_bytes
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import Profile, ProfileKey, TableProfile, merge_profiles
from ..stats.profile.wandb_histogram import full_histogram, known_categories, to_histogram
from ..timeutil import DAY
from .base import ReadContext

MAX_ARTIFACTS = 80
"""A day and version each: a month that is judged, a month of reference and a week between them."""
MAX_CELLS = 5_000_000
"""Counts of all features and windows together, of eight bytes each: 25 features of 66 days, but not of their hours."""

Day = tuple[float, str]
"""The beginning of a UTC day, and a version."""
Fetch = Callable[[str], Path]
"""Gives the folder of a W&B artifact's files. Raises SourceError."""


def refine_histograms(
    model: Model,
    patterns: Sequence[KeyPattern],
    histograms: tuple[Histograms, ...],
    fetch: Fetch,
    executor: Executor,
) -> tuple[tuple[Histograms, ...], tuple[str, ...]]:
    """``histograms`` with the bins of the measured profiles where there are any, and notes on which are judged.

    ``patterns``: the keys of histograms that drift rules read. Categories stay: their histograms lose nothing.
    """
    spec, source = model.measure, model.wandb
    numeric = {pattern.name for pattern in patterns if not pattern.text.endswith("/categories")}
    judged = [histogram for histogram in histograms if histogram.name in numeric and len(histogram)]
    if spec is None or source is None or source.offline or not judged:
        return histograms, ()
    if spec.version and not source.version:
        reason = "without `wandb: {version}` (the key that `measure` writes it to) a version's profiles cannot be found"
        return histograms, (_fallback_note(reason),)
    days = {day for histogram in judged for day in _days(histogram, spec.window)}
    if len(days) > MAX_ARTIFACTS:
        reason = f"they span {len(days)} profiles, and at most {MAX_ARTIFACTS} are read"
        return histograms, (_fallback_note(reason),)
    artifacts = {
        day: f"{source.entity}/{source.project}/{profile_artifact(measured_run_id(model.name, *day))}:latest"
        for day in sorted(days, reverse=True)
    }
    profiles, errors = _fetch_profiles(artifacts, fetch, executor)
    columns = _columns_by_feature(spec, patterns, profiles.values())
    refinable = [histogram for histogram in judged if (histogram.name, histogram.labels) in columns]
    cells = sum(len(histogram) * columns[histogram.name, histogram.labels][1] for histogram in refinable)
    if not columns or cells > MAX_CELLS:
        reason = errors[0] if errors else "no profiles were published" if not columns else "there are too many windows"
        return histograms, (_fallback_note(reason),)
    refined = {
        id(histogram): _refine(histogram, columns[histogram.name, histogram.labels][0], spec.window, profiles)
        for histogram in refinable
    }
    coarse = sum(not replaced for _, rows in refined.values() for replaced in rows)
    total = sum(len(rows) for _, rows in refined.values())
    features = "1 feature" if len(refined) == 1 else f"{len(refined)} features"
    note = (
        f"{coarse} of {total} windows of {features} have no profile from `modelwatch measure`: they are judged by the "
        "histograms in W&B's history, which are coarser"
    )
    notes = (note,) if coarse else ()
    return tuple(refined.get(id(histogram), (histogram,))[0] for histogram in histograms), notes


def _fallback_note(reason: str) -> str:
    return f"drift is judged by the histograms in W&B's history, not by the profiles of `modelwatch measure`: {reason}"


def _window_start(time: float, window: float) -> float:
    """A row stands at the end of its window, or a few seconds before where several versions served in it."""
    return math.ceil(time / window) * window - window


def _days(histograms: Histograms, window: float) -> list[Day]:
    """The day and the version of each row."""
    return [
        (_window_start(time, window) // DAY * DAY, histograms.versions[version] if version >= 0 else "")
        for time, version in zip(histograms.times, histograms.version_of, strict=True)
    ]


def fetch_profiles(context: ReadContext, base_url: str, artifact: str) -> Path:
    """The local folder of an artifact's profiles. Raises SourceError."""
    context.check_time()
    return download_profiles(context.sessions, artifact, PROFILE_ARTIFACT_TYPE, base_url)


def _fetch_profiles(
    artifacts: Mapping[Day, str], fetch: Fetch, executor: Executor
) -> tuple[dict[Day, Profile], list[str]]:
    """The profiles that could be read, and why others could not. ``artifacts``: newest day first."""
    errors: list[str] = []

    def read(artifact: str) -> Profile | None:
        if len(errors) > 2:  # a server that is down, or a log whose profiles nobody published
            return None
        try:
            return _read_folder(fetch(artifact))
        except (SourceError, OSError, ValueError) as error:
            errors.append(str(error))
            return None

    # The newest alone first: where there is none there are hardly others.
    newest, *others = artifacts.values()
    profiles = [read(newest)]
    if profiles[0] is not None:
        profiles += executor.map(read, others)
    return {day: profile for day, profile in zip(artifacts, profiles, strict=False) if profile is not None}, errors


def _read_folder(folder: Path) -> Profile:
    """The sum of all partitions."""
    merged = merge_profiles(
        from_bytes(read_regular_file(path, MAX_FILE_BYTES))[0] for path in sorted(folder.glob("*.npz"))
    )
    return Profile({key: table for key, table in merged.cells.items() if not key.segment})


def _columns_by_feature(
    spec: MeasureSpec, patterns: Sequence[KeyPattern], profiles: Iterable[Profile]
) -> dict[tuple[str, object], tuple[str, int]]:
    """The column of each feature, by name and labels of its histograms, and how many bins it has."""
    columns: dict[tuple[str, object], tuple[str, int]] = {}
    newest = next((table for profile in profiles for table in profile.cells.values()), None)
    for name, column in (newest.columns if newest else {}).items():
        if isinstance(column, NumericProfile):
            key = spec.key_of_column(name)
            for pattern in patterns:
                labels = pattern.match(key)
                if labels is not None:
                    columns[pattern.name, labels] = name, len(column.counts)
    return columns


def _refine(
    histograms: Histograms, column: str, window: float, profiles: Mapping[Day, Profile]
) -> tuple[Histograms, list[bool]]:
    """The histograms of one feature, and which rows have the profile's bins now."""
    edges, counts, refined = list(histograms.edges), list(histograms.counts), []
    shared: dict[bytes, array[float]] = {}
    for row, (time, day) in enumerate(zip(histograms.times, _days(histograms, window), strict=True)):
        profile = _column_profile(profiles.get(day), _window_start(time, window), day[1], column)
        # Other rows than the history's newest: one of the two was not written.
        refined.append(profile is not None and profile.n == sum(counts[row]))
        if profile is not None and refined[-1]:
            ends, held = (array("d", side.tobytes()) for side in full_histogram(profile))
            edges[row], counts[row] = shared.setdefault(ends.tobytes(), ends), held
    return replace(histograms, edges=tuple(edges), counts=tuple(counts), exact=all(refined)), refined


def _column_profile(profile: Profile | None, start: float, version: str, column: str) -> NumericProfile | None:
    table = profile.cells.get(ProfileKey(start, version)) if profile else None
    column_profile = table.columns.get(column) if table else None
    return column_profile if isinstance(column_profile, NumericProfile) and column_profile.n else None


def read_references(rules: Iterable[Rule], fetch: Fetch) -> tuple[tuple[Histograms, ...], tuple[str, ...]]:
    """The reference profiles that drift rules compare with, each once: each column of a captured training set as one
    histogram; and notes about files that cannot be used. ``fetch`` gives the folder of a W&B artifact.

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


def _read_profile(spec: BaselineSpec, fetch: Fetch) -> TableProfile | str:
    try:
        place = spec.place or spec.path
        path = fetch(place) / PROFILE_FILE if is_artifact(place) and not Path(place).exists() else Path(place)
        profile, _ = from_bytes(read_regular_file(path, MAX_FILE_BYTES))
        return profile.whole()
    except OSError as error:
        return f"the reference profile {spec.path} cannot be read ({error.strerror or type(error).__name__})"
    except (ValueError, UserError) as error:
        return f"the reference profile {spec.path} cannot be read ({error})"


def _profile_histograms(spec: BaselineSpec, drift: DriftSpec, profile: TableProfile) -> Iterator[Histograms]:
    """Under the names and labels that the rule's keys would give the columns."""
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
                categories=known_categories(known) if isinstance(known, CategoricalProfile) else (),
            )


def _histogram_key(drift: DriftSpec, pattern: KeyPattern, column: str) -> str:
    """The key of the column's histogram: the column replaces the pattern's last ``*``, or is the feature's own name."""
    escaped = escape_label(column)
    head, star, tail = pattern.text.rpartition("*")
    if star:
        return f"{head}{escaped}{tail}"
    return pattern.text if drift.patterns[0].text.rpartition("/")[2] == escaped else ""
