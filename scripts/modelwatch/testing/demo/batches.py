"""Prediction logs as a serving job would write them, and ``modelwatch measure`` on each new one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...clients.retry import RetryPolicy
from ...profiling.measure import measure
from ...profiling.readers import open_log
from ...profiling.reference_store import capture_reference, write_reference
from ...profiling.wandb_profiles import publish
from ...profiling.window_selection import WindowSelection
from .story import Story

Columns = Mapping[str, Any]


def write_parquet(path: Path, columns: Columns) -> None:
    """A Parquet file. Times are seconds (UTC) in the columns ``time`` and ``known_at``."""
    import pyarrow as pa
    import pyarrow.parquet

    arrays = {name: pa.array(some) for name, some in columns.items()}
    for name in {"time", "known_at"} & arrays.keys():
        arrays[name] = pa.array((columns[name] * 1e6).astype("int64")).cast(pa.timestamp("us", "UTC"))
    pyarrow.parquet.write_table(pa.table(arrays), path)


def concatenate_batches(batches: Sequence[Columns]) -> Columns:
    """One behind the other; all have the same columns."""
    import numpy as np

    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def measure_batch(story: Story, columns: Columns, now: float, selection: WindowSelection | None = None) -> int:
    """Put this batch where the configuration looks for the log, and measure it; returns the rows that were measured."""
    spec = story.model.measure
    assert spec is not None  # noqa: S101 - the story's own configuration
    write_parquet(Path(spec.files), columns)
    story.environment.clock.now = now
    patience = RetryPolicy().scale(os.environ)
    with TemporaryDirectory() as scratch:
        found = measure(story.model, now, os.environ, patience, Path(scratch), selection)
    publish(story.model, found.profile, list(found.rows), os.environ, patience)
    return found.profile.rows


def capture_training_reference(story: Story, columns: Columns, version: str, now: float) -> None:
    """The reference profile of a training set: what ``modelwatch baseline capture --from-table`` does."""
    spec = story.model.measure
    assert spec is not None  # noqa: S101 - the story's own configuration
    table = story.environment.folder / "training" / f"{story.demo_model.name}-{version}.parquet"
    write_parquet(table, columns)
    about = {"model": story.demo_model.name, "version": version, "source": table.name, "captured": now}
    write_reference(Path(spec.reference), capture_reference(open_log(str(table)), spec)[0], about)
    story.reload_config()
