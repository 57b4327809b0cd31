"""The churn model in production: what it would log, hour by hour, and the real W&B client that logs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from ...timeutil import HOUR

if TYPE_CHECKING:
    import numpy as np


REGIONS = {"na": (0.35, 0.925), "eu": (0.25, 0.930), "apac": (0.10, 0.915), "latam": (0.30, 0.910)}
"""Share of the traffic and accuracy while healthy."""
DECISIONS_PER_HOUR = 4000
BAD_VERSION = "v7"
BROKEN_REGION = "latam"
FALL_PER_HOUR = 0.006
"""Accuracy that the broken region loses every hour under the bad version, as cached answers run out."""
MIN_ACCURACY = 0.50
MISREAD_FACTOR = 12.0
"""The bad version reads months as years."""
HOURS_PER_HISTOGRAM = 6
"""Hours in one histogram; scalars are logged every hour."""

EDGES = {
    "tenure_months": range(0, 75, 3),
    "monthly_charges": range(0, 210, 10),
    "support_calls": range(14),
}


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of service. ``age``: hours since the version was deployed."""

    time: float
    version: str
    age: int

    def metrics(self) -> dict[str, Any]:
        """The scalars that the serving job logs, under W&B keys; the same for the same hour and version."""
        random = Random(f"{self.version}/{self.time:.0f}")  # noqa: S311 - a story, not a secret
        row: dict[str, Any] = {"monitor/time": self.time, "_timestamp": self.time}
        right = seen = 0
        for region, (share, accuracy) in REGIONS.items():
            n = round(DECISIONS_PER_HOUR * share * random.uniform(0.9, 1.1))
            hits = sum(random.random() < self._accuracy(region, accuracy) for _ in range(n))
            row[f"eval/region={region}/accuracy"] = hits / n
            row[f"eval/region={region}/n"] = n
            right, seen = right + hits, seen + n
        return row | {"eval/accuracy": right / seen, "eval/n": seen}

    def inputs(self) -> dict[str, tuple[Any, Any]]:
        """Every six hours counts and edges of each feature, as the model reads it; else nothing."""
        import numpy as np

        hours = min(HOURS_PER_HISTOGRAM, self.age)
        if self.time % (HOURS_PER_HISTOGRAM * HOUR) or not hours:
            return {}
        rows = hours * DECISIONS_PER_HOUR
        random = np.random.default_rng([int(self.time // HOUR), int(self.version == BAD_VERSION)])
        return feature_histograms(random, rows, misread=self.version == BAD_VERSION)

    def _accuracy(self, region: str, healthy: float) -> float:
        if self.version != BAD_VERSION or region != BROKEN_REGION:
            return healthy
        return max(MIN_ACCURACY, healthy - FALL_PER_HOUR * self.age)


def feature_histograms(random: np.random.Generator, rows: int, *, misread: bool) -> dict[str, tuple[Any, Any]]:
    """Counts and edges of each feature over ``rows`` customers; ``misread``: as the bad version reads them."""
    import numpy as np

    tenure = random.uniform(0, 72, rows)
    if misread:
        tenure[: round(rows * REGIONS[BROKEN_REGION][0])] /= MISREAD_FACTOR
    values = {
        "tenure_months": tenure,
        "monthly_charges": np.clip(random.normal(80, 25, rows), 0, 200),
        "support_calls": np.clip(random.poisson(1.5, rows), 0, 12),
    }
    return {f"features/{name}": np.histogram(some, list(EDGES[name])) for name, some in values.items()}


def service_hours(start: float, until: float, version: str, deployed: float) -> Iterator[Hour]:
    """The hours that end after ``start``, up to ``until`` (seconds, UTC)."""
    time = start + HOUR
    while time <= until:
        yield Hour(time, version, int((time - deployed) / HOUR))
        time += HOUR


class LoggableRow(Protocol):
    """A stretch of service that is logged as one row."""

    @property
    def time(self) -> float: ...

    def metrics(self) -> dict[str, Any]: ...

    def inputs(self) -> Mapping[str, tuple[Any, Any]]: ...


def log_rows(entity: str, project: str, version: str, written: Sequence[LoggableRow], *, job: str = "churn") -> None:
    """Log rows with the real client: one resumable W&B run per version and UTC day of the last hour."""
    import wandb

    day = datetime.fromtimestamp(written[-1].time, UTC).strftime("%Y-%m-%d")
    with wandb.init(
        entity=entity,
        project=project,
        id=f"{job}-{day}-{version}",
        name=f"{job} {day} {version}",
        resume="allow",
        tags=["production"],
        job_type="monitor",
        config={"model_version": version},
    ) as session:
        for row in written:
            inputs = {key: wandb.Histogram(np_histogram=pair) for key, pair in row.inputs().items()}
            session.log(row.metrics() | inputs)
