"""Series: ordered (time, value, weight, version) points under a name and labels, stored in columns."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ..timeutil import HOUR
from .release import CanaryPeriod, Move, Registry

Labels = tuple[tuple[str, str], ...]
"""Sorted ``(name, value)`` pairs; hashable."""


NO_POINTS = "no points under "
"""How a note about a key begins."""
NO_COUNT = ": no count stands beside "
"""What one about points of unknown count has."""
IN_PERIOD = " in the period that was read"
"""How they end where the key is logged at other times, so that its name is right."""


def is_about_name(note: str) -> bool:
    """Whether a note is about a name in the configuration that can be wrong."""
    return note.startswith(("no W&B run ", NO_POINTS)) and not note.endswith(IN_PERIOD)


def labels_of(pairs: dict[str, str]) -> Labels:
    return tuple(sorted(pairs.items()))


def format_labels(labels: Labels) -> str:
    """``region=eu, plan=pro``; the empty string for the whole."""
    return ", ".join(f"{name}={value}" for name, value in labels)


def doubles() -> array[float]:
    return array("d")


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The points of one metric for one set of labels; every column has the same length.

    ``times`` are seconds since the epoch (UTC), ascending and unique. Values may be NaN or infinite: evaluation
    leaves those out and counts them. ``weights`` is ``None`` where no count was logged; a NaN weight is an unknown one.
    """

    name: str
    labels: Labels
    times: array[float]
    values: array[float]
    weights: array[float] | None
    versions: tuple[str, ...] = ()
    """Model versions in order of first appearance."""
    version_of: array[int] = field(default_factory=lambda: array("i"))
    """Per point an index into ``versions``; -1 where the version is unknown."""

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, slots=True, eq=False)
class Histograms:
    """The histograms of one feature over time, as they were logged; every column has the same length."""

    name: str
    """Name of the pattern of keys: ``features`` for ``features/*``."""
    labels: Labels
    times: array[float]
    """Seconds since the epoch (UTC), ascending and unique."""
    edges: tuple[array[float], ...]
    """Per point the ends of its bins: k + 1 finite numbers, strictly ascending."""
    counts: tuple[array[float], ...]
    """Per point k counts, not negative. Missing values are in none of them."""
    versions: tuple[str, ...] = ()
    version_of: array[int] = field(default_factory=lambda: array("i"))
    """As in ``Series``."""
    source: str = ""
    """Of a reference: the file that it was read from, as the configuration names it; it stands for no time."""
    exact: bool = False
    """Every row has the bins of a measured profile, not those of a histogram that was logged."""
    categories: tuple[str, ...] = ()
    """Names of categories that are known; the histograms hold their checksums."""

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model version and the time it was first seen (seconds, UTC)."""

    version: str
    since: float


class StartOrigin(StrEnum):
    """What is known of the beginning of a service."""

    MOVE = "move"
    """A move of the release put the version there."""
    POINT = "point"
    """The first point of the version ever."""
    EDGE = "edge"
    """It served before the history that was read begins."""


@dataclass(frozen=True, slots=True)
class ServiceStart:
    """Since when a version serves, where that is not simply its first point in the history that was read."""

    version: str
    since: float
    """As its ``Deployment`` says."""
    began: float
    """When it began (seconds, UTC); with ``EDGE`` at this time or before."""
    origin: StartOrigin


class FailureScope(StrEnum):
    """What a failure to read a model's source is about."""

    EVALUATOR = "evaluator"
    """The evaluator's own configuration, such as a missing key: the source can be fine."""
    CONFIGURATION = "configuration"
    """What the configuration names, such as a project, is not there: no outage, and nothing that waiting fixes."""
    NAMES = "names"
    """A name within the source, such as a column of its table, is not there. It can have been there yesterday, so that
    this is an outage."""
    DATA = "data"
    """The project, files or table that the model reads."""
    SERVER = "server"
    """W&B's server, for every model that reads from it."""

    @property
    def is_name(self) -> bool:
        """Whether the configuration names what is not there: another try fails as well."""
        return self in (FailureScope.CONFIGURATION, FailureScope.NAMES)


@dataclass(frozen=True, slots=True)
class PulledSeries:
    """The series of one model from its source. ``error`` is set if the source failed: then nothing is judged."""

    model: str
    series: tuple[Series, ...]
    deployments: tuple[Deployment, ...] = ()
    error: str = ""
    notes: tuple[str, ...] = ()
    """Notes for people: rows left out, keys that were not found, the newest point's age."""
    links: tuple[tuple[str, str], ...] = ()
    """``(text, url)`` of the W&B runs behind the newest points, newest first."""
    histograms: tuple[Histograms, ...] = ()
    """Of the rules whose metric is a measure of drift."""
    references: tuple[Histograms, ...] = ()
    """What those rules compare with, if that is in a profile: one histogram each."""
    moves: tuple[Move, ...] = ()
    """Of the model's release, newest first; none where it has no ``release:``."""
    canary_periods: tuple[CanaryPeriod, ...] = ()
    """Its canaries, oldest first; what they logged is kept apart."""
    canary_series: tuple[Series, ...] = ()
    """What canaries logged while they served beside the champion, under the names and labels of ``series``."""
    starts: tuple[ServiceStart, ...] = ()
    """Of deployments whose beginning is not their first point in ``series``."""
    scope: FailureScope = FailureScope.EVALUATOR
    """Of ``error``."""
    rolled_back: tuple[tuple[str, str], ...] = ()
    """``(version, reason)``: versions of ``deployments`` that the release was rolled back from."""

    def start_of(self, deployment: Deployment) -> ServiceStart:
        """Since when the version of ``deployment`` serves."""
        own = (deployment.version, deployment.since)
        known = next((start for start in self.starts if (start.version, start.since) == own), None)
        return known or ServiceStart(*own, deployment.since, StartOrigin.POINT)


MOVE_LEAD = HOUR
"""The first points of a version may lie so long (seconds) before the end of the move that put it there."""


def move_starts(deployments: Sequence[Deployment], registry: Registry) -> tuple[ServiceStart, ...]:
    """The starts of deployments that a move of the release made: the newest move before the first points, if it was
    to that version. A move to another version counts only if it ended before them: a bad version is soon replaced."""
    starts = []
    for deployment in deployments:
        version = registry.version(deployment.version)
        if version is None:
            continue
        leads = {version.name: MOVE_LEAD}
        before = (
            move
            for move in registry.deployments
            if (move.ended or move.at) <= deployment.since + leads.get(move.target, 0.0)
        )
        move = max(before, key=lambda move: move.at, default=None)
        if move is not None and move.target == version.name:
            began = min(move.ended or move.at, deployment.since)
            starts.append(ServiceStart(deployment.version, deployment.since, began, StartOrigin.MOVE))
    return tuple(starts)
