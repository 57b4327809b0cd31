"""Rows of keys and cells -> Series: labels from the keys, counts attached, versions, sorted, each time once."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

from ..model.drift import CATEGORIES_PART, HISTOGRAM_PART, drift_spec
from ..model.keys import KeyPattern
from ..model.prediction_log import MEASURED_TIME
from ..model.series import (
    IN_PERIOD,
    NO_COUNT,
    NO_POINTS,
    Deployment,
    Histograms,
    Labels,
    Series,
    ServiceStart,
    StartOrigin,
)
from .cell_parsing import Bins, parse_histogram, parse_number, parse_time, version_text
from .deployment_starts import SILENCE_SECONDS, SILENCE_SPACINGS, UNKNOWN_VERSION, deployment_starts
from .point_columns import LoggedHistogram, PointColumn, build_column, build_histograms, to_doubles
from .requirements import KeyResolver, ReadRequest
from .similar_keys import similar_keys_hint

MAX_KEYS = 5_000
"""Keys that are compared with one that nothing logs."""


@dataclass(frozen=True, slots=True)
class _KeyRole:
    """What a source's key is to us; ``name`` is the wanted key that it is, if any."""

    name: str = ""
    is_time: bool = False
    is_measured_time: bool = False
    """That of rows of ``modelwatch measure``."""
    is_version: bool = False


_NO_ROLE = _KeyRole()


class SeriesBuilder:
    """Takes rows from any source and makes Series of them. One per model and pull; not for several threads."""

    def __init__(self, request: ReadRequest, time_key: str = "", version_key: str = "") -> None:
        self.request = request
        self.key_resolver = KeyResolver(request.scalars)
        self._histogram_resolver = KeyResolver(request.histograms)
        self.logged_keys: Collection[str] = ()
        """Keys that are logged, as far as is known without reading their rows."""
        self.newest = float("-inf")
        """Time of the newest point that was taken."""
        self._time_resolver = KeyResolver([KeyPattern(key) for key in (MEASURED_TIME, time_key) if key])
        self._event_time_only = bool(time_key)
        """Only an event time counts, not when a row was logged."""
        self._version_resolver = KeyResolver([KeyPattern(version_key)]) if version_key else None
        self._event_time: Any = None
        self._is_measured = False
        self._row_version: Any = None
        self._roles: dict[str, _KeyRole] = {}
        self._columns: dict[str, PointColumn] = {}
        self._canary_columns: dict[str, PointColumn] = {}
        self._row_histograms: list[tuple[str, Bins]] = []
        """Histograms of the row that is being walked."""
        self._histograms: dict[str, list[LoggedHistogram]] = {}
        self._versions: dict[str, int] = {}
        self._version_times = array("d")
        self._first_seen: dict[str, float] = {}
        self._version_places = array("i")
        self._version_logged = array("d")
        self._announced: list[tuple[str, float]] = []
        """Versions that something else than a row named, and when."""
        self._rows_without_time = 0
        self._rows_logged_later = 0
        self._not_numbers: dict[str, int] = {}
        self._without_count: dict[str, tuple[int, int]] = {}
        """By key the points that have no count, of how many; known once the series are built."""

    def add_row(self, row: Mapping[str, Any], version: str) -> bool:
        """One row of W&B history: cells under keys, ``_timestamp`` when it was logged; True where it gave a point.

        ``version`` holds unless the row itself has the version's key.
        """
        cells: list[tuple[str, float]] = []
        self._event_time = self._row_version = None
        self._is_measured = False
        self._row_histograms = []
        self._walk(row, "", cells)
        if not cells and not self._row_histograms:
            return False
        logged = parse_number(row.get("_timestamp"))
        time = logged if self._event_time is None and not self._event_time_only else parse_time(self._event_time)
        if time is None:
            self._rows_without_time += 1
            return False
        written = known = time if logged is None else logged
        if self._event_time is not None and written > self.request.logged_until:
            if not self._is_measured:
                self._rows_logged_later += 1
                return False
            # What was measured by then goes before what was measured later, which counts where there is nothing else.
            written -= self.request.logged_until
        return self.add_cells(cells, time, written, version_text(self._row_version) or version, known)

    def add_cells(
        self,
        cells: Iterable[tuple[str, float]],
        time: float,
        written: float,
        version: str,
        logged: float | None = None,
    ) -> bool:
        """Values under wanted keys, all of one time; False where that time is not wanted. ``logged``: when they became
        known; by default at that time."""
        self._note_version(version, time)
        if time < self.request.since or (self.request.until is not None and time > self.request.until):
            return False
        canary = any(period.covers(version, time) for period in self.request.canary_periods)
        known = time if logged is None else logged
        place = self._version_index(version) if canary else self._record_version(version, time, known)
        columns = self._canary_columns if canary else self._columns
        for key, value in cells:
            column = columns.get(key)
            if column is None:
                column = columns[key] = PointColumn()
            column.times.append(time)
            column.values.append(value)
            column.written.append(written)
            column.versions.append(place)
            if self.request.keeps_log_times:
                column.logged.append(known)
        for key, bins in () if canary or time < self.request.histograms_since else self._row_histograms:
            self._histograms.setdefault(key, []).append(LoggedHistogram(time, written, bins, place, known))
        self.newest = max(self.newest, time)
        return True

    def log_times(self, wanted: KeyResolver) -> Iterator[tuple[Any, Any]]:
        """For each key that is ``wanted``, of histograms too: the times that its values are about, and when they were
        logged, in columns of the same length; the builder has to keep log times."""
        import numpy as np

        for key, column in self._columns.items():
            if wanted.resolve(key) is not None:
                yield np.asarray(column.times), np.asarray(column.logged)
        for key, rows in self._histograms.items():
            if wanted.resolve(key) is not None:
                yield np.array([row.time for row in rows]), np.array([row.logged for row in rows])

    def version_log_times(self) -> tuple[Any, Any, Any]:
        """For each row that named its version or did not: its time, when it was logged, and a number for the version,
        negative where it is unknown."""
        import numpy as np

        columns = (self._version_times, self._version_logged, self._version_places)
        return np.asarray(columns[0]), np.asarray(columns[1]), np.asarray(columns[2])

    def as_of(self, request: ReadRequest, now: float) -> SeriesBuilder:
        """A builder of what ``request`` wants and was known at ``now`` (seconds, UTC): of a value that was written
        again the last write by then. This one has to keep log times, of no canaries, and to go back as far."""
        import numpy as np

        known = SeriesBuilder(request)
        known._versions = self._versions
        for version, time in self._announced:
            if time <= now:
                known.note_version(version, time)
        names = tuple(self._versions)
        until = np.inf if request.until is None else request.until

        def is_canary(times: Any, versions: Any) -> Any:
            found = np.zeros(len(times), bool)
            for period in request.canary_periods:
                own = [place for place, name in enumerate(names) if name in period.names]
                end = np.inf if period.until is None else period.until
                found |= np.isin(versions, own) & (period.since <= times) & (times < end)
            return found

        times, places = np.asarray(self._version_times), np.asarray(self._version_places)
        is_known = np.asarray(self._version_logged) <= now
        for place, name in enumerate(names):
            if len(own := times[is_known & (places == place)]):
                known._note_version(name, float(own.min()))
        is_wanted = is_known & (times >= request.since) & (times <= until)
        known.newest = float(times[is_wanted].max(initial=-np.inf))
        is_wanted &= ~is_canary(times, places)
        known._version_times = to_doubles(times[is_wanted])
        known._version_places = array("i", places[is_wanted].tobytes())
        for key, column in self._columns.items():
            if known.key_resolver.resolve(key) is None:
                continue
            times, places = np.asarray(column.times), np.asarray(column.versions)
            is_wanted = (np.asarray(column.logged) <= now) & (times >= request.since) & (times <= until)
            canary = is_canary(times, places)
            for rows, columns in ((is_wanted & ~canary, known._columns), (is_wanted & canary, known._canary_columns)):
                if rows.any():
                    columns[key] = column.select(rows)
        since = max(request.since, request.histograms_since)
        for key, histograms in self._histograms.items():
            if known._histogram_resolver.resolve(key) is None:
                continue
            kept = [each for each in histograms if each.logged <= now and since <= each.time <= until]
            canary = is_canary(np.array([each.time for each in kept]), np.array([each.version for each in kept]))
            if own_rows := [each for each, beside in zip(kept, canary, strict=True) if not beside]:
                known._histograms[key] = own_rows
        return known

    def series(self, *, canary: bool = False) -> tuple[Series, ...]:
        """Every series that the rules name, in the rules' order, the whole before its segments; ``canary``: of what
        canaries logged."""
        columns = self._canary_columns if canary else self._columns
        names = tuple(self._versions)
        joined: dict[tuple[str, Labels], Series] = {}
        for request in self.request.keys:
            matches = ((request.pattern.match(key), key) for key in columns)
            for labels, key in sorted((labels, key) for labels, key in matches if labels is not None):
                if (request.pattern.name, labels) not in joined:
                    series = build_column(columns, request, labels, key, names)
                    joined[request.pattern.name, labels] = series
                    if not canary and series.weights and (lacking := sum(map(isnan, series.weights))):
                        self._without_count[key] = (lacking, len(series))
        return tuple(joined.values())

    def histograms(self) -> tuple[Histograms, ...]:
        """Every histogram that a drift rule can need, in the rules' order."""
        names = tuple(self._versions)
        return tuple(
            build_histograms(pattern, key, self._histograms[key], names)
            for pattern in self.request.histograms
            for key in sorted(self._histograms)
            if pattern.match(key) is not None
        )

    def deployments(self) -> tuple[Deployment, ...]:
        """Which version served from when on; one that came back after a rollback is listed twice."""
        names = list(self._versions)
        return tuple(
            Deployment(names[place], since)
            for since, place in deployment_starts(self._version_times, self._version_places)
        )

    @property
    def has_points(self) -> bool:
        """Whether any row was taken."""
        return self.newest > float("-inf")

    @property
    def has_versions(self) -> bool:
        """Whether any row had the version that served."""
        return any(self._versions)

    def note_version(self, version: str, time: float) -> None:
        """Remember that ``version`` was there at ``time``, in the history that is wanted or before."""
        self._announced.append((version, time))
        self._note_version(version, time)

    def _note_version(self, version: str, time: float) -> None:
        if version:
            self._first_seen[version] = min(time, self._first_seen.get(version, time))

    def service_starts(self) -> tuple[ServiceStart, ...]:
        """When the oldest deployment's version was first seen ever, or that it served before what was read."""
        oldest = next(iter(self.deployments()), None)
        if oldest is None:
            return ()
        first = self._first_seen.get(oldest.version, oldest.since)
        if first < oldest.since:
            return (ServiceStart(oldest.version, oldest.since, first, StartOrigin.POINT),)
        if oldest.since - self.request.since > max(SILENCE_SECONDS, SILENCE_SPACINGS * self._spacing()):
            return ()
        return (ServiceStart(oldest.version, oldest.since, oldest.since, StartOrigin.EDGE),)

    def _spacing(self) -> float:
        """Usual seconds between points; 0 where there are too few."""
        import numpy as np

        times = np.unique(np.asarray(self._version_times))
        return float(np.median(np.diff(times))) if len(times) > 1 else 0.0

    def notes(self) -> tuple[str, ...]:
        """What was left out, and what was looked for in vain, beside ``logged_keys``."""
        notes = list(self.request.notes)
        if self._rows_without_time:
            notes.append(f"{self._rows_without_time} rows left out: no readable time")
        if self._rows_logged_later:
            notes.append(f"{self._rows_logged_later} rows left out: they were logged later")
        for key, count in sorted(self._not_numbers.items()):
            notes.append(f"{key}: {count} values left out that are not numbers")
        for key, (lacking, points) in sorted(self._without_count.items()):
            notes.append(f"{key}{NO_COUNT}{lacking} of {points} points")
        required = self._required_keys()
        missing = [
            pattern for pattern in self.request.scalars if pattern.text in required and not self._has_points(pattern)
        ]
        notes += [f"{NO_POINTS}{pattern.text}{self._hint(pattern)}" for pattern in missing]
        return tuple(notes)

    def _required_keys(self) -> set[str]:
        """All but those of optional rules, and the counts beside drift scores: used where they are logged, and not
        missed where they are not."""
        required: set[str] = set()
        for request in self.request.keys:
            if not request.optional:
                required.add(request.pattern.text)
                if request.weight_pattern is not None and drift_spec(request.pattern) is None:
                    required.add(request.weight_pattern.text)
        return required

    def _has_points(self, pattern: KeyPattern) -> bool:
        if any(pattern.match(key) is not None for key in self._columns):
            return True
        head = pattern.text.rpartition("/")[0]
        near = {head, f"{head}/{HISTOGRAM_PART}", f"{head}/{CATEGORIES_PART}"}
        patterns = [other for other in self.request.histograms if other.text in near]
        return any(other.match(key) is not None for other in patterns for key in self._histograms)

    def _hint(self, pattern: KeyPattern) -> str:
        if self.key_resolver.has_seen(pattern):
            return IN_PERIOD
        seen = {*self.logged_keys, *self.key_resolver.unmatched_keys()}
        counted = [
            request.pattern.text
            for request in self.request.keys
            if request.weight_pattern == pattern and self._has_points(request.pattern)
        ]
        known = sorted(key for key in seen if not key.startswith("_"))[:MAX_KEYS]
        hint = similar_keys_hint(pattern, known, is_measured=self.request.is_measured)
        what = f", the count of {counted[0]}, so it is unknown how many rows prove a value" if counted else ""
        return f"{what}. {hint}" if hint else what

    def _walk(self, row: Mapping[str, Any], prefix: str, cells: list[tuple[str, float]]) -> None:
        """Collect the wanted cells of ``row``, those in nested dictionaries included, and its histograms."""
        for part, cell in row.items():
            key = prefix + part
            if type(cell) is dict:
                if "_type" in cell:
                    self._add_histogram(key, cell)
                else:
                    self._walk(cell, f"{key}/", cells)
                continue
            role = self._roles.get(key)
            if role is None:
                role = self._roles[key] = self._role(key)
            if role is _NO_ROLE or cell is None:
                continue
            if role.is_time:
                self._event_time = cell
                self._is_measured |= role.is_measured_time
            if role.is_version:
                self._row_version = cell
            if role.name:
                value = parse_number(cell)
                if value is None:
                    self._not_numbers[role.name] = self._not_numbers.get(role.name, 0) + 1
                else:
                    cells.append((role.name, value))

    def _add_histogram(self, key: str, cell: dict[str, Any]) -> None:
        name = self._histogram_resolver.resolve(key) if cell["_type"] == "histogram" else None
        if name is None:
            return
        bins = parse_histogram(cell)
        if bins is None:
            self._not_numbers[name] = self._not_numbers.get(name, 0) + 1
        else:
            self._row_histograms.append((name, bins))

    def _role(self, key: str) -> _KeyRole:
        role = _KeyRole(
            name=self.key_resolver.resolve(key) or "",
            is_time=(time := self._time_resolver.resolve(key)) is not None,
            is_measured_time=time == MEASURED_TIME,
            is_version=self._version_resolver is not None and self._version_resolver.resolve(key) is not None,
        )
        return _NO_ROLE if role == _NO_ROLE else role

    def _record_version(self, version: str, time: float, logged: float) -> int:
        place = self._version_index(version)
        self._version_times.append(time)
        self._version_places.append(place)
        if self.request.keeps_log_times:
            self._version_logged.append(logged)
        return place

    def _version_index(self, version: str) -> int:
        return self._versions.setdefault(version, len(self._versions)) if version else UNKNOWN_VERSION
