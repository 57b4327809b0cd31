"""Pair the rows of two prediction tables by id, and leave out what cannot be compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import SourceError, SourceNameError, UserError
from ..model.monitored_model import GateSpec
from ..model.prediction_log import MeasureSpec
from ..profiling.class_names import ClassNames, merge_booleans, positive_class
from ..profiling.label_join import label_notes, without_missing_labels
from ..profiling.label_task import class_notes, require_positive, unpredicted_class_text, unpredicted_classes
from ..profiling.readers import PredictionLog
from ..stats.arrays import Bools, Floats, Hashes, Ints
from ..stats.paired.classification import CLASS_METRICS
from ..stats.paired.metrics import METRICS, VALUE_METRICS, required_input
from ..stats.paired.paired_rows import PairedColumn, PairedRows
from ..stats.performance.custom import load_metric
from ..stats.segmentation import MAX_VALUES, MISSING, OTHER, EncodedColumn
from .comparison import Comparison, ComparisonProblem
from .prediction_table import ColumnRequest, TableColumns, TextEncoder, read_table

MAX_UNPREDICTED_SHARE = 0.05
"""A class that neither version predicts can be a word for no outcome: with so many labels of it, the gate holds."""
_PLURALS = {"label": "labels", "query": "queries"}


def match_rows(champion: TableColumns, candidate: TableColumns) -> tuple[tuple[Ints, Ints], list[ComparisonProblem]]:
    """The row of each id in either table; the order depends on the ids alone. Ids that only one table has, that a table
    repeats, and rows without id are left out and reported: what is missing may be what is hard, and nobody knows which
    of two rows with one id counts."""
    ours, theirs = _index_ids(champion), _index_ids(candidate)
    common, our_places, their_places = np.intersect1d(ours.ids, theirs.ids, assume_unique=True, return_indices=True)
    count = len(common)
    problems = [
        *_id_problems("champion", ours),
        *_id_problems("candidate", theirs),
        *_missing_row_problems("candidate", len(ours.ids) - count - theirs.count_repeated_in(ours)),
        *_missing_row_problems("champion", len(theirs.ids) - count - ours.count_repeated_in(theirs)),
    ]
    return (ours.rows[our_places], theirs.rows[their_places]), problems


@dataclass(frozen=True, slots=True, eq=False)
class _UniqueIds:
    ids: Hashes
    """Ascending; those that occur once."""
    rows: Ints
    repeated_ids: Hashes
    """Ascending; each once."""
    repeated_rows: int
    """Rows with an id that occurs more than once."""
    rows_without_id: int

    def count_repeated_in(self, other: _UniqueIds) -> int:
        """Ids that occur once in ``other`` and more than once here: these are not missing."""
        return int(np.isin(self.repeated_ids, other.ids).sum()) if len(self.repeated_ids) else 0


def _index_ids(columns: TableColumns) -> _UniqueIds:
    rows = np.flatnonzero(columns.has_id)
    ids, first, counts = np.unique(columns.ids[rows], return_index=True, return_counts=True)
    once = counts == 1
    rows_without_id = len(columns.ids) - len(rows)
    return _UniqueIds(ids[once], rows[first[once]], ids[~once], int(counts[~once].sum()), rows_without_id)


def _id_problems(who: str, side: _UniqueIds) -> Iterator[ComparisonProblem]:
    if side.rows_without_id:
        yield ComparisonProblem(
            "ids", f"{side.rows_without_id:,} rows of the {who}'s table have no id.", side.rows_without_id
        )
    if side.repeated_rows:
        words = (
            f"{len(side.repeated_ids):,} ids occur more than once in the {who}'s table, in {side.repeated_rows:,} rows."
        )
        yield ComparisonProblem("ids", words, side.repeated_rows)


def _missing_row_problems(who: str, count: int) -> Iterator[ComparisonProblem]:
    if count > 0:
        other = "champion" if who == "candidate" else "candidate"
        words = f"{count:,} rows of the {other}'s table are missing in the {who}'s; both must score the same rows."
        yield ComparisonProblem("rows", words, count)


def read_comparison(
    name: str, champion: PredictionLog, candidate: PredictionLog, measure: MeasureSpec, gate: GateSpec
) -> Comparison:
    """Both tables, row by row. What cannot be compared is left out and listed among the problems.

    Raises UserError if ``measure:`` does not name a required column, SourceError if a table lacks it.
    """
    request, encoder = _requested_columns(measure, gate), TextEncoder()
    both = (champion, candidate)
    logs = [without_missing_labels(log, measure, both) for log in both]
    sides = (read_table(logs[0], request, encoder), read_table(logs[1], request, encoder))
    comparison = _Pairing(name, sides, *match_rows(*sides), encoder, measure, gate).comparison()
    labels = dict.fromkeys(f"{name}: {note}" for log in logs for note in label_notes(log))
    return replace(comparison, notes=(*labels, *comparison.notes))


def _requested_columns(measure: MeasureSpec, gate: GateSpec) -> ColumnRequest:
    try:
        kind = required_input(gate.metric)
    except ValueError as error:
        raise UserError(f"{error}.", where="release: {gate: {metric}}") from error
    if gate.metric not in METRICS:
        try:
            load_metric(gate.metric)
        except ValueError as error:
            raise UserError(f"{error}.", where="release: {gate: {metric}}") from error
    output = "prediction" if kind in ("classes", "numbers") else "score"
    missing = [name for name in ("id", "label", output) if not getattr(measure, name)]
    if kind == "lists" and measure.ranking is None:
        missing.append("ranking")
    if gate.metric in VALUE_METRICS and not measure.value:
        missing.append("value")
    if missing:
        hint = f"Give `measure: {{{', '.join(f'{name}: ...' for name in missing)}}}`, the columns of the tables."
        raise UserError(f"comparing two versions by {gate.metric} requires {' and '.join(missing)}.", hint=hint)
    values = (measure.value, gate.latency)
    answers = (measure.label, measure.prediction)
    query = measure.ranking.query if measure.ranking else ""
    as_codes, as_numbers = {
        "numbers": (gate.segments, (*answers, *values)),
        "lists": ((query, *gate.segments), (measure.label, measure.score, *values)),
    }.get(kind, ((*answers, *gate.segments), (measure.score, *values)))
    codes, numbers = (tuple(dict.fromkeys(filter(None, names))) for names in (as_codes, as_numbers))
    return ColumnRequest(measure.id, (getattr(measure, output),), codes, numbers, answers)


class _Pairing:
    """The matched rows of both sides; each step leaves out rows that cannot be compared."""

    def __init__(
        self,
        name: str,
        sides: tuple[TableColumns, TableColumns],
        rows: tuple[Ints, Ints],
        problems: list[ComparisonProblem],
        texts: TextEncoder,
        measure: MeasureSpec,
        gate: GateSpec,
    ) -> None:
        self.name, self.sides, self.texts, self.measure, self.gate = name, sides, texts, measure, gate
        self.rows, self.problems = rows, problems
        self.n = len(rows[0])
        self.mask = np.ones(self.n, dtype=np.bool_)
        self.notes: list[str] = []

    def comparison(self) -> Comparison:
        if not self.n:
            self.problems.append(ComparisonProblem("rows", "the two tables have no row in common."))
        kinds = {"numbers": self._regression_pairs, "lists": self._ranking_pairs}
        pairs = kinds.get(required_input(self.gate.metric), self._classification_pairs)()
        rows = np.flatnonzero(self.mask)
        latency = self._numbers_of(self.gate.latency)
        return Comparison(
            self.name,
            replace(pairs.take(rows), worth=self._worth(rows)),
            tuple(self._segment(name, rows) for name in self.gate.segments),
            _paired_latencies(latency[0], latency[1], rows) if len(latency) == 2 else None,
            tuple(self.problems),
            tuple(self.notes),
        )

    def _codes_of(self, name: str) -> list[Ints]:
        """The column of each side that has it, in the order of the matched rows."""
        both = zip(self.sides, self.rows, strict=True)
        return [side.codes[name][rows] for side, rows in both if name in side.codes]

    def _class_codes(self) -> tuple[list[Ints], list[Ints]]:
        """Labels and predictions of each side; those that name one class have one code."""
        measure, texts = self.measure, self.texts
        columns = [self._codes_of(name) if name else [] for name in (measure.label, measure.prediction)]
        naming = ClassNames(ignore_case=measure.ignore_case)
        labels = {naming(texts.names[code]) for column in columns[0] for code in np.unique(column[column >= 0])}
        naming = ClassNames(merge_booleans(labels), ignore_case=measure.ignore_case)
        code_of = np.array([*(texts.number_of(naming(name)) for name in tuple(texts.names)), -1])
        return [code_of[column] for column in columns[0]], [code_of[column] for column in columns[1]]

    def _numbers_of(self, name: str) -> list[Floats]:
        both = zip(self.sides, self.rows, strict=True)
        return [side.numbers[name][rows] for side, rows in both if name in side.numbers]

    def _regression_pairs(self) -> PairedRows:
        labels = self._numbers_of(self.measure.label)
        truth = self._merge_labels(labels, [~np.isnan(column) for column in labels])
        sides = PairedColumn(*self._numbers_of(self.measure.prediction))
        self._drop_unanswered("prediction", np.isfinite(sides.champion), np.isfinite(sides.candidate))
        self.mask &= np.isfinite(truth)
        self._check_constant_label(truth)
        return PairedRows(self.n, truth=truth, numbers=sides)

    def _ranking_pairs(self) -> PairedRows:
        """Ranked lists: the label is the relevance. A row whose query differs between the sides is left out."""
        ranking = self.measure.ranking
        assert ranking is not None  # noqa: S101 - `_requested_columns` requires it
        labels = self._numbers_of(self.measure.label)
        relevance = self._merge_labels(labels, [~np.isnan(column) for column in labels])
        queries = self._codes_of(ranking.query)
        query = self._merge_sides("query", ranking.query, queries, [column >= 0 for column in queries])
        sides = PairedColumn(*self._numbers_of(self.measure.score))
        self._drop_unanswered("score", ~np.isnan(sides.champion), ~np.isnan(sides.candidate))
        self.mask &= np.isfinite(relevance) & (query >= 0)
        if (relevance[self.mask] < 0).any():
            message = f"{self.measure.label!r} is negative in some rows, so it is not a relevance."
            raise SourceError(message, where=self.name)
        self._check_constant_label(relevance)
        return PairedRows(self.n, scores=sides, truth=relevance, query=query, depth=ranking.at)

    def _classification_pairs(self) -> PairedRows:
        labels, predictions = self._class_codes()
        label = self._merge_labels(labels, [column >= 0 for column in labels])
        scores = self._numbers_of(self.measure.score) if self.measure.score else []
        by_score = required_input(self.gate.metric) == "scores"
        if by_score:
            self._drop_unanswered("score", *(~np.isnan(column) for column in scores))
        else:
            self._drop_unanswered("prediction", *(column >= 0 for column in predictions))
        self.mask &= label >= 0
        self._check_constant_label(label)
        if not by_score and self.mask.any():
            self._check_known_classes(label, predictions)
        # Metrics that decide nothing are reported only if every row has what they need.
        all_predicted = len(predictions) == 2 and all((column[self.mask] >= 0).all() for column in predictions)
        all_scored = len(scores) == 2 and not any(np.isnan(column[self.mask]).any() for column in scores)
        names, _ = self._sorted_classes(label)
        require_positive(names, self.measure, self.name)
        classes, order = self._sorted_classes(label, *(predictions if all_predicted else ()))
        if self.gate.metric in CLASS_METRICS:
            self._require_two_classes(classes, f"{self.gate.metric}_macro")
        return PairedRows(
            self.n,
            classes,
            order[label],
            order[predictions[0]] if all_predicted else None,
            order[predictions[1]] if all_predicted else None,
            self._positive(label, by_score) if all_scored else None,
            PairedColumn(*scores) if all_scored else None,
        )

    def _sorted_classes(self, *columns: Ints) -> tuple[tuple[str, ...], Ints]:
        """The classes of these columns by name, the positive one of two last, and the place of each text among them; -1
        stays."""
        used = {int(code) for column in columns for code in np.unique(column[self.mask])}
        names = sorted(self.texts.names[code] for code in used)
        positive = positive_class(names, self.measure)
        places = sorted(used, key=lambda code: (self.texts.names[code] == positive, self.texts.names[code]))
        order = np.full(len(self.texts.names) + 1, -1, dtype=np.int64)
        order[places] = np.arange(len(places))
        return tuple(self.texts.names[place] for place in places), order

    def _positive(self, label: Ints, required: bool) -> Bools | None:
        """The rows whose label is the positive one of two; ``None`` if there are more, which one score cannot rank."""
        names, order = self._sorted_classes(label)
        if required:
            self._require_two_classes(names, "f1_macro")
        return None if len(names) > 2 else np.asarray(order[label] == len(names) - 1)

    def _require_two_classes(self, classes: tuple[str, ...], alternative: str) -> None:
        if len(classes) > 2:
            raise UserError(
                f"{self.gate.metric} needs two classes, but the tables hold {len(classes)}: {', '.join(classes[:5])}.",
                hint=f"Choose another `release: {{gate: {{metric}}}}`, such as {alternative}.",
            )

    def _merge_labels(self, columns: list[Any], known: list[Bools]) -> Any:
        return self._merge_sides("label", self.measure.label, columns, known)

    def _merge_sides(self, what: str, name: str, columns: list[Any], known: list[Bools]) -> Any:
        """The label (or query) of each row, from whichever side has it; rows in which the sides differ are left out."""
        if not columns:
            hint = "Add it to one of them."
            raise SourceNameError(f"neither table has the {what} {name!r}.", hint=hint, where=self.name)
        merged = columns[0]
        if len(columns) == 2:
            differs = known[0] & known[1] & (columns[0] != columns[1])
            if count := int(differs.sum()):
                self.mask &= ~differs
                self.problems.append(
                    ComparisonProblem(_PLURALS[what], f"the two tables differ in the {what} of {count:,} rows.", count)
                )
            merged = np.where(known[0], columns[0], columns[1])
        if count := int((~np.logical_or.reduce(known)).sum()):
            yet = " yet" if what == "label" else ""
            self.notes.append(f"{self.name}: {count:,} rows have no {what}{yet} and are left out.")
        return merged

    def _drop_unanswered(self, what: str, ours: Bools, theirs: Bools) -> None:
        """Leave out rows without output; report those for which only one side has none."""
        for who, missing in (("champion", ~ours & theirs), ("candidate", ours & ~theirs)):
            if count := int((missing & self.mask).sum()):
                self.problems.append(ComparisonProblem(what, f"the {who} has no {what} for {count:,} rows.", count))
        if count := int((~ours & ~theirs & self.mask).sum()):
            self.notes.append(f"{self.name}: neither version has a {what} for {count:,} rows; they are left out.")
        self.mask &= ours & theirs

    def _check_constant_label(self, label: Any) -> None:
        known = label[self.mask]
        if not len(known):
            if self.n:
                self.problems.append(ComparisonProblem("labels", "no row has a label and both outputs."))
        elif (known == known[0]).all():
            words = "every row has the same label: a model that always predicts it looks perfect."
            self.problems.append(ComparisonProblem("labels", words, len(known)))

    def _check_known_classes(self, label: Ints, predictions: list[Ints]) -> None:
        """Report predictions of which none is ever a label: ``true`` in one column and ``1`` in the other."""
        labels = np.unique(label[self.mask])
        for who, codes in zip(("champion", "candidate"), predictions, strict=True):
            if not np.isin(np.unique(codes[self.mask]), labels).any():
                words = f"no prediction of the {who} is ever a label; do both columns spell the classes alike?"
                self.problems.append(ComparisonProblem("labels", words, int(self.mask.sum())))
        names = self.texts.names
        predicted = {names[code] for codes in predictions for code in np.unique(codes[self.mask])}
        found, counts = np.unique(label[self.mask], return_counts=True)
        by_class = {names[code]: count for code, count in zip(found, counts.tolist(), strict=True)}
        many = unpredicted_classes(predicted, by_class, MAX_UNPREDICTED_SHARE)
        for name, count in many.items():
            self.problems.append(ComparisonProblem("labels", unpredicted_class_text(name, count), count))
        few = {name: count for name, count in by_class.items() if name not in many}
        self.notes.extend(f"{self.name}: {note}" for note in class_notes(predicted, few))

    def _segment(self, name: str, rows: Ints) -> EncodedColumn:
        codes = [column[rows] for column in self._codes_of(name)]
        if not codes:
            raise SourceNameError(f"neither table has the segment column {name!r}.", where=self.name)
        if len(codes) == 2 and (count := int((codes[0] != codes[1]).sum())):
            self.notes.append(f"{self.name}: {name} differs in {count:,} rows; the champion's table counts.")
        return _largest_values(name, codes[0], self.texts.names, self._worth(rows))

    def _worth(self, rows: Ints) -> Floats | None:
        values = self._numbers_of(self.measure.value) if self.measure.value else []
        if not values and self.gate.metric in VALUE_METRICS:
            raise SourceNameError(f"neither table has the value {self.measure.value!r}.", where=self.name)
        return np.nan_to_num(values[0][rows], nan=0.0, posinf=0.0, neginf=0.0) if values else None


def _paired_latencies(champion: Floats, candidate: Floats, rows: Ints) -> PairedColumn:
    """The latencies of the rows where both versions' are known."""
    latencies = PairedColumn(champion, candidate).take(rows)
    return latencies.take(np.flatnonzero(np.isfinite(latencies.champion) & np.isfinite(latencies.candidate)))


def _largest_values(name: str, codes: Ints, names: list[str], worth: Floats | None) -> EncodedColumn:
    """The segments worth most (without a value column: the most frequent), then all others, then the missing ones."""
    known = codes >= 0
    sizes = np.bincount(codes[known], None if worth is None else worth[known], minlength=len(names))
    largest = np.sort(np.argsort(-sizes, kind="stable")[:MAX_VALUES])
    places = np.full(len(names) + 1, len(largest), dtype=np.int16)
    places[largest] = np.arange(len(largest))
    places[-1] = len(largest) + 1
    return EncodedColumn(name, places[codes], (*(names[code] for code in largest), OTHER, MISSING))
