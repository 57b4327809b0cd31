"""Pulled series as a table, one row a point: for notebooks and spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import UserError, require_extra
from .model.series import PulledSeries, format_labels

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("model", "metric", "segment", "time", "value", "weight", "version")
SUFFIXES = (".csv", ".parquet")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would calculate (OWASP, CSV injection)."""


def to_frame(pulls: Iterable[PulledSeries]) -> pd.DataFrame:
    """A row for each point, in the columns ``COLUMNS``: ``segment`` as ``region=eu``, empty for the whole; ``time`` in
    UTC; ``weight`` NaN and ``version`` empty where they are unknown."""
    import pandas as pd

    parts = [
        pd.DataFrame(
            {
                "model": pull.model,
                "metric": series.name,
                "segment": format_labels(series.labels),
                "time": pd.to_datetime(series.times, unit="s", utc=True),
                "value": pd.Series(series.values, dtype="float64"),
                "weight": pd.Series(series.weights or [float("nan")] * len(series), dtype="float64"),
                "version": [series.versions[place] if place >= 0 else "" for place in series.version_of],
            }
        )
        for pull in pulls
        for series in pull.series
        if len(series)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def check_table_path(path: Path) -> None:
    """Raises UserError for a file of another kind, and MissingExtraError where Parquet cannot be written."""
    if path.suffix not in SUFFIXES:
        raise UserError("a table is written as .csv or .parquet.", where=str(path))
    if path.suffix == ".parquet":
        with require_extra("profiling", where=str(path)):
            import pyarrow  # noqa: F401


def encode_table(pulls: Iterable[PulledSeries], suffix: str) -> bytes:
    """The points as CSV or Parquet. In CSV a text that a spreadsheet would calculate has an apostrophe before it."""
    frame = to_frame(pulls)
    if suffix == ".parquet":
        return frame.to_parquet(index=False)
    for name in ("model", "metric", "segment", "version"):
        texts = frame[name].astype("str")
        frame[name] = texts.where(~texts.str.startswith(FORMULA), "'" + texts)
    return frame.to_csv(index=False).encode()
