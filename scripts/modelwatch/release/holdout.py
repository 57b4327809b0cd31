"""A fixed holdout that versions score again and again, through the user's own command."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CommandError, SourceError, SourceNameError, UserError, check_columns
from ..model.monitored_model import Model
from ..model.prediction_log import HoldoutSpec, MeasureSpec
from ..profiling.arrow_columns import CLASS_MISSING_WORDS, hash_by_row, shown_cells, texts_by_row, to_arrow
from ..profiling.plan_inference import concatenate_arrays
from ..profiling.readers import open_log
from ..stats.arrays import Hashes
from .hooks import EXIT_TIMED_OUT, run_command

MAX_TAIL_LINES = 15
MAX_LINE = 300
"""Characters of a line of a command's output that are shown."""
MAX_IDS_SHOWN = 3
SUFFIXES = (".parquet", ".csv")


@dataclass(frozen=True, slots=True)
class ScoringVersion:
    """A version to score the holdout."""

    name: str
    number: str = ""
    role: str = ""
    """``candidate`` or ``previous``; empty for the one that serves."""

    @property
    def title(self) -> str:
        """The version as people read it."""
        number = f"{self.number} ({self.name})" if self.number and self.number != self.name else self.name
        return f"{self.role} {number}".strip()


class MemoryLog:
    """A prediction log of columns in memory."""

    def __init__(self, columns: Mapping[str, Any], where: str) -> None:
        import pyarrow as pa

        self.where = where
        self._batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))

    def names(self) -> tuple[str, ...]:
        return tuple(self._batch.schema.names)

    def rows(self) -> int | None:
        return int(self._batch.num_rows)

    def column(self, name: str) -> Any:
        return self._batch.column(name)

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        yield self._batch.select([name for name in dict.fromkeys(columns) if name in self.names()])


@dataclass(frozen=True, slots=True, eq=False)
class Holdout:
    """The table, its rows in the file's order."""

    path: Path
    digest: str
    """SHA-256 of the file."""
    table: MemoryLog
    ids: Hashes

    @property
    def rows(self) -> int:
        return len(self.ids)


def require_holdout(model: Model) -> tuple[MeasureSpec, HoldoutSpec]:
    """Raises UserError if the model has none."""
    if model.measure is None or model.measure.holdout is None:
        hint = "Give `measure: {holdout: {files: holdout.parquet, predict: ./predict.sh}}`."
        raise UserError(f"the model {model.name!r} has no holdout.", hint=hint, where=model.where)
    return model.measure, model.measure.holdout


def read_holdout(spec: HoldoutSpec, measure: MeasureSpec) -> Holdout:
    """Raises SourceError if there is no such file, or ids are missing or repeated."""
    path = Path(spec.files)
    if path.suffix.lower() not in SUFFIXES:
        hint = "Name one Parquet or CSV file."
        raise SourceNameError("a holdout is one file that ends in .parquet or .csv.", hint=hint, where=spec.files)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceNameError(f"the holdout cannot be read: {error.strerror}.", where=spec.files) from error
    query = measure.ranking.query if measure.ranking else ""
    needed = tuple(filter(None, (measure.id, measure.label, measure.value, query, *measure.segments)))
    table = read_table(path, (measure.id,), needed)
    ids, problem = unique_ids(table.column(measure.id))
    if problem:
        raise SourceError(
            f"the holdout is not usable: {problem}", hint="Give each row an id of its own.", where=spec.files
        )
    if not len(ids):
        raise SourceNameError("the holdout has no rows.", where=spec.files)
    return Holdout(path, digest, table, ids)


def read_table(path: Path, required: Sequence[str], columns: Sequence[str]) -> MemoryLog:
    """Those of ``columns`` that a file has. Raises SourceError."""
    log = open_log(str(path))
    names = log.names()
    check_columns(required, names, str(path))
    wanted = [name for name in names if name in columns]
    batches = list(log.batches(wanted))
    if not batches:
        raise SourceNameError("the table has no rows.", where=str(path))
    arrays = {name: concatenate_arrays([batch.column(name) for batch in batches]) for name in wanted}
    return MemoryLog(arrays, str(path))


def unique_ids(array: Any) -> tuple[Hashes, str]:
    """The hash of each id, and what is wrong with them; empty where nothing is."""
    hashes, valid = hash_by_row(array)
    if not valid.all():
        return hashes, f"{np.count_nonzero(~valid):,} of {len(valid):,} rows have no id."
    _, first, counts = np.unique(hashes, return_index=True, return_counts=True)
    if (counts > 1).any():
        shown = _shown_ids(array, np.sort(first[counts > 1]))
        return hashes, f"{np.count_nonzero(counts > 1):,} ids occur more than once: {shown}."
    return hashes, ""


def score_holdout(
    holdout: Holdout,
    model: Model,
    version: ScoringVersion,
    env: Mapping[str, str],
    scratch: Path,
    redact: Callable[[str], str],
    workspace: Path | None = None,
) -> MemoryLog:
    """Run the user's command for one version. Returns its outputs by row of the holdout: prediction and scores.

    Raises CommandError, with the end of what it wrote, if it fails, takes too long, or leaves out rows.
    """
    measure, spec = require_holdout(model)
    scratch.mkdir(parents=True, exist_ok=True)
    output = scratch / f"predictions{holdout.path.suffix.lower()}"
    variables = {
        "MODELWATCH_MODEL": model.name,
        "MODELWATCH_VERSION": version.name,
        "MODELWATCH_VERSION_NUMBER": version.number,
        "MODELWATCH_INPUT": str(holdout.path.resolve()),
        "MODELWATCH_OUTPUT": str(output.resolve()),
    }
    lines: deque[str] = deque(maxlen=10 * MAX_TAIL_LINES)
    code = run_command(spec.predict, variables, workspace or Path(), env, lines.append, spec.timeout)
    where = ": ".join(filter(None, (model.where, "measure: {holdout: {predict}}")))
    if code:
        ending = f"did not end within {spec.timeout:g} s" if code == EXIT_TIMED_OUT else f"ended with exit code {code}"
        raise CommandError(f"the command that scores {version.title} {ending}.{_tail(lines, redact)}", where=where)
    if not output.is_file():
        message = f"the command that scores {version.title} wrote no file."
        hint = "It has to write the predictions to the path in MODELWATCH_OUTPUT."
        raise CommandError(message + _tail(lines, redact), hint=hint, where=where)
    try:
        return _align(holdout, output, measure)
    except UserError as error:
        message = f"the predictions of {version.title} are not usable: {error.message}"
        raise CommandError(redact(message), hint=error.hint, where=where) from error


def _tail(lines: Iterable[str], redact: Callable[[str], str]) -> str:
    """The last lines of an output, without secrets."""
    shown = [redact(line.rstrip())[:MAX_LINE] for line in lines if line.strip()][-MAX_TAIL_LINES:]
    return f" Its output ended with: {' | '.join(shown)}" if shown else " It wrote nothing."


def output_names(measure: MeasureSpec) -> tuple[str, ...]:
    """The columns that a version may put out."""
    return tuple(filter(None, (measure.prediction, measure.score, *(column for _, column in measure.scores))))


def _align(holdout: Holdout, output: Path, measure: MeasureSpec) -> MemoryLog:
    """The outputs in the holdout's order. Raises SourceError unless each row has exactly one."""
    outputs = output_names(measure)
    table = read_table(output, (measure.id,), (measure.id, *outputs))
    present = [name for name in outputs if name in table.names()]
    if not present:
        raise SourceNameError(f"they have none of the columns {', '.join(map(repr, outputs))}.")
    ids, problem = unique_ids(table.column(measure.id))
    if problem:
        raise SourceError(problem)
    missing, extra = ~np.isin(holdout.ids, ids), ~np.isin(ids, holdout.ids)
    if missing.any():
        shown = _shown_ids(holdout.table.column(measure.id), np.flatnonzero(missing))
        raise SourceError(f"{np.count_nonzero(missing):,} of {holdout.rows:,} rows have no prediction: {shown}.")
    if extra.any():
        shown = _shown_ids(table.column(measure.id), np.flatnonzero(extra))
        raise SourceError(f"{np.count_nonzero(extra):,} ids are not in the holdout: {shown}.")
    for name in present:
        empty = texts_by_row(table.column(name), "", missing_words=CLASS_MISSING_WORDS) == ""
        if empty.any():  # without these rows the others would look better
            shown = _shown_ids(table.column(measure.id), np.flatnonzero(empty))
            raise SourceError(f"{np.count_nonzero(empty):,} rows have an empty {name!r}: {shown}.")
    order = np.argsort(ids, kind="stable")
    places = to_arrow(order[np.searchsorted(ids[order], holdout.ids)])
    return MemoryLog({name: table.column(name).take(places) for name in present}, str(output))


def _shown_ids(array: Any, rows: Any) -> str:
    few = array.take(to_arrow(np.asarray(rows[:MAX_IDS_SHOWN], dtype=np.int64)))
    shown = ", ".join(repr(cell) for cell in shown_cells(few))
    return f"{shown}, ..." if len(rows) > MAX_IDS_SHOWN else shown
