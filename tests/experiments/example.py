"""The log and the outcomes of the page about experiments: a checkout that helps most regions, and harms one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modelwatch.timeutil import DAY, parse_iso

from .tables import write

START = parse_iso("2026-10-01")
NOW = "2026-10-29"
CUSTOMERS, PREDICTIONS = 20_000, 40_000


def write_example(folder: Path) -> None:
    """Parquet files in ``folder / "logs"`` and ``folder / "orders"``."""
    rng = np.random.default_rng(1)
    customer = rng.integers(0, CUSTOMERS, PREDICTIONS)
    arm = np.where(rng.random(CUSTOMERS) < 0.5, "control", "new")
    before = rng.gamma(2, 10, CUSTOMERS)
    region = np.array(["eu", "us", "apac"])[rng.choice(3, CUSTOMERS, p=[0.5, 0.4, 0.1])]
    gain = np.where(arm == "new", np.where(region == "apac", -6.0, 2.0), 0.0)
    time = START + (rng.random(PREDICTIONS) * 40 - 10) * DAY
    amount = before[customer] / 2 + rng.gamma(2, 5, PREDICTIONS) + gain[customer]
    is_ordered = rng.random(PREDICTIONS) < 0.7
    write(
        folder / "logs",
        {
            "request_id": np.arange(PREDICTIONS),
            "time": time,
            "customer": customer,
            "arm": np.where(time < START, "", arm[customer]),
            "revenue_before": before[customer],
            "region": region[customer],
            "latency_ms": rng.gamma(5, 20, PREDICTIONS) + (arm[customer] == "new"),
        },
    )
    paid = np.flatnonzero(is_ordered & (amount > 0))
    write(
        folder / "orders",
        {
            "request_id": paid,
            "paid_at": time[paid] + rng.exponential(2 * DAY, len(paid)),
            "revenue": np.round(amount[paid], 2),
        },
    )
