"""What a rule can see on a series: how small a change it finds, how soon, and how often chance alone alarms."""

from __future__ import annotations

from dataclasses import dataclass

from .rule import Limit
from .series import Labels
from .severity import Severity


@dataclass(frozen=True, slots=True)
class SeriesNoise:
    """How much a series says and how it varies: its newest week, as if all of its points were alike."""

    gap: float
    """Seconds between points."""
    level: float
    """The baseline."""
    expected: float
    """The same with its seasonal effects, on average over the week."""
    below: float
    """How far the baseline may lie below its value: its own interval, one-sided."""
    above: float
    spread: float
    """Standard deviation of a point."""
    exposure: float
    """The count behind a point; 1 where none is logged."""
    trials: float
    """The count over its dispersion: so many independent rows say as much."""
    sigma: float | None
    """The baseline's own standard deviation, for limits in sigma."""
    is_proportion: bool
    is_count: bool = False
    """A sum or a ratio: ``trials`` over ``exposure`` is then one over its variance by mean."""


@dataclass(frozen=True, slots=True)
class DetectionDelay:
    """How soon a lasting change is found; half of the time it is found sooner."""

    change: float
    """In the limit's unit: 0.02 is 2 % of the baseline for ``drop``."""
    seconds: float | None
    """``None``: not within a year, or smaller than the limit."""


@dataclass(frozen=True, slots=True)
class TierSensitivity:
    """What one limit of a tier can see."""

    severity: Severity
    limit: Limit
    false_alarms: float
    """A year, at most, of the whole rule in this tier."""
    within_day: float | None
    """The smallest change that is found so soon, in the limit's unit; ``None``: not even the largest is."""
    within_week: float | None
    own: DetectionDelay
    """Of a change as large as the limit."""
    delays: tuple[DetectionDelay, ...]
    """Of the usual sizes."""
    is_baseline_vague: bool = False
    """The baseline is so uncertain that no number of points proves a change as large as the limit."""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What a rule can see on one series, tier by tier from the mildest."""

    rule: str
    labels: Labels
    tiers: tuple[TierSensitivity, ...]
    noise: SeriesNoise


@dataclass(frozen=True, slots=True)
class LevelSensitivity:
    """What one static limit, or one limit of a quantile, can see on a series."""

    rule: str
    labels: Labels
    severity: Severity
    limit: Limit
    false_alarms: float
    """A year, at most, of the whole rule in this tier."""
    healthy: float
    """The level of the newest week; of a quantile the share of healthy points beyond it."""
    within_day: float | None
    """The nearest level beyond the limit that is found so soon, or the smallest share of points beyond it; ``None``:
    none is."""
    within_week: float | None
    is_share: bool
    """Whether it is about a quantile, and the three are shares of points."""


@dataclass(frozen=True, slots=True)
class ModelSensitivity:
    """What the rules of one model can see."""

    model: str
    series: tuple[Sensitivity, ...] = ()
    """By rule: the whole first, then its segments by labels."""
    units: tuple[tuple[str, str], ...] = ()
    """By rule how its values read, see ``unit``."""
    others: tuple[tuple[str, str], ...] = ()
    """Rules of which nothing is known, each with the reason."""
    error: str = ""
    """Why the source could not be read."""
    levels: tuple[LevelSensitivity, ...] = ()
    """In the order of ``series``: static limits, and limits of quantiles."""
