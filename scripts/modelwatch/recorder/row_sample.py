"""Which rows are kept as rows: a share drawn by the hash of the id, and those that rules keep."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..profiling.arrow_columns import floats_by_row, hash_by_row, splitmix64
from ..stats.arrays import Bools
from .arrow_rows import is_filled
from .settings import RecorderSettings

_SALT = np.uint64(0x6D6F64656C776174)
"""So that the draw is independent of the hashes by which profiles choose ids."""


def choose_rows(batch: Any, settings: RecorderSettings) -> tuple[Bools, Bools]:
    """By row of a ``pyarrow.RecordBatch``, whether it is in the sample, and whether a rule keeps it besides.

    The sample depends on the text of the id alone, and a larger rate draws all rows of a smaller one.
    """
    sampled = np.ones(batch.num_rows, np.bool_)
    if settings.sample_rate < 1.0:
        hashes, _ = hash_by_row(batch.column(settings.columns["id"]))
        sampled = (splitmix64(hashes ^ _SALT) >> np.uint64(11)) < settings.sample_rate * 2.0**53
    kept = np.zeros(batch.num_rows, np.bool_)
    if settings.keep_errors:
        kept |= is_filled(batch, settings.columns["error"])
    if settings.keep_confidence_below > 0.0:
        kept |= _confidence(batch, settings) < settings.keep_confidence_below
    return sampled, kept & ~sampled


def _confidence(batch: Any, settings: RecorderSettings) -> Any:
    """By row the probability of the most likely class; NaN where there is no score."""
    score, names = settings.columns["score"], batch.schema.names
    scores = [floats_by_row(batch.column(name)) for name in settings.scores.values() if name in names]
    if not scores and score in names:
        values = floats_by_row(batch.column(score))
        scores = [values, 1.0 - values]
    return np.fmax.reduce(scores) if scores else np.full(batch.num_rows, np.nan)
