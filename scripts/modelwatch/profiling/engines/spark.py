"""Spark: ``mapInArrow`` runs our partition function on the executors, and the driver merges the profiles.

In a notebook, or any program with a SparkSession::

    from modelwatch.profiling.engines.spark import profile_frame

    profile = profile_frame(spark.table("predictions"), spec, plan)
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import isqrt
from typing import Any

from ...errors import SourceError, UserError, first_line, require_extra
from ...model.prediction_log import MeasureSpec
from ...stats.profile.table import Profile
from ..arrow_columns import plain_types, shorten_texts
from ..log_files import csv_separator
from ..profile_plan import ProfilePlan
from ..profiler import profile_log
from ..readers import PredictionLog, open_log
from .partitioned_log import FAN_IN, PartitionTask, batches_to_bytes, bytes_to_batches

RESULT = "result binary"
"""The schema of what a partition yields."""
MAX_COLLECTED = 32
"""Results that the driver gets at once; more are merged on executors first."""
_CSV = re.compile(r"\.[ct]sv(\.\w+)?$", re.IGNORECASE)
_RAISED = re.compile(r"(?:[\w.$]+\.)?\w*(?:Error|Exception): (.+)")
_CLUSTER_ONLY = re.compile(r"(?!file:)[a-z][a-z0-9+.-]*:/", re.IGNORECASE)
_HINTS = {
    "No module named 'modelwatch'": "Install `modelwatch[profiling]` on the executors, too.",
    "PYTHON_VERSION_MISMATCH": "Driver and executors need the same Python: set PYSPARK_PYTHON on both.",
    "JAVA_GATEWAY_EXITED": "Spark 4 needs Java 17 or 21: install a JRE and set JAVA_HOME.",
    "Unable to infer schema": "If the folder holds CSV files, name them: `files: logs/*.csv`.",
    "is not a Parquet file": "Repair or remove it; if it is a CSV file, name such files: `files: logs/*.csv`.",
    "CANNOT_MERGE": "A column has different types in different files: cast it in `measure: {query}`.",
    "TIMESTAMP(NANOS": "Spark reads no nanoseconds: write `to_parquet(..., coerce_timestamps='us')`.",
    "CSV header does not conform": "The files have different columns: write Parquet, or measure them one by one.",
    "maxResultSize": "Raise `spark.driver.maxResultSize`.",
}
"""By what an error of Spark says, what to do."""


class FrameLog:
    """The rows of a Spark DataFrame as a log."""

    def __init__(self, frame: Any, where: str) -> None:
        self._frame, self.where = frame, where
        self._count: int | None = None

    def names(self) -> tuple[str, ...]:
        return tuple(self._frame.columns)

    def rows(self) -> int | None:
        if self._count is None:
            with _errors(self.where):
                self._count = int(self._frame.count())
        return self._count

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """To this process, partition by partition."""
        with _errors(self.where):
            for (content,) in self._map(columns, _send_rows).toLocalIterator():
                yield from bytes_to_batches(bytes(content))

    def run(self, task: PartitionTask, columns: Sequence[str]) -> Iterator[bytes]:
        with _errors(self.where):
            shared = _broadcast(self._frame, task)
            results = self._map(columns, partial(_run_task, shared))
            count = _partition_count(self._frame)
            if task.combine is not None and (count is None or count > MAX_COLLECTED):
                parts = MAX_COLLECTED if count is None else max(2, min(MAX_COLLECTED, isqrt(count)))
                results = results.repartition(parts).mapInArrow(partial(_join_results, shared), RESULT)
            collected = results.collect()
        for (envelope,) in collected:
            yield bytes(envelope)

    def _map(self, columns: Sequence[str], function: Callable[[Iterator[Any]], Iterator[Any]]) -> Any:
        known = set(self.names())
        selected = [self._frame["`" + name.replace("`", "``") + "`"] for name in columns if name in known]
        return self._frame.select(*selected).mapInArrow(function, RESULT)


@dataclass(frozen=True, slots=True)
class _Constant:
    """What ``broadcast`` gives, where there is none: it travels with each call."""

    value: Any


def _broadcast(frame: Any, value: Any) -> Any:
    """A handle of a value that is sent to each executor once; on Spark Connect, which has no broadcasts, it is sent
    with every task."""
    try:
        return frame.sparkSession.sparkContext.broadcast(value)
    except Exception:  # noqa: BLE001 - Spark Connect says in several ways that it has no context
        return _Constant(value)


def _partition_count(frame: Any) -> int | None:
    try:
        return int(frame.rdd.getNumPartitions())
    except Exception:  # noqa: BLE001 - as above
        return None


def _plain(batches: Iterator[Any]) -> Iterator[Any]:
    """As our own readers hand them over."""
    return (shorten_texts(plain_types(batch)) for batch in batches)


def _run_task(shared: Any, batches: Iterator[Any]) -> Iterator[Any]:
    yield _result(shared.value.run(_plain(batches)))


def _send_rows(batches: Iterator[Any]) -> Iterator[Any]:
    for batch in _plain(batches):
        yield _result(batches_to_bytes([batch]))


def _join_results(shared: Any, batches: Iterator[Any]) -> Iterator[Any]:
    joined: list[bytes] = []
    for batch in batches:
        for content in batch.column(0).to_pylist():
            joined.append(content)
            if len(joined) == FAN_IN:
                joined = [shared.value.join(joined)]
    if joined:
        yield _result(shared.value.join(joined))


def _result(content: bytes) -> Any:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([pa.array([content], pa.binary())], ["result"])


class SparkEngine:
    """Files that the cluster can read, and queries of Spark SQL."""

    name = "Spark"

    def __init__(self, env: MutableMapping[str, str]) -> None:
        self._session = find_session(env)

    def open_files(
        self,
        location: str,
        spec: MeasureSpec,
        skipped: MutableMapping[str, SourceError] | None = None,
        kinds: Mapping[str, str] | None = None,
    ) -> PredictionLog:
        with _errors(location):
            return FrameLog(_read_files(self._session, location), location)

    def open_query(self, spec: MeasureSpec) -> PredictionLog:
        where = "measure: {query}"
        with _errors(where):
            return FrameLog(self._session.sql(spec.query.rstrip().rstrip(";")), where)

    def open_outcomes(self, location: str, spec: MeasureSpec) -> PredictionLog:
        """Where only the cluster can read the file, its rows come to this process through Spark."""
        if _CLUSTER_ONLY.match(location):
            return self.open_files(location, spec)
        return open_log(location, spec.extensions)


def find_session(env: MutableMapping[str, str]) -> Any:
    """The active SparkSession, such as a notebook's; else a new one, which runs on this machine unless ``spark-submit``
    says otherwise, with the Python of this process. Raises MissingExtraError, or SourceError where Spark does not
    start."""
    with require_extra("spark", where="--engine spark"), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from pyspark.sql import SparkSession
    with _errors("--engine spark", "start"):
        active = SparkSession.getActiveSession()
        if active is not None:
            return active
        env.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = SparkSession.builder.appName("modelwatch").config("spark.ui.showConsoleProgress", "false")
        builder = builder.config("spark.sql.session.timeZone", "UTC")
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")  # Its warnings are traces of Java about patterns of files.
        return session


def profile_frame(frame: Any, plan: ProfilePlan) -> Profile:
    """The profile of a DataFrame by a plan (``plan_from_reference``, ``infer_plan``), computed on the executors. The
    same rows give the same profile, whatever the partitions. Raises SourceError."""
    return profile_log(FrameLog(frame, "the DataFrame"), plan)


def _read_files(session: Any, location: str) -> Any:
    if "**" in location:
        hint = "Name the folder, or a pattern without `**`."
        raise UserError("Spark knows no pattern `**`.", hint=hint, where=location)
    if _CSV.search(location):
        return _read_csv(session, location)
    if not re.search(r"[*?\[{]", location) and not location.lower().endswith((".parquet", ".pq")):
        _refuse_delta(session, location)
    return session.read.option("mergeSchema", "true").parquet(location)


def _read_csv(session: Any, location: str) -> Any:
    """Columns of text, as our own reader has them; each file is one partition, since cells can hold line breaks."""
    first = session.read.option("wholetext", "false").text(location).first()
    options = {
        "header": "true",
        "sep": csv_separator(first[0]) if first is not None else ",",
        "quote": '"',
        "escape": '"',
        "multiLine": "true",
        "enforceSchema": "false",
        "mode": "FAILFAST",
    }
    return session.read.options(**options).csv(location)


def _refuse_delta(session: Any, location: str) -> None:
    """Raises UserError for a Delta table: its files hold deleted rows, too."""
    try:
        session.read.text(f"{location.rstrip('/')}/_delta_log/*.json").first()
    except Exception:  # noqa: BLE001 - there is none, as there should be
        return
    hint = f"Let Spark read the table: `measure: {{query: ...}}` with ``TABLE delta.`{location}` ``."
    raise UserError("this is a Delta table, whose files hold deleted rows, too.", hint=hint, where=location)


@contextmanager
def _errors(where: str, doing: str = "read this") -> Iterator[None]:
    """Errors of Spark as SourceErrors, in one paragraph; its warnings are not the user's."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
        try:
            yield
        except (UserError, GeneratorExit):
            raise
        except Exception as error:
            raise _to_source_error(error, where, doing) from error


def _to_source_error(error: Exception, where: str, doing: str) -> SourceError:
    text = str(error)
    hint = next((hint for sign, hint in _HINTS.items() if sign in text), "")
    return SourceError(f"Spark cannot {doing}: {_cause(text, error)}", hint=hint, where=where)


def _cause(text: str, error: Exception) -> str:
    """The line that says what is wrong: the last cause of Java, or the end of a worker's traceback; else the first."""
    lines = [line.strip().removeprefix("Caused by: ").removeprefix(": ") for line in text.splitlines()]
    if "Caused by: " in text or "Traceback (most recent call last)" in text or "An error occurred while" in text:
        raised = [found[1] for line in lines if (found := _RAISED.match(line))]
        return raised[-1] if raised else first_line(error)
    return first_line(error)
