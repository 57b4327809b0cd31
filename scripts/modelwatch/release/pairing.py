"""Rows of two tables laid side by side by their ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SourceError, UserError
from ..model.monitored_model import GateSpec
from ..model.prediction_log import MeasureSpec
from ..stats.paired.classification import CLASS_METRICS
from ..stats.paired.metrics import METRICS, VALUE_METRICS, required_input
from ..stats.paired.paired_rows import PairedColumn, PairedRows
from ..stats.performance.custom import load_metric
from ..stats.segmentation import MAX_VALUES, MISSING, OTHER, EncodedColumn
from .comparison import Comparison, ComparisonProblem
from .prediction_table import ColumnRequest, PredictionTable, TableColumns, TextEncoder

RowNumbers = NDArray[np.int64]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class MatchedRows:
    """``champion[i]`` and ``candidate[i]`` are the rows of one id, each id once, in an order that depends on the ids
    alone."""

    champion: RowNumbers
    candidate: RowNumbers
    problems: tuple[ComparisonProblem, ...]


def match_rows(champion: TableColumns, candidate: TableColumns) -> MatchedRows:
    """Ids that stand on one side only, twice on a side, or nowhere are left out and told: what is missing may be what
    is hard, and of two rows for one id nobody knows which one counts."""
    ours, theirs = _index_ids(champion), _index_ids(candidate)
    if len(ours.ids) == len(theirs.ids) and bool((ours.ids == theirs.ids).all()):
        kept, found = np.arange(len(ours.ids)), np.arange(len(ours.ids))
    else:
        place = np.searchsorted(theirs.ids, ours.ids)
        place = np.minimum(place, max(len(theirs.ids) - 1, 0))
        both = theirs.ids[place] == ours.ids if len(theirs.ids) else np.zeros(len(ours.ids), dtype=np.bool_)
        kept, found = np.flatnonzero(both), place[both]
    troubles = (
        *_id_problems("champion", ours),
        *_id_problems("candidate", theirs),
        *_missing_row_problems("candidate", len(ours.ids) - len(kept) - theirs.count_repeated_in(ours)),
        *_missing_row_problems("champion", len(theirs.ids) - len(kept) - ours.count_repeated_in(theirs)),
    )
    return MatchedRows(ours.rows[kept], theirs.rows[found], troubles)


@dataclass(frozen=True, slots=True, eq=False)
class _UniqueIds:
    ids: Hashes
    """Ascending; those that occur once."""
    rows: RowNumbers
    repeated_ids: Hashes
    """Ascending; each once."""
    repeated_rows: int
    """Rows with an id that occurs more than once."""
    rows_without_id: int
    """Rows without an id."""

    def count_repeated_in(self, other: _UniqueIds) -> int:
        """Ids that occur once there and more than once here: these are not missing."""
        return int(np.isin(self.repeated_ids, other.ids).sum()) if len(self.repeated_ids) else 0


def _index_ids(columns: TableColumns) -> _UniqueIds:
    rows = np.flatnonzero(columns.has_id)
    found = columns.ids[rows]
    without = len(columns.ids) - len(rows)
    order = np.argsort(found)
    ids = found[order]
    same = ids[1:] == ids[:-1]
    repeated = np.zeros(len(ids), dtype=np.bool_)
    repeated[1:] |= same
    repeated[:-1] |= same
    twice = np.unique(ids[repeated])
    return _UniqueIds(ids[~repeated], rows[order][~repeated], twice, int(repeated.sum()), without)


def _id_problems(who: str, side: _UniqueIds) -> Iterator[ComparisonProblem]:
    if side.rows_without_id:
        yield ComparisonProblem(
            "ids", f"{side.rows_without_id:,} rows of the {who}'s table have no id.", side.rows_without_id
        )
    if side.repeated_rows:
        words = (
            f"{len(side.repeated_ids):,} ids stand more than once in the {who}'s table, in {side.repeated_rows:,} rows."
        )
        yield ComparisonProblem("ids", words, side.repeated_rows)


def _missing_row_problems(who: str, count: int) -> Iterator[ComparisonProblem]:
    if count > 0:
        other = "champion" if who == "candidate" else "candidate"
        words = f"{count:,} rows of the {other}'s table are missing in the {who}'s; both must score the same rows."
        yield ComparisonProblem("rows", words, count)


Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]
_PLURALS = {"label": "labels", "query": "queries"}


def read_comparison(
    name: str, champion: PredictionTable, candidate: PredictionTable, measure: MeasureSpec, gate: GateSpec
) -> Comparison:
    """Both tables, row by row. What cannot be compared is left out and stands among the troubles.

    Raises UserError where ``measure:`` does not say what is needed, SourceError where a table lacks it.
    """
    wanted, texts = _requested_columns(measure, gate), TextEncoder()
    sides = (champion.read(wanted, texts), candidate.read(wanted, texts))
    return _Pairing(name, sides, match_rows(*sides), texts, measure, gate).comparison()


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
    asked = "prediction" if kind in ("classes", "numbers") else "score"
    missing = [name for name in ("id", "label", asked) if not getattr(measure, name)]
    if kind == "lists" and measure.ranking is None:
        missing.append("ranking")
    if gate.metric in VALUE_METRICS and not measure.value:
        missing.append("value")
    if missing:
        hint = f"Give `measure: {{{', '.join(f'{name}: ...' for name in missing)}}}`, the columns of the tables."
        raise UserError(f"to compare two versions by {gate.metric} takes {' and '.join(missing)}.", hint=hint)
    values = (measure.value, gate.latency)
    answers = (measure.label, measure.prediction)
    query = measure.ranking.query if measure.ranking else ""
    as_codes, as_numbers = {
        "numbers": (gate.segments, (*answers, *values)),
        "lists": ((query, *gate.segments), (measure.label, measure.score, *values)),
    }.get(kind, ((*answers, *gate.segments), (measure.score, *values)))
    named = [tuple(dict.fromkeys(filter(None, names))) for names in (as_codes, as_numbers)]
    return ColumnRequest(measure.id, (getattr(measure, asked),), *named)


class _Pairing:
    """Takes the rows of both sides in the joined order and leaves out, step by step, what cannot be compared."""

    def __init__(
        self,
        name: str,
        sides: tuple[TableColumns, TableColumns],
        joined: MatchedRows,
        texts: TextEncoder,
        measure: MeasureSpec,
        gate: GateSpec,
    ) -> None:
        self.name, self.sides, self.texts, self.measure, self.gate = name, sides, texts, measure, gate
        self.rows = (joined.champion, joined.candidate)
        self.n = len(joined.champion)
        self.mask = np.ones(self.n, dtype=np.bool_)
        self.problems: list[ComparisonProblem] = list(joined.problems)
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

    def _codes_of(self, name: str) -> list[Codes]:
        """Of the sides that have the column, in the joined order."""
        both = zip(self.sides, self.rows, strict=True)
        return [side.codes[name][rows] for side, rows in both if name in side.codes]

    def _numbers_of(self, name: str) -> list[Floats]:
        both = zip(self.sides, self.rows, strict=True)
        return [side.numbers[name][rows] for side, rows in both if name in side.numbers]

    def _regression_pairs(self) -> PairedRows:
        given = self._numbers_of(self.measure.label)
        truth = self._merge_labels(given, [~np.isnan(one) for one in given])
        sides = PairedColumn(*self._numbers_of(self.measure.prediction))
        self._drop_unanswered("prediction", np.isfinite(sides.champion), np.isfinite(sides.candidate))
        self.mask &= np.isfinite(truth)
        self._check_constant_label(truth)
        return PairedRows(self.n, truth=truth, numbers=sides)

    def _ranking_pairs(self) -> PairedRows:
        """Ranked lists: the label is the relevance. A row whose query the sides do not agree on is left out."""
        ranking = self.measure.ranking
        assert ranking is not None  # noqa: S101 - asked by `_wanted`
        given = self._numbers_of(self.measure.label)
        relevance = self._merge_labels(given, [~np.isnan(one) for one in given])
        queries = self._codes_of(ranking.query)
        query = self._merge_sides("query", ranking.query, queries, [one >= 0 for one in queries])
        sides = PairedColumn(*self._numbers_of(self.measure.score))
        self._drop_unanswered("score", ~np.isnan(sides.champion), ~np.isnan(sides.candidate))
        self.mask &= np.isfinite(relevance) & (query >= 0)
        if (relevance[self.mask] < 0).any():
            raise SourceError(f"{self.measure.label!r} is negative in some rows, and no relevance.", where=self.name)
        self._check_constant_label(relevance)
        return PairedRows(self.n, scores=sides, truth=relevance, query=query, depth=ranking.at)

    def _classification_pairs(self) -> PairedRows:
        given = self._codes_of(self.measure.label)
        label = self._merge_labels(given, [one >= 0 for one in given])
        predictions = self._codes_of(self.measure.prediction) if self.measure.prediction else []
        scores = self._numbers_of(self.measure.score) if self.measure.score else []
        by_score = required_input(self.gate.metric) == "scores"
        if by_score:
            self._drop_unanswered("score", *(~np.isnan(one) for one in scores))
        else:
            self._drop_unanswered("prediction", *(one >= 0 for one in predictions))
        self.mask &= label >= 0
        self._check_constant_label(label)
        if not by_score and self.mask.any():
            self._check_known_classes(label, predictions)
        # What is only told of is told of where every row has it.
        both = len(predictions) == 2 and all((one[self.mask] >= 0).all() for one in predictions)
        whole = len(scores) == 2 and not any(np.isnan(one[self.mask]).any() for one in scores)
        classes, order = self._sorted_classes(label, *(predictions if both else ()))
        if self.gate.metric in CLASS_METRICS:
            self._require_two_classes(classes, f"{self.gate.metric}_macro")
        return PairedRows(
            self.n,
            classes,
            order[label],
            order[predictions[0]] if both else None,
            order[predictions[1]] if both else None,
            self._positive(label, by_score) if whole else None,
            PairedColumn(*scores) if whole else None,
        )

    def _sorted_classes(self, *columns: Codes) -> tuple[tuple[str, ...], Codes]:
        """The classes of these columns by name, and the place of each text among them; -1 stays."""
        used = {int(one) for column in columns for one in np.unique(column[self.mask])}
        places = sorted(used, key=self.texts.names.__getitem__)
        order = np.full(len(self.texts.names) + 1, -1, dtype=np.int64)
        order[places] = np.arange(len(places))
        return tuple(self.texts.names[place] for place in places), order

    def _positive(self, label: Codes, demanded: bool) -> Bools | None:
        """Of two labels the later one by name; more than two are no question of one score."""
        names, order = self._sorted_classes(label)
        if demanded:
            self._require_two_classes(names, "f1_macro")
        return None if len(names) > 2 else np.asarray(order[label] == len(names) - 1)

    def _require_two_classes(self, classes: tuple[str, ...], better: str) -> None:
        if len(classes) > 2:
            raise UserError(
                f"{self.gate.metric} is of two classes, and the tables hold {len(classes)}: {', '.join(classes[:5])}.",
                hint=f"Choose another `release: {{gate: {{metric}}}}`, such as {better}.",
            )

    def _merge_labels(self, given: list[Any], there: list[Bools]) -> Any:
        return self._merge_sides("label", self.measure.label, given, there)

    def _merge_sides(self, what: str, column: str, given: list[Any], there: list[Bools]) -> Any:
        """The label (or query) of each row, from whichever side knows it; rows on which they differ are left out."""
        if not given:
            hint = "Put it into one of them."
            raise SourceError(f"neither table has the {what} {column!r}.", hint=hint, where=self.name)
        found = given[0]
        if len(given) == 2:
            wrong = there[0] & there[1] & (given[0] != given[1])
            if count := int(wrong.sum()):
                self.mask &= ~wrong
                self.problems.append(
                    ComparisonProblem(_PLURALS[what], f"the two tables differ in the {what} of {count:,} rows.", count)
                )
            found = np.where(there[0], given[0], given[1])
        if without := int((~np.logical_or.reduce(there)).sum()):
            yet = " yet" if what == "label" else ""
            self.notes.append(f"{self.name}: {without:,} rows have no {what}{yet} and are left out.")
        return found

    def _drop_unanswered(self, what: str, ours: Bools, theirs: Bools) -> None:
        """Rows that one side, or neither, gave an answer for."""
        for who, missing in (("champion", ~ours & theirs), ("candidate", ours & ~theirs)):
            if count := int((missing & self.mask).sum()):
                self.problems.append(ComparisonProblem(what, f"the {who} has no {what} for {count:,} rows.", count))
        if count := int((~ours & ~theirs & self.mask).sum()):
            self.notes.append(f"{self.name}: neither has a {what} for {count:,} rows; they are left out.")
        self.mask &= ours & theirs

    def _check_constant_label(self, label: Any) -> None:
        known = label[self.mask]
        if not len(known):
            if self.n:
                self.problems.append(ComparisonProblem("labels", "no row has a label and both answers."))
        elif (known == known[0]).all():
            words = "every row has the same label: whoever always says so looks perfect."
            self.problems.append(ComparisonProblem("labels", words, len(known)))

    def _check_known_classes(self, label: Codes, predictions: list[Codes]) -> None:
        """Predictions that are no label anywhere: ``true`` in one column and ``1`` in another."""
        labels = np.unique(label[self.mask])
        for who, codes in zip(("champion", "candidate"), predictions, strict=True):
            if not np.isin(np.unique(codes[self.mask]), labels).any():
                words = f"no prediction of the {who} is ever a label; do both columns write classes alike?"
                self.problems.append(ComparisonProblem("labels", words, int(self.mask.sum())))

    def _segment(self, name: str, rows: Rows) -> EncodedColumn:
        codes = [one[rows] for one in self._codes_of(name)]
        if not codes:
            raise SourceError(f"neither table has the segment column {name!r}.", where=self.name)
        if len(codes) == 2 and (apart := int((codes[0] != codes[1]).sum())):
            self.notes.append(f"{self.name}: {name} differs in {apart:,} rows; the champion's table counts.")
        return _largest_values(name, codes[0], self.texts.names, self._worth(rows))

    def _worth(self, rows: Rows) -> Floats | None:
        given = self._numbers_of(self.measure.value) if self.measure.value else []
        if not given and self.gate.metric in VALUE_METRICS:
            raise SourceError(f"neither table has the value {self.measure.value!r}.", where=self.name)
        return np.nan_to_num(given[0][rows], nan=0.0, posinf=0.0, neginf=0.0) if given else None


def _paired_latencies(champion: Floats, candidate: Floats, rows: Rows) -> PairedColumn:
    """Of the rows where both are known."""
    taken = PairedColumn(champion, candidate).take(rows)
    return taken.take(np.flatnonzero(np.isfinite(taken.champion) & np.isfinite(taken.candidate)))


def _largest_values(name: str, codes: Codes, names: list[str], worth: Floats | None) -> EncodedColumn:
    """The values that are worth most (without a value: the commonest); the rest together, what is missing together."""
    there = codes >= 0
    size = np.bincount(codes[there], None if worth is None else worth[there], minlength=len(names))
    kept = np.sort(np.argsort(-size, kind="stable")[:MAX_VALUES])
    to = np.full(len(names) + 1, len(kept), dtype=np.int16)
    to[kept] = np.arange(len(kept))
    to[-1] = len(kept) + 1
    return EncodedColumn(name, to[codes], (*(names[place] for place in kept), OTHER, MISSING))
