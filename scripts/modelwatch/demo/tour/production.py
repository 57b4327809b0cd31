"""Production on that night, minute by minute: what the model decides, how much of it is wrong, what it logs."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from ..churn_hours import BROKEN_REGION, REGIONS, counted

MINUTE, DAY = 60.0, 86_400.0
PER_MINUTE = 400
"""Decisions of the model."""
NIGHT = "churn-2"
"""Other names, other luck."""
GOOD, BAD, FALLBACK = "v6", "v7", "fallback"
OFFSET = {GOOD: 0.0, BAD: 0.0, "v5": -0.012, FALLBACK: -0.04}
"""How much more often than the good version others are right, in every region."""
OLDER = -0.03
FALL_PER_MINUTE = 0.0015
"""Accuracy that the broken region loses every minute under the bad version, as cached answers run out."""
LOWEST = 0.50
TOGETHER = 30
"""Minutes in one histogram; scalars are logged every minute."""


@dataclass(slots=True)
class Production:
    """Which version serves from when. Every minute of it can be asked for, past or still to come."""

    since: list[float]
    versions: list[str]

    @classmethod
    def beginning(cls, time: float, version: str) -> Production:
        return cls([time], [version])

    def deploy(self, version: str, time: float) -> None:
        """From ``time`` (seconds, UTC, a full minute; not before what was deployed last)."""
        if version != self.versions[-1]:
            self.since.append(time)
            self.versions.append(version)

    def copy(self, until: float = math.inf) -> Production:
        """The same as it stood at ``until``: later deployments are left out."""
        count = max(bisect_right(self.since, until), 1)
        return Production(self.since[:count], self.versions[:count])

    def minute(self, end: float) -> Minute:
        """The minute that ends at ``end``. What is deployed at that very moment serves from the next one on."""
        place = max(bisect_right(self.since, end - MINUTE) - 1, 0)
        return Minute(end, self.versions[place], round((end - self.since[place]) / MINUTE))

    def minutes(self, start: float, until: float) -> Iterator[Minute]:
        """Those that end after ``start``, up to ``until``."""
        return (self.minute(start + number * MINUTE) for number in range(1, round((until - start) / MINUTE) + 1))

    def wrong(self, start: float, until: float) -> int:
        """Decisions that were wrong."""
        return sum(minute.wrong for minute in self.minutes(start, until))

    def left(self, version: str, start: float) -> float | None:
        """When ``version`` last stopped serving after ``start``; ``None`` where it still serves."""
        if self.versions[-1] == version:
            return None
        ends = [end for name, end in zip(self.versions, self.since[1:], strict=False) if name == version]
        return max((end for end in ends if end > start), default=start)


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of service. ``age``: minutes since the version was deployed."""

    time: float
    """When it ends."""
    version: str
    age: int

    @property
    def wrong(self) -> int:
        return sum(n - hits for n, hits in self.regions().values())

    def accuracy(self, region: str) -> float:
        """How often the model is right there, chance left out."""
        healthy = REGIONS[region][1] + OFFSET.get(self.version, OLDER)
        if self.version != BAD or region != BROKEN_REGION:
            return healthy
        return max(LOWEST, healthy - FALL_PER_MINUTE * self.age)

    def regions(self) -> dict[str, tuple[int, int]]:
        """Decisions and right ones by region. Chance is that of the minute: whatever serves meets the same people."""
        found = {}
        for region, (n, luck) in _people(self.time).items():
            right = self.accuracy(region)
            hits = round(n * right + luck * math.sqrt(n * right * (1 - right)))
            found[region] = n, min(max(hits, 0), n)
        return found

    def metrics(self) -> dict[str, Any]:
        """The scalars that the serving job logs, under W&B keys."""
        row: dict[str, Any] = {"monitor/time": self.time}
        regions = self.regions()
        for region, (n, hits) in regions.items():
            row[f"eval/region={region}/accuracy"] = hits / n
            row[f"eval/region={region}/n"] = n
        seen = sum(n for n, _ in regions.values())
        return row | {"eval/accuracy": sum(hits for _, hits in regions.values()) / seen, "eval/n": seen}

    def inputs(self) -> dict[str, tuple[Any, Any]]:
        """Every half hour counts and edges of each feature, as the model reads it; else nothing."""
        import numpy as np

        minutes = min(TOGETHER, self.age)
        if self.time % (TOGETHER * MINUTE) or not minutes:
            return {}
        rows = minutes * PER_MINUTE
        random = np.random.default_rng([int(self.time % DAY // MINUTE), int(self.version == BAD)])
        return counted(random, rows, misread=self.version == BAD)


@cache
def _people(time: float) -> dict[str, tuple[int, float]]:
    """By region how many are decided about in the minute that ends at ``time``, and luck in standard deviations.

    Every night is the same.
    """
    random = Random(f"{NIGHT}/{time % DAY:.0f}")  # noqa: S311 - a story, not a secret
    return {
        region: (round(PER_MINUTE * share * random.uniform(0.9, 1.1)), random.gauss(0, 1))
        for region, (share, _) in REGIONS.items()
    }
