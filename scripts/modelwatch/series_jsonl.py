"""series.jsonl: a header, then for each pull a line of its own and one line per series.

A pull's line says how many series follow, so that a file that ends early is noticed. Numbers that JSON does not know
are the words "NaN", "Infinity" and "-Infinity".
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeVar

from . import typed_json
from .errors import UserError
from .model.release import CanaryPeriod, Move
from .model.series import Deployment, FailureScope, Histograms, Labels, PulledSeries, Series, ServiceStart

FORMAT = 1
KIND: Literal["modelwatch/series"] = "modelwatch/series"

Cell = float | Literal["NaN", "Infinity", "-Infinity"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HeaderLine:
    format: int
    kind: Literal["modelwatch/series"]
    at: float
    """``now`` of the pull (seconds, UTC)."""
    pulls: int
    """How many follow."""


OMITTED_FIELDS = (b',"starts":[]', b',"scope":"evaluator"', b',"rolled_back":[]')
"""Younger than the format: what an older version wrote is written as it was."""


@dataclass(frozen=True, slots=True)
class PullLine:
    pull: str
    """The model's name."""
    series: int
    """How many lines of series follow."""
    error: str
    deployments: tuple[Deployment, ...]
    notes: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    histograms: int = 0
    """How many lines of histograms follow those of series."""
    references: int = 0
    """How many lines of histograms that are references follow those."""
    moves: tuple[Move, ...] = ()
    trials: tuple[CanaryPeriod, ...] = ()
    canary: int = 0
    """How many lines of series that canaries logged follow those."""
    starts: tuple[ServiceStart, ...] = ()
    scope: FailureScope = FailureScope.EVALUATOR
    rolled_back: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """All columns have the same length; ``times`` ascend."""

    name: str
    labels: Labels
    times: list[float]
    values: list[Cell]
    weights: list[Cell] | None
    versions: tuple[str, ...]
    version_of: list[int]


@dataclass(frozen=True, slots=True)
class HistogramsLine:
    """The histograms of one feature. ``times`` ascend; per time one more edge than counts, or none where they are those
    of the time before."""

    histograms: str
    """Name of the pattern of keys."""
    labels: Labels
    times: list[float]
    edges: list[list[float]]
    counts: list[list[float]]
    versions: tuple[str, ...]
    version_of: list[int]
    source: str = ""
    exact: bool = False
    categories: tuple[str, ...] = ()


def encode(pulls: Iterable[PulledSeries], now: float) -> bytes:
    """The bytes of series.jsonl."""
    import msgspec

    encoder = msgspec.json.Encoder(order="deterministic")
    encoded = encoder.encode_lines(list(_lines(tuple(pulls), now)))
    for field in OMITTED_FIELDS:
        encoded = encoded.replace(field, b"")
    return encoded


def decode(content: bytes, path: Path) -> tuple[PulledSeries, ...]:
    """The pulls in ``content``; UserError with ``file:line`` for every line that does not fit."""
    lines = _LineReader(content.splitlines(), path)
    pulls = tuple(_read_pull(lines) for _ in range(_read_header(lines).pulls))
    lines.end()
    return pulls


@dataclass(frozen=True, slots=True)
class EncodedPull:
    """The lines of one pull, of which only the first is decoded yet."""

    model: str
    lines: tuple[bytes, ...]
    path: Path
    first: int
    """Number of the first line in the file, from 1."""

    def decode(self) -> PulledSeries:
        """UserError with ``file:line`` for every line that does not fit."""
        return _read_pull(_LineReader(self.lines, self.path, self.first - 1))


def split(content: bytes, path: Path) -> tuple[EncodedPull, ...]:
    """The pulls in ``content``, to be decoded one by one: most of the work for a few lines of a file is the rest."""
    lines = _LineReader(content.splitlines(), path)
    pulls = []
    for _ in range(_read_header(lines).pulls):
        first = lines.number + 1
        head = lines.take(PullLine)
        lines.skip(sum(max(count, 0) for count in (head.series, head.histograms, head.references, head.canary)))
        pulls.append(EncodedPull(head.pull, lines.since(first), path, first))
    lines.end()
    return tuple(pulls)


def _read_header(lines: _LineReader) -> HeaderLine:
    header = lines.take(HeaderLine)
    if header.format != FORMAT:
        raise lines.error(
            f"the file has format {header.format}; this modelwatch reads format {FORMAT}. "
            "Use one version of modelwatch for all steps."
        )
    return header


def line_schema() -> dict[str, Any]:
    """The JSON Schema of one line."""
    import msgspec

    schemas, components = msgspec.json.schema_components(
        (HeaderLine, PullLine, SeriesLine, HistogramsLine), ref_template="#/$defs/{name}"
    )
    return {"anyOf": list(schemas), "$defs": components}


def _lines(
    pulls: tuple[PulledSeries, ...], now: float
) -> Iterator[HeaderLine | PullLine | SeriesLine | HistogramsLine]:
    yield HeaderLine(FORMAT, KIND, now, len(pulls))
    for pull in pulls:
        yield PullLine(
            pull=pull.model,
            series=len(pull.series),
            error=pull.error,
            deployments=pull.deployments,
            notes=pull.notes,
            links=pull.links,
            histograms=len(pull.histograms),
            references=len(pull.references),
            moves=pull.moves,
            trials=pull.canary_periods,
            canary=len(pull.canary_series),
            starts=pull.starts,
            scope=pull.scope,
            rolled_back=pull.rolled_back,
        )
        yield from map(_series_line, pull.series)
        for histograms in (*pull.histograms, *pull.references):
            yield HistogramsLine(
                histograms=histograms.name,
                labels=histograms.labels,
                times=histograms.times.tolist(),
                edges=_without_repetitions(histograms.edges),
                counts=[counts.tolist() for counts in histograms.counts],
                versions=histograms.versions,
                version_of=histograms.version_of.tolist(),
                source=histograms.source,
                exact=histograms.exact,
                categories=histograms.categories,
            )
        yield from map(_series_line, pull.canary_series)


def _without_repetitions(edges: Sequence[array[float]]) -> list[list[float]]:
    return [[] if row and row_edges == edges[row - 1] else row_edges.tolist() for row, row_edges in enumerate(edges)]


def _series_line(series: Series) -> SeriesLine:
    return SeriesLine(
        name=series.name,
        labels=series.labels,
        times=series.times.tolist(),
        values=_cells(series.values),
        weights=None if series.weights is None else _cells(series.weights),
        versions=series.versions,
        version_of=series.version_of.tolist(),
    )


class _LineReader:
    """Lines, decoded one by one, with their numbers at hand."""

    def __init__(self, lines: Sequence[bytes], path: Path, before: int = 0) -> None:
        self._lines = lines
        self._path = path
        self._before = before
        self.number = before
        """Of the line that was taken last, from 1; ``before`` are not among the lines."""

    def take(self, kind: type[T]) -> T:
        import msgspec

        self.skip(1)
        try:
            return typed_json.decode(self._lines[self.number - self._before - 1], kind)
        except msgspec.ValidationError as error:
            raise self.error(f"this is not what the line should hold: {error}.") from error
        except RecursionError as error:
            raise self.error("this is nested too deep to be such a line.") from error
        except msgspec.DecodeError as error:
            raise self.error(f"this is not JSON: {error}.") from error

    def skip(self, count: int) -> None:
        end = self._before + len(self._lines)
        self.number += count
        if self.number > end:
            self.number = end + 1
            raise self.error("the file ends early: lines are missing. Pull again.")

    def since(self, number: int) -> tuple[bytes, ...]:
        """The lines from ``number`` to the one that was taken last."""
        return tuple(self._lines[number - self._before - 1 : self.number - self._before])

    def end(self) -> None:
        if self.number < self._before + len(self._lines):
            self.number += 1
            raise self.error("there are more lines than the header says.")

    def error(self, message: str) -> UserError:
        return UserError(message, where=f"{self._path}:{self.number}")


def _read_pull(lines: _LineReader) -> PulledSeries:
    head = lines.take(PullLine)
    series = tuple(_read_series(lines) for _ in range(head.series))
    histograms = tuple(_read_histograms(lines) for _ in range(head.histograms))
    references = tuple(_read_histograms(lines) for _ in range(head.references))
    canary = tuple(_read_series(lines) for _ in range(head.canary))
    return PulledSeries(
        head.pull,
        series,
        head.deployments,
        head.error,
        head.notes,
        head.links,
        histograms,
        references,
        head.moves,
        head.trials,
        canary,
        head.starts,
        head.scope,
        head.rolled_back,
    )


def _read_histograms(lines: _LineReader) -> Histograms:
    line = lines.take(HistogramsLine)
    if not len(line.times) == len(line.edges) == len(line.counts) == len(line.version_of):
        raise lines.error("the columns have different lengths.")
    edges: list[array[float]] = []
    for row in line.edges:
        edges.append(array("d", row) if row or not edges else edges[-1])
    if any(len(ends) != len(counts) + 1 for ends, counts in zip(edges, line.counts)):
        raise lines.error("a histogram needs one more edge than it has counts.")
    if any(later <= earlier for column in (line.times, *line.edges) for earlier, later in pairwise(column)):
        raise lines.error("the times or the edges do not ascend.")
    if any(not -1 <= place < len(line.versions) for place in line.version_of):
        raise lines.error("a version_of points at no version.")
    return Histograms(
        name=line.histograms,
        labels=line.labels,
        times=array("d", line.times),
        edges=tuple(edges),
        counts=tuple(array("d", counts) for counts in line.counts),
        versions=line.versions,
        version_of=array("i", line.version_of),
        source=line.source,
        exact=line.exact,
        categories=line.categories,
    )


def _read_series(lines: _LineReader) -> Series:
    line = lines.take(SeriesLine)
    count = len(line.times)
    weights_fit = line.weights is None or len(line.weights) == count
    if not (len(line.values) == len(line.version_of) == count and weights_fit):
        raise lines.error("the columns have different lengths.")
    if any(later <= earlier for earlier, later in zip(line.times, line.times[1:])):
        raise lines.error("the times do not ascend.")
    if any(not -1 <= place < len(line.versions) for place in line.version_of):
        raise lines.error("a version_of points at no version.")
    return Series(
        name=line.name,
        labels=line.labels,
        times=array("d", line.times),
        values=array("d", map(float, line.values)),
        weights=None if line.weights is None else array("d", map(float, line.weights)),
        versions=line.versions,
        version_of=array("i", line.version_of),
    )


def _cells(column: array[float]) -> list[Cell]:
    return [cell if math.isfinite(cell) else _non_finite_word(cell) for cell in column]


def _non_finite_word(cell: float) -> Cell:
    return "NaN" if math.isnan(cell) else "Infinity" if cell > 0 else "-Infinity"
