"""Profiles that recorders in serving processes have counted: a file a UTC day and part of the traffic, which add up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..clients.retry import RetryPolicy
from ..clients.wandb import find_runs, open_api, translate_wandb_error
from ..clients.wandb_artifacts import PROFILES, download_artifact
from ..errors import SourceError, UserError
from ..model.monitored_model import Model
from ..model.prediction_log import (
    PROFILE_FILE,
    RECORDED_ARTIFACT_TYPE,
    RECORDER_WANDB,
    MeasureSpec,
    recorded_run_prefix,
)
from ..stats.arrays import Floats
from ..stats.profile.categorical import CategoricalProfile
from ..stats.profile.numeric import NumericProfile, ProfileMismatchError
from ..stats.profile.table import ColumnProfile, Profile, TableProfile
from ..timeutil import DAY, parse_iso_or_none
from .arrow_columns import parse_number_or_nan
from .reference_store import read_profile
from .replica_differences import count_kinds, kind_notes, settings_notes
from .wandb_profiles import require_wandb_project
from .wandb_rows import MetricRow

PROFILES_FOLDER, SAMPLE_FOLDER = "profiles", "sample"
"""Where a recorder writes within its folder: profiles of all rows, and the rows that were drawn by their id."""
LOST_ROWS = "quality/lost_rows"
_DAY_AND_PART = re.compile(r"([0-9]{8})-[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class RecordedProfile:
    """The sum of what recorders counted. ``lost``: by UTC day (its beginning) the rows that they had to drop."""

    profile: Profile
    lost: Mapping[float, int]
    notes: tuple[str, ...] = ()

    def add_losses(self, rows: Sequence[MetricRow]) -> tuple[MetricRow, ...]:
        """The rows, each with the count of its day."""
        return tuple(
            replace(row, scalars={**row.scalars, LOST_ROWS: float(self.lost.get(row.window // DAY * DAY, 0))})
            for row in rows
        )


def read_recorded_profile(
    model: Model,
    spec: MeasureSpec,
    includes_day: Callable[[float], bool],
    env: Mapping[str, str],
    retry: RetryPolicy,
    scratch: Path,
    reference: TableProfile | None = None,
) -> RecordedProfile:
    """The sum of all parts of the days (their beginning, seconds UTC) that ``includes_day`` accepts.

    Parts that were counted in other bins, before a new reference, cannot be added: those count whose bins are those of
    the ``reference``, or else the newest, and a note names the others. Raises SourceError, and UserError if no part has
    the bins of the reference.
    """
    if spec.recorder == RECORDER_WANDB:
        paths = _download(model, includes_day, env, retry, scratch)
    else:
        paths = _files(Path(spec.recorder), model.name, includes_day)
    total, whole = Profile(), TableProfile()
    lost: dict[float, int] = {}
    omitted: list[str] = []
    parts = [(day, path, *read_profile(path, "the recorded profile")) for day, path in sorted(paths)]
    added: list[Profile] = []
    for day, path, part, about in sorted(parts, key=lambda part: _counted(part[3]), reverse=True):
        total, profile = align_parts(total, whole, part)
        whole = total.whole()
        try:
            if reference is not None and not fits_reference(profile.whole(), reference):
                raise ProfileMismatchError("its bins are not those of the reference.")
            merged, whole = add_part(total, whole, profile)
        except ProfileMismatchError:
            omitted.append(f"{path.stem} ({profile.rows:,} rows)")
            continue
        total = merged
        added.append(part)
        lost[day] = lost.get(day, 0) + _count_lost(about)
    if reference is not None and omitted and not total.rows:
        _raise_unlike(model, spec, omitted)
    return RecordedProfile(
        total, lost, (*_notes(lost, omitted), *kind_notes(added, whole), *settings_notes(total, spec))
    )


def _raise_unlike(model: Model, spec: MeasureSpec, omitted: Sequence[str]) -> None:
    what = "1 recorded profile was" if len(omitted) == 1 else f"all {len(omitted)} recorded profiles were"
    raise UserError(
        f"{what} counted without the reference {spec.reference}, in other bins: nothing can be compared with it.",
        hint="Give the same file to the recorder, `Recorder(..., reference=...)` or `Recorder.from_config`; measure "
        "what it records from then on; or leave `reference` out of `measure:`.",
        where=model.where,
    )


def fits_reference(table: TableProfile, reference: TableProfile) -> bool:
    """Whether columns that both have are counted in the same bins and vocabularies."""
    return all(
        _is_alike(column, reference.columns[name])
        for name, column in table.columns.items()
        if name in reference.columns
    )


def _is_alike(column: ColumnProfile, other: ColumnProfile) -> bool:
    if isinstance(column, NumericProfile):
        return isinstance(other, NumericProfile) and np.array_equal(column.edges, other.edges)
    return isinstance(other, CategoricalProfile) and column.vocabulary == other.vocabulary


def add_part(total: Profile, whole: TableProfile, part: Profile) -> tuple[Profile, TableProfile]:
    """The sum, and that of all its rows. A column that is of numbers in one of both, and of texts in the other because
    of other cells, becomes what most of them are. Raises ``ProfileMismatchError``."""
    own = part.whole()
    try:
        return total.merge(part), whole.merge(own)
    except ProfileMismatchError:
        total, part = align_parts(total, whole, part)
        return total.merge(part), total.whole().merge(part.whole())


def align_parts(total: Profile, whole: TableProfile, part: Profile) -> tuple[Profile, Profile]:
    """Both with columns of the types that they have together. ``whole``: all rows of ``total``."""
    own = part.whole()
    return _align(total, whole, own), _align(part, own, whole)


def _align(profile: Profile, whole: TableProfile, other: TableProfile) -> Profile:
    """The profile with columns of the types that both together have. ``whole``: of all its rows."""
    changes: dict[str, ColumnProfile] = {}
    for name, theirs in other.columns.items():
        ours = whole.columns.get(name)
        if isinstance(ours, CategoricalProfile) and isinstance(theirs, NumericProfile):
            changes |= {name: theirs} if _are_numbers(theirs, ours) else {}
        elif isinstance(ours, NumericProfile) and isinstance(theirs, CategoricalProfile):
            changes |= {} if _are_numbers(ours, theirs) else {name: theirs}
    if not changes:
        return profile
    cells = {
        key: replace(
            table,
            columns={
                name: _change_type(column, changes[name]) if name in changes else column
                for name, column in table.columns.items()
            },
            formats={name: shapes for name, shapes in table.formats.items() if name not in changes},
        )
        for key, table in profile.cells.items()
    }
    return replace(profile, cells=cells)


def _are_numbers(numbers: NumericProfile, categories: CategoricalProfile) -> bool:
    """Whether most cells are numbers, those whose text reads as one included."""
    (first, first_others), (second, second_others) = count_kinds(numbers), count_kinds(categories)
    return first + second >= first_others + second_others


def _change_type(column: ColumnProfile, other: ColumnProfile) -> ColumnProfile:
    """The column in the type of the ``other``. Numbers among categories have no name."""
    if isinstance(column, CategoricalProfile) and isinstance(other, NumericProfile):
        return _to_numbers(column, other.edges)
    if isinstance(column, NumericProfile) and isinstance(other, CategoricalProfile):
        filled = column.rows - column.missing
        return CategoricalProfile(other.vocabulary, other.bound, other=filled, missing=column.missing)
    return column


def _to_numbers(column: CategoricalProfile, edges: Floats) -> NumericProfile:
    """The cells whose text is known and reads as a number; the others are of other types."""
    numbers = {text: value for text in column.named_counts if not np.isnan(value := parse_number_or_nan(text))}
    counts = [column.named_counts[text] for text in numbers]
    values = np.repeat(np.array([*numbers.values()], dtype=np.float64), counts)
    return NumericProfile.of(values, edges, column.missing, column.n - len(values))


def sample_folder(folder: str) -> str:
    """The rows that a recorder drew: for what needs rows."""
    return str(Path(folder) / SAMPLE_FOLDER)


def _files(folder: Path, model: str, includes_day: Callable[[float], bool]) -> list[tuple[float, Path]]:
    if not folder.is_dir():
        raise SourceError("there is no such folder.", hint="Check `measure: {recorder}`.", where=str(folder))
    names = ((path, path.stem) for path in (folder / PROFILES_FOLDER).glob("*.npz"))
    return list(_select(((name, path) for path, name in names), f"{model}-", includes_day))


def _download(
    model: Model, includes_day: Callable[[float], bool], env: Mapping[str, str], retry: RetryPolicy, scratch: Path
) -> list[tuple[float, Path]]:
    wandb = require_wandb_project(model)
    project = f"{wandb.entity}/{wandb.project}"
    api = open_api(wandb.base_url, env.get("WANDB_API_KEY", ""), retry, wandb.entity)
    prefix = recorded_run_prefix(model.name)
    runs = find_runs(api, project, {"name": {"$regex": f"^{re.escape(prefix)}"}}, lambda _: False)
    found = []
    for day, id in _select(((str(run.id), str(run.id)) for run in runs), prefix, includes_day):
        folder = scratch / "recorded" / id
        name = f"{project}/{id}:latest"
        try:
            if not api.artifact_exists(name, type=RECORDED_ARTIFACT_TYPE):
                continue  # its recorder has opened the W&B run just now
            folder.mkdir(parents=True)
            download_artifact(api, api.artifact(name, type=RECORDED_ARTIFACT_TYPE), PROFILES, folder, retry)
        except Exception as error:
            raise translate_wandb_error(error, name) from error
        if not (folder / PROFILE_FILE).is_file():
            raise SourceError(f"this artifact has no {PROFILE_FILE}, so no recorder wrote it.", where=name)
        path = folder / f"{id}.npz"
        (folder / PROFILE_FILE).rename(path)
        found.append((day, path))
    return found


def _select(
    names: Iterator[tuple[str, Any]], prefix: str, includes_day: Callable[[float], bool]
) -> Iterator[tuple[float, Any]]:
    """Those of ``(name, content)`` that the model's recorders wrote, of days that are included, with their day."""
    for name, content in names:
        match = _DAY_AND_PART.fullmatch(name.removeprefix(prefix)) if name.startswith(prefix) else None
        day = parse_iso_or_none(match.group(1)) if match else None
        if day is not None and includes_day(day):
            yield day, content


def _counted(about: Mapping[str, Any]) -> float:
    """When the newest rows of a part were recorded."""
    counted = about.get("counted")
    return float(counted) if isinstance(counted, int | float) else 0.0


def _count_lost(about: Mapping[str, Any]) -> int:
    lost = about.get("lost")
    return sum(rows for rows in lost.values() if isinstance(rows, int)) if isinstance(lost, dict) else 0


def _notes(lost: Mapping[float, int], omitted: Sequence[str]) -> Iterator[str]:
    rows = sum(lost.values())
    if rows:
        yield f"recorders have lost {rows:,} rows of these days: `{LOST_ROWS}`."
    if omitted:
        shown = ", ".join(omitted[:5]) + (", ..." if len(omitted) > 5 else "")
        yield f"{len(omitted)} profiles were counted in other bins, with another reference, and are left out: {shown}."
