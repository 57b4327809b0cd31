"""Join labels from a second table to a log by id: the ids and labels of that table are held in memory, and the log is
read batch by batch, in its own order.

Ids are compared by the 64-bit hash of their text, so that 7 in one table equals "7" in the other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError, shorten
from ..model.prediction_log import FIRST_LABEL_TIME, LABEL_TIME, MeasureSpec, OutcomesSpec
from ..stats.arrays import Bools, Floats, Hashes, Ints
from .arrow_columns import (
    CLASS_MISSING_WORDS,
    MISSING_WORDS,
    column_or_nulls,
    decode_dictionary,
    factorize,
    hash_by_row,
    is_text_type,
    shown_cells,
    to_arrow,
    to_text,
)
from .engines.partitioned_log import chain, is_partitioned, map_log
from .log_files import FilesLog
from .readers import PredictionLog, open_log, require_columns
from .time_columns import LocalTimeLog, times_by_row

if TYPE_CHECKING:
    from .engines.engine import Engine

PLACEHOLDER_WORDS = frozenset(
    (
        *("?", "-", "--", ".", "n.a.", "nil", "none", "null", "missing", "undefined", "unknown", "todo", "tbd"),
        *("pending", "not labelled", "not labeled", "unlabelled", "unlabeled", "no label", "not available"),
    )
)
"""What people write for a label that is not known, in lower case. Each can be a class as well."""
MIN_JOINED_SHARE = 0.01
"""A note says how many ids meet where fewer do, both of the outcomes and of the log."""
_EMPTY = frozenset(("",))
_TIMES = (LABEL_TIME, FIRST_LABEL_TIME)
SHOWN_CELLS = 3
"""Times that cannot be read, in a note."""
MAX_SENT_IDS = 20_000_000
"""Of outcomes: more are not sent to the workers of an engine."""


def join_outcomes(
    log: PredictionLog, spec: MeasureSpec, now: float = math.inf, engine: Engine | None = None
) -> PredictionLog:
    """The log with the labels of ``outcomes``, if the model names any. Labels that became known after ``now`` are
    null. ``engine``: opens the outcomes, by default as files."""
    if spec.timezone:
        log = LocalTimeLog(log, (spec.time, spec.label_time), spec.timezone)
    if spec.outcomes is not None:
        files = spec.outcomes.files
        outcomes = engine.open_outcomes(files, spec) if engine is not None else open_log(files, spec.extensions)
        if spec.timezone:
            outcomes = LocalTimeLog(outcomes, (spec.outcomes.label_time,), spec.timezone)
        log = JoinedLog(log, outcomes, spec.id, spec.outcomes, now)
    elif spec.label_time and {spec.label, spec.label_time} <= set(log.names()):
        log = KnownLabelLog(log, spec.label, spec.label_time, now)
    return without_missing_labels(log, spec)


def without_missing_labels(
    log: PredictionLog, spec: MeasureSpec, others: Sequence[PredictionLog] = ()
) -> PredictionLog:
    """The log with a null for each label that is a word for an empty cell, or a placeholder. ``others``: more logs
    whose predictions are classes."""
    return WrittenLabelLog(log, spec, others) if spec.label in log.names() else log


def label_notes(log: PredictionLog) -> tuple[str, ...]:
    """What was done with the labels of a log from ``join_outcomes`` or ``without_missing_labels``, once it was read."""
    return log.notes() if isinstance(log, (WrittenLabelLog, JoinedLog)) else ()


def label_changes(log: PredictionLog) -> LabelChanges | None:
    """How the outcomes of a log from ``join_outcomes`` changed, once it was read."""
    return next((part.changes for part in chain(log) if isinstance(part, JoinedLog)), None)


class KnownLabelLog:
    """A log whose labels are null where they became known after ``now``."""

    def __init__(self, log: PredictionLog, label: str, label_time: str, now: float) -> None:
        self._log, self._label, self._label_time, self._now = log, label, label_time, now
        self.where, self.names, self.rows = log.where, log.names, log.rows

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        if self._label not in columns:
            yield from self._log.batches(columns)
            return
        for batch in self._log.batches(list(dict.fromkeys([*columns, self._label_time]))):
            place = batch.schema.get_field_index(self._label)
            later = times_by_row(batch.column(self._label_time)) > self._now
            if later.any():
                known = batch.column(place).take(to_arrow(np.arange(batch.num_rows), missing=later))
                batch = batch.set_column(place, self._label, known)
            yield batch if self._label_time in columns else batch.drop_columns([self._label_time])


class WrittenLabelLog:
    """A log whose labels are null where a word says that there is none yet. A word that is predicted is a class."""

    def __init__(self, log: PredictionLog, spec: MeasureSpec, others: Sequence[PredictionLog] = ()) -> None:
        self._log, self._spec, self._label, self._others = log, spec, spec.label, others
        self._missing: frozenset[str] | None = None
        """The words that stand for no label; ``None``: none of them was seen yet."""
        self._placeholders: frozenset[str] = frozenset()
        """The same in lower case, of placeholders."""
        self._taken: dict[str, int] = {}
        """How many labels each placeholder was, the last time that all were read."""
        self.where, self.names, self.rows = log.where, log.names, log.rows

    def notes(self) -> tuple[str, ...]:
        words = [
            f"{count_words(count, 'label')} {word!r}, which no prediction ever is: taken as missing."
            for word, count in sorted(self._taken.items())
        ]
        return (*words, *label_notes(self._log))

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        taken: dict[str, int] = {}
        for batch in self._log.batches(columns):
            place = batch.schema.get_field_index(self._label)
            if place < 0 or not is_text_type(batch.schema.types[place]):
                yield batch
                continue
            codes, texts = factorize(batch.column(place), missing_words=_EMPTY)
            if self._missing is None and any(_is_absence(text.strip()) for text in texts):
                self._read_predictions()
            placed = {code: text.strip() for code, text in enumerate(texts) if self._is_placeholder(text.strip())}
            missing = [code for code, text in enumerate(texts) if text.strip() in (self._missing or ())]
            absent = np.isin(codes, [*missing, *placed])
            if absent.any():
                for code, word in placed.items():
                    taken[word] = taken.get(word, 0) + int(np.count_nonzero(codes == code))
                known = batch.column(place).take(to_arrow(np.arange(batch.num_rows), missing=absent))
                batch = batch.set_column(place, self._label, known)
            yield batch
        if self._label in columns:
            self._taken = taken

    def prepare(self) -> None:
        """Decide which words stand for no label before workers read the labels, each of them some."""
        texts = self._log.known_texts() if isinstance(self._log, JoinedLog) else _texts_of(self._log, self._label)
        if self._missing is None and any(map(_is_absence, texts)):
            self._read_predictions()

    def begin_tally(self, columns: Sequence[str]) -> None:
        if self._label in columns:
            self._taken = {}

    def tally(self) -> dict[str, int]:
        return self._taken

    def add_tally(self, taken: dict[str, int]) -> None:
        self._taken = {word: self._taken.get(word, 0) + taken.get(word, 0) for word in {**self._taken, **taken}}

    def _is_placeholder(self, text: str) -> bool:
        return text.lower() in self._placeholders and text not in (self._missing or ())

    def _read_predictions(self) -> None:
        """Decide which words stand for no label. Without predictions and scores, as in most training sets, a
        placeholder can be a class that is predicted elsewhere."""
        spec, logs = self._spec, (self._log, *self._others)
        words = {spec.positive, *(name for name, _ in spec.scores)}
        for log in logs:
            words |= _texts_of(log, spec.prediction) if spec.prediction in log.names() else set()
        outputs = {spec.prediction, spec.score, *(column for _, column in spec.scores)}
        self._missing = MISSING_WORDS - (words - CLASS_MISSING_WORDS)
        if any(outputs & set(log.names()) for log in logs):
            self._placeholders = PLACEHOLDER_WORDS - {word.lower() for word in words}


def _is_absence(text: str) -> bool:
    return text in MISSING_WORDS or text.lower() in PLACEHOLDER_WORDS


def _texts_of(log: PredictionLog, name: str) -> set[str]:
    """The different cells of a column of texts; none of another type."""
    parts = map_log(log, [name], partial(_texts_to_bytes, name), _merge_texts)
    return {text for part in parts for text in json.loads(part)}


def _texts_to_bytes(name: str, batches: Iterable[Any]) -> bytes:
    texts: set[str] = set()
    for batch in batches:
        column = column_or_nulls(batch, name)
        if is_text_type(column.type):
            texts |= {text.strip() for text in factorize(column, missing_words=_EMPTY)[1]}
    return json.dumps(sorted(texts)).encode()


def _merge_texts(parts: Sequence[bytes]) -> bytes:
    return json.dumps(sorted({text for part in parts for text in json.loads(part)})).encode()


def count_words(count: int, noun: str) -> str:
    """``1 label is``, ``2,000 labels are``."""
    return f"1 {noun} is" if count == 1 else f"{count:,} {noun}s are"


class JoinedLog:
    """A log with the outcomes' label as an additional column; null if it is not known (yet). Rows keep their order.
    The columns ``LABEL_TIME`` and ``FIRST_LABEL_TIME`` are there for those who name them: when the label, and the first
    label of the id, was known, in seconds (UTC), null where the outcomes have no time."""

    def __init__(
        self, log: PredictionLog, outcomes: PredictionLog, id: str, spec: OutcomesSpec, now: float = math.inf
    ) -> None:
        self._log, self._outcomes, self._id, self._spec, self._now = log, outcomes, id, spec, now
        self.where, self.rows = log.where, log.rows
        self._known: KnownLabels | None = None
        self._is_joined: Bools = np.zeros(0, dtype=np.bool_)
        """Which of the known ids the log has."""
        self._counts = [0, 0]
        """Rows that have an id, and those whose id has a label."""
        self._example = ""
        """An id of the log."""
        require_columns(log, [id])
        require_columns(outcomes, [name for name in (spec.id, spec.label, spec.label_time) if name])

    def names(self) -> tuple[str, ...]:
        return (*self._log.names(), self._spec.label)

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        label = self._spec.label
        if label not in columns:
            yield from self._log.batches(columns)
            return
        known = self._read()
        own = [name for name in dict.fromkeys([*columns, self._id]) if name not in (label, *_TIMES)]
        for batch in self._log.batches(own):
            ids = column_or_nulls(batch, self._id)
            places, valid, is_known = known.places_of(ids)
            self._is_joined[places[is_known]] = True
            self._counts = [self._counts[0] + int(valid.sum()), self._counts[1] + int(is_known.sum())]
            self._example = self._example or _first_cell(ids)
            batch = batch.append_column(label, known.labels.take(to_arrow(places, missing=~is_known)))
            for name in (name for name in _TIMES if name in columns):
                times = known.times_at(places, is_known, first=name == FIRST_LABEL_TIME)
                batch = batch.append_column(name, to_arrow(times, missing=np.isnan(times)))
            yield batch

    def _read(self) -> KnownLabels:
        if self._known is None:
            self._known = read_labels(self._outcomes, self._spec, self._now)
            self._is_joined = np.zeros(len(self._known.hashes), dtype=np.bool_)
        return self._known

    def __getstate__(self) -> dict[str, Any]:
        """What workers get: the known labels, and neither where they were read nor what came before them."""
        known = None if self._known is None else replace(self._known, changes=None)
        return {**vars(self), "_outcomes": None, "_known": known}

    @property
    def changes(self) -> LabelChanges | None:
        """How outcomes changed, once they were read."""
        return self._known.changes if self._known is not None else None

    def prepare(self) -> None:
        """Read the known labels before workers join them. Raises UserError if they are too many to be sent."""
        if is_partitioned(self._log) and len(self._read().hashes) > MAX_SENT_IDS:
            raise UserError(
                f"the outcomes have {len(self._read().hashes):,} ids; at most {MAX_SENT_IDS:,} are sent to workers.",
                hint="Join them in `query` (`SELECT p.*, o.label, o.known_at FROM ... LEFT JOIN ...`), and name "
                "`label` and `label_time` instead of `outcomes`.",
                where="measure: {outcomes}",
            )

    def known_texts(self) -> list[str]:
        """The different labels, if they are texts."""
        labels = self._read().labels
        return (
            [text.strip() for text in factorize(labels, missing_words=_EMPTY)[1]] if is_text_type(labels.type) else []
        )

    def begin_tally(self, columns: Sequence[str]) -> None:
        if self._spec.label in columns:
            self._is_joined = np.zeros(len(self._is_joined), dtype=np.bool_)
            self._counts = [0, 0]

    def tally(self) -> tuple[Ints, list[int], str]:
        return np.flatnonzero(self._is_joined), self._counts, self._example

    def add_tally(self, tally: tuple[Ints, list[int], str]) -> None:
        joined, counts, example = tally
        self._is_joined[joined] = True
        self._counts = [mine + other for mine, other in zip(self._counts, counts, strict=True)]
        self._example = self._example or example

    def notes(self) -> tuple[str, ...]:
        """Outcomes that contradict each other, and ids that do not meet: written differently, perhaps."""
        if self._known is None:
            return ()
        known = self._known
        return (*self._contradiction_notes(known), *self._time_notes(known), *self._join_notes(known))

    def _time_notes(self, known: KnownLabels) -> Iterator[str]:
        if known.untimed:
            outcomes = "1 outcome" if known.untimed == 1 else f"{known.untimed:,} outcomes"
            cells = ", ".join(map(repr, known.untimed_cells))
            yield (
                f"the time of {outcomes} in {self._spec.label_time!r} cannot be read, such as {cells}: write ISO 8601, "
                "such as 2026-11-20T14:00:00Z, or seconds since the epoch."
            )

    def _contradiction_notes(self, known: KnownLabels) -> Iterator[str]:
        if count := known.contradicted:
            ids = "1 id has" if count == 1 else f"{count:,} ids have"
            if self._spec.label_time:
                at, hint = " at one time", f"`{self._spec.label_time}` does not say which is later."
            else:
                at, hint = "", "name `label_time`, the column that says when each became known."
            yield f"{ids} different outcomes{at}, and the one that was read last counts: {hint}"

    def _join_notes(self, known: KnownLabels) -> Iterator[str]:
        ids, joined = len(known.hashes), int(self._is_joined.sum())
        rows, labelled = self._counts
        if not ids or not rows or max(joined / ids, labelled / rows) >= MIN_JOINED_SHARE:
            return
        share = f"only {joined:,} ({100 * joined / ids:.2g} %)" if joined else "none"
        yield (
            f"{share} of the {ids:,} outcome ids {'are' if joined else 'is'} in the log: its ids are such as "
            f"{self._example!r}, those of the outcomes such as {known.example!r}."
        )


@dataclass(frozen=True, slots=True, eq=False)
class LabelChanges:
    """All outcomes, one a place: when each came (seconds, UTC), and whether it is another one than the first of its
    id."""

    times: Floats
    is_changed: Bools


@dataclass(frozen=True, slots=True, eq=False)
class KnownLabels:
    """The labels of all ids that have one."""

    hashes: Hashes
    """Of the ids, ascending and unique."""
    labels: Any
    """An Arrow array: the label of each."""
    contradicted: int = 0
    """Ids with different labels, of which nothing says which is later."""
    example: str = ""
    """One of the ids, for a note."""
    times: Floats | None = None
    """When each label was known, seconds (UTC); NaN where that is not known; ``None``: of none."""
    first_times: Floats | None = None
    """When the first label of each id was known; ``None``: the same as ``times``."""
    untimed: int = 0
    """Outcomes whose time is written, and cannot be read."""
    untimed_cells: tuple[str, ...] = ()
    """Some of these times."""
    changes: LabelChanges | None = None
    """``None`` where nothing says when they came."""

    def times_at(self, places: Ints, is_known: Bools, *, first: bool = False) -> Floats:
        """By row the time of its label, or of the first label of its id; NaN without."""
        times = self.first_times if first and self.first_times is not None else self.times
        if times is None or not len(times):
            return np.full(len(places), np.nan)
        return np.where(is_known, times[places], np.nan)

    def places_of(self, ids: Any) -> tuple[Ints, Bools, Bools]:
        """By row the place of its id, whether it has an id, and whether that is among these; without, any place."""
        hashes, valid = hash_by_row(ids)
        if not len(self.hashes):
            return np.zeros(len(ids), dtype=np.int64), valid, np.zeros(len(ids), dtype=np.bool_)
        places = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return places, valid, valid & (self.hashes[places] == hashes)


def read_labels(outcomes: PredictionLog, spec: OutcomesSpec, now: float) -> KnownLabels:
    """The label of each id: the latest one that was known at ``now``, of equally late ones the one read last. Memory
    grows with the ids alone: each takes a hash, its label and, where the outcomes have one, its time."""
    import pyarrow as pa

    hashes, times, labels = [], [], []
    example, untimed = "", 0
    untimed_cells: list[str] = []
    for batch in _alike(outcomes, [name for name in (spec.id, spec.label, spec.label_time) if name]):
        ids = column_or_nulls(batch, spec.id)
        of_rows, usable = hash_by_row(ids)
        example = example or _first_cell(ids)
        label = column_or_nulls(batch, spec.label)
        if spec.label_time:
            cells = column_or_nulls(batch, spec.label_time)
            known_at = np.nan_to_num(times_by_row(cells), nan=-np.inf)
            if np.isneginf(known_at).any():
                written = cells.filter(pa.array(np.isneginf(known_at) & hash_by_row(cells)[1]))
                untimed += len(written)
                shown = shown_cells(written[: SHOWN_CELLS - len(untimed_cells)])
                untimed_cells.extend(shorten(cell, 40) for cell in shown if cell is not None)
            usable = usable & (known_at <= now)
            times.append(known_at[usable])
        hashes.append(of_rows[usable])
        labels.append(label if usable.all() else label.filter(pa.array(usable)))
    kind = labels[0].type if labels else pa.null()
    cells = pa.chunked_array([label.cast(kind) for label in labels], kind).combine_chunks()
    merged = np.concatenate(hashes) if hashes else np.zeros(0, dtype=np.uint64)
    order = np.argsort(merged)
    is_repeated = merged[order[1:]] == merged[order[:-1]]
    late = np.concatenate(times) if times else np.zeros(len(merged))
    contradicted, changes, first = 0, None, None
    if is_repeated.any():
        order = np.lexsort((np.arange(len(merged)), late, merged))
        is_repeated = merged[order[1:]] == merged[order[:-1]]
        codes = factorize(cells.take(to_arrow(order)), missing_words=_EMPTY)[0]
        contradicted = _count_contradicted(merged[order], late[order], codes)
        changes, first = _find_changes(is_repeated, late[order], codes) if times else (None, None)
    elif times:
        came = late[np.isfinite(late) & (factorize(cells, missing_words=_EMPTY)[0] >= 0)]
        changes = LabelChanges(came, np.zeros(len(came), dtype=np.bool_))
    last = order[np.append(~is_repeated, len(order) > 0)[: len(order)]]
    kept = late[last] if times else None
    if kept is not None:
        kept[np.isneginf(kept)] = np.nan
        first = None if first is None else np.where(np.isfinite(first), first, kept)
    return KnownLabels(
        merged[last],
        cells.take(to_arrow(last)),
        contradicted,
        example,
        kept,
        first,
        untimed,
        tuple(untimed_cells),
        changes,
    )


def _find_changes(is_repeated: Bools, times: Floats, codes: Ints) -> tuple[LabelChanges, Floats]:
    """The changes, and by id the time of its first label, infinite without. All in the order of ids, and of their
    times; ``is_repeated``: whether the next one has the same id."""
    begins = np.flatnonzero(np.append(True, ~is_repeated))
    first = np.repeat(codes[begins], np.diff(np.append(begins, len(codes))))
    has_label = (codes >= 0) & np.isfinite(times)
    known = has_label & (first >= 0)
    first_times = np.minimum.reduceat(np.where(has_label, times, np.inf), begins)
    return LabelChanges(times[known], (codes != first)[known]), np.asarray(first_times)


def _count_contradicted(ids: Hashes, times: Floats, codes: Ints) -> int:
    """Ids whose latest labels differ. All in the order of ids, and of their times."""
    begins = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
    lengths = np.diff(np.append(begins, len(ids)))
    latest = (times == np.repeat(times[begins + lengths - 1], lengths)) & (codes >= 0)
    group = np.repeat(np.arange(len(begins)), lengths)[latest]
    known = codes[latest]
    differs = (group[1:] == group[:-1]) & (known[1:] != known[:-1])
    return len(np.unique(group[1:][differs]))


def _first_cell(ids: Any) -> str:
    """The first id, as text."""
    return next((str(cell) for cell in shown_cells(ids[:100]) if cell), "")


def _alike(log: PredictionLog, columns: Sequence[str]) -> Iterator[Any]:
    """The batches of a log in one schema, whatever the schemas of its files."""
    import pyarrow as pa

    types = log.types(columns) if isinstance(log, FilesLog) else {}
    for batch in log.batches(columns):
        if not types:
            yield batch
            continue
        plain = {name: decode_dictionary(column_or_nulls(batch, name)) for name in types}
        cells = [_cast_cells(plain[name], kind) for name, kind in types.items()]
        yield pa.RecordBatch.from_arrays(cells, list(types))


def _cast_cells(cells: Any, kind: Any) -> Any:
    import pyarrow as pa

    if cells.type == kind:
        return cells
    if pa.types.is_null(cells.type):
        return pa.nulls(len(cells), kind)
    return to_text(cells) if kind == pa.string() and not is_text_type(cells.type) else cells.cast(kind)
