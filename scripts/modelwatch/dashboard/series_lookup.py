"""The series and histograms of a snapshot by name: those that rules read, and those that are only shown."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..model.keys import KeyPattern
from ..model.series import Histograms, Labels, Series
from .snapshot import ModelSnapshot


class SeriesLookup:
    """Series of one model that hold at least one number. What rules read goes before what is only shown."""

    def __init__(self, snapshot: ModelSnapshot) -> None:
        parts = [snapshot.pull, *([snapshot.shown] if snapshot.shown is not None else [])]
        self._series: dict[str, dict[Labels, Series]] = {}
        self._histograms: dict[tuple[str, Labels], Histograms] = {}
        for part in parts:
            for series in part.series:
                if any(map(math.isfinite, series.values)):
                    self._series.setdefault(series.name, {}).setdefault(series.labels, series)
            for histograms in part.histograms:
                if len(histograms) and not histograms.source:
                    self._histograms.setdefault((histograms.name, histograms.labels), histograms)

    def whole(self, name: str) -> Series | None:
        """The series of a name without labels."""
        return self._series.get(name, {}).get(())

    def select(self, *names: str) -> dict[str, Series]:
        """Those of ``names`` that there are, in that order."""
        return {name: series for name in names if (series := self.whole(name)) is not None}

    def below(self, head: str) -> dict[str, Series]:
        """Series without labels whose name begins with ``head`` and a slash, by the rest of the name."""
        found = {name: self.whole(name) for name in sorted(self._series) if name.startswith(f"{head}/")}
        return {name.removeprefix(f"{head}/"): series for name, series in found.items() if series is not None}

    def segments(self, pattern: str) -> list[Series]:
        """Series whose key a pattern with ``*`` matches, by their labels."""
        key = KeyPattern(pattern)
        found = self._series.get(key.name, {})
        return [found[labels] for labels in sorted(found) if labels and key.allows(labels)]

    def segments_of(self, name: str) -> list[Series]:
        """Series of a name with one label, whichever it is."""
        found = self._series.get(name, {})
        return [found[labels] for labels in sorted(found) if len(labels) == 1]

    def names(self) -> Iterator[str]:
        """Names of series without labels."""
        return (name for name in sorted(self._series) if self.whole(name) is not None)

    def label_values(self) -> tuple[str, ...]:
        """Every value of a label, such as the name of a segment or of a class: by them categories of histograms, which
        hold checksums only, are named."""
        found = (value for column in self._series.values() for labels in column for _, value in labels)
        return tuple(dict.fromkeys(found))

    def histograms(self, name: str = "", labels: Labels | None = None) -> list[Histograms]:
        """By name and labels; all that are not given match."""
        return [
            one
            for (own, of), one in sorted(self._histograms.items())
            if (not name or own == name) and (labels is None or of == labels)
        ]


def newest_value(series: Series) -> tuple[float, float] | None:
    """Time and value of the newest point that is a number."""
    pairs = zip(reversed(series.times), reversed(series.values), strict=True)
    return next(((time, value) for time, value in pairs if math.isfinite(value)), None)


def value_at(series: Series, time: float) -> float | None:
    """The newest number at or before a time."""
    pairs = zip(reversed(series.times), reversed(series.values), strict=True)
    return next((value for at, value in pairs if at <= time and math.isfinite(value)), None)
