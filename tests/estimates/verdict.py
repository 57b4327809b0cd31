"""What is estimated of a world, and whether the interval holds what was realized."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelwatch.stats.arrays import Floats
from modelwatch.stats.estimated_performance.classification import (
    BinaryRows,
    ClassRows,
    estimate_binary,
    estimate_classes,
)
from modelwatch.stats.estimated_performance.density_ratio import DensityRatio, density_ratio
from modelwatch.stats.estimated_performance.realized_metrics import (
    half_widths_off,
    realized_binary,
    realized_classes,
    realized_regression,
)
from modelwatch.stats.estimated_performance.regression import estimate_regression
from modelwatch.stats.performance.estimate import Estimate

from .worlds import CATEGORICAL, Cohort, World


@dataclass(frozen=True, slots=True)
class Verdict:
    """By metric the estimate, what was realized, and the distance in half-widths of the interval."""

    estimates: dict[str, Estimate]
    realized: dict[str, float]
    distances: dict[str, float]
    ratio: DensityRatio

    def covers(self, metric: str) -> bool:
        one = self.estimates[metric]
        return one.low <= self.realized[metric] <= one.high


def judge(world: World) -> Verdict:
    """Estimates for the later cohort, held against its labels."""
    labelled, rows = world.labelled, world.rows
    tables = [np.column_stack([cohort.inputs, cohort.scores]) for cohort in (labelled, rows)]
    outputs = tables[0].shape[1] - len(CATEGORICAL)
    categorical = np.append(CATEGORICAL, np.zeros(outputs, np.bool_))
    ratio = density_ratio(tables[0], tables[1], categorical)
    if labelled.labels.dtype == np.float64:
        errors = labelled.scores - labelled.labels
        estimates = estimate_regression(tables[0], errors, tables[1], ratio=ratio, categorical=categorical)
        realized = realized_regression(rows.scores - rows.labels)
    elif labelled.scores.ndim == 1:
        estimates = estimate_binary(_binary(labelled), labelled.labels == 1, _binary(rows), ratio=ratio)
        realized = realized_binary(_binary(rows), rows.labels == 1)
    else:
        estimates = estimate_classes(_several(labelled), labelled.labels, _several(rows), ratio=ratio)
        realized = realized_classes(_several(rows), rows.labels)
    named = {one.name: one for one in estimates if not one.label}
    return Verdict(named, realized, half_widths_off(estimates, realized), ratio)


def _binary(cohort: Cohort) -> BinaryRows:
    scores: Floats = cohort.scores
    return BinaryRows(scores, cohort.predicted == 1)


def _several(cohort: Cohort) -> ClassRows:
    return ClassRows(cohort.scores, cohort.predicted)


def shares_covered(verdicts: list[Verdict]) -> dict[str, float]:
    """By metric the share of worlds whose interval holds what was realized."""
    names = dict.fromkeys(name for verdict in verdicts for name in verdict.realized if name in verdict.estimates)
    return {
        name: float(np.mean([verdict.covers(name) for verdict in verdicts if name in verdict.realized]))
        for name in names
    }
