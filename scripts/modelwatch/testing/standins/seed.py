"""What ``modelwatch standins --seed`` puts into the simulated W&B: six weeks of a model whose new version is worse."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from ...timeutil import DAY, HOUR
from .wandb import WandbState

PROJECT = "churn-prod"
TAG = "production"
HISTORY = 42 * DAY
SERVES_SINCE = 30 * HOUR
"""Since when the new version serves, before the newest row."""
VERSIONS = ("v7", "v8")
ROWS = {"apac": 500, "eu": 900, "na": 600}
"""Labelled predictions an hour, by region."""
ACCURACY = 0.92
WORSE_REGION, DROP = "eu", 0.15
"""The region in which the new version is worse, and by how much of its accuracy."""
SEED = 7


def seed_wandb(state: WandbState, entity: str, now: float) -> None:
    """Add one W&B run of each version to ``entity/churn-prod``: hourly accuracy and count, in all and by region, up to
    the last whole hour before ``now`` (seconds, UTC)."""
    end = now // HOUR * HOUR
    start, release = end - HISTORY, end - SERVES_SINCE
    rows = list(_rows(start, end, release))
    for version, begin, stop in zip(VERSIONS, (start, release), (release, end + HOUR), strict=True):
        history = [row for row in rows if begin <= row["_timestamp"] < stop]
        state.add_run(
            entity,
            PROJECT,
            f"serving-{version}",
            config={"model_version": version},
            tags=[TAG],
            history=history,
            created_at=begin,
            state="running" if version == VERSIONS[-1] else "finished",
        )


def _rows(start: float, end: float, release: float) -> Iterator[dict[str, Any]]:
    """One row an hour, as ``wandb.log`` would take it."""
    random_numbers = random.Random(SEED)  # noqa: S311 - not for secrets
    for hour in range(int((end - start) // HOUR) + 1):
        time = start + hour * HOUR
        row: dict[str, Any] = {"_timestamp": time}
        right = 0
        for region, count in ROWS.items():
            is_worse = region == WORSE_REGION and time >= release
            accuracy = ACCURACY * (1 - DROP) if is_worse else ACCURACY
            hits = sum(random_numbers.random() < accuracy for _ in range(count))
            right += hits
            row |= {f"eval/region={region}/accuracy": hits / count, f"eval/region={region}/n": count}
        total = sum(ROWS.values())
        yield row | {"eval/accuracy": right / total, "eval/n": total}
