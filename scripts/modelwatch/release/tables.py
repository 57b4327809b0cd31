"""Prediction tables of two versions, as ``measure:`` says what their columns mean, joined by id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SourceError, UserError
from ..measure.cells import aligned
from ..model.measured import MeasureSpec
from ..model.release import GateSpec
from ..stats.cells import LARGEST, MISSING, OTHER, Column
from ..stats.paired.compare import needs
from ..stats.paired.pairs import Pairs, Sides
from .join import Joined, join
from .part import Part, Trouble
from .source import Source, Texts, Wanted

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Bools = NDArray[np.bool_]


def read_part(name: str, champion: Source, candidate: Source, measure: MeasureSpec, gate: GateSpec) -> Part:
    """Both tables, row by row. What cannot be compared is left out and stands among the troubles.

    Raises UserError where ``measure:`` does not say what is needed, SourceError where a table lacks it.
    """
    wanted = _wanted(measure, gate)
    sides = [source.read(wanted) for source in (champion, candidate)]
    joined = join(*(side[measure.id] for side in sides))
    return _Joining(name, sides, joined, measure, gate).part()


def _wanted(measure: MeasureSpec, gate: GateSpec) -> Wanted:
    try:
        kind = needs(gate.metric)
    except ValueError as error:
        raise UserError(f"{error}.", where="release: {gate: {metric}}") from error
    missing = [
        name
        for name, column in (
            ("id", measure.id),
            ("label", measure.label),
            ("score", measure.score if kind == "scores" else "-"),
            ("prediction", measure.prediction if kind != "scores" else "-"),
        )
        if not column
    ]
    if missing:
        hint = f"Give `measure: {{{', '.join(f'{name}: ...' for name in missing)}}}`, the columns of the tables."
        raise UserError(f"two versions are compared by {gate.metric} with {' and '.join(missing)}.", hint=hint)
    column = measure.score if kind == "scores" else measure.prediction
    rest = (measure.label, measure.prediction, measure.score, *gate.segments, measure.value, gate.latency)
    return Wanted((measure.id, column), rest)


class _Joining:
    """Takes the rows of both sides in the joined order and leaves out, step by step, what cannot be compared."""

    def __init__(
        self, name: str, sides: list[dict[str, Any]], joined: Joined, measure: MeasureSpec, gate: GateSpec
    ) -> None:
        self.name, self.sides, self.measure, self.gate = name, sides, measure, gate
        self.rows = (joined.champion, joined.candidate)
        self.n = len(joined.champion)
        self.kept = np.ones(self.n, dtype=np.bool_)
        self.troubles: list[Trouble] = list(joined.troubles)
        self.notes: list[str] = []

    def part(self) -> Part:
        if not self.n:
            self.troubles.append(Trouble("rows", "the two tables have no row in common."))
        as_numbers = needs(self.gate.metric) == "numbers"
        pairs = self._numbers() if as_numbers else self._classes()
        rows = np.flatnonzero(self.kept)
        latency = self._both(self.gate.latency, aligned) if self.gate.latency else None
        return Part(
            self.name,
            pairs.take(rows),
            tuple(self._segment(name, rows) for name in self.gate.segments),
            self._worth(rows),
            None if latency is None else self._latencies(latency, rows),
            tuple(self.troubles),
            tuple(self.notes),
        )

    def _column(self, side: int, name: str) -> Any:
        """An Arrow array in the joined order, or ``None``."""
        import pyarrow as pa

        column = self.sides[side].get(name)
        return None if column is None else column.take(pa.array(self.rows[side]))

    def _both(self, name: str, read: Callable[[Any], Floats]) -> Sides | None:
        ours, theirs = (self._column(side, name) for side in (0, 1))
        return None if ours is None or theirs is None else Sides(read(ours), read(theirs))

    def _numbers(self) -> Pairs:
        labels = [self._column(side, self.measure.label) for side in (0, 1)]
        given = [aligned(one) for one in labels if one is not None]
        truth = self._one_label(given, [~np.isnan(one) for one in given], lambda one, other: one != other)
        predictions = self._both(self.measure.prediction, aligned)
        assert predictions is not None  # noqa: S101 - demanded
        self._leave_out("prediction", np.isfinite(predictions.champion), np.isfinite(predictions.candidate))
        self.kept &= np.isfinite(truth)
        self._constant(truth)
        return Pairs(self.n, truth=truth, numbers=predictions)

    def _classes(self) -> Pairs:
        texts = Texts()
        columns = [self._column(side, self.measure.label) for side in (0, 1)]
        given = [texts.codes(one) for one in columns if one is not None]
        label = self._one_label(given, [one >= 0 for one in given], lambda one, other: one != other)
        said = len(texts.names)
        found = [self._column(side, self.measure.prediction) for side in (0, 1)]
        predictions = [texts.codes(one) for one in found if one is not None]
        classes, order = texts.sorted()
        scores = self._both(self.measure.score, aligned) if self.measure.score else None
        by_score = needs(self.gate.metric) == "scores"
        if len(predictions) == 2 and not by_score:
            self._leave_out("prediction", *(one >= 0 for one in predictions))
        if scores is not None and by_score:
            self._leave_out("score", ~np.isnan(scores.champion), ~np.isnan(scores.candidate))
        self.kept &= label >= 0
        self._constant(label)
        if len(predictions) == 2 and not by_score and self.kept.any():
            self._strangers(said, predictions)
        both = len(predictions) == 2 and all((one[self.kept] >= 0).all() for one in predictions)
        whole = scores is not None and not any(
            np.isnan(one[self.kept]).any() for one in (scores.champion, scores.candidate)
        )
        return Pairs(
            self.n,
            classes,
            order[label],
            order[predictions[0]] if both else None,
            order[predictions[1]] if both else None,
            self._positive(label, texts.names[:said], by_score) if whole else None,
            scores if whole else None,
        )

    def _positive(self, label: Codes, names: list[str], demanded: bool) -> Bools | None:
        """Of two labels the later one by name; more than two are no question of one score."""
        if len(names) > 2 and demanded:
            told = ", ".join(sorted(names)[:5])
            raise UserError(
                f"{self.gate.metric} is of two classes, and the tables hold {len(names)}: {told}.",
                hint="Choose another `release: {gate: {metric}}`, such as f1_macro.",
            )
        return None if len(names) > 2 else np.asarray(label == names.index(max(names)) if names else label < -1)

    def _one_label(self, given: list[Any], there: list[Bools], differ: Callable[[Any, Any], Any]) -> Any:
        """The label of each row, from whichever side knows it; rows on which the sides differ are left out."""
        if not given:
            raise SourceError(
                f"neither table has the label {self.measure.label!r}.", hint="Put it into one of them.", where=self.name
            )
        found = given[0]
        if len(given) == 2:
            wrong = there[0] & there[1] & differ(*given)
            if count := int(wrong.sum()):
                self.kept &= ~wrong
                self.troubles.append(Trouble("labels", f"the two tables differ in the label of {count:,} rows.", count))
            found = np.where(there[0], given[0], given[1])
        without = int((~np.logical_or.reduce(there)).sum())
        if without:
            self.notes.append(f"{self.name}: {without:,} rows have no label yet and are left out.")
        return found

    def _leave_out(self, what: str, ours: Bools, theirs: Bools) -> None:
        """Rows that one side, or neither, gave an answer for."""
        for who, missing in (("champion", ~ours & theirs), ("candidate", ours & ~theirs)):
            if count := int((missing & self.kept).sum()):
                self.troubles.append(Trouble(what, f"the {who} has no {what} for {count:,} rows.", count))
        if count := int((~ours & ~theirs & self.kept).sum()):
            self.notes.append(f"{self.name}: neither has a {what} for {count:,} rows; they are left out.")
        self.kept &= ours & theirs

    def _constant(self, label: Any) -> None:
        known = label[self.kept]
        if not len(known):
            if self.n:
                self.troubles.append(Trouble("labels", "no row has a label and both answers."))
        elif (known == known[0]).all():
            words = "every row has the same label: whoever always says so looks perfect."
            self.troubles.append(Trouble("labels", words, len(known)))

    def _strangers(self, said: int, predictions: list[Codes]) -> None:
        """Predictions that are no label anywhere: ``true`` in one column and ``1`` in another."""
        for who, codes in zip(("champion", "candidate"), predictions, strict=True):
            if (codes[self.kept] >= said).all():
                words = f"no prediction of the {who} is ever a label; do both columns write classes alike?"
                self.troubles.append(Trouble("labels", words, int(self.kept.sum())))

    def _segment(self, name: str, rows: NDArray[np.int64]) -> Column:
        columns = [self._column(side, name) for side in (0, 1)]
        given = [one for one in columns if one is not None]
        if not given:
            raise SourceError(f"neither table has the segment column {name!r}.", where=self.name)
        texts = Texts()
        codes = [texts.codes(one)[rows] for one in given]
        if len(codes) == 2 and (apart := int((codes[0] != codes[1]).sum())):
            self.notes.append(f"{self.name}: {name} differs in {apart:,} rows; the champion's table counts.")
        return _largest(name, codes[0], texts.names, self._worth(rows))

    def _worth(self, rows: NDArray[np.int64]) -> Floats | None:
        name = self.measure.value
        found = next((one for side in (0, 1) if (one := self._column(side, name)) is not None), None) if name else None
        return None if found is None else np.nan_to_num(aligned(found)[rows], nan=0.0, posinf=0.0, neginf=0.0)

    def _latencies(self, sides: Sides, rows: NDArray[np.int64]) -> Sides:
        taken = sides.take(rows)
        return taken.take(np.flatnonzero(np.isfinite(taken.champion) & np.isfinite(taken.candidate)))


def _largest(name: str, codes: Codes, names: list[str], worth: Floats | None) -> Column:
    """The values that are worth most (without a value: the commonest); the rest together, what is missing together."""
    there = codes >= 0
    size = np.bincount(codes[there], None if worth is None else worth[there], minlength=len(names))
    kept = np.sort(np.argsort(-size, kind="stable")[:LARGEST])
    to = np.full(len(names) + 1, len(kept), dtype=np.int16)
    to[kept] = np.arange(len(kept))
    to[-1] = len(kept) + 1
    return Column(name, to[codes], (*(names[place] for place in kept), OTHER, MISSING))
