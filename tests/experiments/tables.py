"""Models with a log, outcomes and an experiment in files, from columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modelwatch.clients.retry import RetryPolicy
from modelwatch.model.business import BusinessSpec
from modelwatch.model.experiment import (
    AUTO_LAG,
    BusinessOutcomesSpec,
    CohortsSpec,
    CohortValues,
    ExperimentMetric,
    ExperimentResult,
    ExperimentSpec,
    MetricEffect,
)
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.profiling.experiments import Reading, read_cohorts, read_experiment
from modelwatch.timeutil import DAY, parse_iso

START = parse_iso("2026-10-01")
REVENUE = ExperimentMetric("revenue", "revenue")
SPEC = ExperimentSpec("checkout", START, "arm", (("control", 1.0), ("new", 1.0)), "control", (REVENUE,))
OUTCOMES = BusinessOutcomesSpec("id", time="known")
Table = Mapping[str, Any]
"""Columns: lists or arrays."""


def write(path: Path, columns: Table, parts: int = 1) -> str:
    """A folder of Parquet files, the rows dealt out over ``parts``."""
    table = pa.table({name: pa.array(column) for name, column in columns.items()})
    for part in range(parts):
        target = path / f"{part}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.take(pa.array(np.arange(part, table.num_rows, parts))), target)
    return str(path)


def model(
    folder: Path,
    log: Table,
    outcomes: Table | None = None,
    *,
    table: BusinessOutcomesSpec = OUTCOMES,
    lag: float = AUTO_LAG,
    cohorts: CohortsSpec | None = None,
    experiments: tuple[ExperimentSpec, ...] = (),
    parts: int = 1,
) -> Model:
    """A model whose log is in ``folder``; ``outcomes`` are in files, unless ``table`` names another source."""
    spec = MeasureSpec(files=write(folder / "log", log, parts), id="id", time="at")
    if outcomes is not None and not table.query and not table.artifact:
        table = replace(table, files=write(folder / "outcomes", outcomes, parts))
    business = BusinessSpec(
        outcomes=table if outcomes is not None or table.query or table.artifact else None,
        lag=lag,
        cohorts=cohorts,
        experiments=experiments,
    )
    return Model("churn", (), measure=spec, business=business)


def analyse(watched: Model, spec: ExperimentSpec, now: float, folder: Path) -> ExperimentResult:
    return read_experiment(Reading(watched, {}, RetryPolicy(), folder / "scratch"), spec, now)


def cohort_values(watched: Model, spec: CohortsSpec, now: float, folder: Path) -> CohortValues:
    return read_cohorts(Reading(watched, {}, RetryPolicy(), folder / "scratch"), spec, [now])[0]


def first(result: ExperimentResult) -> MetricEffect:
    return result.newest.effects[0]


def simple_log(n: int = 1000, days: float = 20, seed: int = 1, effect: float = 0.0, **more: Any) -> dict[str, Any]:
    """A log in which each row is a unit with a revenue around 10."""
    rng = np.random.default_rng(seed)
    arm = np.where(rng.random(n) < 0.5, "control", "new")
    return {
        "id": np.arange(n),
        "at": START + np.sort(rng.random(n)) * days * DAY,
        "arm": arm,
        "revenue": 10 + 2 * rng.standard_normal(n) + effect * (arm == "new"),
        **more,
    }
