"""Measured profiles: what ``modelwatch measure`` published of each day, where its histograms in W&B are coarse.

Beside the rows of a day ``measure`` publishes the profile behind them as a W&B artifact, with some 2,500 bins a column
where a histogram in the history has 130. Drift rules judge those where they can be had at a bounded price: one download
for each version and day, at most ``MAX_ARTIFACTS`` of them. Otherwise the histograms stay, and a note says so; PSI,
Kolmogorov-Smirnov and Cramer-von Mises still come out within 0.002, Wasserstein within a quarter where values
went far beyond the reference's range.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SourceError
from ..model.keys import KeyPattern
from ..model.monitored_model import Model
from ..model.prediction_log import measured_run_id, profile_artifact
from ..model.series import Histograms
from ..timeutil import DAY

if TYPE_CHECKING:
    from ..stats.profile.numeric import NumericProfile
    from ..stats.profile.table import Profile

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
    executor: Executor | None = None,
) -> tuple[tuple[Histograms, ...], tuple[str, ...]]:
    """``histograms`` with the bins of the measured profiles where there are any, and notes on which are judged.

    ``patterns``: the keys of histograms that drift rules read. Categories stay: their histograms lose nothing.
    """
    spec, source = model.measure, model.wandb
    numeric = {pattern.name for pattern in patterns if not pattern.text.endswith("/categories")}
    judged = [one for one in histograms if one.name in numeric]
    if spec is None or source is None or source.offline or not judged:
        return histograms, ()
    if spec.version and not source.version:
        reason = "without `wandb: {version}` (the key that `measure` writes it to) a version's profiles cannot be found"
        return histograms, (_fallback_note(reason),)
    days = {day for one in judged for day in _days(one, spec.window)}
    if len(days) > MAX_ARTIFACTS:
        reason = f"they span {len(days)} profiles, and at most {MAX_ARTIFACTS} are read"
        return histograms, (_fallback_note(reason),)
    profiles, errors = _fetch_profiles(model, sorted(days, reverse=True), fetch, executor)
    columns = _columns_by_feature(model, patterns, profiles.values())
    cells = sum(len(one) * columns[key][1] for one in judged if (key := (one.name, one.labels)) in columns)
    if not columns or cells > MAX_CELLS:
        reason = errors[0] if errors else "no profiles were published" if not columns else "there are too many windows"
        return histograms, (_fallback_note(reason),)
    refined = {
        id(one): _refine(one, columns[key][0], spec.window, profiles)
        for one in judged
        if (key := (one.name, one.labels)) in columns
    }
    coarse = sum(not replaced for _, rows in refined.values() for replaced in rows)
    total = sum(len(rows) for _, rows in refined.values())
    features = "1 feature is" if len(refined) == 1 else f"{len(refined)} features are"
    note = f"{features} judged by measured profiles"
    note += f", {coarse} of their {total} windows by coarser histograms" if coarse else ""
    return tuple(refined[id(one)][0] if id(one) in refined else one for one in histograms), (note,)


def _fallback_note(reason: str) -> str:
    return f"drift is judged by the histograms of the history, not by measured profiles: {reason}"


def _window_start(time: float, window: float) -> float:
    """A row stands at the end of its window, or a few seconds before where several versions served in it."""
    return math.ceil(time / window) * window - window


def _days(histograms: Histograms, window: float) -> list[Day]:
    """Of each row."""
    return [
        (_window_start(time, window) // DAY * DAY, histograms.versions[version] if version >= 0 else "")
        for time, version in zip(histograms.times, histograms.version_of, strict=True)
    ]


def _fetch_profiles(
    model: Model, days: Sequence[Day], fetch: Fetch, executor: Executor | None
) -> tuple[dict[Day, Profile], list[str]]:
    """The profiles that could be read, and why others could not."""
    assert model.wandb is not None  # noqa: S101
    folder = f"{model.wandb.entity}/{model.wandb.project}"
    errors: list[str] = []

    def read(day: Day) -> Profile | None:
        if len(errors) > 2:  # a server that is down, or a log whose profiles nobody published
            return None
        artifact = f"{folder}/{profile_artifact(measured_run_id(model.name, *day))}:latest"
        try:
            return _read_folder(fetch(artifact))
        except (SourceError, OSError, ValueError) as error:
            errors.append(str(error))
            return None

    # The newest alone first: where there is none there are hardly others.
    profiles = [read(day) for day in days[:1]]
    if profiles and profiles[0] is not None:
        profiles += list(map(read, days[1:]) if executor is None else executor.map(read, days[1:]))
    return {day: profile for day, profile in zip(days, profiles, strict=False) if profile is not None}, errors


def _read_folder(folder: Path) -> Profile:
    """The sum of all partitions."""
    from ..stats.profile.codec import from_bytes
    from ..stats.profile.table import Profile, merge_profiles

    merged = merge_profiles(from_bytes(path.read_bytes())[0] for path in sorted(folder.glob("*.npz")))
    return Profile({key: table for key, table in merged.cells.items() if not key.segment})


def _columns_by_feature(
    model: Model, patterns: Sequence[KeyPattern], profiles: Iterable[Profile]
) -> dict[tuple[str, object], tuple[str, int]]:
    """By name and labels of a feature's histograms: its column, and how many bins that has."""
    from ..stats.profile.numeric import NumericProfile

    assert model.measure is not None  # noqa: S101
    columns: dict[tuple[str, object], tuple[str, int]] = {}
    newest = next((table for profile in profiles for table in profile.cells.values()), None)
    for name, column in (newest.columns if newest else {}).items():
        if isinstance(column, NumericProfile):
            key = model.measure.key_of_column(name)
            for pattern in patterns:
                labels = pattern.match(key)
                if labels is not None:
                    columns[pattern.name, labels] = name, len(column.counts)
    return columns


def _refine(
    histograms: Histograms, column: str, window: float, profiles: Mapping[Day, Profile]
) -> tuple[Histograms, list[bool]]:
    """The histograms of one feature, and which rows have the profile's bins now."""
    from ..stats.profile.wandb_histogram import full_histogram

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
    from ..stats.profile.numeric import NumericProfile
    from ..stats.profile.table import ProfileKey

    table = profile.cells.get(ProfileKey(start, version)) if profile else None
    column_profile = table.columns.get(column) if table else None
    return column_profile if isinstance(column_profile, NumericProfile) and column_profile.n else None
