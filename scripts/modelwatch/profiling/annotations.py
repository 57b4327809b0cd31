"""The single judgements of annotators, read from a table of their own, and how far they agree, window by window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import SourceNameError
from ..model.keys import key_of
from ..model.prediction_log import AnnotationsSpec, MeasureSpec
from ..model.series import labels_of
from ..stats.arrays import Floats, Ints
from ..stats.labels.agreement import (
    INTERVAL,
    NOMINAL,
    Ratings,
    agreeing_share,
    annotator_error,
    annotator_kappas,
    class_alphas,
    fleiss_kappa,
    krippendorff_alpha,
    pair_kappas,
)
from ..stats.performance.estimate import Estimate, undefined_estimate
from ..stats.profile.table import Profile, ProfileKey
from .arrow_columns import (
    CLASS_MISSING_WORDS,
    column_or_nulls,
    factorize,
    hash_by_row,
    parse_number_or_nan,
    shown_cells,
)
from .class_names import ClassNames, merge_booleans
from .engines.engine import Engine, LocalEngine
from .profile_plan import MAX_CLASSES
from .readers import require_columns
from .time_columns import LocalTimeLog, times_by_row, unreadable_times
from .wandb_rows import estimate_scalars, last_cells

AGREEMENT = "labels/agreement"
AGREEING_SHARE = "labels/agreement_share"
ANNOTATOR_ERROR = "labels/annotator_error"
MAX_LABELS = 200
"""With more different labels, such as free text, agreement is not computed."""
MAX_PAIRED = 20
"""With more annotators, pairs are not compared."""
MAX_ANNOTATORS = 50
"""More are not compared with the rest one by one: those with most judgements are."""


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """The latest judgement of each annotator and item: ``items``, ``annotators`` and ``labels`` have one length."""

    items: Ints
    annotators: Ints
    labels: Ints
    latest: Floats
    """By item the time of its latest judgement, seconds (UTC)."""
    names: tuple[str, ...]
    """Of annotators."""
    classes: tuple[str, ...]
    scale: str = NOMINAL
    values: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()

    def ratings(self, begin: float = -math.inf, end: float = math.inf) -> Ratings:
        """Those of the items whose latest judgement is of this time; ``end`` is not part of it."""
        within = ((self.latest >= begin) & (self.latest < end))[self.items]
        numbers = np.unique(self.items[within], return_inverse=True)[1].astype(np.int64)
        labels, annotators = self.labels[within], self.annotators[within]
        return Ratings(numbers, annotators, labels, self.names, self.classes, self.scale, self.values)

    @property
    def is_binary(self) -> bool:
        """Whether an item is of one of two classes, as far as was seen."""
        return len(self.classes) <= 2 and self.scale == NOMINAL

    @property
    def busiest(self) -> list[int]:
        """The places of the ``MAX_ANNOTATORS`` names with most judgements."""
        order = np.argsort(-np.bincount(self.annotators, minlength=len(self.names)), kind="stable")
        return [int(place) for place in order[:MAX_ANNOTATORS]]

    def windows(self, length: float) -> list[float]:
        """The beginnings of windows in which some item got its latest judgement."""
        return [float(begin) for begin in np.unique(np.floor(self.latest / length) * length)]


def read_annotations(spec: MeasureSpec, now: float, engine: Engine | None = None) -> Annotations:
    """What annotators said by ``now`` (seconds, UTC). Of two judgements of one annotator and item the later one counts.
    Rows without id, annotator, label or time are left out. Raises SourceError where the table cannot be read."""
    table = spec.annotations
    assert table is not None  # noqa: S101
    log = (engine or LocalEngine()).open_outcomes(table.files, spec)
    if spec.timezone:
        log = LocalTimeLog(log, (table.time,), spec.timezone)
    columns = (table.id, table.annotator, table.label, table.time)
    require_columns(log, columns)
    naming = ClassNames(table.order, ignore_case=spec.ignore_case)
    names: dict[str, int] = {}
    classes: dict[str, int] = {}
    parts: list[tuple[np.ndarray, ...]] = []
    rows = dated = 0
    cells: list[Any] = []
    for batch in log.batches(columns):
        hashes, usable = hash_by_row(column_or_nulls(batch, table.id))
        times = times_by_row(column_or_nulls(batch, table.time))
        who, annotators = factorize(column_or_nulls(batch, table.annotator))
        cells = cells or shown_cells(column_or_nulls(batch, table.time)[:3])
        what, labels = factorize(column_or_nulls(batch, table.label), naming, CLASS_MISSING_WORDS)
        rows, dated = rows + batch.num_rows, dated + int(np.isfinite(times).sum())
        usable = usable & (who >= 0) & (what >= 0) & (times <= now)
        own_names = np.array([names.setdefault(name, len(names)) for name in annotators] or [0])
        own_classes = np.array([classes.setdefault(name, len(classes)) for name in labels] or [0])
        parts.append((hashes[usable], own_names[who[usable]], own_classes[what[usable]], times[usable]))
    if rows and not dated:
        raise unreadable_times(table.time, cells, table.files)
    empty = (np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    ids, annotators_of, labels_of_rows, times_of = (
        np.concatenate(column) for column in zip(empty, *parts, strict=True)
    )
    order = np.lexsort((times_of, annotators_of, ids))
    ids, who, what, when = ids[order], annotators_of[order], labels_of_rows[order], times_of[order]
    is_last = np.append((ids[1:] != ids[:-1]) | (who[1:] != who[:-1]), len(ids) > 0)[: len(ids)]
    ids, who, what, when = ids[is_last], who[is_last], what[is_last], when[is_last]
    items = np.unique(ids, return_inverse=True)[1].astype(np.int64)
    ordered, numbers = _order_classes(list(classes), table, spec) if len(classes) <= MAX_LABELS else ((), ())
    if len(classes) > MAX_LABELS:
        note = (
            f"annotations: {len(classes):,} different labels; at most {MAX_LABELS} are compared. Name another `label`."
        )
        none = np.zeros(0, np.int64)
        return Annotations(none, none, none, np.zeros(0), (), (), notes=(note,))
    place_of = ClassNames(ordered, ignore_case=spec.ignore_case)
    places = np.array([ordered.index(place_of(name)) for name in classes] or [0])
    left_out = rows - len(order)
    notes = (
        [f"annotations: {left_out:,} rows without id, annotator, label or past time do not count."] if left_out else []
    )
    latest = np.full(int(items.max(initial=-1)) + 1, -np.inf)
    np.maximum.at(latest, items, when)
    return Annotations(
        items,
        who,
        places[what] if len(what) else what,
        latest,
        tuple(names),
        ordered,
        table.scale,
        numbers,
        tuple(notes),
    )


def _order_classes(
    found: list[str], table: AnnotationsSpec, spec: MeasureSpec
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The classes in their order, and the number that each stands for where the scale is of numbers. Raises
    SourceNameError for one that the scale has no place for."""
    if table.scale == NOMINAL:
        return merge_booleans(found), ()
    if table.order:
        naming = ClassNames(table.order, ignore_case=spec.ignore_case)
        order = tuple(naming(name) for name in table.order)
        unknown = sorted(set(found) - set(order))
        if unknown:
            hint = "Name every label, from the lowest to the highest."
            raise SourceNameError(f"`order` does not name the label {unknown[0]!r}.", hint=hint, where=table.files)
        return order, tuple(float(place) for place in range(len(order)))
    numbers = {name: parse_number_or_nan(name) for name in found}
    bad = [name for name, value in numbers.items() if not math.isfinite(value)]
    if bad:
        hint = "Give `order`, the labels from the lowest to the highest, or `scale: nominal`."
        raise SourceNameError(
            f"the label {bad[0]!r} is no number, and `scale` is {table.scale}.", hint=hint, where=table.files
        )
    ordered = sorted(found, key=lambda name: numbers[name])
    return tuple(ordered), tuple(numbers[name] for name in ordered) if table.scale == INTERVAL else ()


def annotation_scalars(annotations: Annotations, spec: MeasureSpec, begin: float, end: float) -> dict[str, float]:
    """Keys and values of one window (seconds, UTC): all annotators together, each against the rest, and each class;
    these with at least ``min_rows`` items that two annotators judged."""
    ratings = annotations.ratings(begin, end)
    whole = krippendorff_alpha(ratings)
    agreeing = agreeing_share(ratings)
    scalars = {**dict(estimate_scalars(AGREEMENT, whole)), **dict(estimate_scalars(AGREEING_SHARE, agreeing))}
    if annotations.is_binary:
        scalars.update(estimate_scalars(ANNOTATOR_ERROR, annotator_error(agreeing)))
    for estimate in annotator_kappas(ratings, annotations.busiest):
        if estimate.n >= spec.min_rows:
            scalars.update(estimate_scalars(key_of(AGREEMENT, labels_of({"annotator": estimate.label})), estimate))
    if 2 < len(annotations.classes) <= MAX_CLASSES and whole.n >= spec.min_rows:
        for estimate in class_alphas(ratings):
            scalars.update(estimate_scalars(key_of(AGREEMENT, labels_of({"class": estimate.label})), estimate))
    return scalars


def annotation_scalars_by_cell(
    annotations: Annotations, spec: MeasureSpec, profile: Profile
) -> tuple[dict[ProfileKey, dict[str, float]], list[str]]:
    """The metrics of each window, at the version that served last in it; and a note where annotators judged in windows
    without a prediction, which have no row in W&B."""
    last = last_cells(profile)
    found: dict[ProfileKey, dict[str, float]] = {}
    lost = 0
    for begin in annotations.windows(spec.window):
        cell_of_window = last.get(begin)
        if cell_of_window is None:
            lost += 1
        else:
            found[cell_of_window] = annotation_scalars(annotations, spec, begin, begin + spec.window)
    notes = list(annotations.notes)
    if not annotations.classes and notes:
        return found, notes
    if not any(found.values()):
        notes.append("annotations: in no measured window two annotators judged the same item.")
    elif lost:
        notes.append(f"annotations: {lost} windows have judgements and no measured prediction, and are not published.")
    if alike := sum(AGREEING_SHARE in scalars and AGREEMENT not in scalars for scalars in found.values()):
        notes.append(
            f"annotations: in {alike} windows all judgements are one class, so that chance would agree always: "
            f"there is no {AGREEMENT}, but {AGREEING_SHARE}."
        )
    return found, notes


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """How far annotators agree on the items of some time."""

    scale: str
    agreeing: Estimate
    """The share of pairs of judgements that agree."""
    error: Estimate
    """The share of judgements that are wrong if they err independently; not defined but for two classes."""
    alpha: Estimate
    fleiss: float
    classes: tuple[Estimate, ...]
    """Of more than two."""
    annotators: tuple[tuple[Estimate, Estimate, Estimate], ...]
    """By name, the ``MAX_ANNOTATORS`` busiest: on all items, and on those of the earlier and of the later half."""
    pairs: tuple[tuple[str, str, Estimate], ...]
    """Of at most ``MAX_PAIRED`` annotators, those who judged an item in common."""


def report_agreement(annotations: Annotations, since: float, until: float) -> AgreementReport:
    """Of the items whose latest judgement is of ``since`` <= time < ``until`` (seconds, UTC)."""
    ratings = annotations.ratings(since, until)
    within = annotations.latest[(annotations.latest >= since) & (annotations.latest < until)]
    middle = float(np.median(within)) if len(within) else math.nan
    if len(within):
        parts = (ratings, annotations.ratings(since, middle), annotations.ratings(middle, until))
        halves = zip(*(annotator_kappas(part, annotations.busiest) for part in parts), strict=True)
    else:
        halves = zip((), (), ())
    agreeing = agreeing_share(ratings)
    pairs = pair_kappas(ratings) if len(annotations.names) <= MAX_PAIRED else ()
    annotators = tuple(sorted(halves, key=lambda estimates: estimates[0].label))
    return AgreementReport(
        annotations.scale,
        agreeing,
        annotator_error(agreeing) if annotations.is_binary else undefined_estimate("annotator_error", agreeing.n),
        krippendorff_alpha(ratings),
        fleiss_kappa(ratings.counts()),
        tuple(class_alphas(ratings)) if len(annotations.classes) > 2 else (),
        annotators,
        tuple(pair for pair in pairs if pair[2].n),
    )
