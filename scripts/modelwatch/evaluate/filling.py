"""What one rule decided of one series, put into the columns of a track."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.finding import Grid, Track
from ..model.rule import Rule
from ..model.series import Labels
from .baseline import Baseline
from .columns import Floats, Ints, byte_array, double_array, int_array, nans
from .measure import WindowStats
from .outcomes import Outcomes


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationTimes:
    """The evaluation times of a rule, and which version served at each."""

    grid: Grid
    at: Floats
    deployed_since: Floats | None
    """When the version at each time was deployed: no window reaches further back."""
    version: Ints


def build_track(
    model: str,
    rule: Rule,
    labels: Labels,
    times: EvaluationTimes,
    stat: WindowStats,
    reference: Baseline,
    rows: Outcomes,
    versions: tuple[str, ...],
) -> Track:
    return Track(
        model=model,
        rule=rule,
        labels=labels,
        grid=times.grid,
        outcome=byte_array(rows.outcome),
        severity=byte_array(rows.severity),
        clear=byte_array(rows.clear),
        improved=byte_array(rows.improved),
        cause=byte_array(rows.cause),
        value=double_array(stat.value),
        baseline=double_array(reference.value),
        low=double_array(stat.low),
        high=double_array(stat.high),
        n=double_array(stat.n),
        points=int_array(stat.points),
        version=int_array(times.version),
        versions=versions,
        baseline_n=double_array(reference.n),
    )


def missing_baseline(times: EvaluationTimes) -> Baseline:
    """No baseline that a value could be told with: what drifted is a distance already."""
    nothing = nans(times.grid.count)
    return Baseline(nothing, nothing, nothing, nothing, nothing)
