"""How far two versions give the same answers: on the rows of a holdout, or on ids that both predicted in a window."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from ..model.keys import key_of
from ..model.prediction_log import MeasureSpec
from ..model.series import Labels
from ..stats.arrays import Hashes
from ..stats.paired.output_agreement import concordance, matching_share
from ..stats.performance.estimate import Estimate
from ..stats.profile.table import Profile, ProfileKey
from .arrow_columns import (
    CLASS_MISSING_WORDS,
    column_or_nulls,
    floats_by_row,
    hash_by_row,
    parse_number_or_nan,
    texts_by_row,
)
from .class_names import ClassNames
from .profile_plan import MAX_CLASSES, ProfilePlan
from .profiler import encode_segments, split_by_window
from .readers import PredictionLog
from .wandb_rows import estimate_scalars

MAX_ROWS = 1_000_000
"""Rows of a log in memory, all windows together: beyond it ids are drawn by their hash, the same of each version."""
CHAMPION = "champion"


def output_column(names: tuple[str, ...], spec: MeasureSpec) -> str:
    """What is compared: the prediction, or else the score; empty where the columns have neither."""
    return next((name for name in (spec.prediction, spec.score) if name and name in names), "")


def are_numbers(name: str, spec: MeasureSpec, texts: Collection[str]) -> bool:
    """Whether outputs are compared as numbers: scores, and predictions where the task says so, or their ``texts`` are
    many numbers."""
    if name != spec.prediction or spec.task:
        return name != spec.prediction or spec.task == "numbers"
    return len(texts) > MAX_CLASSES and not any(math.isnan(parse_number_or_nan(text)) for text in texts)


def read_output(array: Any, spec: MeasureSpec, classes: tuple[str, ...], *, numbers: bool) -> Any:
    """The outputs by row: numbers, NaN where one is missing, or classes as texts, empty where one is missing."""
    if numbers:
        return floats_by_row(array)
    return texts_by_row(array, "", ClassNames(classes, ignore_case=spec.ignore_case), CLASS_MISSING_WORDS)


def compare_outputs(left: Any, right: Any, name: str) -> Estimate:
    """The share of rows with the same class, or the concordance of numbers; of rows that have both."""
    if left.dtype == object or right.dtype == object:
        known = (left != "") & (right != "")
        return matching_share(left[known], right[known], name)
    return concordance(left, right, name)


def agreement_scalars(estimate: Estimate, labels: Labels, prefix: str = "agreement") -> Iterator[tuple[str, float]]:
    """Keys and values, with the count, and overall with the bounds of the interval."""
    key = key_of(f"{prefix}/{estimate.name}", labels)
    return estimate_scalars(key, estimate, bounds=not labels)


def measure_agreement(log: PredictionLog, plan: ProfilePlan, profile: Profile) -> dict[ProfileKey, dict[str, float]]:
    """By window and version the agreement with the version that has most rows in the window, on the ids that both
    predicted: overall and by segment. Reads the log once, if some window has two versions."""
    spec = plan.spec
    versions: dict[float, list[ProfileKey]] = {}
    for cell in profile.cells:
        if not cell.segment:
            versions.setdefault(cell.window, []).append(cell)
    shared = {window: cells for window, cells in versions.items() if len(cells) > 1}
    if not spec.agreement or not shared:
        return {}
    rows = sum(profile.cells[cell].rows for cells in shared.values() for cell in cells)
    samples = _sample_outputs(
        log, plan, {cell for cells in shared.values() for cell in cells}, min(1.0, MAX_ROWS / rows)
    )
    found: dict[ProfileKey, dict[str, float]] = {}
    for cells in shared.values():
        champion = max(cells, key=lambda cell: (profile.cells[cell].rows, cell.version))
        for cell in cells:
            if cell != champion and cell in samples and champion in samples:
                scalars = dict(_compare_samples(samples[champion], samples[cell], spec))
                if scalars:
                    found[cell] = scalars
    return found


Sample = tuple[Hashes, Any, Mapping[str, Any]]
"""Ids (each once, ascending), outputs, and by segment column the values."""


def _sample_outputs(
    log: PredictionLog, plan: ProfilePlan, wanted: set[ProfileKey], share: float
) -> dict[ProfileKey, Sample]:
    spec, name = plan.spec, output_column(log.names(), plan.spec)
    if not name:
        return {}
    column = plan.column(name)
    numbers = plan.typical_label is not None or are_numbers(name, spec, column.vocabulary if column is not None else ())
    limit = np.uint64(2**64 - 1 if share >= 1 else int(share * (2**64 - 1)))
    parts: dict[ProfileKey, list[tuple[Hashes, Any, list[Any]]]] = {}
    columns = tuple(dict.fromkeys(filter(None, (spec.id, spec.time, spec.version, name, *spec.segments))))
    for batch in log.batches(columns):
        for cell, rows in split_by_window(batch, plan):
            if cell not in wanted:
                continue
            hashes, valid = hash_by_row(column_or_nulls(rows, spec.id))
            drawn = valid & (hashes <= limit)
            outputs = read_output(column_or_nulls(rows, name), spec, plan.classes, numbers=numbers)
            segments = []
            for segment, values in plan.segments:
                codes, names = encode_segments(rows, segment, values)
                segments.append(np.array(names, dtype=object)[codes][drawn])
            parts.setdefault(cell, []).append((hashes[drawn], outputs[drawn], segments))
    samples: dict[ProfileKey, Sample] = {}
    for cell, pieces in parts.items():
        hashes, first = np.unique(np.concatenate([piece[0] for piece in pieces]), return_index=True)
        outputs = np.concatenate([piece[1] for piece in pieces])[first]
        columns_of_cell = {
            segment: np.concatenate([piece[2][place] for piece in pieces])[first]
            for place, (segment, _) in enumerate(plan.segments)
        }
        samples[cell] = hashes, outputs, columns_of_cell
    return samples


def _compare_samples(champion: Sample, other: Sample, spec: MeasureSpec) -> Iterator[tuple[str, float]]:
    _, left, right = np.intersect1d(champion[0], other[0], assume_unique=True, return_indices=True)
    if not len(left):
        return
    first, second = champion[1][left], other[1][right]
    yield from agreement_scalars(compare_outputs(first, second, CHAMPION), ())
    for segment, values in other[2].items():
        yield from segment_agreement(first, second, segment, values[right], spec.min_rows, CHAMPION)


def segment_agreement(
    first: Any, second: Any, segment: str, values: Any, least: int, name: str, prefix: str = "agreement"
) -> Iterator[tuple[str, float]]:
    """The agreement in each segment with at least ``least`` rows."""
    names, codes = np.unique(values.astype(str), return_inverse=True)
    for place, value in enumerate(names.tolist()):
        rows = codes == place
        if np.count_nonzero(rows) >= least:
            estimate = compare_outputs(first[rows], second[rows], name)
            yield from agreement_scalars(estimate, ((segment, value),), prefix)
