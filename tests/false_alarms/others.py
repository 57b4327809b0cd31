"""What is no drift of one column: the search for a segment, and measures of embeddings."""

from __future__ import annotations

import numpy as np

from modelwatch.evaluate.aggregation import WindowStats
from modelwatch.evaluate.drift.logged_scores import has_too_few_rows, logged_interval
from modelwatch.model.drift import MIN_EFFECT, drift_spec
from modelwatch.model.keys import KeyPattern
from modelwatch.stats.embeddings import domain_classifier, mmd
from modelwatch.stats.segment_search import SIGNIFICANCE_LEVEL, search_segments
from modelwatch.stats.segmentation import EncodedColumn

from .tally import Tally
from .worlds import Rng

LEVEL = SIGNIFICANCE_LEVEL
"""Stated rate of the search: a culprit where there is none, in any segment of any column or crossing."""
SHAPE = (2, 3, 4, 6, 8, 12)
"""Values of the columns that are searched."""
DIMENSIONS = 8
SIDES: dict[str, tuple[float, float, float]] = {
    "no change": (0.9, 0.9, 0.9),
    "a drop everywhere": (0.9, 0.85, 0.85),
    "one segment drops": (0.9, 0.9, 0.75),
}
"""Accuracy before, after, and after in one segment (an eighth of the rows)."""


def segments(name: str, size: int, windows: int, rng: Rng) -> Tally:
    """``size``: rows a side. The last world counts the windows in which the right segment was named."""
    before, after, inside = SIDES[name]
    named = 0
    for _ in range(windows):
        columns = [
            EncodedColumn(f"c{count}", rng.integers(0, count, 2 * size, dtype=np.int16), tuple(map(str, range(count))))
            for count in SHAPE
        ]
        side = np.repeat([False, True], size)
        chance = np.where(side, np.where(columns[4].codes == 0, inside, after), before)
        culprit = search_segments(
            columns, (rng.random(2 * size) < chance).astype(np.float64), side
        ).significant_suspect()
        named += culprit is not None and (inside == after or ("c8", "0") in culprit.segment)
    return Tally(windows, named, named)


def rows(method: str, shift: float, size: int, windows: int, rng: Rng) -> Tally:
    """Two samples of embeddings in 8 dimensions, one moved in each by ``shift`` standard deviations: alarms of a
    rule over the logged measure, with the limit of its mildest tier."""
    measure = {"classifier_auc": domain_classifier, "mmd": mmd}[method]
    values = np.zeros(windows)
    for window in range(windows):
        reference, current = rng.normal(size=(2, size, DIMENSIONS))
        values[window] = measure(reference, current + shift)
    nothing, limit = np.full(windows, np.nan), MIN_EFFECT[method]
    spec = drift_spec(KeyPattern(f"features/*/{method}"))
    assert spec is not None
    stat = WindowStats(values, np.full(windows, float(size)), np.ones(windows, dtype=np.int64), nothing, nothing)
    low, _ = logged_interval(spec, None, stat)
    return Tally.of((values > limit) & (low > limit) & ~has_too_few_rows(spec, stat))
