"""What ``standins --seed`` serves: a model that got worse in one region with its newest version."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from modelwatch.testing.standins.seed import ROWS, SERVES_SINCE, WORSE_REGION, seed_wandb
from modelwatch.testing.standins.wandb import WandbState

NOW = 1_795_134_000.0
"""Not a whole hour."""
HOUR = 3600.0


def seeded() -> dict[str, list[Mapping[str, Any]]]:
    state = WandbState(("acme",), ("k" * 42,))
    seed_wandb(state, "acme", NOW)
    project = state.project("acme", "churn-prod")
    assert project is not None
    assert all(run.tags == ["production"] for run in project.runs.values())
    return {run.config["model_version"]["value"]: list(run.history.rows) for run in project.runs.values()}


def test_the_newest_version_is_worse_in_one_region_alone() -> None:
    runs = seeded()
    for region in ROWS:
        key = f"eval/region={region}/accuracy"
        before, after = (sum(row[key] for row in rows) / len(rows) for rows in (runs["v7"][-200:], runs["v8"]))
        assert (after < 0.9 * before) == (region == WORSE_REGION)


def test_there_is_a_row_for_every_hour_up_to_now() -> None:
    runs = seeded()
    times = [row["_timestamp"] for rows in (runs["v7"], runs["v8"]) for row in rows]
    assert {after - before for before, after in pairwise(times)} == {HOUR}
    assert NOW - HOUR < times[-1] <= NOW
    assert times[-1] - runs["v8"][0]["_timestamp"] == SERVES_SINCE
    assert all(row["eval/n"] == sum(ROWS.values()) for row in runs["v8"])


def test_it_is_the_same_each_time() -> None:
    assert seeded() == seeded()
