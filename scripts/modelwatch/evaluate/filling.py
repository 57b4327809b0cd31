"""What one rule decided of one series, put into the columns of a track."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.finding import Grid, Track
from ..model.rule import Rule
from ..model.series import Labels
from .baseline import Reference
from .columns import Floats, Ints, bytes_, doubles, ints, nans
from .measure import Stat
from .outcomes import Rows


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """The evaluation times of a rule, and which version served at each."""

    grid: Grid
    at: Floats
    deployed: Floats | None
    """When the version at each time was deployed: no window reaches further back."""
    version: Ints


def track_of(
    model: str,
    rule: Rule,
    labels: Labels,
    times: Times,
    stat: Stat,
    reference: Reference,
    rows: Rows,
    versions: tuple[str, ...],
) -> Track:
    return Track(
        model=model,
        rule=rule,
        labels=labels,
        grid=times.grid,
        outcome=bytes_(rows.outcome),
        severity=bytes_(rows.severity),
        clear=bytes_(rows.clear),
        improved=bytes_(rows.improved),
        cause=bytes_(rows.cause),
        value=doubles(stat.value),
        baseline=doubles(reference.value),
        low=doubles(stat.low),
        high=doubles(stat.high),
        n=doubles(stat.n),
        points=ints(stat.points),
        version=ints(times.version),
        versions=versions,
        baseline_n=doubles(reference.n),
    )


def no_baseline(times: Times) -> Reference:
    """No baseline that a value could be told with: what drifted is a distance already."""
    nothing = nans(times.grid.count)
    return Reference(nothing, nothing, nothing, nothing, nothing)
