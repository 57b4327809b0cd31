"""The gate's decision about a candidate, and every reason for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .alert import FORMAT


class GateDecision(StrEnum):
    PROMOTE = "promote"
    HOLD = "hold"
    """Not proven: neither better nor worse, or better here and worse there; people decide."""
    REJECT = "reject"


class GateCheck(StrEnum):
    """The subject of a row."""

    TABLES = "tables"
    """Whether the two tables can be compared at all."""
    PRIMARY = "primary"
    SEGMENT = "segment"
    LATENCY = "latency"
    METRIC = "metric"
    """Another metric, reported and not judged."""
    AGREEMENT = "agreement"
    CALIBRATION = "calibration"


class GateVerdict(StrEnum):
    SUPERIOR = "superior"
    """Better, beyond its interval."""
    NON_INFERIOR = "non-inferior"
    """Worse by less than the margin, if at all, beyond its interval."""
    UNDECIDED = "undecided"
    """The interval includes both better and worse."""
    WORSE = "worse"
    """Worse, beyond its interval."""
    INFERIOR = "inferior"
    """Worse by more than the margin, beyond its interval."""
    BLOCKS = "blocks"
    """The comparison cannot be trusted."""
    REPORTED = "reported"
    """Not judged."""


@dataclass(frozen=True, slots=True)
class GateRow:
    """One thing that was looked at. Numbers are ``None`` where they are not defined."""

    check: GateCheck
    part: str
    """``holdout`` or ``recent``; empty for both."""
    what: str
    """The metric, or the kind of trouble."""
    verdict: GateVerdict
    words: str
    """Why, in a sentence."""
    segment: str = ""
    """``region=eu``; empty for the whole."""
    champion: float | None = None
    candidate: float | None = None
    difference: float | None = None
    """Candidate minus champion; of a latency the ratio minus 1."""
    low: float | None = None
    high: float | None = None
    """Interval of the difference at ``1 - alpha``."""
    n: int = 0
    p: float | None = None
    worth: float | None = None
    """The segment's share of the total."""
    worth_of: str = ""
    """Of what: ``value``, or ``rows`` where no value is known."""
    how: str = ""
    """Method of the interval."""
    unit: str = "rows"
    """What ``n`` counts: ``rows``, or ``queries`` where lists are compared."""

    @property
    def worth_text(self) -> str:
        """`` (12.3 % of the value)``; empty where it is not known. The same in the sentence and in the table."""
        return "" if self.worth is None else f" ({100 * self.worth:.3g} % of the {self.worth_of})"


@dataclass(frozen=True, slots=True)
class GateReport:
    """The gate's result for one candidate."""

    at: float
    model: str
    champion: str
    candidate: str
    metric: str
    better: str
    alpha: float
    margin: float
    decision: GateDecision
    reasons: tuple[str, ...]
    """Why this decision and no other; the weightiest first."""
    rows: tuple[GateRow, ...]
    notes: tuple[str, ...] = ()
    format: int = FORMAT
