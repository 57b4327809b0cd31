"""Which direction of a metric is good, and which metrics are no shares, for the keys that ``modelwatch measure``
publishes."""

from __future__ import annotations

from ..model.keys import KeyPattern
from ..model.prediction_log import ESTIMATE_CHECK, ESTIMATED, METRICS
from ..model.rule import Direction

_LOWER_METRICS = frozenset(("mae", "mae_by_value", "rmse", "mape", "log_loss", "brier"))
_UNDIRECTED_METRICS = frozenset(("bias", "confusion"))
"""Best at 0, and a table."""
_DIRECTIONS: dict[str, dict[str, Direction]] = {
    "calibration": {
        "ece": Direction.LOWER,
        "brier": Direction.LOWER,
        "reliability": Direction.LOWER,
        "resolution": Direction.HIGHER,
    },
    "labels": {
        "agreement": Direction.HIGHER,
        "agreement_share": Direction.HIGHER,
        "coverage": Direction.HIGHER,
        "annotator_error": Direction.LOWER,
        "changed_share": Direction.LOWER,
        "suspicious_share": Direction.LOWER,
        "delay_days": Direction.LOWER,
        "missing_share": Direction.LOWER,
        "maturity_days": Direction.LOWER,
    },
    "latency": dict.fromkeys(("p50", "p95", "p99"), Direction.LOWER),
    "errors": {"rate": Direction.LOWER},
    "cost": dict.fromkeys(("mean", "sum"), Direction.LOWER),
}
"""By the first two parts of a name, segments aside. Others are worse in neither direction alone: counts, shares
of a class, how confident scores are, the slope of calibration, throughput."""


_NO_SHARES = frozenset(("mae", "rmse", "mse", "mape", "bias", "r2", "log_loss", "mae_by_value"))


def is_no_share(metric: KeyPattern) -> bool:
    """Whether a metric is, by the last part of its key, a mean of numbers and no share of rows."""
    return metric.name.rpartition("/")[2] in _NO_SHARES


def metric_direction(metric: KeyPattern) -> Direction | None:
    """The good direction; ``None`` where neither is good alone, and for keys that ``measure`` does not publish."""
    head, _, rest = metric.name.partition("/")
    name = rest.partition("/")[0]
    if head in ("eval", "weighted", ESTIMATED):
        if name not in METRICS or name in _UNDIRECTED_METRICS:
            return None
        return Direction.LOWER if name in _LOWER_METRICS else Direction.HIGHER
    if head == ESTIMATE_CHECK:
        return Direction.LOWER if name in METRICS else None
    return _DIRECTIONS.get(head, {}).get(name)
