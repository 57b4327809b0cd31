"""Rows of keys and cells -> Series: labels from the keys, counts attached, versions, sorted, each time once."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from ..model.drift import CATEGORIES_PART, HISTOGRAM_PART, drift_spec_of_metric
from ..model.keys import KeyPattern
from ..model.measured import MEASURED_TIME
from ..model.series import Deployment, Histograms, Labels, Series
from .cells import number, time_of, version_text
from .histograms import Bins, Logged, bins_of, joined
from .keyring import Keyring
from .need import Need, Want
from .served import stretches

UNKNOWN = -1


@dataclass(slots=True)
class Column:
    """The points of one key in the order in which they came."""

    times: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))
    written: array[float] = field(default_factory=lambda: array("d"))
    """When each was written: of two for one time the newest write wins."""
    versions: array[int] = field(default_factory=lambda: array("i"))


@dataclass(frozen=True, slots=True)
class _Role:
    """What a source's key is to us; ``name`` is the wanted key that it is, if any."""

    name: str = ""
    is_time: bool = False
    is_version: bool = False


_NONE = _Role()


class Assembler:
    """Takes rows from any source and makes Series of them. One per model and pull; not for several threads."""

    def __init__(self, need: Need, time_key: str = "", version_key: str = "") -> None:
        self.need = need
        self._apart: dict[str, Column] = {}
        """Columns of canaries."""
        self.keys = Keyring(need.scalars)
        self._histogram_keys = Keyring(need.histograms)
        self.newest = float("-inf")
        """Time of the newest point that was taken."""
        self._time = Keyring([KeyPattern(key) for key in (MEASURED_TIME, time_key) if key])
        self._dated = bool(time_key)
        """Only an event time counts, not when a row was logged."""
        self._version = Keyring([KeyPattern(version_key)]) if version_key else None
        self._event_time: Any = None
        self._row_version: Any = None
        self._roles: dict[str, _Role] = {}
        self._columns: dict[str, Column] = {}
        self._pictures: list[tuple[str, Bins]] = []
        """Histograms of the row that is being walked."""
        self._histograms: dict[str, list[Logged]] = {}
        self._versions: dict[str, int] = {}
        self._times = array("d")
        self._places = array("i")
        self._timeless = 0
        self._not_numbers: dict[str, int] = {}

    def add_row(self, row: Mapping[str, Any], version: str) -> bool:
        """One row of W&B history: cells under keys, ``_timestamp`` when it was logged; True where it gave a point.

        ``version`` holds unless the row itself has the version's key.
        """
        cells: list[tuple[str, float]] = []
        self._event_time = self._row_version = None
        self._pictures = []
        self._walk(row, "", cells)
        if not cells and not self._pictures:
            return False
        logged = number(row.get("_timestamp"))
        time = logged if self._event_time is None and not self._dated else time_of(self._event_time)
        if time is None:
            self._timeless += 1
            return False
        return self.add_cells(
            cells, time, time if logged is None else logged, version_text(self._row_version) or version
        )

    def add_cells(self, cells: Iterable[tuple[str, float]], time: float, written: float, version: str) -> bool:
        """Values under wanted keys, all of one time; False where that time is not wanted."""
        if time < self.need.since or (self.need.until is not None and time > self.need.until):
            return False
        canary = any(trial.covers(version, time) for trial in self.need.trials)
        place = self._number(version) if canary else self._place(version, time)
        columns = self._apart if canary else self._columns
        for key, value in cells:
            column = columns.get(key)
            if column is None:
                column = columns[key] = Column()
            column.times.append(time)
            column.values.append(value)
            column.written.append(written)
            column.versions.append(place)
        for key, bins in () if canary else self._pictures:
            self._histograms.setdefault(key, []).append(Logged(time, written, bins, place))
        self.newest = max(self.newest, time)
        return True

    def series(self) -> tuple[Series, ...]:
        """Every series that the rules name, in the rules' order, the whole before its segments."""
        return self._series(self._columns)

    def canary(self) -> tuple[Series, ...]:
        """The same of what canaries logged."""
        return self._series(self._apart)

    def _series(self, columns: Mapping[str, Column]) -> tuple[Series, ...]:
        names = tuple(self._versions)
        joined: dict[tuple[str, Labels], Series] = {}
        for want in self.need.wants:
            matches = ((want.pattern.match(key), key) for key in columns)
            for labels, key in sorted((labels, key) for labels, key in matches if labels is not None):
                if (want.pattern.name, labels) not in joined:
                    joined[want.pattern.name, labels] = _join(columns, want, labels, key, names)
        return tuple(joined.values())

    def histograms(self) -> tuple[Histograms, ...]:
        """Every histogram that a rule about drift may need, in the rules' order."""
        names = tuple(self._versions)
        return tuple(
            joined(pattern, key, self._histograms[key], names)
            for pattern in self.need.histograms
            for key in sorted(self._histograms)
            if pattern.match(key) is not None
        )

    def deployments(self) -> tuple[Deployment, ...]:
        """Which version served from when on; one that came back after a rollback stands twice."""
        names = list(self._versions)
        return tuple(Deployment(names[place], since) for since, place in stretches(self._times, self._places))

    def notes(self) -> tuple[str, ...]:
        """What was left out, and what was looked for in vain."""
        notes = list(self.need.notes)
        if self._timeless:
            notes.append(f"{self._timeless} rows left out: no readable time")
        for key, count in sorted(self._not_numbers.items()):
            notes.append(f"{key}: {count} values left out that are not numbers")
        missing = [one for one in self.need.scalars if one.text not in self._unasked() and not self._holds(one)]
        notes += [f"no points under {pattern.text}{self._hint(pattern)}" for pattern in missing]
        return tuple(notes)

    def _unasked(self) -> set[str]:
        """Counts of measures of drift: taken where they are, and nobody's fault where they are not."""
        wants = (want for want in self.need.wants if drift_spec_of_metric(want.pattern) is not None)
        return {want.weight_pattern.text for want in wants if want.weight_pattern is not None}

    def _holds(self, pattern: KeyPattern) -> bool:
        if any(pattern.match(key) is not None for key in self._columns):
            return True
        head = pattern.text.rpartition("/")[0]
        near = {head, f"{head}/{HISTOGRAM_PART}", f"{head}/{CATEGORIES_PART}"}
        beside = [one for one in self.need.histograms if one.text in near]
        return any(one.match(key) is not None for one in beside for key in self._histograms)

    def _hint(self, pattern: KeyPattern) -> str:
        near = get_close_matches(pattern.text, self.keys.seen()[:5000], n=3, cutoff=0.6)
        return f"; there is {', '.join(near)}" if near else ""

    def _walk(self, row: Mapping[str, Any], prefix: str, cells: list[tuple[str, float]]) -> None:
        """The wanted cells of ``row``, those in nested dictionaries included; histograms are kept beside them."""
        for part, cell in row.items():
            key = prefix + part
            if type(cell) is dict:
                if "_type" in cell:
                    self._picture(key, cell)
                else:
                    self._walk(cell, f"{key}/", cells)
                continue
            role = self._roles.get(key)
            if role is None:
                role = self._roles[key] = self._role(key)
            if role is _NONE or cell is None:
                continue
            if role.is_time:
                self._event_time = cell
            if role.is_version:
                self._row_version = cell
            if role.name:
                value = number(cell)
                if value is None:
                    self._not_numbers[role.name] = self._not_numbers.get(role.name, 0) + 1
                else:
                    cells.append((role.name, value))

    def _picture(self, key: str, cell: dict[str, Any]) -> None:
        name = self._histogram_keys.resolve(key) if cell["_type"] == "histogram" else None
        if name is None:
            return
        bins = bins_of(cell)
        if bins is None:
            self._not_numbers[name] = self._not_numbers.get(name, 0) + 1
        else:
            self._pictures.append((name, bins))

    def _role(self, key: str) -> _Role:
        role = _Role(
            name=self.keys.resolve(key) or "",
            is_time=self._time.resolve(key) is not None,
            is_version=self._version is not None and self._version.resolve(key) is not None,
        )
        return _NONE if role == _NONE else role

    def _place(self, version: str, time: float) -> int:
        place = self._number(version)
        self._times.append(time)
        self._places.append(place)
        return place

    def _number(self, version: str) -> int:
        return self._versions.setdefault(version, len(self._versions)) if version else UNKNOWN


def _join(columns: Mapping[str, Column], want: Want, labels: Labels, key: str, names: tuple[str, ...]) -> Series:
    import numpy as np

    column = columns[key]
    kept = _kept(column)
    times = np.asarray(column.times)[kept]
    places = np.asarray(column.versions)[kept]
    versions, version_of = _own_versions(places, names)
    weights = columns.get(want.weight_of(key)) if want.weight else None
    return Series(
        name=want.pattern.name,
        labels=labels,
        times=_doubles(times),
        values=_doubles(np.asarray(column.values)[kept]),
        weights=_doubles(_weights_at(weights, times)) if weights else None,
        versions=versions,
        version_of=version_of,
    )


def _kept(column: Column) -> Any:
    """Places of the points to keep, by time: of several for one time the one that was written last."""
    import numpy as np

    times = np.asarray(column.times)
    order = np.lexsort((np.arange(len(times)), np.asarray(column.written), times))
    last = np.append(times[order][1:] != times[order][:-1], True)
    return order[last]


def _weights_at(column: Column, times: Any) -> Any:
    """The counts at ``times``; NaN where none was logged at exactly that time."""
    import numpy as np

    kept = _kept(column)
    known = np.asarray(column.times)[kept]
    places = np.minimum(np.searchsorted(known, times), len(known) - 1)
    return np.where(known[places] == times, np.asarray(column.values)[kept][places], np.nan)


def _own_versions(places: Any, names: tuple[str, ...]) -> tuple[tuple[str, ...], array[int]]:
    """The versions of one series in order of first appearance, and per point which it is."""
    own: dict[int, int] = {UNKNOWN: UNKNOWN}
    version_of = array("i", (own.setdefault(place, len(own) - 1) for place in places.tolist()))
    return tuple(names[place] for place in own if place != UNKNOWN), version_of


def _doubles(column: Any) -> array[float]:
    found = array("d")
    found.frombytes(column.astype("d").tobytes())
    return found
