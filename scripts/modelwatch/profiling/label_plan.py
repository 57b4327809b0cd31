"""A labelling plan: which rows of a log, that have no label yet, are worth one."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..clients.retry import RetryPolicy
from ..errors import UserError
from ..model.monitored_model import Model
from ..model.prediction_log import MeasureSpec
from ..stats.arrays import Bools, Floats, Hashes, Ints
from ..stats.labels.coverage import decile_of_bins
from ..stats.labels.plan import (
    allocate_by_uncertainty,
    allocate_evenly,
    draw_from_strata,
    draw_systematically,
    effective_rows,
)
from ..stats.profile.categorical import shorten_category
from ..stats.segmentation import MISSING, OTHER
from ..timeutil import format_utc
from .arrow_columns import (
    CLASS_MISSING_WORDS,
    column_or_nulls,
    floats_by_row,
    hash_by_row,
    parse_number_or_nan,
    splitmix64,
    texts_by_row,
)
from .class_names import ClassNames
from .model_log import open_model_log, require_measure_spec
from .profile_plan import score_columns
from .readers import require_columns
from .time_columns import times_by_row

REPRESENTATIVE, UNCERTAIN = "representative", "uncertain"
STRATEGIES = (REPRESENTATIVE, UNCERTAIN)
MAX_ROWS = 300_000
"""Rows in memory, or twice the budget, and for a moment as many again: beyond it they are drawn by a hash of their id
before they are planned."""
MAX_SEGMENTS = 20
"""Values of a segment column; the rarer ones are one stratum."""
SALT = np.uint64(0x6C6162656C706C61)
PRIOR_ROWS = 2.0
"""As many labelled rows the scores of a stratum count for, where its accuracy is guessed."""


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """A row to be labelled. ``probability``: of being drawn, under this plan."""

    id: str
    time: float
    version: str
    segments: tuple[str, ...]
    score: float
    prediction: str
    stratum: str
    reason: str
    probability: float


@dataclass(frozen=True, slots=True)
class PlannedStratum:
    """Rows that are alike; of the whole log, estimated where not all rows fit in memory."""

    name: str
    unlabelled: float
    labelled: int
    drawn: int


@dataclass(frozen=True, slots=True)
class LabellingPlan:
    """In the order in which the rows are best labelled: any beginning of the list is a plan, too."""

    rows: tuple[PlannedRow, ...]
    strata: tuple[PlannedStratum, ...]
    segments: tuple[str, ...]
    """Names of the segment columns."""
    unlabelled: int
    """Rows without a label, in all."""
    notes: tuple[str, ...]

    @property
    def effective(self) -> float:
        """How many rows of one weight would be as certain, of what is computed of all rows."""
        return effective_rows(np.array([1 / row.probability for row in self.rows]))

    def to_csv(self) -> str:
        """One row each: id, time, version, segments, score, prediction, stratum, reason, probability, weight."""
        into = io.StringIO()
        writer = csv.writer(into, lineterminator="\n")
        names = ("id", "time", "version", *self.segments, "score", "prediction", "stratum", "reason", "probability")
        writer.writerow((*names, "weight"))
        for row in self.rows:
            score = "" if math.isnan(row.score) else f"{row.score:.6g}"
            time = "" if math.isnan(row.time) else format_utc(row.time)
            own = (row.id, time, row.version, *row.segments, score, row.prediction, row.stratum, row.reason)
            writer.writerow((*own, f"{row.probability:.6g}", f"{1 / row.probability:.6g}"))
        return into.getvalue()


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows of the log in columns of one length."""

    hashes: Hashes
    ids: Any
    times: Floats
    versions: Any
    scores: Floats
    """Of the positive class, or of the likeliest one; NaN without."""
    predictions: Any
    labels: Any
    """Empty without."""
    segments: Any
    """``[rows, segment columns]``"""

    def take(self, places: Ints | Bools) -> _Rows:
        return _Rows(*(getattr(self, name)[places] for name in self.__slots__))

    @classmethod
    def concatenate(cls, parts: Sequence[_Rows]) -> _Rows:
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))

    def __len__(self) -> int:
        return len(self.hashes)


def plan_labels(
    model: Model,
    budget: int,
    strategy: str,
    since: float,
    until: float,
    now: float,
    env: Mapping[str, str],
    retry: RetryPolicy,
    scratch: Path,
) -> LabellingPlan:
    """Which rows of ``since`` <= time < ``until`` (seconds, UTC) to have labelled: at most ``budget``, none that has a
    label. Raises UserError for a model without ``measure: {id}``, SourceError for a log that cannot be read."""
    spec = require_measure_spec(model)
    if not spec.id:
        hint = "Give `measure: {id: ...}`, the column of the id."
        raise UserError(f"the log of {model.name!r} has no id, by which labels could come back.", hint=hint)
    log = open_model_log(spec, model, env, retry, scratch, now)
    require_columns(log, [name for name in (spec.id, spec.time, *spec.segments) if name])
    open_rows, labelled, count = _read(log, spec, since, until, max(MAX_ROWS, 2 * budget))
    notes = []
    share = len(open_rows) / count if count else 1.0
    if share < 1:
        notes.append(f"{count:,} rows have no label; {len(open_rows):,} of them, drawn by their id, were planned with.")
    if not len(open_rows):
        return LabellingPlan((), (), spec.segments, 0, ("there is nothing to label: every row of that time has one.",))
    return _plan(open_rows, labelled, spec, budget, strategy, share, notes)


def _read(log: Any, spec: MeasureSpec, since: float, until: float, most: int) -> tuple[_Rows, _Rows, int]:
    """The rows without a label, those with one, each id once, and how many have none in all."""
    scores = score_columns(spec)
    columns = (spec.id, spec.time, spec.version, *scores, spec.prediction, spec.label, *spec.segments)
    parts: list[_Rows] = []
    held, count, limit = 0, 0, np.uint64(2**64 - 1)
    for batch in log.batches(tuple(dict.fromkeys(filter(None, columns)))):
        rows = _columns(batch, spec, scores, since, until)
        count += int((rows.labels == "").sum())
        rows = rows.take(rows.hashes <= limit)
        parts.append(rows)
        held += len(rows)
        if held > 2 * most:
            whole = _Rows.concatenate(parts)
            limit = np.partition(whole.hashes, most)[most]
            parts = [whole.take(whole.hashes <= limit)]
            held = len(parts[0])
    if not parts:
        parts = [_columns(_empty_batch(columns), spec, scores, since, until)]
    whole = _Rows.concatenate(parts)
    has_label = whole.labels != ""
    # Of two rows with one id the labelled one, else the later one.
    order = np.lexsort((-whole.times, ~has_label, whole.hashes))
    ordered = whole.take(order)
    first = np.append(True, ordered.hashes[1:] != ordered.hashes[:-1])[: len(ordered)]
    repeated = int((~first & (ordered.labels == "")).sum())
    ordered = ordered.take(first)
    has_label = ordered.labels != ""
    return ordered.take(~has_label), ordered.take(has_label), max(count - repeated, int((~has_label).sum()))


def _empty_batch(names: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.RecordBatch.from_pydict({name: pa.nulls(0) for name in dict.fromkeys(filter(None, names))})


def _columns(batch: Any, spec: MeasureSpec, scores: Sequence[str], since: float, until: float) -> _Rows:
    naming = ClassNames(ignore_case=spec.ignore_case)
    ids = column_or_nulls(batch, spec.id)
    hashes, valid = hash_by_row(ids)
    times = times_by_row(column_or_nulls(batch, spec.time))
    within = valid & (times >= since) & (times < until)
    values = [floats_by_row(column_or_nulls(batch, name)) for name in scores]
    score = np.fmax.reduce(values) if values else np.full(batch.num_rows, np.nan)
    segments = [texts_by_row(column_or_nulls(batch, name), MISSING, shorten_category) for name in spec.segments]
    rows = _Rows(
        splitmix64(hashes ^ SALT),
        texts_by_row(ids, "", None, frozenset()),
        times,
        _texts(batch, spec.version),
        score,
        _texts(batch, spec.prediction, naming, CLASS_MISSING_WORDS),
        _texts(batch, spec.label, naming, CLASS_MISSING_WORDS),
        np.stack(segments, axis=1) if segments else np.empty((batch.num_rows, 0), dtype=object),
    )
    return rows.take(within)


def _texts(batch: Any, name: str, *naming: Any) -> Any:
    if not name:
        return np.full(batch.num_rows, "", dtype=object)
    return texts_by_row(column_or_nulls(batch, name), "", *naming)


def _plan(
    rows: _Rows, labelled: _Rows, spec: MeasureSpec, budget: int, strategy: str, share: float, notes: list[str]
) -> LabellingPlan:
    if not score_columns(spec):
        rows, labelled = _with_numbers(rows, labelled)
    both = _Rows.concatenate([rows, labelled])
    edges = _score_edges(both.scores)
    keys = list(_strata_keys(both, spec, edges, len(rows)))
    names = sorted(set(keys[: len(rows)]))
    number_of = {key: number for number, key in enumerate(names)}
    strata = np.array([number_of[key] for key in keys[: len(rows)]], dtype=np.int64)
    known = np.array([number_of.get(key, -1) for key in keys[len(rows) :]], dtype=np.int64)
    sizes = np.bincount(strata, minlength=len(names))
    present = np.round(np.bincount(known[known >= 0], minlength=len(names)) / share).astype(np.int64)
    deviations = _deviations(rows, labelled, strata, known, spec, len(names))
    if len(names) > min(budget, len(rows)):
        drawn = draw_systematically(rows.hashes, strata, budget)
        takes = np.bincount(strata[drawn], minlength=len(names))
        probability = np.full(len(names), min(1.0, budget / len(rows)))
        notes.append(
            f"{len(names)} strata are more than {budget} rows: every {len(rows) / budget:.3g}th was drawn along them."
        )
        strategy = REPRESENTATIVE
    else:
        if strategy == UNCERTAIN:
            takes = allocate_by_uncertainty(sizes, deviations, budget)
        else:
            takes = allocate_evenly(sizes, budget)
        drawn = draw_from_strata(rows.hashes, strata, takes)
        probability = takes / sizes
    texts = [_describe(key, spec, edges) for key in names]
    reasons = [
        _reason(strategy, int(takes[place]), sizes[place] / share, int(present[place]), float(deviations[place]))
        for place in range(len(names))
    ]
    order = drawn[np.argsort(rows.hashes[drawn], kind="stable")]
    planned = tuple(
        PlannedRow(
            str(rows.ids[place]),
            float(rows.times[place]),
            str(rows.versions[place]),
            tuple(map(str, rows.segments[place])),
            float(rows.scores[place]),
            str(rows.predictions[place]),
            texts[strata[place]],
            reasons[strata[place]],
            float(probability[strata[place]] * share),
        )
        for place in order.tolist()
    )
    described = (
        PlannedStratum(texts[place], float(sizes[place] / share), int(present[place]), int(takes[place]))
        for place in range(len(names))
    )
    return LabellingPlan(planned, tuple(described), spec.segments, round(len(rows) / share), tuple(notes))


def _with_numbers(rows: _Rows, labelled: _Rows) -> tuple[_Rows, _Rows]:
    """With predictions for scores, if they are numbers that take many values."""
    numbers = {text: parse_number_or_nan(text) for text in {*rows.predictions.tolist(), *labelled.predictions.tolist()}}
    known = [value for text, value in numbers.items() if text]
    if len(known) <= MAX_SEGMENTS or any(map(math.isnan, known)):
        return rows, labelled
    first, second = (
        replace(part, scores=np.array([numbers[text] for text in part.predictions.tolist()], dtype=np.float64))
        for part in (rows, labelled)
    )
    return first, second


def _score_edges(scores: Floats) -> Floats:
    """Between tenths of all rows, as coverage and weights have them; fewer where many scores are equal."""
    known = np.unique(scores[np.isfinite(scores)], return_counts=True)
    values, tenths = known[0], decile_of_bins(known[1].astype(np.float64))
    return np.asarray(values[1:][tenths[1:] != tenths[:-1]])


def _strata_keys(rows: _Rows, spec: MeasureSpec, edges: Floats, unlabelled: int) -> Iterator[tuple[Any, ...]]:
    """By row: the values of its segments, and the tenth of its score, or without scores its prediction."""
    values = []
    for place in range(len(spec.segments)):
        counts = Counter(rows.segments[:unlabelled, place].tolist())
        frequent = {value for value, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_SEGMENTS]}
        values.append([value if value in frequent else OTHER for value in rows.segments[:, place].tolist()])
    groups = np.where(np.isfinite(rows.scores), np.searchsorted(edges, rows.scores, side="right"), -1).tolist()
    has_scores = bool(np.isfinite(rows.scores[:unlabelled]).any())
    outputs = groups if has_scores else _frequent(rows.predictions, unlabelled)
    return zip(*values, outputs, strict=True)


def _frequent(cells: Any, unlabelled: int) -> list[str]:
    counts = Counter(cells[:unlabelled].tolist())
    kept = {value for value, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_SEGMENTS]}
    return [value if value in kept else OTHER for value in cells.tolist()]


def _deviations(rows: _Rows, labelled: _Rows, strata: Ints, known: Ints, spec: MeasureSpec, count: int) -> Floats:
    """By stratum the standard deviation of whether a prediction is right: from its labels, and from the scores as if
    they were ``PRIOR_ROWS`` more. Without scores and labels that of a coin. Of a regression the error's, at most 1/2.
    """
    if spec.task == "numbers" or (not score_columns(spec) and np.isfinite(rows.scores).any()):
        return _error_deviations(labelled, known, count)
    confidence = np.full(len(rows), 0.5)
    usable = np.isfinite(rows.scores) & (rows.scores >= 0.0) & (rows.scores <= 1.0)
    p = rows.scores[usable]
    confidence[usable] = np.maximum(p, 1.0 - p) if len(score_columns(spec)) == 1 else p
    sizes = np.maximum(np.bincount(strata, minlength=count), 1)
    expected = np.bincount(strata, confidence, minlength=count) / sizes
    comparable = (known >= 0) & (labelled.predictions != "")
    hits = (labelled.predictions == labelled.labels)[comparable].astype(np.float64)
    labels = np.bincount(known[comparable], minlength=count)
    right = np.bincount(known[comparable], hits, minlength=count)
    accuracy = (right + PRIOR_ROWS * expected) / (labels + PRIOR_ROWS)
    return np.asarray(np.sqrt(accuracy * (1.0 - accuracy)))


def _error_deviations(labelled: _Rows, known: Ints, count: int) -> Floats:
    """By stratum the root of the mean squared error, of all strata where it has few labels; 1/2 for the largest."""
    pairs = zip(labelled.predictions.tolist(), labelled.labels.tolist(), strict=True)
    errors = np.array([parse_number_or_nan(left) - parse_number_or_nan(right) for left, right in pairs])
    usable = (known >= 0) & np.isfinite(errors) if len(errors) else np.zeros(0, np.bool_)
    if not usable.any():
        return np.full(count, 0.5)
    squares, places = errors[usable] ** 2, known[usable]
    labels = np.bincount(places, minlength=count)
    means = (np.bincount(places, squares, minlength=count) + PRIOR_ROWS * squares.mean()) / (labels + PRIOR_ROWS)
    highest = means.max()
    return np.sqrt(means / highest) / 2 if highest > 0 else np.full(count, 0.5)


def _describe(key: tuple[Any, ...], spec: MeasureSpec, edges: Floats) -> str:
    *values, output = key
    parts = [f"{name}={value}" for name, value in zip(spec.segments, values, strict=True)]
    if isinstance(output, str):
        parts.append(f"prediction {output}" if output else "no prediction")
    elif output < 0:
        parts.append("no score")
    elif len(edges):
        low = "" if output == 0 else f"from {edges[output - 1]:.3g}"
        high = "" if output == len(edges) else f"below {edges[output]:.3g}"
        parts.append(" ".join(filter(None, ("score", low, high))))
    return ", ".join(parts) or "all rows"


def _reason(strategy: str, taken: int, size: float, present: int, deviation: float) -> str:
    share = f"{taken} of {size:,.0f} rows without a label"
    if strategy == REPRESENTATIVE:
        return f"{share}, so that each stratum is represented"
    labels = "no label" if not present else "1 label" if present == 1 else f"{present:,} labels"
    return f"{share}; {labels} so far, right or wrong varies by {deviation:.2f}"
