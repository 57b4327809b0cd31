"""The shared data: a small and a large pair of tables, the same for the same seed, kept as Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SIZES = {"small": (5_000, 4_000), "large": (20_000, 15_000)}
"""Rows of the reference and of the current side. Both peers change their ways at 10,000 rows of the reference."""
SEED = 20


def write(folder: Path) -> None:
    """``small-reference.parquet`` and so on."""
    for name, sizes in SIZES.items():
        for place, (side, rows) in enumerate(zip(("reference", "current"), sizes, strict=True)):
            random = np.random.default_rng([SEED, len(name), place])
            pq.write_table(_table(random, rows, later=bool(place)), folder / f"{name}-{side}.parquet")


def _table(random: np.random.Generator, rows: int, later: bool) -> pa.Table:
    far = random.random(rows) < (0.01 if later else 0.0)
    numbers = {
        "same": random.normal(0, 1, rows),
        "moved": random.normal(0.02 if later else 0.0, 1, rows),
        "narrower": random.normal(0.05 if later else 0.0, 1.0 if later else 1.5, rows),
        "skewed": random.lognormal(0.03 if later else 0.0, 1, rows),
        "far": np.where(far, random.normal(40, 1, rows), random.normal(0, 1, rows)),
        "counts": random.poisson(31 if later else 30, rows).astype(np.float64),
        "die": random.integers(1, 7, rows).astype(np.float64),
        "constant": np.full(rows, 3.25),
    }
    texts = {
        "plan": random.choice(["free", "pro", "team"], rows, p=[0.55, 0.33, 0.12] if later else [0.6, 0.3, 0.1]),
        "even": random.choice([f"k{place}" for place in range(12)], rows),
        "new": random.choice(["a", "b", "c", "d"], rows, p=[0.4, 0.3, 0.2, 0.1] if later else [0.5, 0.3, 0.2, 0.0]),
    }
    return pa.table(numbers | texts)
