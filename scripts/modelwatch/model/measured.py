"""What ``modelwatch measure`` reads: a prediction log, and what its columns mean."""

from __future__ import annotations

from dataclasses import dataclass

from .rule import DAY


@dataclass(frozen=True, slots=True)
class OutcomesSpec:
    """A second table that tells what became of the predictions, joined by id."""

    files: str
    """File, folder or glob, as in ``MeasureSpec.files``."""
    id: str
    label: str
    label_time: str = ""
    """Of two outcomes for one id the later one counts; without it the one that is read last."""


@dataclass(frozen=True, slots=True)
class MeasureSpec:
    """A prediction log and its mapping. Exactly one of ``files``, ``artifact`` and ``query`` is set."""

    files: str = ""
    """A Parquet or CSV file, a folder of them, a glob, or a URL."""
    artifact: str = ""
    """``entity/project/name:alias`` of a W&B artifact that holds Parquet or CSV files, or a W&B table."""
    query: str = ""
    """SQL for DuckDB."""
    id: str = ""
    time: str = ""
    version: str = ""
    features: tuple[str, ...] = ()
    """Empty: every column that has no other part."""
    score: str = ""
    prediction: str = ""
    label: str = ""
    label_time: str = ""
    segments: tuple[str, ...] = ()
    value: str = ""
    """What a row is worth, such as revenue."""
    outcomes: OutcomesSpec | None = None
    window: float = DAY
    """Seconds; a divisor of a day."""
    reference: str = ""
    """File of the reference profile, as ``baseline capture --from-table`` writes it."""

    @property
    def roles(self) -> frozenset[str]:
        """Columns that are no features."""
        named = (self.id, self.time, self.version, self.score, self.prediction, self.label, self.label_time, self.value)
        return frozenset(filter(None, named))
