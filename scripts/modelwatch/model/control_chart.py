"""Control charts as limits of a tier: which chart, of what, and what it signals."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .severity import DescribedEnum


class ChartMethod(StrEnum):
    SHEWHART = "shewhart"
    EWMA = "ewma"
    CUSUM = "cusum"
    NELSON = "nelson"
    WESTERN_ELECTRIC = "western_electric"


RULE_COUNT = {ChartMethod.NELSON: 8, ChartMethod.WESTERN_ELECTRIC: 4}
"""Charts that are a list of rules."""


class ChartData(StrEnum):
    """What a point is, which says how it varies."""

    INDIVIDUALS = "individuals"
    """Values of one spread: the baseline's standard deviation, else by moving ranges."""
    XBAR = "xbar"
    """Means of as many values as the weight says."""
    P = "p"
    """Shares of independent trials: binomial."""
    U = "u"
    """Events for each unit of the weight: Poisson."""
    LANEY_P = "laney_p"
    """As ``p``, times what moving ranges vary more than trials alone (Laney's p')."""
    LANEY_U = "laney_u"


COUNTED_DATA = frozenset(ChartData) - {ChartData.INDIVIDUALS}
"""They need the count behind each point."""
PROPORTION_DATA = frozenset((ChartData.P, ChartData.LANEY_P))


@dataclass(frozen=True, slots=True)
class ControlChart:
    """A chart that decides a tier point by point; only the fields of its ``method`` are used."""

    method: ChartMethod
    data: ChartData | None = None
    """``None``: as ``Rule.chart_data`` says."""
    limit: float | None = None
    """In standard deviations (EWMA: of the average; CUSUM: of a point)."""
    run_length: float | None = None
    """In place of ``limit``: mean number of points between false signals."""
    duration: float | None = None
    """In place of ``limit``: mean time between false signals (seconds). Without any of the three the tier's budget of
    false alarms counts, and where there is none the ``TEXTBOOK_LIMITS``."""
    smoothing: float = 0.1
    """EWMA: the weight of the newest point (lambda)."""
    shift: float = 1.0
    """CUSUM: the change to find soonest, in standard deviations; half of it is the allowance k."""
    head_start: bool = False
    """CUSUM: starts, and restarts at deployments, at half of its limit (fast initial response)."""
    rules: tuple[int, ...] = ()
    """NELSON, WESTERN_ELECTRIC: which of them count; empty: all."""
    remove_autocorrelation: bool = True
    """The chart judges what each point adds to what the one before it lets expect."""

    @property
    def rule_numbers(self) -> tuple[int, ...]:
        return self.rules or tuple(range(1, RULE_COUNT.get(self.method, 0) + 1))


TEXTBOOK_LIMITS = {ChartMethod.SHEWHART: 3.0, ChartMethod.EWMA: 2.7, ChartMethod.CUSUM: 5.0}
"""Run lengths of 370, about 500 (with ``smoothing`` 0.1) and 465 points on two sides."""


class ChartSignal(DescribedEnum):
    """What a chart signals."""

    NONE = "none", ""
    SHEWHART = "shewhart", "a point beyond the control limit"
    EWMA = "ewma", "EWMA beyond its limit"
    CUSUM = "cusum", "CUSUM beyond its limit"
    NELSON_1 = "nelson-1", "Nelson rule 1: one point beyond 3 sigma"
    NELSON_2 = "nelson-2", "Nelson rule 2: nine points in a row on one side"
    NELSON_3 = "nelson-3", "Nelson rule 3: six points in a row rising or falling"
    NELSON_4 = "nelson-4", "Nelson rule 4: fourteen points in a row alternating"
    NELSON_5 = "nelson-5", "Nelson rule 5: two of three points beyond 2 sigma"
    NELSON_6 = "nelson-6", "Nelson rule 6: four of five points beyond 1 sigma"
    NELSON_7 = "nelson-7", "Nelson rule 7: fifteen points in a row within 1 sigma"
    NELSON_8 = "nelson-8", "Nelson rule 8: eight points in a row beyond 1 sigma, on either side"
    WESTERN_ELECTRIC_1 = "western-electric-1", "Western Electric rule 1: one point beyond 3 sigma"
    WESTERN_ELECTRIC_2 = "western-electric-2", "Western Electric rule 2: two of three points beyond 2 sigma"
    WESTERN_ELECTRIC_3 = "western-electric-3", "Western Electric rule 3: four of five points beyond 1 sigma"
    WESTERN_ELECTRIC_4 = "western-electric-4", "Western Electric rule 4: eight points in a row on one side"
