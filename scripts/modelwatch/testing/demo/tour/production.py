"""Production on that night, minute by minute: what the model decides, how much of it is wrong, what it logs."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any

from ....timeutil import DAY, MINUTE
from ..churn_production import BROKEN_REGION, REGIONS, feature_histograms

DECISIONS_PER_MINUTE = 400
"""Decisions of the model."""
SEED_PREFIX = "churn-2"
"""Other names, other luck."""
GOOD_VERSION, BAD_VERSION, FALLBACK_VERSION = "v6", "v7", "fallback"
ACCURACY_OFFSETS = {GOOD_VERSION: 0.0, BAD_VERSION: 0.0, "v5": -0.012, FALLBACK_VERSION: -0.04}
"""How much more often than the good version others are right, in every region."""
OLDER_ACCURACY_OFFSET = -0.03
DECLINES: dict[str, tuple[tuple[int, float], ...]] = {
    "release": ((0, 0.0), (280, 0.42)),
    "worse": ((0, 0.0), (65, 0.064), (105, 0.068), (135, 0.30)),
}
"""By night: minutes under the bad version, and the accuracy that the broken region has lost by then, as cached answers
run out."""
MIN_ACCURACY = 0.50
MINUTES_PER_HISTOGRAM = 30
"""Minutes in one histogram; scalars are logged every minute."""


@dataclass(slots=True)
class Production:
    """Which version serves from when. Every minute of it can be computed, past or still to come."""

    start_times: list[float]
    versions: list[str]
    night: str = "release"

    @classmethod
    def starting_with(cls, time: float, version: str, night: str = "release") -> Production:
        return cls([time], [version], night)

    def deploy(self, version: str, time: float) -> None:
        """From ``time`` (seconds, UTC, a full minute; not before what was deployed last)."""
        if version != self.versions[-1]:
            self.start_times.append(time)
            self.versions.append(version)

    def copy(self, until: float = math.inf) -> Production:
        """The same as it stood at ``until``: later deployments are left out."""
        count = max(bisect_right(self.start_times, until), 1)
        return Production(self.start_times[:count], self.versions[:count], self.night)

    def minute(self, end: float) -> Minute:
        """The minute that ends at ``end``. What is deployed at that very moment serves from the next one on."""
        index = max(bisect_right(self.start_times, end - MINUTE) - 1, 0)
        return Minute(end, self.versions[index], round((end - self.start_times[index]) / MINUTE), self.night)

    def minutes(self, start: float, until: float) -> Iterator[Minute]:
        """Those that end after ``start``, up to ``until``."""
        return (self.minute(start + number * MINUTE) for number in range(1, round((until - start) / MINUTE) + 1))

    def count_wrong_decisions(self, start: float, until: float) -> int:
        """Decisions that were wrong."""
        return sum(minute.wrong_decisions for minute in self.minutes(start, until))

    def removal_time(self, version: str, start: float) -> float | None:
        """When ``version`` last stopped serving after ``start``; ``None`` where it still serves."""
        if self.versions[-1] == version:
            return None
        ends = [end for name, end in zip(self.versions, self.start_times[1:], strict=False) if name == version]
        return max((end for end in ends if end > start), default=start)


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of service. ``age``: minutes since the version was deployed."""

    time: float
    """When it ends."""
    version: str
    age: int
    night: str = "release"

    @property
    def wrong_decisions(self) -> int:
        return sum(n - hits for n, hits in self.counts_by_region().values())

    def accuracy(self, region: str) -> float:
        """How often the model is right there, chance left out."""
        healthy = REGIONS[region][1] + ACCURACY_OFFSETS.get(self.version, OLDER_ACCURACY_OFFSET)
        if self.version != BAD_VERSION or region != BROKEN_REGION:
            return healthy
        return max(MIN_ACCURACY, healthy - lost_accuracy(DECLINES[self.night], self.age))

    def counts_by_region(self) -> dict[str, tuple[int, int]]:
        """Decisions and right ones by region. Chance is that of the minute: whatever serves meets the same people."""
        counts = {}
        for region, (n, luck) in _decisions_by_region(self.time).items():
            right = self.accuracy(region)
            hits = round(n * right + luck * math.sqrt(n * right * (1 - right)))
            counts[region] = n, min(max(hits, 0), n)
        return counts

    def metrics(self) -> dict[str, Any]:
        """The scalars that the serving job logs, under W&B keys."""
        row: dict[str, Any] = {"monitor/time": self.time, "_timestamp": self.time}
        regions = self.counts_by_region()
        for region, (n, hits) in regions.items():
            row[f"eval/region={region}/accuracy"] = hits / n
            row[f"eval/region={region}/n"] = n
        total = sum(n for n, _ in regions.values())
        return row | {"eval/accuracy": sum(hits for _, hits in regions.values()) / total, "eval/n": total}

    def inputs(self) -> dict[str, tuple[Any, Any]]:
        """Every half hour counts and edges of each feature, as the model reads it; else nothing."""
        import numpy as np

        minutes = min(MINUTES_PER_HISTOGRAM, self.age)
        if self.time % (MINUTES_PER_HISTOGRAM * MINUTE) or not minutes:
            return {}
        rows = minutes * DECISIONS_PER_MINUTE
        random = np.random.default_rng([int(self.time % DAY // MINUTE), int(self.version == BAD_VERSION)])
        return feature_histograms(random, rows, misread=self.version == BAD_VERSION)


def lost_accuracy(decline: Sequence[tuple[int, float]], age: int) -> float:
    """What is lost ``age`` minutes after the deployment: on straight lines between the points, and constant after."""
    for (start, before), (end, after) in pairwise(decline):
        if age <= end:
            return before + (after - before) * (age - start) / (end - start)
    return decline[-1][1]


@cache
def _decisions_by_region(time: float) -> dict[str, tuple[int, float]]:
    """By region how many are decided about in the minute that ends at ``time``, and luck in standard deviations.

    Every night is the same.
    """
    random = Random(f"{SEED_PREFIX}/{time % DAY:.0f}")  # noqa: S311 - a story, not a secret
    return {
        region: (round(DECISIONS_PER_MINUTE * share * random.uniform(0.9, 1.1)), random.gauss(0, 1))
        for region, (share, _) in REGIONS.items()
    }
