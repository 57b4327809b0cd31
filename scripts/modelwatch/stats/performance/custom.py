"""A metric of the user's own, named by its dotted path."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from .estimate import Estimate, bootstrap_rows, percentile_interval, undefined_estimate

Metric = Callable[..., float]
"""Called with ``labels`` and ``predictions`` (arrays of one length); gives a number."""

DRAWS = 200
MAX_DRAWN_ROWS = 20_000
"""A draw has at most so many rows: see ``bootstrap_rows``."""


def load_metric(path: str) -> Metric:
    """``package.module.function`` or ``package.module:function``. Raises ``ValueError`` where there is none."""
    module, colon, name = path.partition(":") if ":" in path else path.rpartition(".")
    if not (module and colon and name):
        raise ValueError(f"{path!r} is no dotted path to a function, like `mypackage.metrics.profit`")
    try:
        imported = importlib.import_module(module)
    except ImportError as error:
        raise ValueError(f"the module {module!r} of the metric {path!r} cannot be imported: {error}") from error
    function = getattr(imported, name, None)
    if not callable(function):
        raise ValueError(f"the module {module!r} has no function {name!r}")
    metric: Metric = function
    return metric


def custom_metric(
    name: str, metric: Metric, labels: NDArray[Any], predictions: NDArray[Any], *, intervals: bool = True
) -> Estimate:
    """The metric on all rows, and with ``intervals`` its interval by drawing rows with replacement. What the metric
    raises is not caught: it is the user's own code."""
    n = len(labels)
    if n == 0:
        return undefined_estimate(name)
    value = float(metric(labels, predictions))
    if not math.isfinite(value) or n < 2 or not intervals:
        return Estimate(name, value, math.nan, math.nan, float(n))
    draws = bootstrap_rows(
        n, value, lambda rows: metric(labels[rows], predictions[rows]), draws=DRAWS, max_rows=MAX_DRAWN_ROWS
    )
    low, high = percentile_interval(draws)
    return Estimate(name, value, min(low, value), max(high, value), float(n))
